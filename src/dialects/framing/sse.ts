// Room dialects, framing: cuts a byte stream into server-sent events (WHATWG HTML §9.2.6, read 2026-11-21).
// Works on bytes: a chunk may end anywhere, also inside a UTF-8 sequence or between CR and LF, and gives the same frames.
// Invariant: the `raw` of all frames, end() included, in order are the input bytes, as long as `overflowed` is false.

import type { Frame, FrameDecoder } from "../dialect.ts";
import { defaultMaxEventBytes } from "./limits.ts";

/**
 * Starts a decoder for one stream. A frame is one block of lines up to and with its blank line (LF, CR, CRLF or any
 * mixture); further blank lines belong to the frame after them. A block of comments alone is a frame too, marked
 * `commentOnly`. `id:` and `retry:` lines are only part of `raw`. A chunk that ends in CR is looked at again with the
 * next byte, because the LF of a CRLF may follow: a stream with bare CRs gets its frames one chunk later.
 */
export function createSseDecoder(options: { maxEventBytes?: number } = {}): FrameDecoder {
  return new ByteSseDecoder(options.maxEventBytes ?? defaultMaxEventBytes);
}

const lf = 10;
const cr = 13;

class ByteSseDecoder implements FrameDecoder {
  /** Any bytes are some event stream. */
  readonly corrupt = false;
  overflowed = false;
  readonly #maxEventBytes: number;
  /** Bytes of the unfinished frame from earlier chunks. */
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  /** The unfinished frame has a line that is not blank. */
  #hasLine = false;
  /** The next byte begins a line. */
  #atLineStart = true;
  /** The last byte was a CR whose LF may still come. */
  #afterCr = false;
  /** That CR ended a blank line, and with it the frame. */
  #complete = false;
  #isFirst = true;

  constructor(maxEventBytes: number) {
    this.#maxEventBytes = maxEventBytes;
  }

  get midFrame(): boolean {
    return this.#pendingBytes > 0;
  }

  get isFresh(): boolean {
    return !this.#isFirst && this.#isBetweenFrames;
  }

  get #isBetweenFrames(): boolean {
    return this.#pendingBytes === 0 && this.#atLineStart && !this.#afterCr && !this.overflowed;
  }

  push(chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    if (this.overflowed || chunk.length === 0) return frames;
    const whole = this.#isBetweenFrames && chunk.length <= this.#maxEventBytes ? decodeWholeFrame(chunk) : undefined;
    if (whole !== undefined) {
      this.#isFirst = false;
      frames.push(whole);
      return frames;
    }
    let frameStart = 0;
    let position = 0;
    if (this.#afterCr) {
      this.#afterCr = false;
      if (chunk[0] === lf) position = 1;
      if (this.#complete) {
        this.#emit(frames, chunk, 0, position);
        if (this.overflowed) return frames;
        frameStart = position;
      }
    }
    let nextCr = indexOrEnd(chunk, cr, position);
    let nextLf = indexOrEnd(chunk, lf, position);
    while (position < chunk.length) {
      const lineEnd = Math.min(nextCr, nextLf);
      if (lineEnd === chunk.length) {
        this.#atLineStart = false;
        this.#hasLine = true;
        break;
      }
      const isBlank = this.#atLineStart && lineEnd === position;
      if (!isBlank) this.#hasLine = true;
      const endsFrame = isBlank && this.#hasLine;
      this.#atLineStart = true;
      position = lineEnd + 1;
      if (lineEnd === nextCr) {
        if (position === chunk.length) {
          this.#afterCr = true;
          this.#complete = endsFrame;
          break;
        }
        if (chunk[position] === lf) position++;
        nextCr = indexOrEnd(chunk, cr, position);
      }
      if (nextLf < position) nextLf = indexOrEnd(chunk, lf, position);
      if (endsFrame) {
        this.#emit(frames, chunk, frameStart, position);
        if (this.overflowed) return frames;
        frameStart = position;
      }
    }
    if (frameStart < chunk.length) this.#hold(chunk.subarray(frameStart));
    return frames;
  }

  end(): Frame[] {
    const frames: Frame[] = [];
    if (!this.overflowed && this.#pendingBytes > 0) this.#emit(frames, emptyChunk, 0, 0);
    return frames;
  }

  #hold(rest: Buffer): void {
    this.#pendingBytes += rest.length;
    if (this.#pendingBytes > this.#maxEventBytes) this.#overflow();
    else this.#pending.push(rest);
  }

  #emit(frames: Frame[], chunk: Buffer, start: number, end: number): void {
    const bytes = this.#pendingBytes + (end - start);
    if (bytes > this.#maxEventBytes) {
      this.#overflow();
      return;
    }
    const tail = chunk.subarray(start, end);
    const raw = this.#pendingBytes === 0 ? tail : Buffer.concat([...this.#pending, tail], bytes);
    frames.push(decodeBlock(raw, this.#isFirst));
    this.#isFirst = false;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#hasLine = false;
    this.#complete = false;
  }

  #overflow(): void {
    this.overflowed = true;
    this.#pending = [];
    this.#pendingBytes = 0;
  }
}

const emptyChunk = Buffer.alloc(0);
const colon = 58;
const space = 32;
const dataField = Buffer.from("data");
const eventField = Buffer.from("event");
const eventPrefix = "event:";
const dataPrefix = "data:";
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * The frame of a chunk that is one line of data after one of an event or none, all ended by LF or all by CRLF, as most chunks are; undefined
 * for any other. It gives what the general way gives, in a fraction of the time: decoded once, then cut as text.
 */
function decodeWholeFrame(chunk: Buffer): Frame | undefined {
  const end = chunk.length - 1;
  if (chunk[end] !== lf) return undefined;
  const breakLength = chunk[end - 1] === cr ? 2 : 1;
  if (chunk[end - breakLength] !== lf) return undefined;
  const text = chunk.toString("utf8");
  const isNamed = text.startsWith(eventPrefix);
  const start = isNamed ? text.indexOf("\n", eventPrefix.length) + 1 : 0;
  if (!text.startsWith(dataPrefix, start)) return undefined;
  const dataStart = skipSpace(text, start + dataPrefix.length);
  const dataEnd = text.length - 2 * breakLength;
  if (text.indexOf("\n", dataStart) !== dataEnd + breakLength - 1) return undefined;
  if (text.indexOf("\r", start) !== (breakLength === 2 ? dataEnd : -1)) return undefined;
  const data = text.slice(dataStart, dataEnd);
  if (!isNamed) return { data, raw: chunk };
  const nameEnd = start - breakLength;
  const carriageReturn = text.lastIndexOf("\r", start);
  if (carriageReturn !== (breakLength === 2 ? nameEnd : -1) || text.indexOf("\r") < carriageReturn) return undefined;
  return { data, raw: chunk, event: text.slice(skipSpace(text, eventPrefix.length), nameEnd) };
}

function skipSpace(text: string, at: number): number {
  return text.charCodeAt(at) === space ? at + 1 : at;
}

/** Reads the lines of one frame. */
function decodeBlock(raw: Buffer, isFirst: boolean): Frame {
  let position = isFirst && startsWith(raw, 0, byteOrderMark) ? byteOrderMark.length : 0;
  let data: string | undefined;
  let event: string | undefined;
  let hasField = false;
  let nextCr = indexOrEnd(raw, cr, position);
  while (position < raw.length) {
    if (nextCr < position) nextCr = indexOrEnd(raw, cr, position);
    const lineEnd = Math.min(indexOrEnd(raw, lf, position), nextCr);
    if (lineEnd > position && raw[position] !== colon) {
      hasField = true;
      const dataValue = fieldValueStart(raw, position, lineEnd, dataField);
      if (dataValue >= 0) {
        const line = raw.toString("utf8", dataValue, lineEnd);
        data = data === undefined ? line : `${data}\n${line}`;
      } else {
        const eventValue = fieldValueStart(raw, position, lineEnd, eventField);
        if (eventValue >= 0) event = raw.toString("utf8", eventValue, lineEnd);
      }
    }
    position = lineEnd + 1;
  }
  const frame: Frame = { data: data ?? "", raw };
  if (event !== undefined) frame.event = event;
  if (!hasField) frame.commentOnly = true;
  return frame;
}

/** Where the value of the line's field begins when the field has this name, else -1. */
function fieldValueStart(raw: Buffer, lineStart: number, lineEnd: number, name: Buffer): number {
  const nameEnd = lineStart + name.length;
  if (nameEnd > lineEnd || !startsWith(raw, lineStart, name)) return -1;
  if (nameEnd === lineEnd) return lineEnd;
  if (raw[nameEnd] !== colon) return -1;
  const valueStart = nameEnd + 1;
  return valueStart < lineEnd && raw[valueStart] === space ? valueStart + 1 : valueStart;
}

function startsWith(raw: Buffer, start: number, prefix: Buffer): boolean {
  for (let index = 0; index < prefix.length; index++) {
    if (raw[start + index] !== prefix[index]) return false;
  }
  return true;
}

function indexOrEnd(bytes: Buffer, byte: number, from: number): number {
  const index = bytes.indexOf(byte, from);
  return index < 0 ? bytes.length : index;
}
