// Every recorded exchange of Cohere's chat, generate and embed through its decoders.
import { describe, expect, it } from "vitest";
import { createSeededRandom } from "../support/random.ts";
import { createFold, type InferenceResponse, type Part, type StreamEvent } from "../../src/canonical/index.ts";
import { cohereChat } from "../../src/dialects/cohere-chat/index.ts";
import { dialects, matchDialect, type Operation } from "../../src/dialects/index.ts";
import { jsonBody, loadRecordings, responseBytes, type Recording } from "../support/recordings.ts";
import { cutAt, decodeEvents } from "../support/stream-decoding.ts";

type Wire = Record<string, unknown>;

const recordings = loadRecordings("cohere-v1", "cohere-v2");
const matched = recordings.flatMap((recording) => {
  const { pathname } = new URL(recording.request.url);
  const operation = cohereChat.match(recording.request.method, pathname);
  return operation === undefined ? [] : [{ recording, operation, id: recording.id }];
});
const errors = matched.filter(({ recording }) => recording.response.status >= 400);
const streams = matched.filter(({ recording }) => recording.framing === "sse");
const answers = matched.filter(({ recording }) => recording.framing === "json" && recording.response.status === 200);
const requests = matched.filter(({ recording }) => isObject(recording.request.body));

describe("recorded Cohere traffic", () => {
  it("is all matched, except calls of another dialect and the tokenizer", () => {
    const others = recordings.filter((recording) => !matched.some((one) => one.recording === recording));
    const paths = others.map(({ request }) => new URL(request.url).pathname);
    expect(paths.toSorted()).toEqual(["/v1/rerank", "/v1/tokenize", "/v2/rerank"]);
    expect(matchDialect("POST", "/v1/tokenize")).toBeUndefined();
    expect(answers.length + streams.length + errors.length).toBe(matched.length);
    expect(Math.min(answers.length, streams.length, errors.length)).toBeGreaterThan(0);
    expect(dialects).toContain(cohereChat);
  });

  it.each(answers)("keeps finish reason, tool calls and exact usage of $id", ({ recording, operation }) => {
    const body = jsonBody(recording);
    const response = cohereChat.decodeResponse(body, operation);
    expect(response.id).toBe(body["id"] ?? body["response_id"]);
    // No answer of Cohere names its model.
    expect(response.model).toBeUndefined();
    expectUsage(response, recording);
    if (operation.kind === "embed") {
      const dimensions: Record<string, number> = { "embed-english-light-v3.0": 384, "embed-english-v3.0": 1024 };
      const asked = recording.request.body as Wire;
      const stated = asked["output_dimension"] ?? dimensions[String(asked["model"])] ?? 1536;
      expect(response.embeddingDimensions).toBe(stated);
      expect(response.choices).toEqual([]);
      return;
    }
    expect(response.choices[0]?.finishReason).toEqual(statedFinish(body));
    const message = isObject(body["message"]) ? body["message"] : {};
    expect(callsOf(response)).toEqual(statedCalls(message["tool_calls"]));
    expect(textOf(response)).toBe(statedText(body));
    const cited = response.choices[0]?.message.extensions?.["cohere-chat"]?.["citations"];
    expect(cited).toEqual(message["citations"]);
  });

  it.each(streams)("recognises every event and keeps the exact usage of $id", ({ recording, operation }) => {
    const { events, fold } = decodeStream([responseBytes(recording)], operation);
    expect(events.filter(({ type }) => type === "unrecognized" || type === "error")).toEqual([]);
    expect(events.filter(({ type }) => type === "choice_end")).toHaveLength(1);
    expect(fold.ended).toBe(true);
    expectUsage(fold.result(), recording);
  });

  it.each(streams)("folds to what the message decodes to when it comes whole: $id", ({ recording, operation }) => {
    const { fold } = decodeStream([responseBytes(recording)], operation);
    const whole = assemble(recording);
    expect(fold.result()).toEqual(cohereChat.decodeResponse(whole, operation));
    expect(fold.result().choices[0]?.finishReason).toEqual(statedFinish(whole));
    expect(callsOf(fold.result())).toEqual(statedCalls((whole["message"] as Wire)["tool_calls"]));
    expect(textOf(fold.result())).toBe(statedText(whole));
  });

  it("gives the same events however the bytes of a stream are cut", () => {
    const seed = 20_261_121;
    const random = createSeededRandom(seed);
    for (const { recording, operation } of streams) {
      const bytes = responseBytes(recording);
      const whole = JSON.stringify(decodeStream([bytes], operation).events);
      for (let round = 0; round < 40; round++) {
        const offsets = Array.from({ length: 1 + (round % 8) }, () => Math.floor(random() * bytes.length));
        const { events } = decodeStream(cutAt(bytes, offsets), operation);
        expect(JSON.stringify(events) === whole, `${recording.id}, seed ${seed}, cut at ${offsets.join()}`).toBe(true);
      }
    }
  });

  it.each(requests)("loses no value of the request of $id", ({ recording, operation }) => {
    const body = recording.request.body as Wire;
    const request = cohereChat.decodeRequest(body, operation);
    const decoded = countLeaves(request);
    const lost = [...countLeaves(body)].filter(([leaf, count]) => (decoded.get(leaf) ?? 0) < count);
    expect(lost).toEqual([]);
    expect(request.model).toBe(body["model"]);
    expect(request.stream).toBe(body["stream"] ?? false);
  });

  it.each(errors)("decodes the error of $id with the provider's own words", ({ recording }) => {
    const { id, message } = jsonBody(recording);
    expect(cohereChat.decodeError(jsonBody(recording))).toEqual({ message, extensions: { "cohere-chat": { id } } });
  });
});

function isObject(value: unknown): value is Wire {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function decodeStream(chunks: Buffer[], operation: Operation) {
  const events: StreamEvent[] = decodeEvents(cohereChat.eventDecoder(operation), chunks);
  const fold = createFold({ keepContent: true });
  for (const event of events) fold.push(event);
  return { events, fold };
}

/** wire.md §1.13: `tokens` counts, cached and reasoning tokens inside; without it, `billed_units`. Image tokens stand beside the text's. */
function expectUsage({ usage }: InferenceResponse, recording: Recording): void {
  const stated = recording.usage as Record<string, Record<string, number> | number | undefined>;
  const counts = (stated["tokens"] ?? stated["billed_units"]) as Record<string, number | undefined>;
  expect(usage?.raw).toMatchObject(stated);
  const image = counts["image_tokens"];
  const text = counts["input_tokens"];
  const isCounted = text !== undefined || image !== undefined;
  expect(usage?.inputTokens).toBe(isCounted ? (text ?? 0) + (image ?? 0) : undefined);
  expect(usage?.outputTokens).toBe(counts["output_tokens"]);
  expect(usage?.reasoningTokens).toBe(counts["reasoning_tokens"]);
  // The recorder left v1's cached tokens out of its summary.
  if (stated["cached_tokens"] !== undefined) expect(usage?.cacheReadTokens).toBe(stated["cached_tokens"]);
}

const unified: Record<string, string> = {
  COMPLETE: "stop",
  STOP_SEQUENCE: "stop",
  MAX_TOKENS: "length",
  TOOL_CALL: "tool_call",
};

function statedFinish(body: Wire): unknown {
  const [generation] = Array.isArray(body["generations"]) ? (body["generations"] as Wire[]) : [];
  const raw = String(body["finish_reason"] ?? generation?.["finish_reason"]);
  return { unified: unified[raw], raw };
}

function callsOf(response: InferenceResponse): unknown[] {
  return partsOf(response).flatMap((part) =>
    part.type === "tool_call" ? [{ id: part.id, name: part.name, arguments: part.arguments }] : [],
  );
}

function statedCalls(calls: unknown): unknown[] {
  if (!Array.isArray(calls)) return [];
  return (calls as { id: string; function: { name: string; arguments: string } }[]).map((call) => ({
    id: call.id,
    name: call.function.name,
    arguments: call.function.arguments === "" ? {} : (JSON.parse(call.function.arguments) as unknown),
  }));
}

/** All text and reasoning, in order. */
function textOf(response: InferenceResponse): string {
  return partsOf(response)
    .map((part) => (part.type === "text" || part.type === "reasoning" ? part.content : ""))
    .join("\n");
}

function statedText(body: Wire): string {
  if (typeof body["text"] === "string") return body["text"];
  if (Array.isArray(body["generations"])) return String((body["generations"] as Wire[])[0]?.["text"]);
  const message = body["message"] as Wire;
  const content = ((message["content"] ?? []) as Wire[]).map((part) => String(part["thinking"] ?? part["text"]));
  const plan = typeof message["tool_plan"] === "string" ? [message["tool_plan"]] : [];
  const calls = ((message["tool_calls"] ?? []) as unknown[]).map(() => "");
  return [...content, ...plan, ...calls].join("\n");
}

function partsOf(response: InferenceResponse): Part[] {
  return response.choices.flatMap(({ message }) => message.parts);
}

/** The whole message that a stream spells out, put together from its own events without the decoder. */
function assemble(recording: Recording): Wire {
  const content: Wire[] = [];
  const calls: { id: string; function: { name: string; arguments: string } }[] = [];
  const citations: unknown[] = [];
  let plan = "";
  const whole: Wire = {};
  for (const line of responseBytes(recording).toString().split("\n")) {
    if (!line.startsWith("data: {")) continue;
    const { type, index, id, delta } = JSON.parse(line.slice(6)) as Wire & { index: number; delta?: Wire };
    const piece = (delta?.["message"] ?? {}) as Record<string, Wire>;
    if (type === "message-start") whole["id"] = id;
    if (type === "content-start") content[index] = { ...piece["content"] };
    if (type === "content-delta") {
      const kind = piece["content"]?.["thinking"] === undefined ? "text" : "thinking";
      const block = content[index] as Record<string, string>;
      block[kind] = `${block[kind]}${String(piece["content"]?.[kind])}`;
    }
    if (type === "tool-plan-delta") plan += String(piece["tool_plan"]);
    if (type === "tool-call-start") calls[index] = structuredClone(piece["tool_calls"]) as never;
    if (type === "tool-call-delta") {
      const call = calls[index];
      const text = (piece["tool_calls"] as { function: { arguments: string } }).function.arguments;
      if (call !== undefined) call.function.arguments += text;
    }
    if (type === "citation-start") citations.push(piece["citations"]);
    if (type === "message-end")
      Object.assign(whole, { finish_reason: delta?.["finish_reason"], usage: delta?.["usage"] });
  }
  const message: Wire = { role: "assistant" };
  if (content.length > 0) message["content"] = content;
  if (plan !== "") message["tool_plan"] = plan;
  if (calls.length > 0) message["tool_calls"] = calls;
  if (citations.length > 0) message["citations"] = citations;
  return { ...whole, message };
}

/** How often each text and number occurs in a JSON value; words that the canonical kinds say are left out. */
function countLeaves(value: unknown): Map<string, number> {
  const counts = new Map<string, number>();
  for (const leaf of leavesOf(value)) counts.set(leaf, (counts.get(leaf) ?? 0) + 1);
  return counts;
}

function leavesOf(value: unknown, key = ""): string[] {
  if (value === null || value === undefined || typeof value === "boolean") return [];
  if (key === "type" || key === "role" || key === "tool_choice" || value === "") return [];
  // Arguments come as text and are parsed; data URLs are taken apart.
  if (typeof value === "string" && key === "arguments") return leavesOf(JSON.parse(value));
  if (typeof value === "string") return [`text ${value.replace(/^data:[^,]*,/, "")}`];
  if (typeof value === "number") return [`number ${value}`];
  return Object.entries(value).flatMap(([name, item]: [string, unknown]) => leavesOf(item, name));
}
