// Room dialects, anthropic-messages: canonical events of any source as a stream of this API.
// Invariant: message_start once and first; blocks numbered from 0 without gaps, one open at a time; a stream that broke
// never ends with message_stop. Never throws.

import type { FinishReason, ProviderError, StreamEvent } from "../../canonical/index.ts";
import { SidecarError } from "../../errors.ts";
import type { Encoding, EventEncoder } from "../encoding.ts";
import type { JsonObject } from "../json/fields.ts";
import { BlockWriter, frame } from "./block-stream-encode.ts";
import { encodeStreamError, errorWords } from "./error.ts";
import { encodeId, encodeStopReason } from "./response-encode.ts";
import { dialectId } from "./schema.ts";
import { encodeTier, encodeUsage } from "./usage-encode.ts";

/** Starts an encoder for one stream; usage is always told. */
export function createEventEncoder(encoding: Encoding): EventEncoder {
  return new MessageEventEncoder(encoding);
}

type Bytes = string[];

class MessageEventEncoder implements EventEncoder {
  readonly #encoding: Encoding;
  readonly #blocks: BlockWriter;
  readonly #head: { id?: string; model?: string; serviceTier?: string } = {};
  readonly #otherChoices = new Set<number>();
  #isStarted = false;
  #hasFailed = false;
  #isDone = false;
  #usage: JsonObject | undefined;
  #finish: FinishReason | undefined;
  #facts: JsonObject = {};
  #late: JsonObject = {};

  constructor(encoding: Encoding) {
    this.#encoding = encoding;
    this.#blocks = new BlockWriter(encoding);
  }

  push(event: StreamEvent): Bytes {
    if (this.#hasFailed || this.#isDone) return [];
    if ("choice" in event && event.choice !== 0) {
      this.#loseChoice(event.choice);
      return [];
    }
    switch (event.type) {
      case "response_start":
        this.#announce(event);
        return [];
      case "usage":
        this.#usage = this.#encodeUsage(event.usage);
        return [];
      case "choice_start":
      case "response_end":
      case "unrecognized":
      case "message_extend":
        return [];
      case "keepalive":
      case "output":
        return [...this.#start(), frame({ type: "ping" })];
      case "error":
        this.#hasFailed = true;
        return [encodeProviderError(event.error, this.#encoding)];
      case "choice_end":
        this.#finish = event.finishReason;
        this.#extend(event.extensions?.[dialectId]);
        return this.#start();
      case "choice_extend":
        this.#extend(event.extensions[dialectId]);
        return [];
      case "part_start":
      case "part_delta":
      case "part_extend":
      case "part_end": {
        const frames = this.#blocks.push(event);
        return frames.length === 0 ? [] : [...this.#start(), ...frames];
      }
    }
  }

  end(): Bytes {
    if (this.#hasFailed || this.#isDone) return [];
    this.#isDone = true;
    if (this.#finish === undefined) {
      // The provider never said why it stopped: that is no answer to hand on as a whole one.
      const error = new SidecarError("stream_truncated", "the provider's stream ended before its answer did");
      return [encodeStreamError(error, this.#encoding.exchangeId)];
    }
    const started = this.#start();
    const blocks = this.#blocks.finish();
    const stopReason = encodeStopReason(this.#finish, {
      isOwn: this.#encoding.source === dialectId,
      hasCalls: this.#blocks.hasCalls,
      isRefused: this.#blocks.isRefused,
    });
    const delta = { stop_reason: stopReason, stop_sequence: null, ...this.#facts };
    const usage = this.#usage ?? encodeUsage(undefined, encodeTier(this.#head.serviceTier));
    return [
      ...started,
      ...blocks,
      frame({ type: "message_delta", delta, usage, ...this.#late }),
      frame({ type: "message_stop" }),
    ];
  }

  #announce(event: Extract<StreamEvent, { type: "response_start" }>): void {
    const { id, model, serviceTier, extensions } = event;
    Object.assign(this.#late, extensions?.[this.#encoding.target]);
    // What was announced stays; later facts have no place.
    if (this.#isStarted) return;
    if (id !== undefined) this.#head.id = id;
    if (model !== undefined) this.#head.model = model;
    if (serviceTier !== undefined) this.#head.serviceTier = serviceTier;
  }

  /** Only when there is something to say: until then the provider may still name its id, its model and its input's tokens. */
  #start(): Bytes {
    if (this.#isStarted) return [];
    this.#isStarted = true;
    const { id, model, serviceTier } = this.#head;
    const usage = this.#usage ?? encodeUsage(undefined, encodeTier(serviceTier));
    const message = {
      id: encodeId(id, this.#encoding),
      type: "message",
      role: "assistant",
      model: model ?? this.#encoding.model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage,
    };
    return [frame({ type: "message_start", message })];
  }

  #encodeUsage(usage: Extract<StreamEvent, { type: "usage" }>["usage"]): JsonObject {
    if (this.#encoding.source === dialectId && usage.raw !== undefined) return usage.raw;
    return encodeUsage(usage, encodeTier(this.#head.serviceTier));
  }

  #extend(facts: JsonObject | undefined): void {
    if (facts !== undefined) this.#facts = { ...this.#facts, ...facts };
  }

  #loseChoice(choice: number): void {
    if (this.#otherChoices.has(choice)) return;
    this.#otherChoices.add(choice);
    this.#encoding.lose(["choices", choice], "unsupported", "a message of Anthropic's is one choice");
  }
}

/** The provider's word where it is one of this API's; else a class of its own, as far as its words tell one. */
function encodeProviderError({ type, code, message }: ProviderError, encoding: Encoding): string {
  if (type !== undefined && errorWords.has(type)) {
    return frame({ type: "error", error: { type, message }, request_id: encoding.exchangeId });
  }
  const words = `${type ?? ""} ${code ?? ""}`.toLowerCase();
  return encodeStreamError(new SidecarError(classOf(words), message), encoding.exchangeId);
}

function classOf(words: string): "upstream_overloaded" | "upstream_rate_limited" | "upstream_server_error" {
  if (/overloaded|unavailable/.test(words)) return "upstream_overloaded";
  return /rate_?limit|throttl|resource_exhausted/.test(words) ? "upstream_rate_limited" : "upstream_server_error";
}
