// Every recorded exchange of Bedrock's Converse and InvokeModel through framing and decoders. The expected values come from
// the recording's own usage and headers, and from a reading of the streams that is written here.
import { describe, expect, it } from "vitest";
import { createSeededRandom } from "../support/random.ts";
import { createFold, type Fold, type InferenceResponse, type StreamEvent } from "../../src/canonical/index.ts";
import {
  createFrameDecoder,
  matchDialect,
  type Dialect,
  type Frame,
  type Operation,
} from "../../src/dialects/index.ts";
import { accumulate, countLeaves, joinChunks, readAnswer, readEvents } from "../support/bedrock-reading.ts";
import { loadRecordings, responseBytes, type Recording } from "../support/recordings.ts";

type Json = Record<string, unknown>;

interface Call {
  recording: Recording;
  dialect: Dialect;
  operation: Operation;
}

const recordings = loadRecordings("bedrock-converse", "bedrock-invoke");
const calls: Call[] = recordings.flatMap((recording) => {
  const match = matchDialect(recording.request.method, new URL(recording.request.url).pathname);
  return match === undefined ? [] : [{ recording, ...match }];
});
const streams = calls.filter(({ recording }) => recording.framing === "eventstream");
const answers = calls.filter(({ recording: { framing, response } }) => framing === "json" && response.status === 200);
const errors = calls.filter(({ recording }) => recording.response.status >= 400);
const texts = answers.filter(({ operation }) => operation.name === "chat" || operation.name === "text_completion");
const metricsKey = "amazon-bedrock-invocationMetrics";
const seed = 20_261_121;

describe("recorded Bedrock traffic", () => {
  it("is all matched, by its own dialect, with the model that the path names", () => {
    expect(calls).toHaveLength(recordings.length);
    expect(streams.length + answers.length + errors.length).toBe(recordings.length);
    expect(Math.min(streams.length, answers.length, errors.length)).toBeGreaterThan(0);
    for (const { recording, dialect, operation } of calls) {
      expect(dialect.id).toBe(recording.dialect);
      const segment = new URL(recording.request.url).pathname.split("/")[2] ?? "";
      expect(operation.model).toBe(segment.replaceAll("%3A", ":").replaceAll("%2F", "/"));
      expect(operation.stream ?? false).toBe(recording.streaming);
    }
  });

  it("names the operation of each invoked model", () => {
    const names = new Map<string, Set<string>>();
    for (const { dialect, operation } of calls) {
      if (dialect.id !== "bedrock-invoke") continue;
      const group = names.get(operation.name ?? "") ?? new Set<string>();
      names.set(operation.name ?? "", group.add(operation.model ?? ""));
    }
    const plain = /titan-(text|tg1)|llama|j2-mid|command-(light-)?text|mistral-7b|mistral-small-2402/;
    expect([...(names.get("embeddings") ?? [])].every((model) => model.includes("embed"))).toBe(true);
    expect([...(names.get("rerank") ?? [])].every((model) => model.includes("rerank"))).toBe(true);
    expect([...(names.get("text_completion") ?? [])].filter((model) => !plain.test(model))).toEqual([]);
    const misnamed = [...(names.get("chat") ?? [])].filter((model) => plain.test(model) || /embed|rerank/.test(model));
    expect(misnamed).toEqual([]);
  });

  it.each(texts)("keeps usage, finish reason, text and tool calls of $recording.id", (call) => {
    const { recording, dialect, operation } = call;
    const body = bodyOf(recording);
    const response = dialect.decodeResponse(body, operation);
    const facts = readAnswer(body);
    expect(response.choices.map(({ finishReason }) => finishReason?.raw)).toEqual(facts.reasons);
    expect(response.choices.every(({ finishReason }) => finishReason?.unified !== "error")).toBe(true);
    expect(textOf(response)).toBe(facts.text);
    expect(toolsOf(response)).toEqual(facts.tools);
    const header = headerOf(recording);
    const usage = response.usage ?? dialect.decodeUsageHeaders?.(header, operation);
    if (recording.usage !== undefined) expect(usage?.raw).toEqual(recording.usage);
    expect(sumsOf(usage)).toEqual(statedSums(recording) ?? headerSums(recording));
    // Whatever the body states, the headers state too.
    const fromHeaders = dialect.decodeUsageHeaders?.(header, operation);
    if (fromHeaders !== undefined) expect(sumsOf(fromHeaders)).toEqual(sumsOf(usage));
  });

  it.each(answers.filter(({ operation }) => operation.name === "embeddings"))(
    "measures the vector and finds the count of $recording.id",
    ({ recording, dialect, operation }) => {
      const response = dialect.decodeResponse(bodyOf(recording), operation);
      expect(response.choices).toEqual([]);
      expect(response.embeddingDimensions).toBe(firstVector(bodyOf(recording)).length);
      const usage = response.usage ?? dialect.decodeUsageHeaders?.(headerOf(recording), operation);
      expect(usage?.inputTokens).toBe(Number(recording.response.headers["x-amzn-bedrock-input-token-count"]));
      const request = dialect.decodeRequest(recording.request.body as Json, operation);
      const texts = (recording.request.body as Json)["texts"];
      expect(request.embedding?.inputCount).toBe(Array.isArray(texts) ? texts.length : 1);
    },
  );

  it.each(streams)("recognises every event and states the exact usage of $recording.id", (call) => {
    const { recording } = call;
    const events = decodeAll([responseBytes(recording)], call);
    expect(events.filter(({ type }) => type === "unrecognized" || type === "error")).toEqual([]);
    const fold = foldOf(events);
    expect(fold.ended).toBe(true);
    expect(events.at(-1)).toEqual({ type: "response_end" });
    const { usage } = fold;
    const { [metricsKey]: metrics, ...family } = recording.usage ?? {};
    // Where the family has no usage object, the raw counts are its loose ones beside the metrics.
    if (Object.keys(family).length > 0) expect(usage?.raw).toEqual(recording.usage);
    else expect(usage?.raw?.[metricsKey]).toEqual(metrics);
    const expected = statedSums(recording) ?? metricSums(metrics as Json | undefined);
    if (expected !== undefined) expect(sumsOf(usage)).toEqual(expected);
  });

  it.each(streams)("folds to what the whole answer would decode to: $recording.id", (call) => {
    const { recording, dialect, operation } = call;
    const folded = foldOf(decodeAll([responseBytes(recording)], call)).result();
    const twin = accumulate(readEvents(responseBytes(recording)));
    if (twin === undefined) {
      const facts = readAnswer(joinChunks(readEvents(responseBytes(recording))));
      expect(textOf(folded)).toBe(facts.text);
      expect(folded.choices.map(({ finishReason }) => finishReason?.raw)).toEqual(facts.reasons);
      return;
    }
    expect(withoutRaw(folded)).toEqual(withoutRaw(dialect.decodeResponse(twin, operation)));
  });

  it.each(streams)("gives the same frames and events however it is cut: $recording.id", (call) => {
    const bytes = responseBytes(call.recording);
    const whole = decodeFrames([bytes]);
    expect(Buffer.concat(whole.map(({ raw }) => raw)).equals(bytes)).toBe(true);
    const events = JSON.stringify(decodeAll([bytes], call));
    const random = createSeededRandom(seed);
    for (let round = 0; round < 8; round++) {
      const chunks = cutRandomly(bytes, random);
      expect(digest(decodeFrames(chunks)), `seed ${seed} round ${round}`).toEqual(digest(whole));
      expect(JSON.stringify(decodeAll(chunks, call)), `seed ${seed} round ${round}`).toBe(events);
    }
  });

  it.each(calls)("loses no value of the request of $recording.id", ({ recording, dialect, operation }) => {
    const body = recording.request.body as Json;
    const request = dialect.decodeRequest(body, operation);
    const decoded = countLeaves(request);
    const lost = [...countLeaves(body)].filter(([leaf, count]) => (decoded.get(leaf) ?? 0) < count);
    expect(lost).toEqual([]);
    expect(request.model).toBe(operation.model);
    expect(request.stream).toBe(recording.streaming);
    const { messages } = body;
    if (Array.isArray(messages)) expect(request.messages).toHaveLength(messages.length);
    else expect(request.messages.length).toBeGreaterThan(0);
  });

  it("knows every kind of content block but cache points and documents in pieces", () => {
    const messages = calls.flatMap(({ recording, dialect, operation }) => [
      ...dialect.decodeRequest(recording.request.body as Json, operation).messages,
    ]);
    const kinds = messages.flatMap(({ parts }) =>
      parts.flatMap((part) => (part.type === "generic" ? [part.generic_type] : [])),
    );
    // A document in pieces has no one text. One request has Nova's text under Titan's name, and was refused for it.
    const withoutCanonicalKind = ["cachePoint", "document", "inputText"];
    expect(kinds.filter((kind) => !withoutCanonicalKind.includes(kind))).toEqual([]);
  });

  it.each(errors)("decodes the error of $recording.id with the type of its header", ({ recording, dialect }) => {
    const body = bodyOf(recording);
    const word = recording.response.headers["x-amzn-errortype"]?.replace(/:.*/, "");
    const error = dialect.decodeError(body, headerOf(recording));
    expect(error?.message).toBe(body["message"]);
    expect(error?.type).toBe(word);
  });
});

function bodyOf(recording: Recording): Json {
  return JSON.parse(responseBytes(recording).toString()) as Json;
}

function headerOf(recording: Recording): (name: string) => string | undefined {
  return (name) => recording.response.headers[name];
}

function decodeFrames(chunks: readonly Buffer[]): Frame[] {
  const decoder = createFrameDecoder("aws-eventstream");
  const frames = chunks.flatMap((chunk) => decoder.push(chunk));
  frames.push(...decoder.end());
  expect(decoder.corrupt || decoder.overflowed || decoder.midFrame).toBe(false);
  return frames;
}

function decodeAll(chunks: readonly Buffer[], { dialect, operation }: Call): StreamEvent[] {
  const decoder = dialect.eventDecoder(operation);
  const events = decodeFrames(chunks).flatMap((frame) => decoder.push(frame));
  events.push(...decoder.end());
  return events;
}

function foldOf(events: readonly StreamEvent[]): Fold {
  const fold = createFold({ keepContent: true });
  for (const event of events) fold.push(event);
  return fold;
}

function digest(frames: readonly Frame[]): string[] {
  return frames.map(({ event, data, exception, raw }) => `${event}|${data}|${exception}|${raw.length}`);
}

function textOf({ choices }: InferenceResponse): string {
  return choices
    .flatMap(({ message }) => message.parts.map((part) => (part.type === "text" ? part.content : "")))
    .join("");
}

function toolsOf({ choices }: InferenceResponse): unknown[] {
  return choices.flatMap(({ message }) =>
    message.parts.flatMap((part) =>
      part.type === "tool_call" ? [{ name: part.name, arguments: part.arguments }] : [],
    ),
  );
}

type Sums = Pick<
  NonNullable<InferenceResponse["usage"]>,
  "inputTokens" | "outputTokens" | "cacheReadTokens" | "cacheWriteTokens"
>;

function sumsOf(usage: Sums | undefined): number[] {
  return [usage?.inputTokens, usage?.outputTokens, usage?.cacheReadTokens, usage?.cacheWriteTokens].map(
    (count) => count ?? 0,
  );
}

/** Whole input, output, cache read and written, from the recording's usage; undefined where it states none but metrics. */
function statedSums({ usage }: Recording): number[] | undefined {
  const count = (...keys: string[]): number =>
    keys.map((key) => usage?.[key]).find((value): value is number => typeof value === "number") ?? 0;
  if (usage === undefined || Object.keys(usage).every((key) => key === metricsKey)) return undefined;
  const read = count("cacheReadInputTokens", "cacheReadInputTokenCount", "cache_read_input_tokens");
  const written = count("cacheWriteInputTokens", "cacheWriteInputTokenCount", "cache_creation_input_tokens");
  const input = count("inputTokens", "input_tokens", "prompt_tokens");
  return [input + read + written, count("outputTokens", "output_tokens", "completion_tokens"), read, written];
}

function headerSums({ response }: Recording): number[] {
  const count = (name: string): number => Number(response.headers[`x-amzn-bedrock-${name}-token-count`] ?? 0);
  const read = count("cache-read-input");
  const written = count("cache-write-input");
  return [count("input") + read + written, count("output"), read, written];
}

function metricSums(metrics: Json | undefined): number[] | undefined {
  return metrics === undefined
    ? undefined
    : [metrics["inputTokenCount"] as number, metrics["outputTokenCount"] as number, 0, 0];
}

function firstVector(value: unknown): number[] {
  if (Array.isArray(value) && typeof value[0] === "number") return value as number[];
  if (typeof value !== "object" || value === null) return [];
  return (
    Object.values(value)
      .map(firstVector)
      .find((vector) => vector.length > 0) ?? []
  );
}

function withoutRaw({ usage, ...response }: InferenceResponse): unknown {
  const { raw: _raw, ...counts } = usage ?? {};
  return { ...response, usage: counts };
}

function cutRandomly(bytes: Buffer, random: () => number): Buffer[] {
  const chunks: Buffer[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = start + 1 + Math.floor(random() * (random() < 0.5 ? 20 : 600));
    chunks.push(bytes.subarray(start, end));
    start = end;
  }
  return chunks;
}
