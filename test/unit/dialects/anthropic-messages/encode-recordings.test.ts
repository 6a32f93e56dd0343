// Recorded traffic of every dialect through this dialect's encode half: the client's own JSON comes back, and of any other
// dialect the same texts, calls, finish reason and counts are read again by this dialect's decoders.
import Anthropic, { APIError } from "@anthropic-ai/sdk";
import { describe, expect, it } from "vitest";
import type { InferenceRequest, InferenceResponse, Part } from "../../../../src/canonical/index.ts";
import type { Dialect, Operation } from "../../../../src/dialects/dialect.ts";
import { Encoding } from "../../../../src/dialects/encoding.ts";
import { createFrameDecoder, findFraming } from "../../../../src/dialects/framing/framing.ts";
import { matchDialect } from "../../../../src/dialects/registry.ts";
import { anthropicMessages } from "../../../../src/dialects/anthropic-messages/index.ts";
import { encoder } from "../../../../src/dialects/anthropic-messages/encoder.ts";
import { SidecarError } from "../../../../src/errors.ts";
import { jsonBody, loadRecordings, responseBytes, type Recording } from "../../../support/recordings.ts";
import { decodeEvents, foldEvents } from "../../../support/stream-decoding.ts";

type Json = Record<string, unknown>;

const messages: Operation = { kind: "chat", name: "chat", route: "/v1/messages", path: "v1/messages" };
const foreignFolders = [
  "openai-chat",
  "azure-openai",
  "mistral",
  "openai-responses",
  "gemini",
  "bedrock-converse",
  "cohere-v2",
  "ollama",
];

interface Exchange {
  recording: Recording;
  dialect: Dialect;
  operation: Operation;
  body: Json;
}

/** The exchange in its dialect, whatever prefix its path has; nothing for other calls than chats. */
function read(recording: Recording): Exchange[] {
  const { body } = recording.request;
  let path = new URL(recording.request.url).pathname;
  while (path !== "") {
    const matched = matchDialect("POST", path);
    if (matched !== undefined) {
      const { name } = matched.operation;
      const isChat = name === "chat" || name === "generate_content";
      if (!isChat || typeof body !== "object" || body === null) return [];
      return [{ recording, ...matched, body: body as Json }];
    }
    const next = path.indexOf("/", 1);
    path = next === -1 ? "" : path.slice(next);
  }
  return [];
}

const own = loadRecordings("anthropic-messages").flatMap(read);
const foreign = foreignFolders
  .flatMap((folder) => loadRecordings(folder))
  .flatMap(read)
  .filter(({ dialect }) => dialect.encoder !== undefined);
const answered = foreign.filter(({ recording }) => recording.response.status === 200);

function encodingOf(source: Dialect, model = "the-model"): Encoding {
  return new Encoding({
    source: source.id,
    target: "anthropic-messages",
    model,
    maxOutputTokens: 4096,
    exchangeId: "0123456789abcdef0123456789abcdef",
    epochSeconds: 1,
    toolResultParts: source.encoder?.toolResultParts ?? (() => []),
  });
}

/** A text and the one text block it stands for are the same to the decoder. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]: [string, unknown]) => {
      const [only] = Array.isArray(item) ? (item as Json[]) : [];
      const isOneText =
        Array.isArray(item) && item.length === 1 && only?.["type"] === "text" && Object.keys(only).length === 2;
      return [key, isOneText && (key === "content" || key === "system") ? only?.["text"] : plain(item)];
    }),
  );
}

describe("a request of this dialect", () => {
  it.each(own)("is the client's JSON again: $recording.id", ({ dialect, operation, body }) => {
    const request = dialect.decodeRequest(body, operation);
    const encoding = encodingOf(dialect, request.model);
    const encoded = encoder.encodeRequest(request, encoding);
    encoding.loseLeftovers(request);
    const expected = { ...body };
    // `stream: false` and no stream are not told apart; at Vertex AI both stand in the path.
    if (expected["stream"] === false || operation.stream === true) delete expected["stream"];
    if (operation.stream === true) delete encoded["stream"];
    if (operation.model !== undefined) delete encoded["model"];
    expect(plain(encoded)).toEqual(plain(expected));
    expect(encoding.losses).toEqual([]);
  });
});

function textsOf(parts: readonly Part[], encoding: Encoding): string[] {
  return parts.flatMap((part) => {
    if (part.type === "text") return part.content.trim() === "" ? [] : [part.content];
    // A document of plain text is one here, which reads as text.
    if (part.type === "blob" && part.mime_type?.startsWith("text/") === true) {
      return [Buffer.from(part.content, "base64").toString()];
    }
    return part.type === "tool_call_response" ? textsOf(encoding.toolResultParts(part.response), encoding) : [];
  });
}

function factsOf(request: InferenceRequest, encoding: Encoding): { texts: string[]; calls: unknown[] } {
  const parts = request.messages.flatMap((message) => message.parts);
  const system = request.systemInstructions ?? [];
  return {
    texts: textsOf([...system, ...parts], encoding).toSorted(),
    calls: parts.flatMap((part) => (part.type === "tool_call" ? [[part.name, inputOf(part.arguments)]] : [])),
  };
}

function inputOf(value: unknown): unknown {
  if (value === undefined || value === null) return {};
  return typeof value === "object" && !Array.isArray(value) ? value : { input: value };
}

describe("a request of another dialect", () => {
  it("is there in all that can be translated", () => {
    expect(foreign.length).toBeGreaterThan(0);
  });

  it.each(foreign)("says the same: $recording.id", ({ dialect, operation, body }) => {
    const request = dialect.decodeRequest(body, operation);
    const encoding = encodingOf(dialect);
    let encoded: Json;
    try {
      encoded = encoder.encodeRequest(request, encoding);
    } catch (error) {
      // A conversation whose calls are at the provider: the results have none to answer.
      expect(error).toBeInstanceOf(SidecarError);
      expect((error as SidecarError).code).toBe("request_lossy");
      return;
    }
    const again = anthropicMessages.decodeRequest(encoded, messages);
    const read = encodingOf(anthropicMessages);
    const sent = factsOf(request, encoding);
    const arrived = factsOf(again, read);
    // A part that was left out or stands in other words is told at its place.
    const lost = encoding.losses.filter(({ path, severity }) => path[0] === "messages" && severity === "semantic");
    if (lost.length === 0)
      expect(arrived.texts.filter((text) => !text.startsWith("(content that could not"))).toEqual(sent.texts);
    expect(arrived.calls).toEqual(sent.calls);
    expect(encoded["model"]).toBe("the-model");
    expect(encoded["max_tokens"]).toBe(request.maxOutputTokens ?? 4096);
    for (const message of encoded["messages"] as Json[]) expect(message["content"]).not.toEqual([]);
  });
});

function answerFacts(response: InferenceResponse): unknown {
  const parts = response.choices[0]?.message.parts ?? [];
  const { usage } = response;
  return {
    text: parts.map((part) => (part.type === "text" ? part.content : "")).join(""),
    calls: parts.flatMap((part) => (part.type === "tool_call" ? [[part.name, inputOf(part.arguments)]] : [])),
    finish: response.choices[0]?.finishReason?.unified,
    input: usage?.inputTokens ?? 0,
    output: usage?.outputTokens ?? 0,
    cacheRead: usage?.cacheReadTokens ?? 0,
    cacheWrite: usage?.cacheWriteTokens ?? 0,
  };
}

/** What the answer is to a client: a clean stop after calls is a call of tools, a cache cannot be larger than its input. */
function expectedFacts(response: InferenceResponse): unknown {
  const facts = answerFacts(response) as Json;
  const parts = response.choices[0]?.message.parts ?? [];
  const isRefused = parts.some(
    ({ type, extensions }) =>
      type === "text" && Object.values(extensions ?? {}).some((bag) => bag["type"] === "refusal"),
  );
  const hasCalls = parts.some(({ type }) => type === "tool_call");
  const cached = Number(facts["cacheRead"]) + Number(facts["cacheWrite"]);
  return {
    ...facts,
    input: Math.max(Number(facts["input"]), cached),
    ...(facts["finish"] === "stop" && isRefused ? { finish: "content_filter" } : {}),
    ...(facts["finish"] === "stop" && !isRefused && hasCalls ? { finish: "tool_call" } : {}),
  };
}

/** What the official SDK makes of a stream. */
async function readWithSdk(bytes: string): Promise<Json> {
  const client = new Anthropic({
    apiKey: "test-key",
    baseURL: "http://127.0.0.1:9",
    maxRetries: 0,
    fetch: async () => new Response(bytes, { headers: { "content-type": "text/event-stream" } }),
  });
  const message = await client.messages.stream({ model: "any", max_tokens: 1, messages: [] }).finalMessage();
  return JSON.parse(JSON.stringify(message)) as Json;
}

describe("an answer of another dialect", () => {
  it.each(answered.filter(({ recording }) => recording.framing === "json"))(
    "says the same, and streamed too: $recording.id",
    ({ recording, dialect, operation }) => {
      const response = dialect.decodeResponse(jsonBody(recording), operation);
      const encoding = encodingOf(dialect);
      const encoded = encoder.encodeResponse(response, encoding);
      expect(answerFacts(anthropicMessages.decodeResponse(encoded, messages))).toEqual(expectedFacts(response));
      expect(encoded).toMatchObject({
        type: "message",
        role: "assistant",
        stop_sequence: null,
        id: expect.stringMatching(/^msg_/),
      });
    },
  );

  it.each(answered.filter(({ recording }) => !["json", "text", "binary"].includes(recording.framing)))(
    "streams the same, to the official SDK too: $recording.id",
    async ({ recording, dialect, operation }) => {
      const framing = findFraming(String(recording.response.headers["content-type"]), dialect, operation);
      const frames = createFrameDecoder(framing ?? dialect.framings[0] ?? "sse");
      const decoder = dialect.eventDecoder(operation);
      const events = [...frames.push(responseBytes(recording)), ...frames.end()].flatMap((frame) =>
        decoder.push(frame),
      );
      events.push(...decoder.end());
      const encodedStream = encoder.eventEncoder(encodingOf(dialect), true);
      const bytes = [...events.flatMap((event) => encodedStream.push(event)), ...encodedStream.end()]
        .map(String)
        .join("");
      const again = decodeEvents(anthropicMessages.eventDecoder(messages), [Buffer.from(bytes)]);
      const response = foldEvents(events);
      const isBroken = events.some(({ type }) => type === "error") || !events.some(({ type }) => type === "choice_end");
      expect(again.filter(({ type }) => type === "unrecognized")).toEqual([]);
      expect(again.some(({ type }) => type === "error")).toBe(isBroken);
      expect(again.some(({ type }) => type === "response_end")).toBe(!isBroken);
      expect(bytes.match(/^event: message_start$/gm) ?? []).toHaveLength(
        isBroken && !bytes.includes("message_start") ? 0 : 1,
      );
      const seen = readWithSdk(bytes);
      if (isBroken) {
        await expect(seen).rejects.toThrow(APIError);
        return;
      }
      const read = answerFacts(anthropicMessages.decodeResponse(await seen, messages)) as Json;
      const expected = expectedFacts(response) as Json;
      // Of arguments that the token limit cut off the SDK makes what it can.
      expect(read["finish"] === "length" ? { ...read, calls: expected["calls"] } : read).toEqual(expected);
      expect(answerFacts(foldEvents(again))).toEqual(expectedFacts(response));
      const whole = encoder.encodeResponse(response, encodingOf(dialect));
      expect(answerFacts(foldEvents(again))).toEqual(answerFacts(anthropicMessages.decodeResponse(whole, messages)));
    },
  );
});
