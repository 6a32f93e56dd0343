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

/** What may wait of one stream: in half of it one recorded stream of six had no room (2026-11-22). */
const maxWaitingFrames = 256;
const maxWaitingBytes = 32_768;

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
const namePrefix = "event: ";
const dataPrefix = "data: ";
const emptyDelta = '"delta":""';

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
  /** Most frames begin as the one before, up to their data: how that began, and what it means. */
  #lastBeginning = "";
  #lastKind: Kind | undefined;

  constructor(reader: FrameReader) {
    this.#reader = reader;
  }

  push(frame: Frame): StreamEvent[] {
    if (!this.#isWaiting || frame.commentOnly === true) return this.#reader.push(frame);
    const kind = kinds.get(frame.event ?? "");
    if (kind !== undefined) {
      if (this.#isFull(frame.raw)) return [...this.#readWaiting(), ...this.#reader.push(frame)];
      return this.#wait(frame, frame.raw, kind, frame.data) ? [{ type: "output" }] : [];
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
    if (raw[raw.length - 1] !== lineFeed || this.#isFull(raw)) return notRepeated;
    // Searching a text costs a fraction of searching bytes.
    const text = raw.toString("latin1");
    if (this.#lastBeginning === "" || !text.startsWith(this.#lastBeginning)) {
      const nameEnd = findNameEnd(text);
      if (nameEnd === -1) return notRepeated;
      this.#lastKind = kinds.get(text.slice(namePrefix.length, nameEnd));
      this.#lastBeginning = text.slice(0, nameEnd + 1 + dataPrefix.length);
    }
    if (this.#lastKind === undefined || !isOneLine(text, this.#lastBeginning.length)) return notRepeated;
    return this.#wait(raw, raw, this.#lastKind, text) ? toldLater : 0;
  }

  tellRepeated(): StreamEvent {
    return this.#reader.tellRepeated();
  }

  end(): StreamEvent[] {
    return [...this.#readWaiting(), ...this.#reader.end()];
  }

  /** With this frame it would be. */
  #isFull(raw: Buffer): boolean {
    return this.#waiting.length + 1 >= maxWaitingFrames || this.#waitingBytes + raw.length >= maxWaitingBytes;
  }

  /** Whether the frame says something; `text` has its data. */
  #wait(frame: Frame | Buffer, raw: Buffer, kind: Kind, text: string): boolean {
    this.#waiting.push(frame);
    this.#waitingBytes += raw.length;
    if (kind === "begin") this.#items += 1;
    const isOutput = kind === "output" ? !text.includes(emptyDelta) : kind === "end" && !this.#hasOutput;
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

/** Where the event's name ends in a frame that begins with its name and goes on with its data; -1 for any other text. */
function findNameEnd(text: string): number {
  const nameEnd = text.indexOf("\n");
  return text.startsWith(namePrefix) && text.startsWith(dataPrefix, nameEnd + 1) ? nameEnd : -1;
}

/** Whether there is one line from here on, a blank one behind it, and nothing else. */
function isOneLine(text: string, from: number): boolean {
  return text.indexOf("\n", from) === text.length - 2 && text.endsWith("\n") && !text.includes("\r");
}

/** Of bytes whose name was found. */
function toFrame(raw: Buffer): Frame {
  const nameEnd = raw.indexOf(lineFeed);
  const data = raw.toString("utf8", nameEnd + 1 + dataPrefix.length, raw.length - 2);
  return { event: raw.toString("latin1", namePrefix.length, nameEnd), data, raw };
}
