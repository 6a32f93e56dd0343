// Room dialects, bedrock-converse: turns one stream's messages into canonical events. Nova's invoke streams are read here too.
// Text and reasoning blocks begin with their first delta: the wire announces only tools, tool results and images (wire.md §1.5).
// Invariant: never throws; an event that is unknown or out of place becomes `unrecognized`, without any of its content.

import { mergeRawUsage, type InferenceResponse, type StreamEvent } from "../../canonical/index.ts";
import type { AnswerDetail, Frame, ObjectDecoder, Operation } from "../dialect.ts";
import { headerBytesOf, readMessage } from "../framing/aws-eventstream.ts";
import { notRepeated, Repetition, type Slot } from "../framing/repetition.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { readObject } from "../json/parse.ts";
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

const deltaName = "contentBlockDelta";
/** The member that hides how long the others are. */
const paddingName = "p";

/** There is only ever one choice. */
const choice = 0;

const wholeOperation: Operation = { kind: "chat", route: "", path: "" };

class ConverseEventDecoder implements ObjectDecoder {
  readonly #detail: AnswerDetail;
  readonly #blocks: BlockStream = createBlockStream();
  #usage: JsonObject | undefined;
  readonly #repetition = new Repetition();
  /** Of the message that it came in; undefined for an object without one. */
  #headerBytes: number | undefined;

  constructor(detail: AnswerDetail) {
    this.#detail = detail;
  }

  push(frame: Frame): StreamEvent[] {
    this.#repetition.forget();
    if (frame.commentOnly === true) return [{ type: "keepalive" }];
    if (frame.exception === true) return [{ type: "error", error: decodeException(frame) }];
    const name = frame.event ?? "unnamed";
    const body = readObject(frame.data);
    if (body === undefined) return [unrecognized(name)];
    const events = this.#tell(body, name);
    if (name === deltaName) {
      const message = readMessage(frame.raw);
      if (message !== undefined) this.#learn(message, body, headerBytesOf(frame.raw));
    }
    return events;
  }

  pushObject(body: JsonObject, name = "unnamed", raw?: Buffer): StreamEvent[] {
    this.#repetition.forget();
    const events = this.#tell(body, name);
    if (raw !== undefined && name === deltaName) this.#learn(raw, body, undefined);
    return events;
  }

  /** Of a message, or of the bytes that came with an object: as the delta came that was learned. */
  pushRepeated(raw: Buffer): number {
    if (!this.#repetition.isLearned) return notRepeated;
    const bytes = this.#headerBytes === undefined ? raw : readMessage(raw, this.#headerBytes);
    return bytes === undefined ? notRepeated : this.#repetition.read(bytes);
  }

  tellRepeated(): StreamEvent {
    return this.#repetition.tell();
  }

  end(): StreamEvent[] {
    return this.#blocks.end();
  }

  /** The block has begun now, so that the same delta again would only extend it. */
  #learn(raw: Buffer, { contentBlockIndex, delta, p }: JsonObject, headerBytes: number | undefined): void {
    const grown = this.#blocks.grown(contentBlockIndex, delta);
    if (grown === undefined) return;
    const { part, name, text } = grown;
    this.#headerBytes = headerBytes;
    const slots: Slot[] = [{ name, value: text }];
    if (p !== undefined) slots.push({ name: paddingName, value: p });
    this.#repetition.learn(raw, slots, { type: "part_delta", choice, part, text });
  }

  #tell(body: JsonObject, name: string): StreamEvent[] {
    return this.#decode(name, body) ?? [unrecognized(name)];
  }

  #decode(name: string, body: JsonObject): StreamEvent[] | undefined {
    switch (name) {
      case "messageStart": {
        const { role } = body;
        const events: StreamEvent[] = [
          { type: "choice_start", choice, role: typeof role === "string" ? role : "assistant" },
        ];
        return this.#tellFacts(body, "role", events);
      }
      case "contentBlockStart":
        return this.#blocks.start(body["contentBlockIndex"], body["start"]);
      case deltaName:
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
    const { stopReason: raw } = body;
    const events = this.#blocks.end();
    if (typeof raw === "string") {
      events.push({ type: "choice_end", choice, finishReason: { unified: unifyFinishReason(raw), raw } });
    }
    return this.#tellFacts(body, "stopReason", events);
  }

  #finish(body: JsonObject): StreamEvent[] {
    const { usage } = body;
    const events = this.#tellFacts(body, "usage", []);
    if (isJsonObject(usage)) {
      this.#usage = mergeRawUsage(this.#usage, usage);
      events.push({ type: "usage", usage: decodeUsage(this.#usage) });
    }
    events.push({ type: "response_end" });
    return events;
  }

  /** Facts about the whole answer beside the member that was told, through the very reading that a whole answer would get. */
  #tellFacts(body: JsonObject, told: string, events: StreamEvent[]): StreamEvent[] {
    if (this.#detail === "facts") {
      const serviceTier = readServiceTier(body);
      if (serviceTier !== undefined) events.push({ type: "response_start", serviceTier });
      return events;
    }
    const { [told]: _told, [paddingName]: _padding, ...facts } = body;
    const { serviceTier, extensions }: InferenceResponse = decodeResponse(facts, wholeOperation);
    if (serviceTier === undefined && extensions === undefined) return events;
    events.push({
      type: "response_start",
      ...optional("serviceTier", serviceTier),
      ...optional("extensions", extensions),
    });
    return events;
  }
}

function unrecognized(name: string): StreamEvent {
  return { type: "unrecognized", name: name.slice(0, maxNameLength) };
}
