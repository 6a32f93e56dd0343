// Room dialects, anthropic-messages: turns one stream's frames into canonical events.
// Facts about the whole message may be restated until the end, so they are held back and told once, when it stops. Where nobody
// keeps content, usage and the beginnings of empty blocks wait for the end too, and what only content needs is not told.
// Invariant: never throws; an event that is unknown or out of place becomes `unrecognized`, without any of its content.

import {
  changesRawUsage,
  mergeRawUsage,
  type InferenceResponse,
  type Part,
  type StreamEvent,
} from "../../canonical/index.ts";
import type { AnswerDetail, Frame, ObjectDecoder, Operation } from "../dialect.ts";
import { notRepeated, Repetition, type TextDelta, toldLater } from "../framing/repetition.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { readObject } from "../json/parse.ts";
import { decodeStreamError } from "./error.ts";
import { decodeBlock, decodeBlockFacts } from "./message.ts";
import { PlainReader, type PlainType } from "./plain-frame.ts";
import { decodeResponse } from "./response.ts";
import { dialectId, optional, unifyFinishReason } from "./schema.ts";
import { decodeUsage, readServiceTier } from "./usage.ts";

/** Starts a decoder for one streamed answer. */
export function createEventDecoder(operation: Operation, detail: AnswerDetail = "whole"): ObjectDecoder {
  return new MessageEventDecoder(operation, detail);
}

/** Cap of a name the provider chose, in characters: it goes into logs and counters. */
const maxNameLength = 64;

/** There is only ever one choice. */
const choice = 0;

/** By the kind of a delta, its member that is text. */
const textMembers: ReadonlyMap<string, string> = new Map([
  ["text_delta", "text"],
  ["thinking_delta", "thinking"],
  ["input_json_delta", "partial_json"],
]);

interface BlockState {
  part: number;
  kind: Part["type"];
}

class MessageEventDecoder implements ObjectDecoder {
  readonly #operation: Operation;
  readonly #isWhole: boolean;
  /** Its frames are bare JSON inside those of another stream. */
  #isBare = false;
  /** The message without content and usage, as it stands (of facts the stop reason alone); undefined before it starts and after it was told. */
  #message: JsonObject | undefined;
  #usage: JsonObject | undefined;
  #isUsageNew = false;
  #serviceTier: string | undefined;
  /** By the wire's block index. */
  readonly #blocks = new Map<unknown, BlockState>();
  #partCount = 0;
  /** Of facts: the beginnings of parts that were empty then; they wait for the end. */
  #begun: StreamEvent[] = [];
  readonly #repetition = new Repetition();
  readonly #plain = new PlainReader();
  /** It read the last frame. */
  #isPlain = false;

  constructor(operation: Operation, detail: AnswerDetail) {
    this.#operation = operation;
    this.#isWhole = detail === "whole";
  }

  push(frame: Frame): StreamEvent[] {
    this.#repetition.forget();
    if (frame.commentOnly === true) return [{ type: "keepalive" }];
    const body = readObject(frame.data);
    return body === undefined ? this.#tell(body, frame.event) : this.#pushBody(body, frame.event, frame.raw);
  }

  pushObject(body: JsonObject, name: string | undefined, raw?: Buffer): StreamEvent[] {
    this.#isBare = true;
    this.#repetition.forget();
    return this.#pushBody(body, name, raw);
  }

  #pushBody(body: JsonObject, name: string | undefined, raw: Buffer | undefined): StreamEvent[] {
    const events = this.#tell(body, name);
    const [told] = events;
    if (raw !== undefined && events.length === 1 && told?.type === "part_delta") this.#learn(raw, body, told);
    return events;
  }

  #tell(body: JsonObject | undefined, eventName: string | undefined): StreamEvent[] {
    const stated = body?.["type"];
    // The SDKs go by the `event:` line; some proxies leave it out (or write "message") and only the body tells.
    const name = eventName === "error" || typeof stated !== "string" ? (eventName ?? "unreadable") : stated;
    if (name === "ping") return this.#isWhole ? [{ type: "keepalive" }] : [];
    if (name === "error") return [{ type: "error", error: decodeStreamError(body) }];
    if (name === "message_stop") return [...this.#finish(), { type: "response_end" }];
    const events = body === undefined ? undefined : this.#decode(name, body);
    return events ?? [unrecognized(name)];
  }

  #learn(raw: Buffer, { delta }: JsonObject, told: TextDelta): void {
    const kind = isJsonObject(delta) ? delta["type"] : undefined;
    const name = typeof kind === "string" ? textMembers.get(kind) : undefined;
    if (name !== undefined) this.#repetition.learn(raw, [{ name, value: told.text }], told);
  }

  pushRepeated(raw: Buffer): number {
    // Learned is only what is not plain.
    const units = this.#repetition.read(raw);
    this.#isPlain = units === notRepeated;
    if (!this.#isPlain) return units;
    const type = this.#plain.read(raw, this.#isBare);
    return type === undefined ? notRepeated : this.#readPlain(type);
  }

  tellRepeated(): StreamEvent {
    if (!this.#isPlain) return this.#repetition.tell();
    const { index, text } = this.#plain;
    return { type: "part_delta", choice, part: this.#blocks.get(index)?.part ?? 0, text };
  }

  #readPlain(type: PlainType): number {
    if (this.#isWhole && type !== "text") return notRepeated;
    if (type === "ping") return 0;
    const { index, kind, units } = this.#plain;
    if (type === "start") {
      const { value } = this.#plain;
      this.#begun.push({ type: "part_start", choice, part: this.#addBlock(index, value.type), value });
      return toldLater;
    }
    const block = this.#blocks.get(index);
    if (block === undefined) return notRepeated;
    if (type === "stop") return 0;
    if (block.kind !== kind && !(kind === "tool_call" && block.kind === "server_tool_call")) return notRepeated;
    return type === "text" ? units : 0;
  }

  end(): StreamEvent[] {
    return this.#finish();
  }

  #decode(name: string, body: JsonObject): StreamEvent[] | undefined {
    switch (name) {
      case "message_start":
        return this.#startMessage(body);
      case "content_block_start":
        return this.#startBlock(body);
      case "content_block_delta":
        return this.#extendBlock(body);
      case "content_block_stop": {
        const block = this.#blocks.get(body["index"]);
        if (block === undefined) return undefined;
        return this.#isWhole ? [{ type: "part_end", choice, part: block.part }] : [];
      }
      case "message_delta":
        return this.#extendMessage(body);
      default:
        return undefined;
    }
  }

  #startMessage(body: JsonObject): StreamEvent[] | undefined {
    const message = body["message"];
    if (!isJsonObject(message)) return undefined;
    const { content, usage, id, model, role } = message;
    this.#message = this.#isWhole ? withoutContent(message) : { stop_reason: message["stop_reason"] };
    this.#serviceTier = readServiceTier(message);
    const start: StreamEvent = { type: "response_start" };
    if (typeof id === "string") start.id = id;
    if (typeof model === "string") start.model = model;
    if (this.#serviceTier !== undefined) start.serviceTier = this.#serviceTier;
    const events: StreamEvent[] = [
      start,
      { type: "choice_start", choice, role: typeof role === "string" ? role : "assistant" },
    ];
    // Empty in all recorded traffic; blocks that are here already come before the streamed ones.
    if (Array.isArray(content)) {
      for (const block of content) {
        const part = this.#partCount++;
        events.push(
          { type: "part_start", choice, part, value: decodeBlock(block) },
          { type: "part_end", choice, part },
        );
      }
    }
    this.#restateUsage(usage);
    if (this.#isWhole) this.#tellUsage(events);
    return events;
  }

  #startBlock(body: JsonObject): StreamEvent[] | undefined {
    const wireBlock = body["content_block"];
    if (!isJsonObject(wireBlock)) return undefined;
    const value = this.#isWhole ? decodeBlock(wireBlock) : decodeBlockFacts(wireBlock);
    const part = this.#addBlock(body["index"], value.type);
    const events: StreamEvent[] = [];
    if (!this.#isWhole && isEmpty(value)) {
      this.#begun.push({ type: "part_start", choice, part, value });
      events.push({ type: "output" });
    } else events.push({ type: "part_start", choice, part, value });
    // A fallback block names the model that serves from here on, as the whole message would (SDK 1.11.0, BetaMessageStream).
    const { type, to } = wireBlock;
    if (type === "fallback" && isJsonObject(to) && typeof to["model"] === "string") {
      events.push({ type: "response_start", model: to["model"] });
    }
    return events;
  }

  #addBlock(index: unknown, kind: Part["type"]): number {
    const part = this.#partCount++;
    this.#blocks.set(index, { part, kind });
    return part;
  }

  /** Counts that only a stream carries (`estimated_tokens` of a thinking delta) are left out: the whole answer has none. */
  #extendBlock(body: JsonObject): StreamEvent[] | undefined {
    const { index, delta } = body;
    if (!isJsonObject(delta)) return undefined;
    const deltaType = typeof delta["type"] === "string" ? delta["type"] : "unknown";
    const block = this.#blocks.get(index);
    const events = block === undefined ? undefined : decodeDelta(block, deltaType, delta, this.#isWhole);
    return events ?? [unrecognized(`content_block_delta/${deltaType}`)];
  }

  #extendMessage(body: JsonObject): StreamEvent[] {
    this.#message ??= {};
    if (!this.#isWhole) {
      const { delta, stop_reason: beside } = body;
      const reason = beside ?? (isJsonObject(delta) ? delta["stop_reason"] : undefined);
      if (reason !== undefined && reason !== null) this.#message["stop_reason"] = reason;
    } else {
      const { type: _type, delta, usage: _usage, ...beside } = body;
      const stated: JsonObject = { ...(isJsonObject(delta) ? delta : {}), ...beside };
      for (const [key, value] of Object.entries(stated)) {
        if (value !== null || !Object.hasOwn(this.#message, key)) this.#message[key] = value;
      }
    }
    const events: StreamEvent[] = [];
    this.#restateUsage(body["usage"]);
    if (this.#isWhole) this.#tellUsage(events);
    return events;
  }

  /** `message_delta` restates cumulative counts: per field the later non-null value wins, nothing is added up. */
  #restateUsage(stated: unknown): void {
    if (!isJsonObject(stated)) return;
    if (this.#usage !== undefined && !this.#isUsageNew && !changesRawUsage(this.#usage, stated)) return;
    this.#usage = mergeRawUsage(this.#usage, stated);
    this.#isUsageNew = true;
  }

  #tellUsage(events: StreamEvent[]): void {
    if (!this.#isUsageNew || this.#usage === undefined) return;
    this.#isUsageNew = false;
    events.push({ type: "usage", usage: decodeUsage(this.#usage) });
  }

  #finish(): StreamEvent[] {
    const events = this.#begun;
    this.#begun = [];
    this.#tellUsage(events);
    if (this.#message === undefined) return events;
    if (this.#isWhole) this.#tellMessage(this.#message, events);
    else tellStop(this.#message, events);
    this.#message = undefined;
    const serviceTier = this.#usage === undefined ? undefined : readServiceTier({ usage: this.#usage });
    if (serviceTier !== undefined && serviceTier !== this.#serviceTier) {
      events.push({ type: "response_start", serviceTier });
    }
    return events;
  }

  /** Tells what was held back, through the very reading that the whole message would get. */
  #tellMessage(message: JsonObject, events: StreamEvent[]): void {
    const whole: InferenceResponse = decodeResponse({ ...message, content: [] }, this.#operation);
    const { finishReason, extensions } = whole.choices[0] ?? {};
    if (finishReason !== undefined) {
      events.push({ type: "choice_end", choice, finishReason, ...optional("extensions", extensions) });
    } else if (extensions !== undefined) {
      events.push({ type: "choice_extend", choice, extensions });
    }
    if (whole.extensions !== undefined) events.push({ type: "response_start", extensions: whole.extensions });
  }
}

function tellStop({ stop_reason: raw }: JsonObject, events: StreamEvent[]): void {
  if (typeof raw !== "string") return;
  events.push({ type: "choice_end", choice, finishReason: { unified: unifyFinishReason(raw), raw } });
}

/** Whether the part has nothing yet that would be counted. */
function isEmpty(value: Part): boolean {
  if (value.type === "text" || value.type === "reasoning") return value.content === "";
  return value.type === "tool_call" && isJsonObject(value.arguments) && Object.keys(value.arguments).length === 0;
}

function withoutContent({ content: _content, usage: _usage, ...rest }: JsonObject): JsonObject {
  return rest;
}

/** The events of one delta; undefined when it does not fit the block. Empty text is no event, nor are extensions that nobody keeps. */
function decodeDelta(
  { part, kind }: BlockState,
  deltaType: string,
  delta: JsonObject,
  isWhole: boolean,
): StreamEvent[] | undefined {
  const append = (text: unknown): StreamEvent[] | undefined => {
    if (typeof text !== "string") return undefined;
    return text === "" ? [] : [{ type: "part_delta", choice, part, text }];
  };
  const extendPart = (facts: JsonObject): StreamEvent[] =>
    isWhole ? [{ type: "part_extend", choice, part, extensions: { [dialectId]: facts } }] : [];
  switch (deltaType) {
    case "text_delta":
      return kind === "text" ? append(delta["text"]) : undefined;
    case "thinking_delta":
      return kind === "reasoning" ? append(delta["thinking"]) : undefined;
    case "input_json_delta":
      return kind === "tool_call" || kind === "server_tool_call" ? append(delta["partial_json"]) : undefined;
    case "signature_delta":
      return kind === "reasoning" ? extendPart({ signature: delta["signature"] }) : undefined;
    case "citations_delta":
      return kind === "text" ? extendPart({ citations: [delta["citation"]] }) : undefined;
    case "compaction_delta": {
      if (kind !== "compaction") return undefined;
      // A null content is a compaction that failed; the rest of the delta (`encrypted_content`) is the block's.
      const { type: _type, content, ...facts } = delta;
      return [...(append(content) ?? []), ...extendPart(facts)];
    }
    default:
      return undefined;
  }
}

function unrecognized(name: string): StreamEvent {
  return { type: "unrecognized", name: name.slice(0, maxNameLength) };
}
