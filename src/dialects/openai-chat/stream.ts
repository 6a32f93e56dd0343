// Room dialects, openai-chat: the stream of a chat or legacy completion as canonical events, for every provider's variance.
// Invariant: never throws; the frames of any re-chunking give the same events (law 1), and they fold to the whole answer (law 2).

import { mergeRawUsage, type StreamEvent } from "../../canonical/index.ts";
import type { AnswerDetail, Frame, ObjectDecoder } from "../dialect.ts";
import { notRepeated, Repetition } from "../framing/repetition.ts";
import { compact, isJsonObject, type JsonObject } from "../json/fields.ts";
import { createChoiceDecoder, type ChoiceDecoder } from "./choice-stream.ts";
import { decodeError } from "./error.ts";
import { readOpenChunk } from "./repeated-chunk.ts";
import { collectRawUsage } from "./response.ts";
import { ownExtensions, paddingKeys } from "./schema.ts";
import { decodeUsage } from "./usage.ts";

/**
 * Starts the decoder of one stream.
 * - `response_start` comes with the first real id or model (Azure's first chunk has neither) and again when a fact is new;
 *   the last one, just before the end, carries the unknown top-level members, of each the last value.
 * - `response_end` comes with `[DONE]`, or from `end()` when every choice that began has its finish reason: Perplexity,
 *   Writer and Groq's errors send no `[DONE]` (recorded). After it nothing more comes.
 * - Usage is stated whole each time, merged over what came before.
 * - For facts alone there are no extensions of the answer, its choices, messages and parts.
 */
export function createStreamDecoder(detail: AnswerDetail = "whole"): ObjectDecoder {
  return new ChatStreamDecoder(detail);
}

class ChatStreamDecoder implements ObjectDecoder {
  readonly #detail: AnswerDetail;
  #id: string | undefined;
  #model: string | undefined;
  #serviceTier: string | undefined;
  #systemFingerprint: string | undefined;
  #usage: JsonObject | undefined;
  #hasFailed = false;
  #isClosed = false;
  /** The stream is of a form that has no end of its own. */
  #hasNoTerminator = false;
  /** Unknown top-level members, last value each; none for facts alone. */
  readonly #rest: JsonObject = {};
  readonly #choices = new Map<number, ChoiceDecoder>();
  readonly #repetition = new Repetition();
  /** Which slot has the second at which the repeated chunk was made; none of them where that is not stated. */
  #createdSlot = 0;

  constructor(detail: AnswerDetail) {
    this.#detail = detail;
  }

  push(frame: Frame): StreamEvent[] {
    this.#repetition.forget();
    if (this.#isClosed) return [];
    if (frame.commentOnly === true || frame.event === "ping") return [{ type: "keepalive" }];
    const { data } = frame;
    if (data === "") return frame.event === undefined ? [{ type: "keepalive" }] : [unrecognized(frame.event)];
    // `[DONE]` may have blanks around it; nothing else that short and bracketed is sent.
    if (data.length < 16 && data.trim() === "[DONE]") return this.#close(true);
    let chunk: unknown;
    try {
      chunk = JSON.parse(data);
    } catch {
      return frame.event === "error" ? this.#fail({ error: data }) : [unrecognized("invalid_json")];
    }
    if (frame.event === "error") return this.#fail(chunk);
    if (!isJsonObject(chunk)) return this.#fail(chunk);
    const events = this.pushObject(chunk, frame.event);
    this.#learn(frame, chunk, events);
    return events;
  }

  pushObject(chunk: JsonObject, name: string | undefined): StreamEvent[] {
    return this.#isClosed ? [] : this.#pushChunk(chunk, name);
  }

  #learn({ raw }: Frame, chunk: JsonObject, events: readonly StreamEvent[]): void {
    const slots = readOpenChunk(chunk, events, this.#detail);
    if (slots === undefined) return;
    const told = events[events.length - 1];
    this.#createdSlot = slots.length - 1;
    this.#repetition.learn(raw, slots, told?.type === "part_delta" ? told : undefined);
  }

  pushRepeated(raw: Buffer): number {
    const units = this.#isClosed ? notRepeated : this.#repetition.read(raw);
    if (units !== notRepeated && this.#detail === "whole") {
      const created = this.#repetition.countOf(this.#createdSlot);
      if (created !== undefined) this.#rest["created"] = created;
    }
    return units;
  }

  tellRepeated(): StreamEvent {
    return this.#repetition.tell();
  }

  end(): StreamEvent[] {
    if (this.#isClosed) return [];
    const choices = [...this.#choices.values()];
    const isFinished = choices.length > 0 && choices.every((choice) => choice.isFinished);
    return this.#close(!this.#hasFailed && (isFinished || this.#hasNoTerminator));
  }

  #pushChunk(chunk: JsonObject, eventName: string | undefined): StreamEvent[] {
    const events: StreamEvent[] = [];
    const { choices, usage } = chunk;
    // Some servers put `"error":null` on every chunk.
    const error = chunk["error"] === undefined || chunk["error"] === null ? undefined : decodeError(chunk);
    const rawUsage = collectRawUsage(chunk, isJsonObject(usage) ? usage : undefined);
    const isChunk = Array.isArray(choices) || rawUsage !== undefined || isChunkKind(chunk["object"]);
    if (!isChunk && error === undefined) return this.#pushOther(chunk, eventName);
    if (isChunk) this.#readHead(chunk, events);
    if (Array.isArray(choices)) {
      for (const [position, choice] of (choices as unknown[]).entries()) {
        if (isJsonObject(choice)) this.#choiceAt(choice, position).push(choice, events);
        else events.push(unrecognized("choice"));
      }
    }
    if (rawUsage !== undefined) {
      this.#usage = mergeRawUsage(this.#usage, rawUsage);
      events.push({ type: "usage", usage: decodeUsage(this.#usage) });
    }
    if (error !== undefined) {
      this.#hasFailed = true;
      events.push({ type: "error", error });
    }
    return events;
  }

  /** Objects that are no chunk. */
  #pushOther(chunk: JsonObject, eventName: string | undefined): StreamEvent[] {
    if (chunk["type"] === "ping") return [{ type: "keepalive" }];
    // Writer's legacy completions: `{"value":"text"}` and nothing else, no finish reason and no [DONE] (recorded).
    if (typeof chunk["value"] === "string") {
      this.#hasNoTerminator = true;
      const events: StreamEvent[] = [];
      this.#choiceAt({}, 0).push({ text: chunk["value"] }, events);
      return events;
    }
    const bare = decodeError(chunk);
    if (bare !== undefined) return this.#fail(chunk);
    return [unrecognized(eventName ?? (typeof chunk["object"] === "string" ? chunk["object"] : "message"))];
  }

  /** Id and model are those of the first chunk that has any. */
  #readHead(chunk: JsonObject, events: StreamEvent[]): void {
    const { id, model, service_tier: serviceTier, system_fingerprint: systemFingerprint } = chunk;
    let isNews = false;
    if (this.#id === undefined && isFilled(id)) {
      this.#id = id;
      isNews = true;
    }
    if (this.#model === undefined && isFilled(model)) {
      this.#model = model;
      isNews = true;
    }
    if (isFilled(serviceTier) && serviceTier !== this.#serviceTier) {
      this.#serviceTier = serviceTier;
      isNews = true;
    }
    if (isFilled(systemFingerprint) && systemFingerprint !== this.#systemFingerprint) {
      this.#systemFingerprint = systemFingerprint;
      isNews = true;
    }
    if (this.#detail === "whole") {
      for (const key in chunk) {
        const value = chunk[key];
        if (!knownKeys.has(key) && (value !== null || this.#rest[key] === undefined)) this.#rest[key] = value;
      }
    }
    if (isNews) events.push({ type: "response_start", ...this.#head() });
  }

  #head(): { id?: string; model?: string; serviceTier?: string; systemFingerprint?: string } {
    return compact({
      id: this.#id,
      model: this.#model,
      serviceTier: this.#serviceTier,
      systemFingerprint: this.#systemFingerprint,
    });
  }

  #choiceAt(choice: JsonObject, position: number): ChoiceDecoder {
    const index = typeof choice["index"] === "number" ? choice["index"] : position;
    const known = this.#choices.get(index);
    if (known !== undefined) return known;
    const decoder = createChoiceDecoder(index, this.#detail);
    this.#choices.set(index, decoder);
    return decoder;
  }

  #fail(body: unknown): StreamEvent[] {
    const error = decodeError(body);
    if (error === undefined) return [unrecognized(isJsonObject(body) ? "error" : "no_object")];
    this.#hasFailed = true;
    return [{ type: "error", error }];
  }

  #close(isComplete: boolean): StreamEvent[] {
    this.#isClosed = true;
    const events: StreamEvent[] = [];
    for (const choice of this.#choices.values()) choice.close(events);
    if (Object.keys(this.#rest).length > 0) {
      events.push({ type: "response_start", ...this.#head(), ...ownExtensions(this.#rest) });
    }
    if (isComplete) events.push({ type: "response_end" });
    return events;
  }
}

const knownKeys: ReadonlySet<string> = new Set([
  ...paddingKeys,
  "choices",
  "usage",
  "error",
  "id",
  "model",
  "service_tier",
  "system_fingerprint",
]);

const maxNameLength = 64;

function unrecognized(name: string): StreamEvent {
  return { type: "unrecognized", name: name.slice(0, maxNameLength) };
}

function isFilled(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isChunkKind(kind: unknown): boolean {
  return kind === "chat.completion.chunk" || kind === "chat.completion" || kind === "text_completion";
}
