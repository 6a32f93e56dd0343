// Every recorded exchange through the encode half: Google's own written back (law 3), everybody else's in Google's words and read again.
// Not told apart by the decode half, so not written back: the spelling of a field, a list of one and its one item, which declarations
// shared an object of `tools`, a content without its role, the index of a candidate that has the place it says.
import { describe, expect, it } from "vitest";
import {
  createFold,
  type InferenceRequest,
  type InferenceResponse,
  type Message,
  type Part,
} from "../../../../src/canonical/index.ts";
import {
  createFrameDecoder,
  type Dialect,
  type DialectId,
  findDialect,
  findFraming,
  type Operation,
} from "../../../../src/dialects/index.ts";
import { Encoding } from "../../../../src/dialects/encoding.ts";
import { encoder } from "../../../../src/dialects/gemini-generate-content/encoder.ts";
import { geminiGenerateContent } from "../../../../src/dialects/gemini-generate-content/index.ts";
import { SidecarError } from "../../../../src/errors.ts";
import { jsonBody, loadRecordings, type Recording, responseBytes } from "../../../support/recordings.ts";
import { decodeEvents } from "../../../support/stream-decoding.ts";

type Wire = Record<string, unknown>;

interface Exchange {
  recording: Recording;
  dialect: Dialect;
  operation: Operation;
}

const folders: [string, DialectId][] = [
  ["openai-chat", "openai-chat"],
  ["azure-openai", "openai-chat"],
  ["mistral", "openai-chat"],
  ["openai-responses", "openai-responses"],
  ["anthropic-messages", "anthropic-messages"],
  ["bedrock-converse", "bedrock-converse"],
  ["cohere-v2", "cohere-chat"],
  ["ollama", "ollama-chat"],
];

const isGeneration = ({ name, kind }: Operation): boolean =>
  kind !== "count_tokens" && (name === "chat" || name === "generate_content" || name === "text_completion");

function load(folder: string, id: DialectId): Exchange[] {
  const dialect = findDialect(id);
  return loadRecordings(folder).flatMap((recording) => {
    // Gateways put routes of their own before the path.
    const segments = new URL(recording.request.url).pathname.split("/").slice(1);
    const tails = segments.map((_, start) => `/${segments.slice(start).join("/")}`);
    const operation = tails.map((path) => dialect.match(recording.request.method, path)).find((found) => found);
    return operation !== undefined && isGeneration(operation) ? [{ recording, dialect, operation }] : [];
  });
}

const own = load("gemini", "gemini-generate-content").filter(({ operation }) => operation.kind === "generate_content");
const others = folders.flatMap(([folder, id]) => load(folder, id));

function open(source: Dialect): Encoding {
  return new Encoding({
    source: source.id,
    target: "gemini-generate-content",
    model: "gemini-2.5-flash",
    exchangeId: "0123456789abcdef0123456789abcdef",
    epochSeconds: 1_795_000_000,
    toolResultParts: source.encoder?.toolResultParts ?? readAnyResult,
  });
}

/** For dialects without an encode half. */
function readAnyResult(response: unknown): Part[] {
  if (response === null || response === undefined) return [];
  return [{ type: "text", content: typeof response === "string" ? response : JSON.stringify(response) }];
}

function callOf(stream: boolean): Operation {
  const operation = geminiGenerateContent.match("POST", encoder.path("m", stream).split("?")[0] ?? "");
  if (operation === undefined) throw new Error("the encoder's own path is not this dialect's");
  return operation;
}

const isObject = (value: unknown): value is Wire =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const clientsOwn = new Set(["args", "response", "parameters", "parametersJsonSchema", "labels"]);
const schemas = new Set(["responseSchema", "responseJsonSchema"]);
const lists = new Set(["contents", "parts", "tools", "functionDeclarations"]);

/** A body without what the decode half does not tell apart. */
function normalise(value: unknown, key = ""): unknown {
  if (clientsOwn.has(key) || schemas.has(key)) return value;
  if (lists.has(key) && isObject(value)) return normalise([value], key);
  if (key === "tools" && Array.isArray(value)) {
    return (value as Wire[]).flatMap((tool) =>
      Object.entries(normalise(tool) as Wire).flatMap(([kind, held]) =>
        kind === "functionDeclarations" ? (held as unknown[]) : [{ [kind]: held }],
      ),
    );
  }
  if (Array.isArray(value)) {
    const items = value.map((item) => normalise(item));
    if (key === "contents") return items.map((item) => ({ role: "user", ...(item as Wire) }));
    return key === "candidates" ? items.map((item, index) => ({ index, ...(item as Wire) })) : items;
  }
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, held]) => {
      const camel = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
      return [camel, normalise(held, camel)];
    }),
  );
}

const textsOf = (parts: readonly Part[]): string[] =>
  parts.flatMap((part) => (part.type === "text" && part.content !== "" ? [part.content] : []));
const asArguments = (value: unknown): unknown =>
  isObject(value) ? value : value === undefined || value === null || value === "" ? {} : { input: value };
const callsOf = (parts: readonly Part[]): unknown[] =>
  parts.flatMap((part) => (part.type === "tool_call" ? [[part.name, asArguments(part.arguments)]] : []));

/** What must arrive of a request: texts, calls and results in their order. */
function readConversation(request: InferenceRequest, resultParts: (response: unknown) => Part[]): unknown {
  const lead = request.messages.findIndex(({ role }) => role !== "system" && role !== "developer");
  const cut = lead === -1 ? request.messages.length : lead;
  const partsOf = (messages: readonly Message[]): Part[] => messages.flatMap(({ parts }) => parts);
  const all = [
    ...(request.systemInstructions ?? []),
    ...partsOf(request.messages.slice(0, cut)),
    ...partsOf(request.messages.slice(cut)),
  ];
  const results = all.flatMap((part) =>
    part.type === "tool_call_response" ? [textsOf(resultParts(part.response)).join("\n")] : [],
  );
  return {
    texts: textsOf(all).filter((text) => text !== "(left out)"),
    calls: callsOf(all),
    results,
    tools: (request.tools ?? []).flatMap(({ type, name }) => (type === "function" ? [name] : [])),
  };
}

const hasCalls = ({ parts }: Message): boolean => parts.some(({ type }) => type === "tool_call");

/** A result as it was written: `error` for a failed one. */
function readOwnResult(response: unknown): Part[] {
  const failed = isObject(response) ? response["error"] : undefined;
  return typeof failed === "string" ? [{ type: "text", content: failed }] : encoder.toolResultParts(response);
}

/** What must arrive of an answer. Two texts that follow each other are one in a stream. */
function readAnswer({ choices, usage }: InferenceResponse): unknown {
  return {
    choices: choices.map(({ message, finishReason }) => ({
      text: textsOf(message.parts).join(""),
      reasoning: message.parts.map((part) => (part.type === "reasoning" ? part.content : "")).join(""),
      calls: callsOf(message.parts),
      // Google has one word for a clean stop and for a call, and none for a compaction.
      reason: hasCalls(message) && finishReason?.unified === "stop" ? "tool_call" : finishReason?.unified,
    })),
    input: usage?.inputTokens,
    output: usage?.outputTokens,
    thoughts: usage?.reasoningTokens,
  };
}

describe("Google's own recordings", () => {
  const bodies = own.flatMap((exchange) => (isObject(exchange.recording.request.body) ? [exchange] : []));

  it("are written back as they were, requests and answers", () => {
    expect(bodies.length).toBeGreaterThan(0);
    let answers = 0;
    for (const { recording, operation, dialect } of bodies) {
      const body = recording.request.body as Wire;
      const written = encoder.encodeRequest(dialect.decodeRequest(body, operation), open(dialect));
      expect(normalise(written), recording.id).toEqual(normalise(body));
      if (recording.response.status !== 200 || recording.streaming || recording.framing !== "json") continue;
      answers++;
      const answer = jsonBody(recording);
      const rewritten = encoder.encodeResponse(dialect.decodeResponse(answer, operation), open(dialect));
      expect(normalise(rewritten), recording.id).toEqual(normalise(answer));
    }
    console.log(`${bodies.length} requests and ${answers} answers written back`);
  });

  it("stream to what they were", () => {
    let streams = 0;
    for (const exchange of own) streams += expectStream(exchange) ? 1 : 0;
    expect(streams).toBeGreaterThan(0);
    console.log(`${streams} streams written back`);
  });
});

describe("other dialects' recordings", () => {
  it("arrive with their texts, calls, results and tools, or are refused for a reason", () => {
    const refused: string[] = [];
    let count = 0;
    for (const { recording, dialect, operation } of others) {
      const { body } = recording.request;
      if (!isObject(body)) continue;
      const request = dialect.decodeRequest(body, operation);
      const encoding = open(dialect);
      try {
        const written = encoder.encodeRequest(request, encoding);
        const read = geminiGenerateContent.decodeRequest(written, callOf(request.stream));
        expect(readConversation(read, readOwnResult), recording.id).toEqual(
          readConversation(request, encoding.toolResultParts),
        );
        count++;
      } catch (error) {
        if (!(error instanceof SidecarError)) throw error;
        expect(error.code).toBe("request_lossy");
        refused.push(recording.id);
      }
    }
    console.log(`${count} requests arrived, ${refused.length} were refused`);
    expect(count).toBeGreaterThan(refused.length * 20);
  });

  it("have answers that read as the provider's did", () => {
    let count = 0;
    for (const { recording, dialect, operation } of others) {
      if (recording.response.status !== 200 || recording.streaming || recording.framing !== "json") continue;
      const response = dialect.decodeResponse(jsonBody(recording), operation);
      if (response.choices.length === 0) continue;
      const written = encoder.encodeResponse(response, open(dialect));
      const read = geminiGenerateContent.decodeResponse(written, callOf(false));
      expect(readAnswer(read), recording.id).toEqual(readAnswer(response));
      count++;
    }
    console.log(`${count} answers`);
    expect(count).toBeGreaterThan(0);
  });

  it("have streams that fold to what the provider's did", () => {
    let count = 0;
    for (const exchange of others) count += expectStream(exchange) ? 1 : 0;
    console.log(`${count} streams`);
    expect(count).toBeGreaterThan(0);
  });
});

/** False for what is no stream, or none that came to its end. */
function expectStream({ recording, dialect, operation }: Exchange): boolean {
  if (recording.response.status !== 200 || !recording.streaming) return false;
  const mediaType = (recording.response.headers["content-type"] ?? "text/event-stream").split(";")[0] ?? "";
  const streamed: Operation = { ...operation, stream: true };
  const framing = findFraming(mediaType, dialect, streamed);
  if (framing === undefined) return false;
  const frameDecoder = createFrameDecoder(framing);
  const decoder = dialect.eventDecoder(streamed);
  const frames = [...frameDecoder.push(responseBytes(recording)), ...frameDecoder.end()];
  const events = [...frames.flatMap((frame) => decoder.push(frame)), ...decoder.end()];
  const fold = createFold({ keepContent: true });
  for (const event of events) fold.push(event);
  const response = fold.result();
  const isWhole = response.choices.length > 0 && response.choices.every(({ finishReason }) => finishReason);
  if (!isWhole || fold.error !== undefined) return false;
  const written = encoder.eventEncoder(open(dialect), true);
  const bytes = [...events.flatMap((event) => written.push(event)), ...written.end()].map((frame) =>
    Buffer.from(frame),
  );
  const read = createFold({ keepContent: true });
  for (const event of decodeEvents(geminiGenerateContent.eventDecoder(callOf(true)), bytes)) read.push(event);
  expect(readAnswer(read.result()), recording.id).toEqual(readAnswer(response));
  expect(read.ended, recording.id).toBe(true);
  return true;
}
