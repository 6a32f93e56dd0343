// Recorded traffic of every dialect through the encode half of the Responses API: read again, it says what it said.
// Equivalences that decoding does not tell apart: `stream: false` and none, a lone user's text and its message, the white
// space of arguments, an `input` that is missing and an empty one, the id of a conversation and an object of it alone, `previous_response_id: null` and none.
import { describe, expect, it } from "vitest";
import {
  createFold,
  type InferenceRequest,
  type InferenceResponse,
  type Part,
} from "../../../../src/canonical/index.ts";
import type { Dialect, Operation } from "../../../../src/dialects/dialect.ts";
import { Encoding } from "../../../../src/dialects/encoding.ts";
import { createFrameDecoder, matchDialect } from "../../../../src/dialects/index.ts";
import { translateRequest } from "../../../../src/dialects/translation.ts";
import { openaiResponses } from "../../../../src/dialects/openai-responses/index.ts";
import { SidecarError } from "../../../../src/errors.ts";
import { jsonBody, loadRecordings, responseBytes, type Recording } from "../../../support/recordings.ts";
import { findSilentLosses } from "../../../support/translation-walk.ts";
import { decodeEvents } from "../../../support/stream-decoding.ts";

type Json = Record<string, unknown>;

const { encoder } = openaiResponses;
if (encoder === undefined) throw new Error("no encode half");
const operation = openaiResponses.match("POST", "/v1/responses") as Operation;

const foreign = ["openai-chat", "anthropic-messages", "gemini", "bedrock-converse", "cohere-v2", "ollama", "mistral"];

interface Call {
  dialect: Dialect;
  operation: Operation;
}

function findCall(recording: Recording): Call | undefined {
  const { pathname } = new URL(recording.request.url);
  for (const path of [pathname, pathname.replace(/^.*?(?=\/(v1|v2|v1beta|api|model)\/)/, "")]) {
    const found = matchDialect(recording.request.method, path);
    if (found !== undefined) return found;
  }
  return undefined;
}

function encodingFrom({ dialect }: Call): Encoding {
  return new Encoding({
    source: dialect.id,
    target: "openai-responses",
    model: "gpt-5",
    maxOutputTokens: 4096,
    exchangeId: "0123456789abcdef0123456789abcdef",
    epochSeconds: 1_700_000_000,
    toolResultParts: dialect.encoder?.toolResultParts ?? (() => []),
  });
}

const chats = new Set(["chat", "generate_content"]);

function* foreignCalls(): Generator<[Recording, Call]> {
  for (const recording of loadRecordings(...foreign)) {
    const call = findCall(recording);
    if (call?.operation.name === undefined || !chats.has(call.operation.name)) continue;
    if (call.dialect.encoder !== undefined) yield [recording, call];
  }
}

const texts = (parts: readonly Part[]): string[] =>
  parts.flatMap((part) => (part.type === "text" && part.content !== "" ? [part.content] : []));
const calls = (parts: readonly Part[]): unknown[] =>
  parts.flatMap((part) => (part.type === "tool_call" ? [[part.name, argumentsOf(part.arguments)]] : []));

function argumentsOf(value: unknown): unknown {
  return value === undefined || value === "" ? {} : value;
}

const parts = (request: InferenceRequest): Part[] => [
  ...(request.systemInstructions ?? []),
  ...request.messages.flatMap((message) => message.parts),
];

function answerFacts({ choices, usage }: InferenceResponse): Json {
  const [choice] = choices;
  const all = choice?.message.parts ?? [];
  return {
    text: texts(all).join(""),
    reasoning: all.flatMap((part) => (part.type === "reasoning" ? [part.content] : [])).join(""),
    calls: calls(all),
    input: usage?.inputTokens ?? 0,
    output: usage?.outputTokens ?? 0,
    cacheRead: usage?.cacheReadTokens ?? 0,
    cacheWrite: usage?.cacheWriteTokens ?? 0,
    thought: usage?.reasoningTokens ?? 0,
  };
}

/** What this dialect's own words can say of a finish. */
function expectedFinish({ choices }: InferenceResponse): string {
  const unified = choices[0]?.finishReason?.unified;
  if (unified !== "stop" && unified !== "tool_call") return unified ?? "error";
  return calls(choices[0]?.message.parts ?? []).length > 0 ? "tool_call" : "stop";
}

/** Arguments without the white space that no reader sees. */
function normalize(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normalize);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      if (key === "arguments" && typeof item === "string") return [key, compact(item)];
      return [key, normalize(item)];
    }),
  );
}

function compact(text: string): string {
  if (text === "") return "{}";
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return text;
  }
}

describe("the dialect's own requests", () => {
  it("are the same again (law 3)", () => {
    let count = 0;
    for (const recording of loadRecordings("openai-responses")) {
      const call = findCall(recording);
      const { body } = recording.request;
      if (call?.operation.kind !== "chat" || typeof body !== "object" || body === null || Array.isArray(body)) continue;
      const { stream, model, ...stated } = body as Json;
      const wire = Object.fromEntries(
        Object.entries(stated).filter(([key, value]) => key !== "previous_response_id" || value !== null),
      );
      if (typeof model !== "string" || stream === null) continue;
      count += 1;
      const request = openaiResponses.decodeRequest(body as Json, operation);
      const encoding = encodingFrom(call);
      const { model: _model, ...encoded } = encoder.encodeRequest(request, encoding);
      expect(encoding.losses, recording.id).toEqual([]);
      expect
        .soft(normalize(encoded), recording.id)
        .toEqual(normalize({ ...wire, input: loneText(wire["input"]), ...(stream === true ? { stream } : {}) }));
    }
    expect(count).toBeGreaterThan(1);
  });
});

/** A text, where the input is one message that holds nothing else. */
function loneText(input: unknown): unknown {
  if (!Array.isArray(input)) return input ?? [];
  const messages = (input as Json[]).map((item) => {
    const { content, ...rest } = item;
    const [only] = Array.isArray(content) ? (content as Json[]) : [];
    const isBare = Array.isArray(content) && content.length === 1 && only?.["type"] === "output_text";
    return isBare && Object.keys(only).length === 2 && item["id"] === undefined
      ? { ...rest, content: only["text"] }
      : item;
  });
  const [message] = messages;
  if (messages.length !== 1 || message?.["role"] !== "user" || Object.keys(message).length !== 2) return messages;
  return typeof message["content"] === "string" ? message["content"] : messages;
}

describe("requests of other dialects", () => {
  it("are read with the same texts and calls, in order", () => {
    let count = 0;
    for (const [recording, call] of foreignCalls()) {
      const { body } = recording.request;
      if (typeof body !== "object" || body === null) continue;
      const request = call.dialect.decodeRequest(body as Json, call.operation);
      let encoded: Json;
      try {
        encoded = encoder.encodeRequest(request, encodingFrom(call));
      } catch (error) {
        expect(error, recording.id).toBeInstanceOf(SidecarError);
        expect((error as SidecarError).code, recording.id).toBe("request_lossy");
        continue;
      }
      count += 1;
      const again = openaiResponses.decodeRequest(encoded, operation);
      expect(texts(parts(again)), recording.id).toEqual(texts(parts(request)));
      expect(calls(parts(again)), recording.id).toEqual(calls(parts(request)));
      const results = (all: Part[]): number => all.filter(({ type }) => type === "tool_call_response").length;
      expect(results(parts(again)), recording.id).toBe(results(parts(request)));
    }
    expect(count).toBeGreaterThan(5);
  });
});

/** Said by another word: `include`, `parallel_tool_calls`, an effort of none; the place of a call in its list is its order. */
const saidOtherwise =
  /^\/logprobs$|\/disable_parallel_tool_use$|\/tool_calls\/\d+\/index$|\/thinkingConfig\/thinking_?[bB]udget$/;

describe("what a request of another dialect says", () => {
  it("is in the body or told as a loss (law 4)", () => {
    const facts = { model: "gpt-5", exchangeId: "0123456789abcdef0123456789abcdef", epochSeconds: 1_700_000_000 };
    let count = 0;
    for (const [recording, call] of foreignCalls()) {
      const { body } = recording.request;
      if (typeof body !== "object" || body === null) continue;
      const wire = body as Json;
      const request = call.dialect.decodeRequest(wire, call.operation);
      const translated = translateOrRefuse(call.dialect, wire, request, facts);
      if (translated === undefined) continue;
      count += 1;
      const silent = findSilentLosses(wire, translated.body, translated.losses);
      expect(
        silent.filter((pointer) => !saidOtherwise.test(pointer)),
        recording.id,
      ).toEqual([]);
    }
    expect(count).toBeGreaterThan(5);
  });
});

function translateOrRefuse(
  source: Dialect,
  body: Json,
  request: InferenceRequest,
  facts: Parameters<typeof translateRequest>[3],
): ReturnType<typeof translateRequest> | undefined {
  try {
    return translateRequest(source, openaiResponses, { body, request }, facts);
  } catch (error) {
    if (error instanceof SidecarError && error.code === "request_lossy") return undefined;
    throw error;
  }
}

describe("answers of other dialects", () => {
  it("are read with the same text, calls, finish reason and usage, whole and streamed", () => {
    const seen = { whole: 0, streamed: 0 };
    for (const [recording, call] of foreignCalls()) {
      if (recording.response.status !== 200) continue;
      const response = readAnswer(recording, call);
      if (response === undefined) continue;
      const body = encoder.encodeResponse(response, encodingFrom(call));
      const again = openaiResponses.decodeResponse(body, operation);
      expect(answerFacts(again), recording.id).toEqual(answerFacts(response));
      const finish = again.choices[0]?.finishReason?.unified ?? "error";
      expect(finish, recording.id).toBe(expectedFinish(response));
      seen.whole += 1;
      if (!recording.streaming) continue;
      const streamed = streamAgain(recording, call);
      if (streamed === undefined) continue;
      seen.streamed += 1;
      expect(answerFacts(streamed), recording.id).toEqual(answerFacts(response));
      expect(streamed.choices[0]?.finishReason, recording.id).toEqual(again.choices[0]?.finishReason);
    }
    expect(seen.whole).toBeGreaterThan(5);
    expect(seen.streamed).toBeGreaterThan(1);
  });
});

function readAnswer(recording: Recording, call: Call): InferenceResponse | undefined {
  if (!recording.streaming) {
    return recording.framing === "json" ? call.dialect.decodeResponse(jsonBody(recording), call.operation) : undefined;
  }
  const fold = createFold({ keepContent: true });
  for (const event of readEvents(recording, call)) fold.push(event);
  // An error ends the stream, and one that broke off is told as such.
  const isWhole = fold.error === undefined && fold.result().choices[0]?.finishReason !== undefined;
  return isWhole ? fold.result() : undefined;
}

function readEvents(recording: Recording, { dialect, operation: made }: Call) {
  const [framing = "sse"] = dialect.framings;
  const isLine =
    recording.framing === "ndjson" ? "ndjson" : recording.framing === "eventstream" ? "aws-eventstream" : framing;
  const frames = createFrameDecoder(isLine === "json-array" ? "sse" : isLine);
  const decoder = dialect.eventDecoder(made);
  const all = [...frames.push(responseBytes(recording)), ...frames.end()];
  return [...all.flatMap((frame) => decoder.push(frame)), ...decoder.end()];
}

function streamAgain(recording: Recording, call: Call): InferenceResponse | undefined {
  const writer = encoder?.eventEncoder(encodingFrom(call), true);
  if (writer === undefined) return undefined;
  const written = [...readEvents(recording, call).flatMap((event) => writer.push(event)), ...writer.end()];
  const fold = createFold({ keepContent: true });
  const bytes = Buffer.concat(written.map((frame) => Buffer.from(frame)));
  for (const event of decodeEvents(openaiResponses.eventDecoder(operation), [bytes])) fold.push(event);
  expect(fold.unrecognizedEvents, recording.id).toBe(0);
  expect(fold.ended, recording.id).toBe(true);
  return fold.result();
}
