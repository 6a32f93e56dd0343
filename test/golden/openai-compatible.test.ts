// Every recorded chat and embeddings call of Mistral and of Azure, by the very path it was sent to, against a plain reading of its bytes.
import { describe, expect, it } from "vitest";
import { createFold, type InferenceResponse, type Part } from "../../src/canonical/index.ts";
import { matchDialect } from "../../src/dialects/index.ts";
import { loadRecordings, responseBytes, type Recording } from "../support/recordings.ts";
import { decodeEvents } from "../support/stream-decoding.ts";

type Json = Record<string, unknown>;

const operations = new Set(["chat", "completions", "embeddings"]);
const calls = loadRecordings("mistral", "azure-openai").flatMap((recording) => {
  if (!operations.has(recording.operation)) return [];
  // A base URL that ends in a slash gives two of them in a row, which the data port refuses; Foundry's `/models` and
  // Azure's `/openai/v1` are part of the provider's base.
  const path = new URL(recording.request.url).pathname.replace(/^\/\//, "/");
  const call = matchDialect("POST", path.replace(/^\/(?:models|openai\/v1)\//, "/"));
  if (call === undefined) throw new Error(`no call at ${path}`);
  return [{ recording, path, ...call }];
});
const succeeded = calls.filter(({ recording }) => recording.response.status < 400);
const failed = calls.filter(({ recording }) => recording.response.status >= 400);
type Call = (typeof calls)[number];

function wireObjects(recording: Recording): Json[] {
  const text = responseBytes(recording).toString();
  if (recording.framing === "json") return [JSON.parse(text) as Json];
  const lines = text.split(/\r?\n/).flatMap((line) => (line.startsWith("data:") ? [line.slice(5).trim()] : []));
  expect(lines.at(-1)).toBe("[DONE]");
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Json);
}

/** One answer as a plain reader adds it up: the text it shows, the text it thought, the calls it makes, and why it ended. */
interface Reading {
  text: string;
  thought: string;
  calls: { id: string | undefined; name: string; arguments: string }[];
  finish: string | undefined;
}

function readAnswer(objects: Json[]): Record<number, Reading> {
  const readings: Record<number, Reading> = {};
  for (const choice of objects.flatMap((object) => (object["choices"] ?? []) as Json[])) {
    const reading = (readings[Number(choice["index"])] ??= { text: "", thought: "", calls: [], finish: undefined });
    if (typeof choice["finish_reason"] === "string") reading.finish = choice["finish_reason"];
    const message = (choice["delta"] ?? choice["message"] ?? {}) as Json;
    const content = message["content"];
    const items = typeof content === "string" ? [{ type: "text", text: content }] : ((content ?? []) as Json[]);
    for (const item of items as Json[]) {
      if (item["type"] === "text") reading.text += String(item["text"]);
      for (const piece of (item["thinking"] ?? []) as Json[]) reading.thought += String(piece["text"]);
    }
    for (const [position, wire] of ((message["tool_calls"] ?? []) as Json[]).entries()) {
      const called = wire["function"] as Json;
      const at = choice["delta"] === undefined ? position : Number(wire["index"] ?? reading.calls.length);
      const call = (reading.calls[at] ??= { id: undefined, name: "", arguments: "" });
      if (typeof wire["id"] === "string" && wire["id"] !== "") call.id ??= wire["id"];
      if (typeof called["name"] === "string") call.name ||= called["name"];
      call.arguments += String(called["arguments"] ?? "");
    }
  }
  return readings;
}

const partsOf = (parts: Part[], type: Part["type"]) =>
  parts.flatMap((part) => (part.type === type && "content" in part ? [part.content] : [])).join("");

function decodedAnswer(response: InferenceResponse): Record<number, unknown> {
  return Object.fromEntries(
    response.choices.map(({ index, message: { parts }, finishReason }) => [
      index,
      {
        text: partsOf(parts, "text"),
        thought: partsOf(parts, "reasoning"),
        calls: parts.flatMap((part) =>
          part.type === "tool_call" ? [{ id: part.id, name: part.name, arguments: part.arguments }] : [],
        ),
        finish: finishReason?.raw,
      },
    ]),
  );
}

function decode({ recording, dialect, operation }: Call, chunkSize = Infinity): InferenceResponse {
  const bytes = responseBytes(recording);
  if (recording.framing === "json") return dialect.decodeResponse(JSON.parse(bytes.toString()) as Json, operation);
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += chunkSize) chunks.push(bytes.subarray(at, at + chunkSize));
  const fold = createFold({ keepContent: true });
  for (const event of decodeEvents(dialect.eventDecoder(operation), chunks)) fold.push(event);
  expect(fold.ended).toBe(true);
  expect(fold.error).toBeUndefined();
  expect(fold.unrecognizedEvents).toBe(0);
  return fold.result();
}

const words: Record<string, string> = {
  stop: "stop",
  length: "length",
  model_length: "length",
  tool_calls: "tool_call",
  content_filter: "content_filter",
  error: "error",
};

describe("recorded traffic of Mistral and Azure", () => {
  it("is all of the two folders but Responses and OCR", () => {
    const all = loadRecordings("mistral", "azure-openai");
    const others = all.filter(({ operation }) => operation === "responses" || operation === "ocr");
    expect(calls.length + others.length).toBe(all.length);
    expect(calls.filter(({ operation }) => operation.home === "azure").length).toBeGreaterThan(20);
    expect(calls.some(({ operation }) => operation.kind === "embeddings" && operation.home === "azure")).toBe(true);
  });

  it.each(calls)("$recording.id: the request", ({ recording, path, dialect, operation }) => {
    const body = (recording.request.body ?? {}) as Json;
    const deployment = /\/deployments\/([^/]+)\//.exec(path)?.[1];
    const request = dialect.decodeRequest(body, operation);
    expect(request.model).toBe(body["model"] ?? deployment);
    expect(request.stream).toBe(body["stream"] === true);
    expect(operation.model).toBe(deployment);
    expect(operation.home).toBe(deployment === undefined ? undefined : "azure");
    if (deployment !== undefined) {
      expect(operation.route).toBe(path.replace(deployment, "{deployment}"));
      expect(`/${operation.path}`).toBe(path);
    }
    if (Array.isArray(body["messages"])) expect(request.messages).toHaveLength(body["messages"].length);
    if (Array.isArray(body["tools"])) expect(request.tools).toHaveLength(body["tools"].length);
  });

  it.each(succeeded)("$recording.id: model, usage, finish reason, text and tool calls", (call) => {
    const { recording } = call;
    const objects = wireObjects(recording);
    const response = decode(call);
    expect(response.id).toBe(objects.map((object) => object["id"]).find((id) => id !== "" && id !== undefined));
    expect(response.model).toBe(objects.map((object) => object["model"]).find((model) => model !== ""));
    expect(response.usage?.raw).toEqual(recording.usage);
    const expected = Object.entries(readAnswer(objects)).map(([index, reading]) => [
      index,
      {
        ...reading,
        // A call that was cut before its arguments began has none.
        calls: reading.calls.map((item) => ({ ...item, arguments: JSON.parse(item.arguments || "{}") as unknown })),
      },
    ]);
    expect(decodedAnswer(response)).toEqual(Object.fromEntries(expected));
    for (const { finishReason } of response.choices) {
      if (finishReason?.raw !== undefined) expect(finishReason.unified).toBe(words[finishReason.raw]);
    }
  });

  it.each(succeeded)("$recording.id: counts", (call) => {
    const raw = call.recording.usage;
    const { usage } = decode(call);
    if (raw === undefined) {
      expect(usage).toBeUndefined();
      return;
    }
    const details = (raw["prompt_tokens_details"] ?? {}) as Json;
    const outputDetails = (raw["completion_tokens_details"] ?? {}) as Json;
    const [prompt, completion, total] = [raw["prompt_tokens"], raw["completion_tokens"] ?? 0, raw["total_tokens"]];
    const reasoning = Number(outputDetails["reasoning_tokens"] ?? 0);
    const audio = Number(details["audio_tokens"] ?? 0);
    // The parts that are counted beside the two (xAI's reasoning, Mistral's audio) are what the total has more.
    const apart = Number(total) - Number(prompt) - Number(completion);
    expect([0, reasoning, audio]).toContain(apart);
    expect(usage?.inputTokens).toBe(Number(prompt) + (apart > 0 && apart === audio ? audio : 0));
    const expectedOutput = Number(completion) + (apart > 0 && apart !== audio ? reasoning : 0);
    expect(usage?.outputTokens ?? 0).toBe(call.operation.kind === "embeddings" ? 0 : expectedOutput);
    expect(usage?.cacheReadTokens).toBe(details["cached_tokens"] ?? raw["num_cached_tokens"]);
    expect(usage?.reasoningTokens).toBe(outputDetails["reasoning_tokens"] ?? raw["reasoning_tokens"]);
    expect(usage?.inputAudioSeconds).toBe(raw["prompt_audio_seconds"] ?? undefined);
  });

  it("reads a stream the same in pieces of one byte, of seven and whole", () => {
    const streams = succeeded.filter(({ recording }) => recording.framing === "sse");
    expect(streams.length).toBeGreaterThan(20);
    for (const stream of streams) {
      const whole = decode(stream);
      expect(decode(stream, 7), stream.recording.id).toEqual(whole);
      expect(decode(stream, 1), stream.recording.id).toEqual(whole);
    }
  });

  it("folds a stream into what the same answer given whole decodes to", () => {
    const streams = succeeded.filter(({ recording }) => recording.framing === "sse");
    for (const stream of streams) {
      const objects = wireObjects(stream.recording);
      const choices = Object.entries(readAnswer(objects)).map(([index, { text, thought, calls: made, finish }]) => ({
        index: Number(index),
        finish_reason: finish,
        message: {
          role: "assistant",
          content: [
            ...(thought === "" ? [] : [{ type: "thinking", thinking: [{ type: "text", text: thought }] }]),
            ...(text === "" ? [] : [{ type: "text", text }]),
          ],
          tool_calls: made.map(({ id, name, arguments: args }) => ({ id, function: { name, arguments: args } })),
        },
      }));
      const twin = {
        id: objects.at(-1)?.["id"],
        model: objects.at(-1)?.["model"],
        choices,
        usage: stream.recording.usage,
      };
      const decodedTwin = stream.dialect.decodeResponse(twin, stream.operation);
      const folded = decode(stream);
      expect(decodedAnswer(folded), stream.recording.id).toEqual(decodedAnswer(decodedTwin));
      expect(folded.usage, stream.recording.id).toEqual(decodedTwin.usage);
      expect([folded.id, folded.model], stream.recording.id).toEqual([decodedTwin.id, decodedTwin.model]);
    }
  });

  it("reads every error body", () => {
    expect(failed.length).toBeGreaterThan(0);
    for (const { recording, dialect } of failed) {
      const error = dialect.decodeError(JSON.parse(responseBytes(recording).toString()));
      expect(error?.message.length, recording.id).toBeGreaterThan(0);
    }
  });
});
