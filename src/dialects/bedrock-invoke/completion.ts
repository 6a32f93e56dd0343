// Room dialects, bedrock-invoke: answers of the families that complete a prompt, whole or in chunks: Titan, Llama, Mistral,
// Claude's older models, Cohere's Command and AI21's Jurassic. A whole answer is read as a stream of one chunk (law 2).
// Invariant: never throws; a body of none of these shapes is undefined.

import { createFold, mergeRawUsage, type InferenceResponse, type StreamEvent } from "../../canonical/index.ts";
import type { AnswerDetail, FrameRepeater } from "../dialect.ts";
import { notRepeated, Repetition, type Slot, type TextDelta } from "../framing/repetition.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { firstText, optional, ownExtensions, unifyFinishReason } from "./schema.ts";
import { collectCounts, decodeCounts } from "./usage.ts";

/** One per stream. */
export interface CompletionStream extends FrameRepeater {
  /**
   * The events of one chunk; `isFiltered` where a guardrail intervened, which is the reason of what has no other; `raw`: its bytes,
   * where `pushRepeated` will be asked.
   */
  push(body: JsonObject, isFiltered: boolean, raw?: Buffer): StreamEvent[] | undefined;
  /** The usage, where it was held back until no more chunks come. */
  end(): StreamEvent[];
  /** Every choice that began has its finish reason. */
  readonly isFinished: boolean;
}

/** Starts with no choice. Of facts the usage is told at the end. */
export function createCompletionStream(detail: AnswerDetail = "whole"): CompletionStream {
  return new PromptCompletionStream(detail);
}

/** Decodes a whole answer; one of no known shape has no choices, and all of it is kept. */
export function decodeCompletion(
  body: JsonObject,
  isFiltered: boolean,
  detail: AnswerDetail = "whole",
): InferenceResponse {
  const stream = createCompletionStream(detail);
  const events = stream.push(body, isFiltered);
  const keepContent = detail === "whole";
  if (events === undefined) return keepContent ? { choices: [], ...ownExtensions(body) } : { choices: [] };
  const fold = createFold({ keepContent });
  for (const event of events) fold.push(event);
  for (const event of stream.end()) fold.push(event);
  return fold.result();
}

const listKeys = ["results", "outputs", "generations", "completions"];
const textKeys = ["outputText", "generation", "completion", "text"];
const reasonKeys = ["completionReason", "stop_reason", "finish_reason"];

/** Members that say nothing that is not said elsewhere: constants, counts, and progress. */
const plumbingKeys = [
  "type",
  "event_type",
  "is_finished",
  "inputTextTokenCount",
  "totalOutputTextTokenCount",
  "prompt_token_count",
  "generation_token_count",
];

/** The one count that is another in every chunk of a stream (Llama's). */
const growingCount = "generation_token_count";

interface ChoiceState {
  partCount: number;
  /** Number of the text part, once it began. */
  text: number | undefined;
  isFinished: boolean;
}

class PromptCompletionStream implements CompletionStream {
  readonly #detail: AnswerDetail;
  readonly #choices = new Map<number, ChoiceState>();
  #counts: JsonObject | undefined;
  #isCountHeld = false;
  readonly #repetition = new Repetition();

  constructor(detail: AnswerDetail) {
    this.#detail = detail;
  }

  get isFinished(): boolean {
    return this.#choices.size > 0 && [...this.#choices.values()].every((choice) => choice.isFinished);
  }

  push(wire: JsonObject, isFiltered: boolean, raw?: Buffer): StreamEvent[] | undefined {
    this.#repetition.forget();
    const events = this.#decode(wire, isFiltered);
    if (raw !== undefined && events !== undefined) this.#learn(raw, wire, events);
    return events;
  }

  pushRepeated(raw: Buffer): number {
    const units = this.#repetition.read(raw);
    const count = units === notRepeated ? undefined : this.#repetition.countOf(1);
    if (count !== undefined && this.#counts !== undefined) {
      this.#counts = { ...this.#counts, [growingCount]: count };
      this.#isCountHeld = true;
    }
    return units;
  }

  tellRepeated(): StreamEvent {
    return this.#repetition.tell();
  }

  end(): StreamEvent[] {
    if (this.#counts === undefined || !this.#isCountHeld) return [];
    this.#isCountHeld = false;
    return [{ type: "usage", usage: decodeCounts(this.#counts) }];
  }

  /** The choice and its text have begun now, so that the same chunk again would only extend it. */
  #learn(raw: Buffer, body: JsonObject, events: readonly StreamEvent[]): void {
    const item = findOnlyItem(body);
    const found = item === undefined ? undefined : firstText(item, textKeys);
    let delta: TextDelta | undefined;
    for (const event of events) {
      if (event.type === "part_delta") delta = event;
      else if (event.type !== "choice_start" && event.type !== "part_start") return;
    }
    if (delta === undefined || found?.text !== delta.text) return;
    const slots: Slot[] = [{ name: found.key, value: found.text }];
    if (growingCount in body) slots.push({ name: growingCount, value: body[growingCount] });
    this.#repetition.learn(raw, slots, delta);
  }

  #decode(wire: JsonObject, isFiltered: boolean): StreamEvent[] | undefined {
    const body = unfoldEnd(wire);
    const listKey = findListKey(body);
    const items = listKey === undefined ? undefined : objectsOf(body[listKey]);
    if (items === undefined && !isPiece(body)) return undefined;
    const events: StreamEvent[] = [];
    const isWhole = this.#detail === "whole";
    if (isWhole || "response_id" in body || "id" in body) this.#tellHead(events, body, items && listKey);
    if (items === undefined) this.#pushItem(events, body, 0, isFiltered);
    else {
      for (let position = 0; position < items.length; position++) {
        const item = items[position] as JsonObject;
        const choice = this.#pushItem(events, item, position, isFiltered);
        const { extensions } = isWhole ? ownExtensions(restOfItem(item)) : {};
        if (extensions !== undefined && choice !== undefined)
          events.push({ type: "choice_extend", choice, extensions });
      }
    }
    const counts = collectCounts(body);
    if (counts !== undefined) {
      this.#counts = mergeRawUsage(this.#counts, counts);
      this.#isCountHeld = true;
      if (isWhole) events.push(...this.end());
    }
    return events;
  }

  /** The id, and what the body says beside its choices. */
  #tellHead(events: StreamEvent[], body: JsonObject, listKey: string | undefined): void {
    const { response_id: responseId, id: ownId } = body;
    const id = typeof responseId === "string" ? responseId : ownId;
    const start: StreamEvent = { type: "response_start" };
    if (typeof id === "string") start.id = id;
    const { extensions } = this.#detail === "whole" ? ownExtensions(restOfBody(body, listKey)) : {};
    if (extensions !== undefined) start.extensions = extensions;
    if (start.id !== undefined || extensions !== undefined) events.push(start);
  }

  /** Gives the first choice that the item is about. */
  #pushItem(events: StreamEvent[], item: JsonObject, position: number, isFiltered: boolean): number | undefined {
    const stated = typeof item["index"] === "number" ? item["index"] : undefined;
    const text = firstText(item, textKeys)?.text ?? textOf(item["data"], "text");
    const calls = objectsOf(item["tool_calls"]);
    const reason =
      firstText(item, reasonKeys)?.text ??
      textOf(item["finishReason"], "reason") ??
      (isFiltered ? "INTERVENED" : undefined);
    // Cohere ends all of its generations with one chunk that names none (recorded).
    const isForAll = stated === undefined && text === undefined && calls === undefined && this.#choices.size > 0;
    const indexes = isForAll ? [...this.#choices.keys()] : [stated ?? position];
    for (const index of indexes) {
      const choice = this.#choiceAt(index, events);
      if (text !== undefined && text !== "") {
        if (choice.text === undefined) {
          choice.text = choice.partCount++;
          events.push({ type: "part_start", choice: index, part: choice.text, value: { type: "text", content: "" } });
        }
        events.push({ type: "part_delta", choice: index, part: choice.text, text });
      }
      for (const call of calls ?? []) events.push(startCall(call, index, choice.partCount++));
      if (reason === undefined || choice.isFinished) continue;
      choice.isFinished = true;
      events.push({
        type: "choice_end",
        choice: index,
        finishReason: { unified: unifyFinishReason(reason), raw: reason },
      });
    }
    return indexes[0];
  }

  #choiceAt(index: number, events: StreamEvent[]): ChoiceState {
    const known = this.#choices.get(index);
    if (known !== undefined) return known;
    const choice: ChoiceState = { partCount: 0, text: undefined, isFinished: false };
    this.#choices.set(index, choice);
    events.push({ type: "choice_start", choice: index, role: "assistant" });
    return choice;
  }
}

function findListKey(body: JsonObject): string | undefined {
  for (const key of listKeys) if (Array.isArray(body[key])) return key;
  return undefined;
}

function isPiece(body: JsonObject): boolean {
  for (const key of textKeys) if (key in body) return true;
  for (const key of reasonKeys) if (key in body) return true;
  return "event_type" in body;
}

function objectsOf(list: unknown): JsonObject[] | undefined {
  return Array.isArray(list) && list.every(isJsonObject) ? list : undefined;
}

function textOf(object: unknown, key: string): string | undefined {
  const text = isJsonObject(object) ? object[key] : undefined;
  return typeof text === "string" ? text : undefined;
}

/** What no event tells; `listKey`: of the list that has the choices, where there is one. */
function restOfBody(body: JsonObject, listKey: string | undefined): JsonObject | undefined {
  const fields = new FieldReader(body);
  fields.skip(...plumbingKeys);
  if (fields.string("response_id") === undefined) fields.string("id");
  if (listKey === undefined) markItem(fields, body);
  else fields.skip(listKey);
  return fields.rest();
}

function restOfItem(item: JsonObject): JsonObject | undefined {
  const fields = new FieldReader(item);
  fields.skip("tokenCount");
  markItem(fields, item);
  return fields.rest();
}

/** Marks what `#pushItem` reads. */
function markItem(fields: FieldReader, item: JsonObject): void {
  fields.number("index");
  const text = firstText(item, textKeys);
  if (text === undefined) fields.nested("data")?.string("text");
  else fields.skip(text.key);
  fields.arrayOf("tool_calls", isJsonObject);
  fields.skipNull(...reasonKeys);
  const reason = firstText(item, reasonKeys);
  if (reason === undefined) fields.nested("finishReason")?.string("reason");
  else fields.skip(reason.key);
}

/** What has the text of a chunk about one choice. */
function findOnlyItem(body: JsonObject): JsonObject | undefined {
  const key = findListKey(body);
  if (key === undefined) return body;
  const [item, ...others] = body[key] as unknown[];
  return others.length === 0 && isJsonObject(item) ? item : undefined;
}

/** Command R ends its stream with the whole answer in `response`: all of it but the text, which has been told. */
function unfoldEnd(body: JsonObject): JsonObject {
  if (body["event_type"] !== "stream-end" || !isJsonObject(body["response"])) return body;
  const { response, ...beside } = body;
  const { text: _told, tool_calls: _calls, ...facts } = response;
  return { ...facts, ...beside };
}

/** Command R's calls have a name and parameters, and no id. */
function startCall(call: JsonObject, choice: number, part: number): StreamEvent {
  const fields = new FieldReader(call);
  const name = fields.string("name") ?? "";
  fields.skip("parameters");
  const value = { type: "tool_call", name, ...optional("arguments", call["parameters"]) } as const;
  return { type: "part_start", choice, part, value: { ...value, ...ownExtensions(fields.rest()) } };
}
