// Room dialects, framing: cuts AWS's binary event streams into messages, and writes one (Bedrock; Smithy's
// `application/vnd.amazon.eventstream`, smithy.io, read 2026-11-21). All numbers are big-endian.
// Invariant: every message that comes out has both its checksums right; the `raw` of all frames are the input bytes,
// but for an unfinished message at the end.

import { crc32 } from "node:zlib";
import type { Frame, FrameDecoder } from "../dialect.ts";
import { type MessageHead, readHead, stringType } from "./aws-headers.ts";
import { defaultMaxEventBytes } from "./limits.ts";

/** Total length, length of the headers, and the checksum of these two. */
const preludeBytes = 12;
const checksumBytes = 4;
const overheadBytes = preludeBytes + checksumBytes;

/**
 * Starts a decoder for one stream. A message with a wrong checksum, a wrong length or headers that cannot be read makes
 * the stream `corrupt`; one larger than the cap `overflowed`. Nothing comes out after either.
 */
export function createAwsEventStreamDecoder(options: { maxEventBytes?: number } = {}): FrameDecoder {
  return new MessageDecoder(options.maxEventBytes ?? defaultMaxEventBytes);
}

/**
 * Headers and payload of what is one whole and sound message, the headers of so many bytes where that is told; undefined for
 * anything else.
 */
export function readMessage(raw: Buffer, headerBytes?: number): Buffer | undefined {
  if (raw.length < overheadBytes || readLength(raw, 0) !== raw.length) return undefined;
  if (headerBytes !== undefined && headerBytes !== headerBytesOf(raw)) return undefined;
  return isSound(raw) ? raw.subarray(preludeBytes, raw.length - checksumBytes) : undefined;
}

/** How many of the bytes of a message's headers and payload are the headers'. */
export function headerBytesOf(raw: Buffer): number {
  return raw.readUInt32BE(4);
}

/** Where the payload begins of what is one whole and sound message with this event; -1 for anything else. It ends before the checksum. */
export function findPayload(raw: Buffer, event: string): number {
  if (raw.length < overheadBytes || readLength(raw, 0) !== raw.length || !isSound(raw)) return -1;
  const start = preludeBytes + headerBytesOf(raw);
  const head = readHead(raw, preludeBytes, start);
  return head?.event === event && !head.isException ? start : -1;
}

/** Headers as their bytes, for messages that all have the same; a name takes up to 255 bytes, a value up to 32767. */
export function encodeAwsHeaders(headers: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat(Object.entries(headers).map(([name, value]) => encodeHeader(name, value)));
}

/** One whole message with string headers. */
export function encodeAwsMessage(headers: Readonly<Record<string, string>> | Buffer, payload: string | Buffer): Buffer {
  const head = Buffer.isBuffer(headers) ? headers : encodeAwsHeaders(headers);
  const body = typeof payload === "string" ? Buffer.from(payload) : payload;
  const message = Buffer.alloc(overheadBytes + head.length + body.length);
  message.writeUInt32BE(message.length, 0);
  message.writeUInt32BE(head.length, 4);
  message.writeUInt32BE(crc32(message.subarray(0, 8)), 8);
  head.copy(message, preludeBytes);
  body.copy(message, preludeBytes + head.length);
  const end = message.length - checksumBytes;
  message.writeUInt32BE(crc32(message.subarray(0, end)), end);
  return message;
}

function encodeHeader(name: string, value: string): Buffer {
  const nameBytes = Buffer.from(name);
  const valueBytes = Buffer.from(value);
  const head = Buffer.from([nameBytes.length, ...nameBytes, stringType, 0, 0]);
  head.writeUInt16BE(valueBytes.length, head.length - 2);
  return Buffer.concat([head, valueBytes]);
}

class MessageDecoder implements FrameDecoder {
  corrupt = false;
  overflowed = false;
  readonly #maxEventBytes: number;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  /** Length of the message that has begun; undefined until its prelude is there. */
  #expected: number | undefined;

  constructor(maxEventBytes: number) {
    this.#maxEventBytes = maxEventBytes;
  }

  /** Also once decoding has stopped: where messages end is not known then. */
  get midFrame(): boolean {
    return this.#pendingBytes > 0 || this.corrupt || this.overflowed;
  }

  get isFresh(): boolean {
    return !this.midFrame;
  }

  push(chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    if (this.corrupt || this.overflowed) return frames;
    let start = 0;
    for (;;) {
      const available = this.#pendingBytes + chunk.length - start;
      if (this.#expected === undefined) {
        if (available < preludeBytes) break;
        const isHere = this.#pendingBytes === 0;
        const length = isHere ? readLength(chunk, start) : readLength(this.#take(chunk, start, preludeBytes), 0);
        if (length === undefined || length > this.#maxEventBytes) {
          this.#stop(length === undefined ? "corrupt" : "overflowed");
          return frames;
        }
        this.#expected = length;
      }
      if (available < this.#expected) break;
      const frame = decodeMessage(this.#take(chunk, start, this.#expected));
      if (frame === undefined) {
        this.#stop("corrupt");
        return frames;
      }
      frames.push(frame);
      start += this.#expected - this.#pendingBytes;
      this.#forget();
    }
    if (start < chunk.length) {
      this.#pending.push(chunk.subarray(start));
      this.#pendingBytes += chunk.length - start;
    }
    return frames;
  }

  /** A message without its end is no frame. */
  end(): Frame[] {
    return [];
  }

  /** The first bytes of the message that has begun; copied only where it began in an earlier chunk. */
  #take(chunk: Buffer, start: number, bytes: number): Buffer {
    if (this.#pendingBytes === 0) return bytes === chunk.length ? chunk : chunk.subarray(start, start + bytes);
    return Buffer.concat([...this.#pending, chunk.subarray(start, start + bytes - this.#pendingBytes)], bytes);
  }

  #stop(reason: "corrupt" | "overflowed"): void {
    this[reason] = true;
    this.#forget();
  }

  #forget(): void {
    if (this.#pendingBytes > 0) this.#pending = [];
    this.#pendingBytes = 0;
    this.#expected = undefined;
  }
}

/** The length of the message whose prelude is here; undefined where it is not sound: a length that was never sent is no message too large. */
function readLength(bytes: Buffer, at: number): number | undefined {
  if (~extendChecksum(-1, bytes, at, at + 8) !== bytes.readInt32BE(at + 8)) return undefined;
  const total = bytes.readUInt32BE(at);
  return total < overheadBytes || bytes.readUInt32BE(at + 4) > total - overheadBytes ? undefined : total;
}

/** Whether the checksum of a message is right. */
function isSound(raw: Buffer): boolean {
  const end = raw.length - checksumBytes;
  // What it comes to when it goes on over itself: a view of the bytes before it would cost as much as their checksum.
  return crc32(raw) === ~extendChecksum(~raw.readInt32BE(end), raw, end, raw.length) >>> 0;
}

/** CRC-32 of each byte: for a few of them a native call costs more than it saves. */
const checksumTable = Int32Array.from({ length: 256 }, (_none, byte) => {
  let checksum = byte;
  for (let bit = 0; bit < 8; bit++) checksum = checksum & 1 ? (checksum >>> 1) ^ 0xed_b8_83_20 : checksum >>> 1;
  return checksum;
});

function extendChecksum(before: number, bytes: Buffer, from: number, to: number): number {
  let checksum = before;
  for (let at = from; at < to; at++) {
    checksum = (checksumTable[(checksum ^ (bytes[at] as number)) & 0xff] as number) ^ (checksum >>> 8);
  }
  return checksum;
}

/** Reads a message with a sound prelude; undefined when its checksum is wrong or its headers do not fill their room exactly. */
function decodeMessage(raw: Buffer): Frame | undefined {
  if (!isSound(raw)) return undefined;
  const start = preludeBytes + headerBytesOf(raw);
  const head = readHead(raw, preludeBytes, start);
  return head === undefined ? undefined : toFrame(raw, head, raw.toString("utf8", start, raw.length - checksumBytes));
}

function toFrame(raw: Buffer, { event, isException, errorMessage }: MessageHead, payload: string): Frame {
  if (!isException) return event === undefined ? { data: payload, raw } : { event, data: payload, raw };
  const data = payload === "" ? errorMessage : payload;
  return { ...(event === undefined ? {} : { event }), data, raw, exception: true };
}
