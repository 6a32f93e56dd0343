// Room dialects, openai-responses: turns one stream's frames into canonical events.
// Invariant: never throws; an event that is unknown or fits no item becomes `unrecognized`, without any of its content.

import type { StreamEvent, Usage } from "../../canonical/index.ts";
import type { AnswerDetail, EventDecoder, Frame, Operation } from "../dialect.ts";
import { notRepeated, Repetition, type Slot } from "../framing/repetition.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { readObject } from "../json/parse.ts";
import { createDeferredDecoder, type FrameReader } from "./deferred-stream.ts";
import { decodeError, decodeStreamError } from "./error.ts";
import { callSlot } from "./item.ts";
import { createItemDecoder, type ItemDecoder } from "./item-stream.ts";
import { decodeHead, decodeOutput, hasAnswer, readFinishReason } from "./response.ts";
import { filledText, progressEvents } from "./schema.ts";

/**
 * Starts the decoder of one stream.
 * - Id and model are told with the first event that has the response; all else about it, usage too, with the terminal one
 *   (`completed`, `incomplete`, `failed`, `cancelled`), whose word is the last.
 * - A stream that ends without a terminal event has no `response_end`.
 * - After the terminal event nothing counts, but for a `response.created` with another id, which begins anew: the parts go
 *   on counting, and the last response's facts stand (several answers in one body are recorded).
 */
export function createStreamDecoder(operation: Operation, detail: AnswerDetail = "whole"): EventDecoder {
  const reader = new ResponseStreamDecoder(operation, detail);
  return detail === "facts" ? createDeferredDecoder(reader) : reader;
}

/** Cap of a name the provider chose, in characters: it goes into logs and counters. */
const maxNameLength = 64;

const choice = 0;

/** Of a repeated event, what must be looked at beside its text. */
const numberSlot = 1;
const itemSlot = 2;

/** Of facts, these say what the terminal event says too: they are read only where that never comes. */
const beginning = /^\{"type": ?"response\.(?:created|queued|in_progress)"/;
/** And these what the deltas said, and the whole item will say. */
const restating =
  /^\{"type": ?"response\.(?:output_text|content_part|reasoning_summary_text|reasoning_summary_part)\.done"/;

class ResponseStreamDecoder implements FrameReader {
  readonly #operation: Operation;
  readonly #detail: AnswerDetail;
  #items: ItemDecoder;
  /** The response as last stated, without its output where that would be told; undefined once its facts were told. */
  #response: JsonObject | undefined;
  /** An event that begins the response, passed over. */
  #unread: string | undefined;
  #id: string | undefined;
  #hasEnded = false;
  /** The last numbered event's text: some clients' retries and resumptions repeat one. */
  #lastData: string | undefined;
  /** The last event's number, 0 before the first. */
  #lastNumber = 0;
  readonly #repetition = new Repetition();
  /** The last numbered event where it was told by its bytes alone; `lastData` is older then. */
  #lastRaw: Buffer | undefined;
  /** Bytes around the text in such an event. */
  #bytesBefore = 0;
  #bytesAfter = 0;

  constructor(operation: Operation, detail: AnswerDetail) {
    this.#operation = operation;
    this.#detail = detail;
    this.#items = createItemDecoder(0, detail);
  }

  push(frame: Frame, known?: JsonObject): StreamEvent[] {
    this.#forgetRepetition();
    if (frame.commentOnly === true) return [{ type: "keepalive" }];
    const { data } = frame;
    // Sent after the terminal event by OpenRouter and Bedrock (recorded); it ends nothing by itself.
    if (data.length < 16 && data.trim() === "[DONE]") return [];
    if (this.#detail === "facts" && this.#isPassedOver(data)) return [];
    const body = known ?? readObject(data);
    const name = (body === undefined ? undefined : filledText(body["type"])) ?? frame.event ?? "unreadable";
    if (name === "ping" || name === "keepalive") return [{ type: "keepalive" }];
    if (frame.event === "error" || name === "error") return [{ type: "error", error: decodeStreamError(body) }];
    if (body === undefined) return [unrecognized(name)];
    if (body["type"] === undefined && body["error"] !== undefined) {
      const error = decodeError(body);
      if (error !== undefined) return [{ type: "error", error }];
    }
    if (this.#isRepeated(body["sequence_number"], data)) return [];
    const events: StreamEvent[] = [];
    if (!this.#decode(name, body, events)) return [unrecognized(name)];
    if (events.length === 1 && name.endsWith(".delta")) this.#learn(frame, body, events[0]);
    return events;
  }

  pushRepeated(raw: Buffer): number {
    const units = this.#repetition.read(raw);
    if (units === notRepeated) return notRepeated;
    const itemId = this.#repetition.textOf(itemSlot);
    if (itemId === "" || (itemId !== undefined && this.#items.isAnnounced(itemId))) return notRepeated;
    const number = this.#repetition.countOf(numberSlot);
    if (number !== undefined && number > 0) {
      // Perhaps the very same event once more.
      if (number === this.#lastNumber) return notRepeated;
      this.#lastNumber = number;
      this.#lastRaw = raw;
    }
    this.#items.grow(units);
    return units;
  }

  tellRepeated(): StreamEvent {
    return this.#repetition.tell();
  }

  #forgetRepetition(): void {
    this.#repetition.forget();
    const last = this.#lastRaw;
    if (last === undefined) return;
    this.#lastRaw = undefined;
    this.#lastData = last.toString("utf8", this.#bytesBefore, last.length - this.#bytesAfter);
  }

  #learn({ data, raw }: Frame, body: JsonObject, told: StreamEvent | undefined): void {
    if (told?.type !== "part_delta" || told.text !== body["delta"]) return;
    this.#bytesBefore = raw.indexOf(0x7b);
    this.#bytesAfter = raw.length - this.#bytesBefore - data.length;
    // Of a text that is not ASCII nothing is learned anyway.
    if (raw.toString("latin1", this.#bytesBefore, raw.length - this.#bytesAfter) !== data) return;
    const { sequence_number: number, obfuscation: padding, item_id: itemId } = body;
    const slots: (Slot | undefined)[] = [{ name: "delta", value: told.text }];
    slots[numberSlot] = number === undefined ? undefined : { name: "sequence_number", value: number };
    // GitHub Copilot states another id in each event of an item (recorded); the place decides then, which stays the same.
    const isOther = typeof itemId === "string" && !this.#items.isAnnounced(itemId);
    slots[itemSlot] = isOther ? { name: "item_id", value: itemId } : undefined;
    if (padding !== undefined) slots.push({ name: "obfuscation", value: padding });
    this.#repetition.learn(raw, slots, told);
  }

  end(): StreamEvent[] {
    const events: StreamEvent[] = [];
    if (this.#hasEnded) return events;
    this.#readBeginning(events);
    this.#hasEnded = true;
    this.#items.close(events);
    if (this.#response !== undefined) this.#tellHead(this.#response, events);
    return events;
  }

  #isPassedOver(data: string): boolean {
    if (!this.#hasEnded && beginning.test(data)) {
      this.#unread = data;
      return true;
    }
    return this.#items.hasText && restating.test(data);
  }

  #readBeginning(events: StreamEvent[]): void {
    if (this.#unread === undefined) return;
    const body = readObject(this.#unread);
    this.#unread = undefined;
    if (body === undefined || !this.#begin(body, events)) events.push(unrecognized("response.created"));
  }

  #isRepeated(number: unknown, data: string): boolean {
    // Some servers number every event 0.
    if (typeof number !== "number" || number <= 0) return false;
    this.#lastNumber = number;
    if (data === this.#lastData) return true;
    this.#lastData = data;
    return false;
  }

  #decode(name: string, body: JsonObject, events: StreamEvent[]): boolean {
    if (name === "response.created") return this.#begin(body, events);
    if (this.#hasEnded) return true;
    switch (name) {
      case "response.queued":
      case "response.in_progress":
        return this.#begin(body, events);
      case "response.completed":
      case "response.incomplete":
      case "response.failed":
      case "response.cancelled":
        return this.#finish(body, events);
      case "response.output_item.added":
        return this.#items.announce(body);
      case "response.output_item.done":
        return this.#items.complete(body, events);
      default:
        return this.#decodePart(name, body, events) || progressEvents.has(name);
    }
  }

  #decodePart(name: string, body: JsonObject, events: StreamEvent[]): boolean {
    const items = this.#items;
    const isSummary = name.startsWith("response.reasoning_summary");
    const slot = isSummary ? `summary/${indexOf(body["summary_index"])}` : `content/${indexOf(body["content_index"])}`;
    switch (name) {
      case "response.output_text.delta":
      case "response.refusal.delta":
      case "response.reasoning_text.delta":
        return items.append(body, slot, body["delta"], events);
      case "response.output_text.done":
      case "response.reasoning_text.done":
        return items.append(body, slot, body["text"], events, true);
      case "response.refusal.done":
        return items.append(body, slot, body["refusal"], events, true);
      case "response.reasoning_summary_text.delta":
        return items.append(body, slot, body["delta"], events);
      case "response.reasoning_summary_text.done":
        return items.append(body, slot, body["text"], events, true);
      case "response.function_call_arguments.delta":
      case "response.custom_tool_call_input.delta":
        return items.append(body, callSlot, body["delta"], events);
      case "response.function_call_arguments.done":
        return items.append(body, callSlot, body["arguments"], events, true);
      case "response.custom_tool_call_input.done":
        return items.append(body, callSlot, body["input"], events, true);
      case "response.content_part.added":
      case "response.content_part.done":
      // Bedrock's word (recorded).
      case "response.reasoning_part.added":
      case "response.reasoning_part.done":
        return items.describe(body, slot, events);
      case "response.reasoning_summary_part.added":
      case "response.reasoning_summary_part.done":
        return items.describe(body, slot, events);
      case "response.output_text.annotation.added":
        return items.annotate(body, slot);
      default:
        return false;
    }
  }

  pushWhole(body: JsonObject, response: JsonObject): StreamEvent[] {
    this.#hasEnded = true;
    this.#id = filledText(response["id"]);
    const events: StreamEvent[] = [];
    const usage = this.#tellHead(besideResponse(body, response), events);
    const parts = decodeOutput(response["output"], this.#detail);
    const finishReason = readFinishReason(response, parts);
    if (finishReason !== undefined && hasAnswer(response, parts.length, finishReason)) {
      events.push({ type: "choice_start", choice, role: "assistant" });
      const compaction = parts.findIndex(({ type }) => type === "compaction");
      if (compaction !== -1)
        events.push({ type: "part_start", choice, part: compaction, value: { type: "compaction" } });
      events.push({ type: "choice_end", choice, finishReason });
    }
    tellEnd(response, usage, events);
    return events;
  }

  #begin(body: JsonObject, events: StreamEvent[]): boolean {
    const { response } = body;
    if (!isJsonObject(response)) return false;
    const id = filledText(response["id"]);
    if (this.#hasEnded) {
      if (id === undefined || id === this.#id) return true;
      this.#hasEnded = false;
      this.#items = createItemDecoder(this.#items.nextPart, this.#detail);
    }
    const isNews = this.#response === undefined;
    this.#response = this.#detail === "facts" ? response : withoutOutput(response);
    this.#id = id;
    const model = filledText(response["model"]);
    if (isNews) {
      events.push({
        type: "response_start",
        ...(id === undefined ? {} : { id }),
        ...(model === undefined ? {} : { model }),
      });
    }
    return true;
  }

  #finish(body: JsonObject, events: StreamEvent[]): boolean {
    const { response } = body;
    if (!isJsonObject(response)) return false;
    const namesItself = filledText(response["id"]) !== undefined && filledText(response["model"]) !== undefined;
    if (!namesItself) this.#readBeginning(events);
    this.#hasEnded = true;
    this.#lastData = undefined;
    this.#id = filledText(response["id"]) ?? this.#id;
    const items = this.#items;
    // ChatGPT's own backend leaves the output empty that it streamed (recorded).
    if (Array.isArray(response["output"])) items.settle(response["output"], events);
    items.close(events);
    this.#response = undefined;
    this.#unread = undefined;
    // GitHub Copilot's `copilot_usage` stands beside the response, and inside one that is not streamed (recorded).
    const usage = this.#tellHead(besideResponse(body, response), events);
    const finishReason = readFinishReason(response, items.calls);
    if (finishReason !== undefined && hasAnswer(response, items.partCount, finishReason)) {
      if (items.partCount === 0) events.push({ type: "choice_start", choice, role: "assistant" });
      events.push({ type: "choice_end", choice, finishReason });
    }
    tellEnd(response, usage, events);
    return true;
  }

  #tellHead(response: JsonObject, events: StreamEvent[]): Usage | undefined {
    const { head, usage } = decodeHead(response, this.#operation, this.#detail);
    events.push({ type: "response_start", ...head });
    return usage;
  }
}

function tellEnd(response: JsonObject, usage: Usage | undefined, events: StreamEvent[]): void {
  if (usage !== undefined) events.push({ type: "usage", usage });
  const error = isJsonObject(response["error"]) ? decodeError(response) : undefined;
  if (error !== undefined) events.push({ type: "error", error });
  events.push({ type: "response_end" });
}

function withoutOutput({ output: _output, ...facts }: JsonObject): JsonObject {
  return facts;
}

/** The response with what stands beside it in its event; itself where that is nothing. */
function besideResponse(body: JsonObject, response: JsonObject): JsonObject {
  for (const key in body) {
    if (key === "response" || key === "type" || key === "sequence_number") continue;
    const { response: _response, type: _type, sequence_number: _number, ...beside } = body;
    return { ...response, ...beside };
  }
  return response;
}

function unrecognized(name: string): StreamEvent {
  return { type: "unrecognized", name: name.slice(0, maxNameLength) };
}

/** An index where there is one; compatible servers may leave out the only part's. */
function indexOf(value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : 0;
}
