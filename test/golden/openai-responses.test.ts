// Every recorded exchange of the Responses API, decoded and held against a plain reading of its own bytes.
import { describe, expect, it } from "vitest";
import { createRandom } from "../support/random.ts";
import { createFold, type Fold, type InferenceResponse } from "../../src/canonical/index.ts";
import type { Operation } from "../../src/dialects/dialect.ts";
import { openaiResponses } from "../../src/dialects/openai-responses/index.ts";
import { loadRecordings, responseBytes, type Recording } from "../support/recordings.ts";
import { cutAt, decodeEvents } from "../support/stream-decoding.ts";

type Json = Record<string, unknown>;

/** Recordings that are not what their path says, and why. */
const foreign: Record<string, string> = {
  "azure-openai/azure/ai-azure-deepseek-reasoning-1-chunks-0-30b4d54b":
    "the answer's chunks are chat completions; only the answer was published, its address is a guess",
};

/** Several answers in one body, which no server sends: the last one's facts stand, all their parts are told. */
const concatenated = new Set(["azure-openai/azure/ai-azure-reasoning-encrypted-content-1-chunks-0-fa8bfe9b"]);

function callPath(recording: Recording): string | undefined {
  const { pathname } = new URL(recording.request.url);
  const at = pathname.lastIndexOf("/responses");
  return at === -1 ? undefined : `/v1${pathname.slice(at)}`;
}

const recordings = loadRecordings("openai-responses", "azure-openai").filter(
  ({ id, operation }) => operation.startsWith("responses") && !(id in foreign),
);
const calls = recordings.flatMap((recording) => {
  const operation = openaiResponses.match(recording.request.method, callPath(recording) ?? "");
  return operation === undefined ? [] : [{ recording, operation }];
});
const succeeded = calls.filter(({ recording }) => recording.response.status < 400);
const streams = succeeded.filter(({ recording }) => recording.framing === "sse");

function parseJson(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

/** The events of a stream, by their data lines. */
function wireEvents(recording: Recording): Json[] {
  const lines = responseBytes(recording).toString().split(/\r?\n/);
  return lines
    .flatMap((line) => (line.startsWith("data:") ? [parseJson(line.slice(5))] : []))
    .filter((event) => event !== undefined);
}

const terminalTypes = new Set(["response.completed", "response.incomplete", "response.failed"]);

/** The whole answer: the body, or what the last terminal event states, with what stands beside it there. */
function wireAnswer(recording: Recording): Json {
  if (recording.framing === "json") return parseJson(responseBytes(recording).toString()) ?? {};
  const terminal = wireEvents(recording).findLast(({ type }) => terminalTypes.has(String(type)));
  if (terminal === undefined) throw new Error(`${recording.id}: no terminal event`);
  const { type: _type, sequence_number: _number, response, ...beside } = terminal;
  return { ...(response as Json), ...beside };
}

/** The items of an answer; those of the stream where the terminal event leaves them out (ChatGPT's own backend). */
function wireItems(recording: Recording): Json[] {
  const output = (wireAnswer(recording)["output"] ?? []) as Json[];
  if (output.length > 0 || recording.framing === "json") return output;
  return wireEvents(recording).flatMap(({ type, item }) =>
    type === "response.output_item.done" ? [item as Json] : [],
  );
}

function decode(recording: Recording, operation: Operation): { response: InferenceResponse; fold?: Fold } {
  if (recording.framing === "json") {
    return { response: openaiResponses.decodeResponse(wireAnswer(recording), operation) };
  }
  const fold = createFold({ keepContent: true });
  const decoder = openaiResponses.eventDecoder(operation);
  for (const event of decodeEvents(decoder, [responseBytes(recording)])) fold.push(event);
  return { response: fold.result(), fold };
}

const partsOf = (response: InferenceResponse) => response.choices.flatMap(({ message }) => message.parts);

/** All text of items of one type, read plainly. */
function wireText(items: Json[], type: string): string {
  return items
    .filter((item) => item["type"] === type)
    .flatMap((item) => [...((item["summary"] ?? []) as Json[]), ...((item["content"] ?? []) as Json[])])
    .map((part) => String(part["text"] ?? part["refusal"] ?? ""))
    .join("");
}

function wireToolCalls(items: Json[]): Json[] {
  return items.flatMap((item) => {
    const { type, call_id: id, name, arguments: args, input } = item;
    // Arguments that the token limit cut off are no JSON: they stay text.
    if (type === "function_call") return [{ id, name, arguments: parseJson(String(args)) ?? args }];
    return type === "custom_tool_call" ? [{ id, name, arguments: input }] : [];
  });
}

/** The words of both ends, by hand from what each answer states. */
function wireFinish(recording: Recording): { unified: string; raw?: string } | undefined {
  const answer = wireAnswer(recording);
  if (answer["object"] === "response.compaction") return { unified: "compaction" };
  const reason = (answer["incomplete_details"] as Json | null | undefined)?.["reason"];
  if (reason === "max_output_tokens") return { unified: "length", raw: reason };
  if (answer["status"] !== "completed") return undefined;
  const isOpen = wireItems(recording).some(
    ({ type, execution }) =>
      type === "function_call" ||
      type === "custom_tool_call" ||
      (type === "tool_search_call" && execution === "client"),
  );
  return { unified: isOpen ? "tool_call" : "stop", raw: "completed" };
}

describe("recorded Responses traffic", () => {
  it("covers every recording but the deletion and what is listed", () => {
    const left = recordings.filter((recording) => !calls.some((call) => call.recording === recording));
    expect(left.map(({ operation }) => operation)).toEqual(["responses_delete"]);
    expect(succeeded.length).toBeGreaterThan(190);
    expect(streams.length).toBeGreaterThan(80);
  });

  it.each(succeeded)("$recording.id: id, model, usage, finish reason, text and tool calls", (call) => {
    const { recording, operation } = call;
    const { response, fold } = decode(recording, operation);
    const answer = wireAnswer(recording);
    if (operation.kind === "count_tokens") {
      expect(response).toEqual({ choices: [], extensions: { "openai-responses": answer } });
      return;
    }
    expect(response.id).toBe(answer["id"]);
    expect(response.model).toBe(answer["model"]);
    if (operation.name === "fetch_response") {
      expect(response.usage).toBeUndefined();
      expect(response.extensions?.["openai-responses"]?.["usage"]).toEqual(answer["usage"]);
    } else {
      expect(response.usage?.raw).toEqual(recording.usage);
      expect(response.usage?.inputTokens).toBe(recording.usage?.["input_tokens"]);
      expect(response.usage?.outputTokens).toBe(recording.usage?.["output_tokens"]);
      const details = recording.usage?.["input_tokens_details"] as Json | undefined;
      expect(response.usage?.cacheReadTokens).toBe(details?.["cached_tokens"]);
      const outputDetails = recording.usage?.["output_tokens_details"] as Json | undefined;
      expect(response.usage?.reasoningTokens).toBe(outputDetails?.["reasoning_tokens"]);
    }
    expect(response.choices[0]?.finishReason).toEqual(wireFinish(recording));
    if (fold !== undefined) {
      expect(fold.unrecognizedEvents).toBe(0);
      expect(fold.ended).toBe(true);
      expect(fold.error !== undefined).toBe(answer["status"] === "failed");
    }
    if (concatenated.has(recording.id)) return;
    const items = wireItems(recording);
    const parts = partsOf(response);
    const textOf = (type: "text" | "reasoning") =>
      parts.map((part) => (part.type === type ? part.content : "")).join("");
    expect(textOf("text")).toBe(wireText(items, "message"));
    expect(textOf("reasoning")).toBe(wireText(items, "reasoning"));
    const toolCalls = parts.flatMap((part) => (part.type === "tool_call" ? [part] : []));
    expect(
      toolCalls
        .filter(({ name }) => name !== "tool_search")
        .map(({ id, name, arguments: args }) => ({ id, name, arguments: args })),
    ).toEqual(wireToolCalls(items));
    // No item is lost, and none of its facts: each text of the wire is somewhere in the canonical form.
    const canonical = JSON.stringify(parts);
    for (const item of items) {
      for (const value of Object.values(item)) {
        if (typeof value !== "string" || value === "" || value === "assistant") continue;
        const isParsed = item["type"] === "function_call" && value === item["arguments"];
        if (!isParsed) expect(canonical.includes(JSON.stringify(value)), String(item["type"])).toBe(true);
      }
    }
  });

  it.each(streams.filter(({ recording }) => !concatenated.has(recording.id)))(
    "$recording.id: the stream adds up to its own whole answer",
    ({ recording, operation }) => {
      const answer = { ...wireAnswer(recording), output: wireItems(recording) };
      expect(decode(recording, operation).response).toEqual(openaiResponses.decodeResponse(answer, operation));
    },
  );

  it("tells each text of a stream once, as it grows", () => {
    for (const { recording, operation } of streams) {
      if (concatenated.has(recording.id)) continue;
      const deltas = wireEvents(recording).filter(({ type }) => type === "response.output_text.delta");
      const events = decodeEvents(openaiResponses.eventDecoder(operation), [responseBytes(recording)]);
      const told = events.filter(({ type }) => type === "part_delta").length;
      expect(told, recording.id).toBeGreaterThanOrEqual(deltas.length);
    }
  });

  it("gives the same events however the bytes are cut", () => {
    const seed = Number(process.env["OUTRIDER_SEED"] ?? 20261121);
    const random = createRandom(seed).integer;
    for (const { recording, operation } of streams) {
      const bytes = responseBytes(recording);
      const expected = decodeEvents(openaiResponses.eventDecoder(operation), [bytes]);
      const offsets = Array.from({ length: 1 + random(200) }, () => random(bytes.length));
      const events = decodeEvents(openaiResponses.eventDecoder(operation), cutAt(bytes, offsets));
      expect(events, `${recording.id}, seed ${seed}`).toEqual(expected);
    }
  });

  it("tells every text and call once, whichever events get lost or come twice before the last", () => {
    const seed = Number(process.env["OUTRIDER_SEED"] ?? 20261121);
    const random = createRandom(seed).integer;
    for (const { recording, operation } of streams) {
      if (concatenated.has(recording.id) || wireAnswer(recording)["status"] === "failed") continue;
      const answer = { ...wireAnswer(recording), output: wireItems(recording) };
      const terminal = { type: "response.completed", sequence_number: 1e9, response: answer };
      const events = wireEvents(recording).filter(({ type }) => !terminalTypes.has(String(type)));
      const frames = [
        ...events.flatMap((event) => Array<Json>([1, 1, 1, 1, 2, 0, 0][random(7)] ?? 1).fill(event)),
        terminal,
      ];
      const bytes = Buffer.from(frames.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(""));
      const fold = createFold({ keepContent: true });
      for (const event of decodeEvents(openaiResponses.eventDecoder(operation), [bytes])) fold.push(event);
      const label = `${recording.id}, seed ${seed}`;
      const parts = partsOf(fold.result());
      const lengthOf = (type: "text" | "reasoning") =>
        parts.reduce((sum, part) => sum + (part.type === type ? part.content.length : 0), 0);
      const items = wireItems(recording);
      expect(lengthOf("text"), label).toBe(wireText(items, "message").length);
      expect(lengthOf("reasoning"), label).toBe(wireText(items, "reasoning").length);
      const ids = parts.flatMap((part) => (part.type === "tool_call" ? [part.id] : []));
      const wireIds = items.flatMap(({ type, call_id: id }) =>
        type === "function_call" || type === "custom_tool_call" ? [id] : [],
      );
      expect(ids.filter((id) => wireIds.includes(id)).toSorted(), label).toEqual(wireIds.toSorted());
      expect(fold.usage?.raw, label).toEqual(operation.name === "fetch_response" ? undefined : recording.usage);
    }
  });

  it("reads every error body", () => {
    const failed = calls.filter(({ recording }) => recording.response.status >= 400);
    expect(failed.length).toBeGreaterThan(10);
    for (const { recording } of failed) {
      const error = openaiResponses.decodeError(parseJson(responseBytes(recording).toString()));
      expect(error?.message.length, recording.id).toBeGreaterThan(10);
    }
  });

  it("sees no error in a whole answer", () => {
    for (const { recording } of succeeded) {
      if (recording.framing === "json") expect(openaiResponses.decodeError(wireAnswer(recording))).toBeUndefined();
    }
  });

  it("reads every request: model, stream and each item as they were sent", () => {
    let read = 0;
    for (const { recording, operation } of calls) {
      const body = recording.request.body as Json | null | undefined;
      if (body === null || body === undefined) continue;
      read += 1;
      const request = openaiResponses.decodeRequest(body, operation);
      expect(request.model, recording.id).toBe(body["model"]);
      expect(request.stream, recording.id).toBe(body["stream"] === true);
      const items = typeof body["input"] === "string" ? [body["input"]] : ((body["input"] ?? []) as unknown[]);
      expect(request.messages, recording.id).toHaveLength(items.length);
      expect(request.tools?.length, recording.id).toBe((body["tools"] as unknown[] | undefined)?.length);
      // Nothing is lost: each text of each item is in the canonical form of that item, but for arguments, which are parsed.
      for (const [index, message] of request.messages.entries()) {
        const canonical = JSON.stringify(message);
        const [text] = JSON.stringify(items[index]).match(/"(content|output|input|text)":"(?:[^"\\]|\\.)+"/) ?? [];
        if (text !== undefined) {
          expect(canonical.includes(text.slice(text.indexOf(":") + 1)), `${recording.id} ${index}`).toBe(true);
        }
      }
    }
    expect(read).toBeGreaterThan(180);
  });
});
