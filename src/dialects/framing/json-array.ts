// Room dialects, framing: cuts a JSON array into its elements as they come (Google's streams without `alt=sse`).
// Works on bytes and never splits on line ends: Google prints the elements over many lines (recorded).
// Invariant: the `raw` of all frames, end() included, in order are the input bytes, unless `overflowed` or `corrupt`.

import type { Frame, FrameDecoder } from "../dialect.ts";
import { defaultMaxEventBytes } from "./limits.ts";

/**
 * Starts a decoder for one stream. A frame is one element with the bracket, comma and blanks before it; it comes with the
 * element's last byte (a bare number or word: with the byte after it). The closing bracket is a `commentOnly` frame, and
 * so is what blanks follow it. An object that stands where the array should be is its one element: Google sends errors
 * both bare and wrapped in an array (wire.md §1.0).
 */
export function createJsonArrayDecoder(options: { maxEventBytes?: number } = {}): FrameDecoder {
  return new ElementDecoder(options.maxEventBytes ?? defaultMaxEventBytes);
}

const quote = 0x22;
const comma = 0x2c;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * `start`: nothing but blanks yet; `first`: after the opening bracket; `next`: after a comma; `between`: after an element;
 * `container`, `string`, `word`: inside an element; `done`: the value is whole.
 */
type Place = "start" | "first" | "next" | "between" | "container" | "string" | "word" | "done";

class ElementDecoder implements FrameDecoder {
  /** No frame of this framing is told by its bytes alone. */
  readonly isFresh = false;
  overflowed = false;
  corrupt = false;
  readonly #maxEventBytes: number;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #place: Place = "start";
  /** The bytes of the unfinished frame that stand before its element; undefined before the element begins. */
  #elementOffset: number | undefined;
  /** Open brackets and braces of the element. */
  #depth = 0;
  /** Inside a string of the element. */
  #inString = false;
  /** The string's last byte was a backslash that escapes the next one. */
  #escaped = false;
  /** There is no array around the one element. */
  #isBare = false;
  /** Bytes of a byte order mark that have come. */
  #markBytes = 0;

  constructor(maxEventBytes: number) {
    this.#maxEventBytes = maxEventBytes;
  }

  get midFrame(): boolean {
    return this.#pendingBytes > 0;
  }

  push(chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    let frameStart = 0;
    let position = 0;
    while (position < chunk.length && !this.overflowed && !this.corrupt) {
      const before = this.#place;
      position = isInside(before) ? this.#passElement(chunk, position) : this.#passByte(chunk, position, frameStart);
      const isElement = isInside(before) && !isInside(this.#place);
      const isClosing = !isInside(before) && before !== "done" && this.#place === "done";
      if (isElement || isClosing) {
        this.#hold(chunk.subarray(frameStart, position));
        if (!this.overflowed) frames.push(this.#take());
        frameStart = position;
      }
    }
    if (this.corrupt) this.#drop();
    else if (!this.overflowed && frameStart < chunk.length) this.#hold(chunk.subarray(frameStart));
    return frames;
  }

  end(): Frame[] {
    return this.overflowed || this.corrupt || this.#pendingBytes === 0 ? [] : [this.#take()];
  }

  /** One byte outside the elements. */
  #passByte(chunk: Buffer, position: number, frameStart: number): number {
    const byte = chunk[position] ?? 0;
    if (isBlank(byte) || this.#isMark(byte)) return position + 1;
    const place = this.#place;
    if (place === "between" && byte === comma) this.#place = "next";
    else if ((place === "between" || place === "first") && byte === closeBracket) this.#place = "done";
    else if (place === "start" && byte === openBracket) this.#place = "first";
    else if (place === "first" || place === "next" || (place === "start" && byte === openBrace)) {
      this.#beginElement(byte, this.#pendingBytes + (position - frameStart));
    } else this.corrupt = true;
    return position + 1;
  }

  #beginElement(byte: number, offset: number): void {
    this.#isBare = this.#place === "start";
    this.#elementOffset = offset;
    if (byte === openBrace || byte === openBracket) {
      this.#place = "container";
      this.#depth = 1;
    } else if (byte === quote) {
      this.#place = "string";
      this.#inString = true;
    } else if (byte === comma || byte === closeBracket || byte === closeBrace) this.corrupt = true;
    else this.#place = "word";
  }

  /** Bytes inside an element, up to its end or the chunk's. */
  #passElement(chunk: Buffer, start: number): number {
    let position = start;
    while (position < chunk.length) {
      if (this.#inString) {
        position = this.#passString(chunk, position);
        if (this.#inString || this.#place !== "string") continue;
        return this.#endElement(position);
      }
      const byte = chunk[position] ?? 0;
      if (this.#place === "word") {
        if (isBlank(byte) || byte === comma || byte === closeBracket) return this.#endElement(position);
        position++;
        continue;
      }
      position++;
      if (byte === quote) this.#inString = true;
      else if (byte === openBrace || byte === openBracket) this.#depth++;
      else if (byte === closeBrace || byte === closeBracket) {
        this.#depth--;
        if (this.#depth === 0) return this.#endElement(position);
      }
    }
    return position;
  }

  /** The offset after the string's closing quote, or the chunk's end. Looks for quotes natively: media are long strings. */
  #passString(chunk: Buffer, start: number): number {
    let position = start;
    if (this.#escaped) {
      this.#escaped = false;
      position++;
    }
    for (;;) {
      const found = position < chunk.length ? chunk.indexOf(quote, position) : -1;
      const stop = found === -1 ? chunk.length : found;
      let escapes = stop;
      while (escapes > position && chunk[escapes - 1] === backslash) escapes--;
      const isEscaped = (stop - escapes) % 2 === 1;
      if (found === -1) {
        this.#escaped = isEscaped;
        return chunk.length;
      }
      if (!isEscaped) {
        this.#inString = false;
        return found + 1;
      }
      position = found + 1;
    }
  }

  #endElement(position: number): number {
    this.#place = this.#isBare ? "done" : "between";
    return position;
  }

  /** RFC 8259 §8.1 lets a reader pass over a byte order mark. */
  #isMark(byte: number): boolean {
    if (this.#place !== "start" || byte !== byteOrderMark[this.#markBytes]) return false;
    this.#markBytes++;
    return true;
  }

  #hold(bytes: Buffer): void {
    this.#pendingBytes += bytes.length;
    this.overflowed = this.#pendingBytes > this.#maxEventBytes;
    if (this.overflowed) this.#drop();
    else this.#pending.push(bytes);
  }

  #take(): Frame {
    const raw =
      this.#pending.length === 1 ? (this.#pending[0] as Buffer) : Buffer.concat(this.#pending, this.#pendingBytes);
    const offset = this.#elementOffset;
    this.#drop();
    return offset === undefined ? { data: "", raw, commentOnly: true } : { data: raw.toString("utf8", offset), raw };
  }

  #drop(): void {
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#elementOffset = undefined;
  }
}

function isInside(place: Place): boolean {
  return place === "container" || place === "string" || place === "word";
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
