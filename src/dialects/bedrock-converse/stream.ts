// Room dialects, bedrock-converse: turns one stream's messages into canonical events. Nova's invoke streams are read here too.
// Text and reasoning blocks begin with their first delta: the wire announces only tools, tool results and images (wire.md §1.5).
// Invariant: never throws; an event that is unknown or out of place becomes `unrecognized`, without any of its content.

import { mergeRawUsage, type InferenceResponse, type StreamEvent } from "../../canonical/index.ts";
import type { AnswerDetail, Frame, ObjectDecoder, Operation } from "../dialect.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { createBlockStream, type BlockStream } from "./block-stream.ts";
import { decodeException } from "./error.ts";
import { decodeResponse, readServiceTier } from "./response.ts";
import { optional, unifyFinishReason } from "./schema.ts";
import { decodeUsage } from "./usage.ts";

/** Starts a decoder for one streamed answer. `response_end` comes with `metadata`, which is the stream's last message. */
export function createEventDecoder(detail: AnswerDetail = "whole"): ObjectDecoder {
  return new ConverseEventDecoder(detail);
}

/** Cap of a name the provider chose, in characters: it goes into logs and counters. */
const maxNameLength = 64;

/** There is only ever one choice. */
const choice = 0;

const wholeOperation: Operation = { kind: "chat", route: "", path: "" };

class ConverseEventDecoder implements ObjectDecoder {
  readonly #detail: AnswerDetail;
  readonly #blocks: BlockStream = createBlockStream();
  #usage: JsonObject | undefined;

  constructor(detail: AnswerDetail) {
    this.#detail = detail;
  }

  push(frame: Frame): StreamEvent[] {
    if (frame.commentOnly === true) return [{ type: "keepalive" }];
    if (frame.exception === true) return [{ type: "error", error: decodeException(frame) }];
    const name = frame.event ?? "unnamed";
    const body = parseObject(frame.data);
    return body === undefined ? [unrecognized(name)] : this.pushObject(body, name);
  }

  pushObject(body: JsonObject, name = "unnamed"): StreamEvent[] {
    return this.#decode(name, body) ?? [unrecognized(name)];
  }

  end(): StreamEvent[] {
    return this.#blocks.end();
  }

  #decode(name: string, body: JsonObject): StreamEvent[] | undefined {
    switch (name) {
      case "messageStart": {
        const { role, ...facts } = body;
        const name = typeof role === "string" ? role : "assistant";
        return [{ type: "choice_start", choice, role: name }, ...this.#tellFacts(facts)];
      }
      case "contentBlockStart":
        return this.#blocks.start(body["contentBlockIndex"], body["start"]);
      case "contentBlockDelta":
        return this.#blocks.extend(body["contentBlockIndex"], body["delta"]);
      case "contentBlockStop":
        return this.#blocks.stop(body["contentBlockIndex"]);
      case "messageStop":
        return this.#stop(body);
      case "metadata":
        return this.#finish(body);
      default:
        return undefined;
    }
  }

  #stop(body: JsonObject): StreamEvent[] {
    const { stopReason: raw, ...facts } = body;
    const events = this.#blocks.end();
    if (typeof raw === "string") {
      events.push({ type: "choice_end", choice, finishReason: { unified: unifyFinishReason(raw), raw } });
    }
    return [...events, ...this.#tellFacts(facts)];
  }

  #finish(body: JsonObject): StreamEvent[] {
    const { usage, ...facts } = body;
    const events = this.#tellFacts(facts);
    if (isJsonObject(usage)) {
      this.#usage = mergeRawUsage(this.#usage, usage);
      events.push({ type: "usage", usage: decodeUsage(this.#usage) });
    }
    return [...events, { type: "response_end" }];
  }

  /** Facts about the whole answer, through the very reading that a whole answer would get; `p` is padding that hides lengths. */
  #tellFacts(body: JsonObject): StreamEvent[] {
    if (this.#detail === "facts") {
      const serviceTier = readServiceTier(body);
      return serviceTier === undefined ? [] : [{ type: "response_start", serviceTier }];
    }
    const { p: _padding, ...facts } = body;
    const { serviceTier, extensions }: InferenceResponse = decodeResponse(facts, wholeOperation);
    if (serviceTier === undefined && extensions === undefined) return [];
    return [{ type: "response_start", ...optional("serviceTier", serviceTier), ...optional("extensions", extensions) }];
  }
}

function unrecognized(name: string): StreamEvent {
  return { type: "unrecognized", name: name.slice(0, maxNameLength) };
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
