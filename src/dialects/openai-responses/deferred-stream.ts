// Room dialects, openai-responses: a stream's facts where nobody keeps its content. Its events wait unread, because the one that completes a
// response states all of them again: reading every one was most of what observing such a stream cost (measured 2026-11-21).
// Invariant: what waits is bounded, and read in its order where the last event lacks any of it; that output comes is told as it comes (and once
// more where it is read late).

import type { StreamEvent } from "../../canonical/index.ts";
import type { EventDecoder, Frame, RepeatingDecoder } from "../dialect.ts";
import { notRepeated, toldLater } from "../framing/repetition.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { readObject } from "../json/parse.ts";
import { filledText } from "./schema.ts";

/** The stream's own decoder. */
export interface FrameReader extends RepeatingDecoder {
  /** `body`: the frame's object, where it is at hand. */
  push(frame: Frame, body?: JsonObject): StreamEvent[];
  /** The event that completes a response of which nothing was read. */
  pushWhole(body: JsonObject, response: JsonObject): StreamEvent[];
}

/** Starts the decoder of one stream; `reader` is given what must be read. */
export function createDeferredDecoder(reader: FrameReader): EventDecoder {
  return new DeferredStreamDecoder(reader);
}

/** What may wait; as much as an observer reads at once. */
const maxWaitingFrames = 128;
const maxWaitingBytes = 16_384;

/** `output`: the model says something; `begin`, `end`: of an item, which says something unless its parts did. */
type Kind = "silent" | "output" | "begin" | "end";

const kinds: ReadonlyMap<string, Kind> = new Map([
  ["response.created", "silent"],
  ["response.queued", "silent"],
  ["response.in_progress", "silent"],
  ["response.output_item.added", "begin"],
  ["response.output_item.done", "end"],
  ["response.content_part.added", "output"],
  ["response.content_part.done", "silent"],
  ["response.output_text.delta", "output"],
  ["response.output_text.done", "silent"],
  ["response.output_text.annotation.added", "silent"],
  ["response.refusal.delta", "output"],
  ["response.refusal.done", "silent"],
  ["response.reasoning_text.delta", "output"],
  ["response.reasoning_text.done", "silent"],
  ["response.reasoning_summary_part.added", "output"],
  ["response.reasoning_summary_part.done", "silent"],
  ["response.reasoning_summary_text.delta", "output"],
  ["response.reasoning_summary_text.done", "silent"],
  ["response.function_call_arguments.delta", "output"],
  ["response.function_call_arguments.done", "silent"],
  ["response.custom_tool_call_input.delta", "output"],
  ["response.custom_tool_call_input.done", "silent"],
]);

const completed = "response.completed";

const lineFeed = 10;
const carriageReturn = 13;
const namePrefix = Buffer.from("event: ");
const dataPrefix = Buffer.from("data: ");
const emptyDelta = Buffer.from('"delta":""');

class DeferredStreamDecoder implements EventDecoder {
  readonly #reader: FrameReader;
  /** Frames, and the bytes of whole ones. */
  #waiting: (Frame | Buffer)[] = [];
  #waitingBytes = 0;
  /** Nothing was read yet: what comes may wait. */
  #isWaiting = true;
  #items = 0;
  /** Output came since the last item began. */
  #hasOutput = false;
  /** Most frames have the name of the one before: its bytes, and what it means. */
  #lastNamed: Buffer = namePrefix;
  #lastNameEnd = -1;
  #lastKind: Kind | undefined;

  constructor(reader: FrameReader) {
    this.#reader = reader;
  }

  push(frame: Frame): StreamEvent[] {
    if (!this.#isWaiting || frame.commentOnly === true) return this.#reader.push(frame);
    const kind = kinds.get(frame.event ?? "");
    if (kind !== undefined) {
      if (this.#isFull(frame.raw)) return [...this.#readWaiting(), ...this.#reader.push(frame)];
      return this.#wait(frame, frame.raw, kind) ? [{ type: "output" }] : [];
    }
    const body = frame.event === completed ? readObject(frame.data) : undefined;
    const response = body === undefined ? undefined : findWhole(body, this.#items);
    if (body === undefined || response === undefined) {
      return [...this.#readWaiting(), ...this.#reader.push(frame, body)];
    }
    this.#forget();
    return this.#reader.pushWhole(body, response);
  }

  pushRepeated(raw: Buffer): number {
    if (!this.#isWaiting) return this.#reader.pushRepeated(raw);
    const nameEnd = findNameEnd(raw);
    if (nameEnd === -1 || this.#isFull(raw)) return notRepeated;
    if (!this.#isLastName(raw, nameEnd)) {
      this.#lastKind = kinds.get(raw.toString("latin1", namePrefix.length, nameEnd));
      this.#lastNamed = raw;
      this.#lastNameEnd = nameEnd;
    }
    if (this.#lastKind === undefined) return notRepeated;
    return this.#wait(raw, raw, this.#lastKind) ? toldLater : 0;
  }

  tellRepeated(): StreamEvent {
    return this.#reader.tellRepeated();
  }

  end(): StreamEvent[] {
    return [...this.#readWaiting(), ...this.#reader.end()];
  }

  #isLastName(raw: Buffer, nameEnd: number): boolean {
    if (nameEnd !== this.#lastNameEnd) return false;
    const named = this.#lastNamed;
    // From behind: all names begin alike.
    for (let at = nameEnd - 1; at >= namePrefix.length; at--) if (raw[at] !== named[at]) return false;
    return true;
  }

  /** With this frame it would be. */
  #isFull(raw: Buffer): boolean {
    return this.#waiting.length + 1 >= maxWaitingFrames || this.#waitingBytes + raw.length >= maxWaitingBytes;
  }

  /** Whether the frame says something. */
  #wait(frame: Frame | Buffer, raw: Buffer, kind: Kind): boolean {
    this.#waiting.push(frame);
    this.#waitingBytes += raw.length;
    if (kind === "begin") this.#items += 1;
    const isOutput = kind === "output" ? !raw.includes(emptyDelta) : kind === "end" && !this.#hasOutput;
    this.#hasOutput = kind !== "begin" && (isOutput || this.#hasOutput);
    return isOutput;
  }

  #readWaiting(): StreamEvent[] {
    const events: StreamEvent[] = [];
    const waiting = this.#waiting;
    this.#forget();
    for (const one of waiting) {
      const units = Buffer.isBuffer(one) ? this.#reader.pushRepeated(one) : notRepeated;
      if (units > 0) events.push(this.#reader.tellRepeated());
      if (units !== notRepeated) continue;
      for (const event of this.#reader.push(Buffer.isBuffer(one) ? toFrame(one) : one)) events.push(event);
    }
    return events;
  }

  #forget(): void {
    this.#isWaiting = false;
    this.#waiting = [];
    this.#waitingBytes = 0;
  }
}

/** The response, where all its items and what it took and whose it is are stated: with these nothing that was said before is asked for. */
function findWhole({ response }: JsonObject, items: number): JsonObject | undefined {
  if (!isJsonObject(response) || !isJsonObject(response["usage"])) return undefined;
  const { id, model, output } = response;
  const isNamed = filledText(id) !== undefined && filledText(model) !== undefined;
  return isNamed && Array.isArray(output) && output.length >= Math.max(1, items) ? response : undefined;
}

/** Where the event's name ends in the bytes of one whole frame of two lines, name and data; -1 for any other bytes. */
function findNameEnd(raw: Buffer): number {
  const { length } = raw;
  if (raw[0] !== namePrefix[0] || raw[length - 1] !== lineFeed) return -1;
  const nameEnd = raw.indexOf(lineFeed);
  if (raw.indexOf(lineFeed, nameEnd + 1) !== length - 2) return -1;
  const isPlain = startsWith(raw, 0, namePrefix) && startsWith(raw, nameEnd + 1, dataPrefix);
  return isPlain && raw.indexOf(carriageReturn) === -1 ? nameEnd : -1;
}

function startsWith(raw: Buffer, at: number, prefix: Buffer): boolean {
  for (let index = 0; index < prefix.length; index++) if (raw[at + index] !== prefix[index]) return false;
  return true;
}

/** Of bytes whose name was found. */
function toFrame(raw: Buffer): Frame {
  const nameEnd = raw.indexOf(lineFeed);
  const data = raw.toString("utf8", nameEnd + 1 + dataPrefix.length, raw.length - 2);
  return { event: raw.toString("latin1", namePrefix.length, nameEnd), data, raw };
}
