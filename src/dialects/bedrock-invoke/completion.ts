// Room dialects, bedrock-invoke: answers of the families that complete a prompt, whole or in chunks: Titan, Llama, Mistral,
// Claude's older models, Cohere's Command and AI21's Jurassic. A whole answer is read as a stream of one chunk (law 2).
// Invariant: never throws; a body of none of these shapes is undefined.

import { createFold, mergeRawUsage, type InferenceResponse, type StreamEvent } from "../../canonical/index.ts";
import type { AnswerDetail } from "../dialect.ts";
import { Repetition, type Slot } from "../framing/repetition.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { firstText, optional, ownExtensions, unifyFinishReason } from "./schema.ts";
import { collectCounts, decodeCounts } from "./usage.ts";

/** One per stream. */
export interface CompletionStream {
  /**
   * The events of one chunk; `isFiltered` where a guardrail intervened, which is the reason of what has no other; `raw`: its bytes,
   * where `pushRepeated` will be asked.
   */
  push(body: JsonObject, isFiltered: boolean, raw?: Buffer): StreamEvent[] | undefined;
  /** The events of a chunk that is the one before but for its text; undefined where it is to be pushed. */
  pushRepeated(raw: Buffer): StreamEvent[] | undefined;
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
export function decodeCompletion(body: JsonObject, isFiltered: boolean): InferenceResponse {
  const events = createCompletionStream().push(body, isFiltered);
  if (events === undefined) return { choices: [], ...ownExtensions(body) };
  const fold = createFold({ keepContent: true });
  for (const event of events) fold.push(event);
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

type TextDelta = StreamEvent & { type: "part_delta" };

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
  #repeated: TextDelta | undefined;
  /** The member that has the text. */
  #repeatedName = "text";

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

  pushRepeated(raw: Buffer): StreamEvent[] | undefined {
    const repeated = this.#repeated;
    if (repeated === undefined || !this.#repetition.matches(raw)) return undefined;
    const count = this.#repetition.valueOf(growingCount);
    if (count !== undefined && this.#counts !== undefined) {
      this.#counts = { ...this.#counts, [growingCount]: count };
      this.#isCountHeld = true;
    }
    const text = this.#repetition.valueOf(this.#repeatedName) as string;
    return text === "" ? [] : [{ ...repeated, text }];
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
    this.#repeated = delta;
    this.#repeatedName = found.key;
    const slots: Slot[] = [{ name: found.key, value: found.text }];
    if (growingCount in body) slots.push({ name: growingCount, value: body[growingCount] });
    this.#repetition.learn(raw, slots);
  }

  #decode(wire: JsonObject, isFiltered: boolean): StreamEvent[] | undefined {
    const body = unfoldEnd(wire);
    const fields = new FieldReader(body);
    const listKey = findListKey(body);
    const items = listKey === undefined ? undefined : fields.arrayOf(listKey, isJsonObject);
    const isPiece = items !== undefined || [...textKeys, ...reasonKeys, "event_type"].some((key) => key in body);
    if (!isPiece) return undefined;
    fields.skip(...plumbingKeys);
    const events: StreamEvent[] = [];
    const id = fields.string("response_id") ?? fields.string("id");
    if (items === undefined) this.#pushItem(events, fields, body, 0, isFiltered);
    for (const [position, item] of (items ?? []).entries()) {
      const itemFields = new FieldReader(item);
      itemFields.skip("tokenCount");
      const kept = this.#pushItem(events, itemFields, item, position, isFiltered);
      if (kept !== undefined) events.push(kept);
    }
    const rest = ownExtensions(fields.rest());
    if (id !== undefined || rest.extensions !== undefined) {
      events.unshift({ type: "response_start", ...optional("id", id), ...rest });
    }
    const counts = collectCounts(body);
    if (counts !== undefined) {
      this.#counts = mergeRawUsage(this.#counts, counts);
      this.#isCountHeld = true;
      if (this.#detail === "whole") events.push(...this.end());
    }
    return events;
  }

  /** Gives the event that keeps what the item says beside text and reason. */
  #pushItem(
    events: StreamEvent[],
    fields: FieldReader,
    item: JsonObject,
    position: number,
    isFiltered: boolean,
  ): StreamEvent | undefined {
    const stated = fields.number("index");
    const found = firstText(item, textKeys);
    const text = found?.text ?? fields.nested("data")?.string("text");
    if (found !== undefined) fields.skip(found.key);
    const calls = fields.arrayOf("tool_calls", isJsonObject);
    const reason = this.#readReason(fields, item) ?? (isFiltered ? "INTERVENED" : undefined);
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
      const finishReason = { unified: unifyFinishReason(reason), raw: reason };
      events.push({ type: "choice_end", choice: index, finishReason });
    }
    const { extensions } = ownExtensions(fields.rest());
    const [first] = indexes;
    return extensions === undefined || first === undefined
      ? undefined
      : { type: "choice_extend", choice: first, extensions };
  }

  #readReason(fields: FieldReader, item: JsonObject): string | undefined {
    fields.skipNull(...reasonKeys);
    const stated = firstText(item, reasonKeys);
    if (stated !== undefined) fields.skip(stated.key);
    return stated?.text ?? fields.nested("finishReason")?.string("reason");
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
