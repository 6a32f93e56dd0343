// Room dialects, framing: cuts AWS's binary event streams into messages, and writes one (Bedrock; Smithy's
// `application/vnd.amazon.eventstream`, smithy.io, read 2026-11-21). All numbers are big-endian.
// Invariant: every message that comes out has both its checksums right; the `raw` of all frames are the input bytes,
// but for an unfinished message at the end.

import { crc32 } from "node:zlib";
import type { Frame, FrameDecoder } from "../dialect.ts";
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
  /** No frame of this framing is told by its bytes alone. */
  readonly isFresh = false;
  corrupt = false;
  overflowed = false;
  readonly #maxEventBytes: number;
  /** Of the message before: most of a stream have the same. */
  #lastHeaders: { bytes: Buffer; values: Headers } | undefined;
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

  push(chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    if (this.corrupt || this.overflowed) return frames;
    let start = 0;
    for (;;) {
      const available = this.#pendingBytes + chunk.length - start;
      if (this.#expected === undefined) {
        if (available < preludeBytes) break;
        this.#expected = this.#readPrelude(this.#take(chunk, start, preludeBytes));
        if (this.#expected === undefined) return frames;
      }
      if (available < this.#expected) break;
      const frame = this.#decode(this.#take(chunk, start, this.#expected));
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
    if (this.#pendingBytes === 0) return chunk.subarray(start, start + bytes);
    return Buffer.concat([...this.#pending, chunk.subarray(start, start + bytes - this.#pendingBytes)], bytes);
  }

  /** The length of the message; undefined when decoding stops here. */
  #readPrelude(prelude: Buffer): number | undefined {
    const total = prelude.readUInt32BE(0);
    const headerBytes = prelude.readUInt32BE(4);
    // The checksum first: a length that was never sent is no message too large.
    const isSound = crc32(prelude.subarray(0, 8)) === prelude.readUInt32BE(8);
    if (!isSound || total < overheadBytes || headerBytes > total - overheadBytes) this.#stop("corrupt");
    else if (total > this.#maxEventBytes) this.#stop("overflowed");
    else return total;
    return undefined;
  }

  /** Reads a message with a sound prelude; undefined when its checksum is wrong or its headers do not fill their room exactly. */
  #decode(raw: Buffer): Frame | undefined {
    const end = raw.length - checksumBytes;
    if (crc32(raw.subarray(0, end)) !== raw.readUInt32BE(end)) return undefined;
    const headersEnd = preludeBytes + raw.readUInt32BE(4);
    const headers = this.#readHeaders(raw, headersEnd);
    return headers === undefined ? undefined : decodePayload(raw, headers, headersEnd);
  }

  #readHeaders(raw: Buffer, end: number): Headers | undefined {
    const last = this.#lastHeaders;
    const isSame =
      last?.bytes.length === end - preludeBytes &&
      raw.compare(last.bytes, 0, last.bytes.length, preludeBytes, end) === 0;
    if (last !== undefined && isSame) return last.values;
    const values = readStringHeaders(raw, preludeBytes, end);
    // A copy: the chunk that they are part of may be large.
    if (values !== undefined) this.#lastHeaders = { bytes: Buffer.from(raw.subarray(preludeBytes, end)), values };
    return values;
  }

  #stop(reason: "corrupt" | "overflowed"): void {
    this[reason] = true;
    this.#forget();
  }

  #forget(): void {
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#expected = undefined;
  }
}

/** The headers that are strings. */
type Headers = ReadonlyMap<string, string>;

function decodePayload(raw: Buffer, headers: Headers, headersEnd: number): Frame {
  const end = raw.length - checksumBytes;
  const messageType = headers.get(":message-type");
  const payload = raw.toString("utf8", headersEnd, end);
  if (messageType !== "exception" && messageType !== "error") {
    const event = headers.get(":event-type");
    return event === undefined ? { data: payload, raw } : { event, data: payload, raw };
  }
  const event = headers.get(":exception-type") ?? headers.get(":error-code");
  // A message of the type `error` has no payload: its text is a header.
  const data = payload === "" ? (headers.get(":error-message") ?? "") : payload;
  return { ...(event === undefined ? {} : { event }), data, raw, exception: true };
}

const bytesType = 6;
const stringType = 7;

/** Bytes of the value by its type: true, false, byte, short, int, long, bytes, string, timestamp, uuid. -1: two bytes of length first. */
const valueBytesByType = [0, 0, 1, 2, 4, 8, -1, -1, 8, 16];

/** The headers that are strings, which all of AWS's own are; undefined when a type is unknown or a length runs over. */
function readStringHeaders(raw: Buffer, start: number, end: number): Map<string, string> | undefined {
  const headers = new Map<string, string>();
  let position = start;
  while (position < end) {
    const nameStart = position + 1;
    const typeAt = nameStart + (raw[position] as number);
    if (typeAt >= end) return undefined;
    const type = raw[typeAt] as number;
    let valueStart = typeAt + 1;
    let valueBytes = valueBytesByType[type];
    if (type === bytesType || type === stringType) {
      if (valueStart + 2 > end) return undefined;
      valueBytes = raw.readUInt16BE(valueStart);
      valueStart += 2;
    }
    if (valueBytes === undefined || valueStart + valueBytes > end) return undefined;
    if (type === stringType) {
      headers.set(raw.toString("utf8", nameStart, typeAt), raw.toString("utf8", valueStart, valueStart + valueBytes));
    }
    position = valueStart + valueBytes;
  }
  return headers;
}
