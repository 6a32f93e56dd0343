// Recorded calls of every dialect, written in Converse's words: Converse's own come back as they were (law 3), and of the
// others texts, tools, calls, reasons and counts are the same when they are read back.

import { describe, expect, it } from "vitest";
import type { InferenceRequest, InferenceResponse, Part, StreamEvent } from "../../../../src/canonical/index.ts";
import { bedrockConverse } from "../../../../src/dialects/bedrock-converse/index.ts";
import { encoder } from "../../../../src/dialects/bedrock-converse/encoder.ts";
import type { Operation } from "../../../../src/dialects/dialect.ts";
import { Encoding } from "../../../../src/dialects/encoding.ts";
import { createAwsEventStreamDecoder } from "../../../../src/dialects/framing/aws-eventstream.ts";
import { createNdjsonDecoder } from "../../../../src/dialects/framing/ndjson.ts";
import { createSseDecoder } from "../../../../src/dialects/framing/sse.ts";
import { type Dialect, matchDialect } from "../../../../src/dialects/index.ts";
import type { JsonObject } from "../../../../src/dialects/json/fields.ts";
import { SidecarError } from "../../../../src/errors.ts";
import { jsonBody, loadRecordings, type Recording, responseBytes } from "../../../support/recordings.ts";
import { foldEvents } from "../../../support/stream-decoding.ts";

const operation: Operation = { kind: "chat", name: "chat", route: "", path: "", model: "anthropic.claude-x" };

interface Call {
  recording: Recording;
  dialect: Dialect;
  operation: Operation;
  body: JsonObject;
}

function callsOf(...folders: string[]): Call[] {
  return loadRecordings(...folders).flatMap((recording) => {
    const { method, url, body } = recording.request;
    const call = matchDialect(method, new URL(url).pathname);
    const isChat = call?.operation.name === "chat" || call?.operation.name === "generate_content";
    if (call === undefined || !isChat || typeof body !== "object" || body === null) return [];
    return [{ recording, dialect: call.dialect, operation: call.operation, body: body as JsonObject }];
  });
}

function openEncoding({ dialect }: Call, model: string): Encoding {
  return new Encoding({
    source: dialect.id,
    target: "bedrock-converse",
    model,
    exchangeId: "0123456789abcdef0123456789abcdef",
    epochSeconds: 1_700_000_000,
    toolResultParts: dialect.encoder?.toolResultParts ?? (() => []),
  });
}

const own = callsOf("bedrock-converse").filter(({ body }) => body["messages"] !== undefined);
const foreign = callsOf(
  "openai-chat",
  "mistral",
  "openai-responses",
  "anthropic-messages",
  "gemini",
  "cohere-v2",
  "ollama",
).filter(({ dialect }) => dialect.encoder !== undefined);

/**
 * What decoding does not tell apart: the white space of a schema's text, `type: json_schema` left out, one cited text without
 * its sources, a video's `mpg` and `mpeg`, and Claude's `reasoning_config` for `thinking`.
 */
function normalise(body: JsonObject): JsonObject {
  const copy = structuredClone(body) as {
    outputConfig?: { textFormat?: { structure?: { jsonSchema?: { schema?: unknown } } } };
    additionalModelRequestFields?: Record<string, unknown>;
  };
  const definition = copy.outputConfig?.textFormat?.structure?.jsonSchema;
  if (typeof definition?.schema === "string") definition.schema = JSON.parse(definition.schema) as unknown;
  const more = copy.additionalModelRequestFields;
  if (typeof more?.["reasoning_config"] === "object") {
    more["thinking"] = more["reasoning_config"];
    delete more["reasoning_config"];
  }
  return copy as JsonObject;
}

describe("Converse's own recorded requests", () => {
  it("are many", () => expect(own.length).toBeGreaterThan(0));

  it.each(own.map((call) => [call.recording.id, call] as const))("%s comes back as it was", (_id, call) => {
    const request = bedrockConverse.decodeRequest(call.body, call.operation);
    const encoding = openEncoding(call, call.operation.model ?? "");
    expect(normalise(encoder.encodeRequest(request, encoding))).toEqual(normalise(call.body));
    encoding.loseLeftovers(request);
    expect(encoding.losses).toEqual([]);
  });
});

describe("other dialects' recorded requests", () => {
  it("keep texts, tools and calls in order, or say which are lost", () => {
    let translated = 0;
    for (const call of foreign) {
      const request = call.dialect.decodeRequest(call.body, call.operation);
      const encoding = openEncoding(call, "anthropic.claude-x");
      const body = encodeOrRefuse(request, encoding);
      if (body === undefined) continue;
      translated += 1;
      const read = bedrockConverse.decodeRequest(body, operation);
      const context = `${call.recording.id}\n${JSON.stringify(encoding.losses)}`;
      expectConversation(read, context);
      const injected = encoding.losses.filter(({ reason }) => reason === "injected").length;
      const texts = textsOf(request);
      const left = textsOf(read).filter((text) => !texts.includes(text));
      expect(left.length, context).toBeLessThanOrEqual(injected);
      const lost = texts.filter((text) => !textsOf(read).includes(text));
      expect(lost.length, context).toBeLessThanOrEqual(encoding.losses.length);
      expect(callsIn(read), context).toEqual(callsIn(request).map(inObject));
    }
    expect(translated).toBeGreaterThan(0);
  });
});

function encodeOrRefuse(request: InferenceRequest, encoding: Encoding): JsonObject | undefined {
  try {
    return JSON.parse(JSON.stringify(encoder.encodeRequest(request, encoding))) as JsonObject;
  } catch (error) {
    if (error instanceof SidecarError && error.code === "request_lossy") return undefined;
    throw error;
  }
}

/** Bedrock's own rules of a conversation, read off the wire. */
function expectConversation({ messages, tools }: InferenceRequest, context: string): void {
  const roles = messages.map(({ role }) => role);
  expect(roles, context).toEqual(roles.map((_role, index) => (index % 2 === 0 ? "user" : "assistant")));
  const ids = messages.flatMap(({ parts }) => parts.flatMap((part) => (part.type === "tool_call" ? [part.id] : [])));
  for (const { parts } of messages) {
    expect(parts.length, context).toBeGreaterThan(0);
    for (const part of parts) {
      if (part.type === "text") expect(part.content.trim(), context).not.toBe("");
      if (part.type === "tool_call_response") expect(ids, context).toContain(part.id);
    }
  }
  if (ids.length > 0) expect(tools?.length, context).toBeGreaterThan(0);
}

function textsOf({ systemInstructions = [], messages }: InferenceRequest): string[] {
  const parts = [...systemInstructions, ...messages.flatMap((message) => message.parts)];
  return parts.flatMap((part) => (part.type === "text" && part.content.trim() !== "" ? [part.content] : []));
}

function callsIn({ messages }: InferenceRequest): CallFacts[] {
  return messages.flatMap(({ parts }) => factsOf(parts).calls);
}

/** A custom tool's text stands in an object. */
function inObject(call: CallFacts): CallFacts {
  return typeof call.arguments === "string" ? { ...call, arguments: { input: call.arguments } } : call;
}

interface CallFacts {
  name: string;
  arguments: unknown;
}

function factsOf(parts: readonly Part[]): { text: string; calls: CallFacts[] } {
  const text = parts.flatMap((part) => (part.type === "text" ? [part.content] : [])).join("");
  const calls = parts.flatMap((part) => {
    if (part.type !== "tool_call") return [];
    return [{ name: part.name, arguments: part.arguments ?? {} }];
  });
  return { text, calls };
}

interface Facts {
  text: string;
  calls: CallFacts[];
  reason: string | undefined;
  input: number | undefined;
  output: number | undefined;
}

function answerFacts({ choices: [choice], usage }: InferenceResponse): Facts {
  const facts = factsOf(choice?.message.parts ?? []);
  const unified = choice?.finishReason?.unified;
  return {
    ...facts,
    // So does a text that was cut short; a stream has it as it came.
    calls: facts.calls.map(inObject),
    // A clean stop with calls is told as calls.
    reason: unified === "stop" && facts.calls.length > 0 ? "tool_call" : unified === "compaction" ? "stop" : unified,
    input: usage?.inputTokens,
    output: usage?.outputTokens,
  };
}

/** Converse has both counts in every answer; what was not counted is 0. */
const withCounts = ({ input = 0, output = 0, ...facts }: Facts): Facts => ({ ...facts, input, output });

const decoders = { sse: createSseDecoder, ndjson: createNdjsonDecoder, eventstream: createAwsEventStreamDecoder };

function eventsOf(dialect: Dialect, called: Operation, framing: keyof typeof decoders, bytes: Buffer): StreamEvent[] {
  const frames = decoders[framing]();
  const events = dialect.eventDecoder(called);
  return [...[...frames.push(bytes), ...frames.end()].flatMap((frame) => events.push(frame)), ...events.end()];
}

const answered = foreign.filter(({ recording }) => recording.response.status === 200);

describe("other dialects' recorded answers", () => {
  it("read the same as Converse's", () => {
    const whole = answered.filter(({ recording }) => recording.framing === "json" && !recording.streaming);
    expect(whole.length).toBeGreaterThan(0);
    for (const call of whole) {
      const response = call.dialect.decodeResponse(jsonBody(call.recording), call.operation);
      if (response.choices.length !== 1 || response.choices[0]?.finishReason === undefined) continue;
      const body = encoder.encodeResponse(response, openEncoding(call, "m"));
      const read = bedrockConverse.decodeResponse(JSON.parse(JSON.stringify(body)) as JsonObject, operation);
      expect(answerFacts(read), call.recording.id).toEqual(withCounts(answerFacts(response)));
    }
  });

  it("stream as the same answer, in sound frames", () => {
    const streams = answered.filter(({ recording }) => recording.framing in decoders && recording.streaming);
    expect(streams.length).toBeGreaterThan(0);
    for (const call of streams) {
      const { framing } = call.recording as { framing: keyof typeof decoders };
      const events = eventsOf(call.dialect, call.operation, framing, responseBytes(call.recording));
      const response = foldEvents(events);
      if (response.choices.length !== 1 || events.some(({ type }) => type === "error")) continue;
      const stream = encoder.eventEncoder(openEncoding(call, "m"), true);
      const made = [...events.flatMap((event) => stream.push(event)), ...stream.end()];
      const bytes = Buffer.concat(made.map((chunk) => Buffer.from(chunk)));
      const decoder = createAwsEventStreamDecoder();
      const frames = decoder.push(bytes);
      expect([decoder.corrupt, decoder.midFrame], call.recording.id).toEqual([false, false]);
      const back = eventsOf(bedrockConverse, operation, "eventstream", bytes);
      if (response.choices[0]?.finishReason === undefined) {
        expect(frames.at(-1)?.exception, call.recording.id).toBe(true);
        continue;
      }
      expect([frames[0]?.event, frames.at(-2)?.event, frames.at(-1)?.event]).toEqual([
        "messageStart",
        "messageStop",
        "metadata",
      ]);
      expect(answerFacts(foldEvents(back)), call.recording.id).toEqual(withCounts(answerFacts(response)));
      const whole = encoder.encodeResponse(response, openEncoding(call, "m"));
      const readWhole = bedrockConverse.decodeResponse(JSON.parse(JSON.stringify(whole)) as JsonObject, operation);
      expect(answerFacts(foldEvents(back)), call.recording.id).toEqual(answerFacts(readWhole));
    }
  });
});
