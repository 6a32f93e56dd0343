// Every recorded call of every dialect through the encode half of chat, and read back by chat's own decoder.
import { describe, expect, it } from "vitest";
import type { InferenceRequest, InferenceResponse, Part, StreamEvent } from "../../../../src/canonical/index.ts";
import type { Dialect, Operation } from "../../../../src/dialects/dialect.ts";
import { Encoding } from "../../../../src/dialects/encoding.ts";
import { createFrameDecoder, findFraming } from "../../../../src/dialects/framing/framing.ts";
import { matchDialect } from "../../../../src/dialects/index.ts";
import { encoder } from "../../../../src/dialects/openai-chat/encoder.ts";
import { openaiChat } from "../../../../src/dialects/openai-chat/index.ts";
import { SidecarError } from "../../../../src/errors.ts";
import { jsonBody, loadRecordings, responseBytes, type Recording } from "../../../support/recordings.ts";
import { decodeEvents, foldEvents } from "../../../support/stream-decoding.ts";

type Json = Record<string, unknown>;

const chat = openaiChat.match("POST", "/v1/chat/completions") as Operation;

interface Call {
  recording: Recording;
  dialect: Dialect;
  operation: Operation;
}

function callsOf(...folders: string[]): Call[] {
  return loadRecordings(...folders).flatMap((recording) => {
    const path = new URL(recording.request.url).pathname
      .replace(/^\/\//, "/")
      .replace(/^\/(?:models|openai\/v1)\//, "/");
    const call = matchDialect(recording.request.method, path);
    return call === undefined ? [] : [{ recording, ...call }];
  });
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const generations = new Set(["chat", "generate_content"]);
const foreign = callsOf(
  "anthropic-messages",
  "bedrock-converse",
  "bedrock-invoke",
  "cohere-v2",
  "gemini",
  "ollama",
  "openai-responses",
).filter(({ operation }) => generations.has(operation.kind));
const own = callsOf("openai-chat", "azure-openai", "mistral").filter(
  ({ dialect, operation }) => dialect === openaiChat && operation.kind === "chat",
);
const hasBody = ({ recording }: Call) => isObject(recording.request.body);
const succeeded = ({ recording }: Call) => recording.response.status < 400 && responseBytes(recording).length > 0;

function open(dialect: Dialect, facts: { operationKind?: string } = {}): Encoding {
  return new Encoding({
    source: dialect.id,
    target: "openai-chat",
    model: "m",
    exchangeId: "0123456789abcdef0123456789abcdef",
    epochSeconds: 1_700_000_000,
    toolResultParts:
      dialect.encoder?.toolResultParts ?? ((value) => [{ type: "text", content: JSON.stringify(value) }]),
    ...facts,
  });
}

/**
 * Not told apart by decoding: null and absent, `stream: false` and absent, one stop text and a list of it, one text and the
 * list of its part, a media address and the object of it, spaces in arguments, the two names of reasoning, `any` and
 * `required`, empty reasoning, the number beside a whole tool call, and the type `function` of a tool.
 */
function normalise(value: unknown, key = ""): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => normalise(item));
    const [first] = items;
    const isOneText =
      items.length === 1 && isObject(first) && first["type"] === "text" && Object.keys(first).length === 2;
    if (key === "content") return items.length === 0 ? undefined : isOneText ? first["text"] : items;
    if (key === "tool_calls" && items.length === 0) return undefined;
    return key === "stop" && items.length === 1 ? first : items;
  }
  if (typeof value === "string" && key === "arguments") return parse(value === "" ? "{}" : value);
  if (key === "arguments") return value;
  if (typeof value === "string" && /^(?:image|document)_url$/.test(key)) return { url: value };
  if (value === "any" && key === "tool_choice") return "required";
  if (!isObject(value)) return value === null ? undefined : value;
  const entries = Object.entries(value).map(([name, item]): [string, unknown] => [
    name === "reasoning" && typeof item === "string" ? "reasoning_content" : name,
    normalise(item, name),
  ]);
  const isCallOrTool = isObject(value["function"]);
  const says = ([name, item]: [string, unknown]) =>
    item !== undefined &&
    !(name === "stream" && item === false) &&
    !(name === "reasoning_content" && item === "") &&
    !(isCallOrTool && (name === "index" || (name === "type" && item === "function")));
  return Object.fromEntries(entries.filter(says));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Texts, calls and results that the model sees, in order. */
function readRequest(request: InferenceRequest, dialect: Dialect): string[] {
  const read = (part: Part): string[] => {
    switch (part.type) {
      case "text":
        return part.content === "" ? [] : [`text ${part.content}`];
      case "tool_call":
        return [`call ${part.name} ${JSON.stringify(part.arguments ?? {})}`];
      case "tool_call_response":
        return open(dialect).toolResultParts(part.response).flatMap(read);
      default:
        return [];
    }
  };
  return [...(request.systemInstructions ?? []), ...request.messages.flatMap(({ parts }) => parts)].flatMap(read);
}

/** What a client sees of an answer. */
function readAnswer({ choices, usage }: InferenceResponse): Json[] {
  return choices.map(({ message: { parts }, finishReason }) => ({
    text: parts.flatMap((part) => (part.type === "text" ? part.content : [])).join(""),
    reasoning: parts.flatMap((part) => (part.type === "reasoning" ? part.content : [])).join(""),
    calls: parts.flatMap((part) =>
      part.type === "tool_call" ? [{ name: part.name, arguments: part.arguments ?? {} }] : [],
    ),
    finish: finishReason?.unified === "compaction" ? "stop" : finishReason?.unified,
    input: usage === undefined ? undefined : (usage.inputTokens ?? 0),
    output: usage === undefined ? undefined : (usage.outputTokens ?? 0),
    cached: usage?.cacheReadTokens,
    thought: usage?.reasoningTokens,
  }));
}

function decodeStream({ recording, dialect, operation }: Call): StreamEvent[] {
  const mediaType = (recording.response.headers["content-type"] ?? "").split(";")[0]?.trim() ?? "";
  const framing = findFraming(mediaType, dialect, operation) ?? dialect.framings[0];
  if (framing === undefined) throw new Error(`no framing for ${recording.id}`);
  const frames = createFrameDecoder(framing);
  const events = dialect.eventDecoder(operation);
  const all = frames.push(responseBytes(recording)).flatMap((frame) => events.push(frame));
  all.push(...frames.end().flatMap((frame) => events.push(frame)), ...events.end());
  return all;
}

function encodeStream(dialect: Dialect, events: readonly StreamEvent[]): string {
  const stream = encoder.eventEncoder(open(dialect), true);
  return [...events.flatMap((event) => stream.push(event)), ...stream.end()].join("");
}

const decodeChat = (text: string) => decodeEvents(openaiChat.eventDecoder(chat), [Buffer.from(text)]);

describe("own recorded requests", () => {
  it.each(own.filter(hasBody).map((call) => [call.recording.id, call] as const))(
    "%s comes back",
    (_id, { recording }) => {
      const body = recording.request.body as Json;
      const decoded = openaiChat.decodeRequest(body, chat);
      const encoding = open(openaiChat);
      const encoded = encoder.encodeRequest(decoded, encoding);
      expect(normalise({ ...encoded, model: body["model"] })).toEqual(normalise(body));
      expect(encoding.losses).toEqual([]);
    },
  );
});

describe("recorded requests of other dialects", () => {
  it.each(foreign.filter(hasBody).map((call) => [call.recording.id, call] as const))(
    "%s keeps its words",
    (_id, call) => {
      const request = call.dialect.decodeRequest(call.recording.request.body as Json, call.operation);
      let body: Json;
      try {
        body = encoder.encodeRequest(request, open(call.dialect));
      } catch (error) {
        // A history that starts behind its calls (`previous_response_id`) cannot be repaired.
        expect(error).toBeInstanceOf(SidecarError);
        expect((error as SidecarError).code).toBe("request_lossy");
        return;
      }
      const decoded = openaiChat.decodeRequest(JSON.parse(JSON.stringify(body)) as Json, chat);
      const words = readRequest(decoded, openaiChat).filter(
        (word) => !word.startsWith("text Content of the result of tool call "),
      );
      expect(words.toSorted()).toEqual(readRequest(request, call.dialect).toSorted());
    },
  );
});

describe("recorded answers of other dialects", () => {
  const answered = foreign.filter((call) => succeeded(call) && call.recording.framing === "json");
  it.each(answered.map((call) => [call.recording.id, call] as const))(
    "%s reads the same",
    (_id, { recording, dialect, operation }) => {
      const response = dialect.decodeResponse(jsonBody(recording), operation);
      const encoded = encoder.encodeResponse(response, open(dialect));
      expect(readAnswer(openaiChat.decodeResponse(JSON.parse(JSON.stringify(encoded)) as Json, chat))).toEqual(
        readAnswer(response).map((answer) => ({ ...answer, finish: answer["finish"] ?? "stop" })),
      );
    },
  );
});

describe("recorded streams of other dialects", () => {
  const streamed = foreign.filter((call) => succeeded(call) && call.recording.framing !== "json");
  it.each(streamed.map((call) => [call.recording.id, call] as const))("%s reads the same", (_id, call) => {
    const events = decodeStream(call);
    const text = encodeStream(call.dialect, events);
    const isBroken = !events.some(({ type }) => type === "choice_end") || events.some(({ type }) => type === "error");
    expect(text.endsWith("data: [DONE]\n\n")).toBe(!isBroken);
    if (isBroken) {
      expect(decodeChat(text).at(-1)?.type).toBe("error");
      return;
    }
    const response = foldEvents(events);
    const streamedAnswer = foldEvents(decodeChat(text));
    expect(readAnswer(streamedAnswer)).toEqual(readAnswer(response));
    const whole = openaiChat.decodeResponse(encoder.encodeResponse(response, open(call.dialect)), chat);
    expect(readAnswer(streamedAnswer)).toEqual(readAnswer(whole));
    expect(details(streamedAnswer)).toEqual(details(whole));
  });
});

/** What a client must hand back, and what it shows beside the text. */
function details({ choices }: InferenceResponse): unknown {
  return choices.map(({ message }) => ({
    extra: message.parts.flatMap((part) => (part.type === "tool_call" ? [part.extensions?.["openai-chat"]] : [])),
    reasoning: message.parts.flatMap((part) => (part.type === "reasoning" ? readDetails(part) : [])),
    annotations: message.extensions?.["openai-chat"]?.["annotations"],
  }));
}

/** Responses encrypts the same reasoning anew, under another id, each time it tells it: any of the values will do. */
function readDetails({ extensions }: Part): unknown[] {
  const list = (extensions?.["openai-chat"]?.["reasoning_details"] ?? []) as Json[];
  return list.map((detail) => (detail["format"] === "openai-responses-v1" ? { type: detail["type"] } : detail));
}
