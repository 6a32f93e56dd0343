// Every recorded exchange of Ollama's native API through its decoders.
import { describe, expect, it } from "vitest";
import { createSeededRandom } from "../support/random.ts";
import { createFold, type InferenceResponse, type StreamEvent } from "../../src/canonical/index.ts";
import { createNdjsonDecoder } from "../../src/dialects/framing/ndjson.ts";
import { dialects, type Operation } from "../../src/dialects/index.ts";
import { ollamaChat } from "../../src/dialects/ollama-chat/index.ts";
import { jsonBody, loadRecordings, responseBytes, type Recording } from "../support/recordings.ts";
import { cutAt } from "../support/stream-decoding.ts";

type Wire = Record<string, unknown>;

const recordings = loadRecordings("ollama");
/** Its source kept the answer alone, and the answer is one of Ollama's OpenAI-compatible call: the address is the recorder's guess. */
const misfiled = "ollama/ollama/prism-structured-with-multiple-tools-structured-mode-1-0-c7942a1b";
const matched = recordings.flatMap((recording) => {
  const operation = ollamaChat.match(recording.request.method, new URL(recording.request.url).pathname);
  return operation === undefined || recording.id === misfiled ? [] : [{ recording, operation, id: recording.id }];
});
const errors = matched.filter(({ recording }) => recording.response.status >= 400);
const streams = matched.filter(({ recording }) => recording.framing === "ndjson");
const answers = matched.filter(({ recording }) => recording.framing === "json" && recording.response.status === 200);
const requests = matched.filter(({ recording }) => isObject(recording.request.body));

describe("recorded Ollama traffic", () => {
  it("is all matched, except calls that only look at the server, and one that is filed wrongly", () => {
    const others = recordings.filter((recording) => !matched.some((one) => one.recording === recording));
    expect(
      [...new Set(others.map(({ operation, id }) => (id === misfiled ? "misfiled" : operation)))].toSorted(),
    ).toEqual(["misfiled", "show", "tags"]);
    expect(answers.length + streams.length + errors.length).toBe(matched.length);
    expect(Math.min(answers.length, streams.length, errors.length)).toBeGreaterThan(0);
    expect(dialects).toContain(ollamaChat);
  });

  it.each(answers)("keeps model, finish reason, tool calls and exact usage of $id", ({ recording, operation }) => {
    const body = jsonBody(recording);
    const response = ollamaChat.decodeResponse(body, operation);
    expect(response.model).toBe(body["model"]);
    expectUsage(response, recording);
    if (operation.name === "embeddings") {
      const [vector] = (body["embeddings"] ?? [body["embedding"]]) as number[][];
      expect(response.embeddingDimensions).toBe(vector?.length);
      expect(response.choices).toEqual([]);
    } else expectAnswer(response, body);
  });

  it.each(streams)("recognises every line and keeps the exact usage of $id", ({ recording, operation }) => {
    const { events, fold } = decodeStream([responseBytes(recording)], operation);
    expect(events.filter(({ type }) => type === "unrecognized" || type === "error")).toEqual([]);
    expect(events.filter(({ type }) => type === "choice_end")).toHaveLength(1);
    expect(fold.ended).toBe(true);
    expectUsage(fold.result(), recording);
  });

  it.each(streams)("folds to what the answer decodes to when it comes whole: $id", ({ recording, operation }) => {
    const folded = decodeStream([responseBytes(recording)], operation).fold.result();
    const whole = assemble(recording);
    expect(folded).toEqual(ollamaChat.decodeResponse(whole, operation));
    expect(folded.model).toBe(whole["model"]);
    expectAnswer(folded, whole);
  });

  it("gives the same events however the bytes of a stream are cut", () => {
    const seed = 20_261_122;
    const random = createSeededRandom(seed);
    for (const { recording, operation } of streams) {
      const bytes = responseBytes(recording);
      const whole = JSON.stringify(decodeStream([bytes], operation).events);
      for (let round = 0; round < 24; round++) {
        const offsets = Array.from({ length: 1 + (round % 8) }, () => Math.floor(random() * bytes.length));
        const { events } = decodeStream(cutAt(bytes, offsets), operation);
        expect(JSON.stringify(events) === whole, `${recording.id}, seed ${seed}, cut at ${offsets.join()}`).toBe(true);
      }
    }
  });

  it.each(requests)("loses no value of the request of $id", ({ recording, operation }) => {
    const body = recording.request.body as Wire;
    const request = ollamaChat.decodeRequest(body, operation);
    const decoded = countLeaves(request);
    const lost = [...countLeaves(body)].filter(([leaf, count]) => (decoded.get(leaf) ?? 0) < count);
    expect(lost).toEqual([]);
    expect(request.model).toBe(body["model"]);
    // All of them say whether they stream; the default is the unit tests' to hold.
    const isText = operation.name !== "embeddings";
    expect(request.stream).toBe(isText && body["stream"] !== false);
    if (recording.response.status === 200) expect(request.stream).toBe(recording.framing === "ndjson");
  });

  it.each(errors)("decodes the error of $id", ({ recording }) => {
    const body = jsonBody(recording);
    expect(ollamaChat.decodeError(body)).toEqual({ message: body["error"] });
  });
});

function isObject(value: unknown): value is Wire {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function decodeStream(chunks: Buffer[], operation: Operation) {
  const frames = createNdjsonDecoder();
  const decoder = ollamaChat.eventDecoder(operation);
  const events: StreamEvent[] = chunks.flatMap((chunk) => frames.push(chunk)).flatMap((frame) => decoder.push(frame));
  events.push(...frames.end().flatMap((frame) => decoder.push(frame)), ...decoder.end());
  const fold = createFold({ keepContent: true });
  for (const event of events) fold.push(event);
  return { events, fold };
}

/** wire.md §1.13: two counts, each absent where it is not stated. */
function expectUsage({ usage }: InferenceResponse, { usage: stated }: Recording): void {
  expect(usage?.raw).toEqual(stated);
  expect(usage?.inputTokens).toBe(stated?.["prompt_eval_count"]);
  expect(usage?.outputTokens).toBe(stated?.["eval_count"]);
}

/** Text, thinking, tool calls and finish reason as the body itself says them. */
function expectAnswer({ choices: [choice] }: InferenceResponse, body: Wire): void {
  const message = (body["message"] ?? { content: body["response"] }) as Wire;
  const calls = (message["tool_calls"] ?? []) as { id?: string; function: { name: string; arguments: unknown } }[];
  const parts = choice?.message.parts ?? [];
  const found = parts.flatMap((part) =>
    part.type === "tool_call" ? [{ id: part.id, name: part.name, arguments: part.arguments }] : [],
  );
  expect(found).toEqual(
    calls.map((call) => ({ id: call.id, name: call.function.name, arguments: call.function.arguments })),
  );
  const contentOf = (type: string) =>
    parts.flatMap((part) => (part.type === type && "content" in part ? [part.content] : []));
  expect(contentOf("text")).toEqual([message["content"]].filter((text) => text !== ""));
  expect(contentOf("reasoning")).toEqual([message["thinking"]].filter((text) => text !== undefined));
  const raw = body["done_reason"];
  expect(choice?.finishReason).toEqual({ unified: raw === "stop" && calls.length > 0 ? "tool_call" : raw, raw });
}

/** The whole answer that a stream spells out, put together from its own lines without the decoder. */
function assemble(recording: Recording): Wire {
  const lines = responseBytes(recording)
    .toString()
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as Wire);
  const last = lines.at(-1) ?? {};
  if (last["message"] === undefined)
    return { ...last, response: lines.map((line) => String(line["response"])).join("") };
  const messages = lines.map((line) => line["message"] as Wire);
  const message: Wire = { role: "assistant", content: messages.map((one) => String(one["content"] ?? "")).join("") };
  const thinking = messages.map((one) => String(one["thinking"] ?? "")).join("");
  const calls = messages.flatMap((one) => (one["tool_calls"] ?? []) as unknown[]);
  if (thinking !== "") message["thinking"] = thinking;
  if (calls.length > 0) message["tool_calls"] = calls;
  return { ...last, message };
}

/** How often each text and number occurs in a JSON value; words that the canonical kinds say are left out. */
function countLeaves(value: unknown): Map<string, number> {
  const counts = new Map<string, number>();
  for (const leaf of leavesOf(value)) counts.set(leaf, (counts.get(leaf) ?? 0) + 1);
  return counts;
}

function leavesOf(value: unknown, key = ""): string[] {
  if (value === null || value === undefined || typeof value === "boolean") return [];
  if (key === "type" || key === "role" || value === "") return [];
  if (key === "format" && value === "json") return [];
  if (typeof value !== "object") return [`${typeof value} ${String(value)}`];
  return Object.entries(value).flatMap(([name, item]: [string, unknown]) => leavesOf(item, name));
}
