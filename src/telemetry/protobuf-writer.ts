// Room telemetry: protobuf's wire format, as far as OTLP spans and log records need it, written in one pass.
// Invariant: lengths and varints are minimal, so that the bytes are those of the SDK's own serializer.
// Source: protobuf encoding guide (protobuf.dev/programming-guides/encoding, read 2026-11-21).

import type { HrTime } from "@opentelemetry/api";

const startBytes = 65_536;
/** A longer string goes through the native encoder; a shorter one is copied faster than that is called. */
const shortString = 64;

/** A growing buffer. One writer serves one message after the other; `take` or `takeRange` gives the bytes and starts anew. */
export class ProtobufWriter {
  #bytes = Buffer.allocUnsafe(startBytes);
  #length = 0;
  /** Where the message under way begins: before it are ranges that were handed out. */
  #start = 0;
  /** The map written last, and where: an exchange's details event has the attributes of its span. */
  #lastMap: ReadonlyMap<string, unknown> | undefined;
  #lastSize = 0;
  #lastPage: Buffer = this.#bytes;
  #lastStart = 0;
  #lastEnd = 0;
  #lastField = 0;

  /** The message where it lies; never written to again. A page lives as long as one of its ranges. */
  takeRange(): { page: Buffer; start: number; end: number } {
    const range = { page: this.#bytes, start: this.#start, end: this.#length };
    this.#start = this.#length;
    if (this.#bytes.length > 16 * startBytes) this.#turnPage(0);
    return range;
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    const message = Buffer.from(this.#bytes.subarray(this.#start, this.#length));
    this.#length = this.#start;
    // One huge batch shall not be paid for in memory for ever.
    if (this.#bytes.length > 16 * startBytes) this.#bytes = Buffer.allocUnsafe(startBytes);
    return message;
  }

  /** Starts an embedded message; `close` wants back what this returns. */
  open(field: number): number {
    this.#reserve(6);
    this.#tag(field, 2);
    this.#length += 1;
    return this.#length - this.#start;
  }

  /** One byte was kept for the length, which is enough for most; a longer message moves on. */
  close(opened: number): void {
    const size = this.#length - this.#start - opened;
    if (size < 0x80) {
      this.#bytes[this.#start + opened - 1] = size;
      return;
    }
    const more = varintBytes(size) - 1;
    this.#reserve(more);
    const start = this.#start + opened;
    this.#bytes.copyWithin(start + more, start, this.#length);
    this.#length = start - 1;
    this.#varint(size);
    this.#length += size;
  }

  /** A whole number ≥ 0 and at most 2^32 - 1. */
  uint(field: number, value: number): void {
    this.#reserve(11);
    this.#tag(field, 0);
    this.#varint(value);
  }

  fixed32(field: number, value: number): void {
    this.#reserve(6);
    this.#tag(field, 5);
    this.#length = this.#bytes.writeUInt32LE(value, this.#length);
  }

  /** Seconds and nanoseconds as nanoseconds since the epoch. */
  time(field: number, [seconds, nanoseconds]: HrTime): void {
    this.#reserve(10);
    this.#tag(field, 1);
    // In two halves, as a number holds 53 bits: seconds = upper × 2^16 + lower.
    const lower = (seconds % 65_536) * 1e9 + nanoseconds;
    const upper = Math.floor(seconds / 65_536) * 1e9;
    const low = (upper % 65_536) * 65_536 + (lower % 0x1_0000_0000);
    const high = Math.floor(upper / 65_536) + Math.floor(lower / 0x1_0000_0000) + Math.floor(low / 0x1_0000_0000);
    this.#length = this.#bytes.writeUInt32LE(low % 0x1_0000_0000, this.#length);
    this.#length = this.#bytes.writeUInt32LE(high, this.#length);
  }

  /** Bytes that are known as hexadecimal digits: trace and span ids. */
  hex(field: number, digits: string): void {
    this.#reserve(6 + digits.length);
    this.#tag(field, 2);
    this.#varint(digits.length / 2);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let index = 0; index < digits.length; index += 2) {
      bytes[at++] = (digit(digits.charCodeAt(index)) << 4) | digit(digits.charCodeAt(index + 1));
    }
    this.#length = at;
  }

  string(field: number, text: string): void {
    // UTF-8 has at most three bytes for one UTF-16 unit.
    this.#reserve(11 + text.length * 3);
    this.#tag(field, 2);
    if (text.length > shortString || !this.#ascii(text)) this.#utf8(text);
  }

  bytes(field: number, value: Uint8Array): void {
    this.#reserve(11 + value.length);
    this.#tag(field, 2);
    this.#varint(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** Bytes that another writer handed out. */
  range(field: number, page: Buffer, start: number, end: number): void {
    this.#reserve(11 + end - start);
    this.#tag(field, 2);
    this.#varint(end - start);
    this.#length += page.copy(this.#bytes, this.#length, start, end);
  }

  /** A map as repeated KeyValue messages. */
  attributes(field: number, attributes: ReadonlyMap<string, unknown> | Readonly<Record<string, unknown>>): void {
    if (attributes instanceof Map) {
      this.#map(field, attributes as Map<string, unknown>);
    } else {
      const record = attributes as Readonly<Record<string, unknown>>;
      for (const key of Object.keys(record)) this.#pair(field, key, record[key]);
    }
  }

  #map(field: number, attributes: ReadonlyMap<string, unknown>): void {
    if (attributes === this.#lastMap && attributes.size === this.#lastSize && this.#copyLast(field)) return;
    const start = this.#length - this.#start;
    // Not for…of: each step of a Map's iterator allocates an entry, a sixth of all that an exchange allocated (measured 2026-11-21).
    attributes.forEach((value, key) => this.#pair(field, key, value));
    this.#lastMap = attributes;
    this.#lastSize = attributes.size;
    this.#lastPage = this.#bytes;
    this.#lastStart = this.#start + start;
    this.#lastEnd = this.#length;
    this.#lastField = field;
  }

  /** Writes the pairs of the last map once more, under another field number; false where its tag is longer than a byte. */
  #copyLast(field: number): boolean {
    const size = this.#lastEnd - this.#lastStart;
    if (field > 15 || this.#lastField > 15) return false;
    this.#reserve(size);
    const from = this.#length;
    this.#lastPage.copy(this.#bytes, from, this.#lastStart, this.#lastEnd);
    this.#length += size;
    for (let at = from; at < this.#length;) {
      this.#bytes[at] = (field << 3) | 2;
      let length = 0;
      let shift = 0;
      let byte: number;
      do {
        byte = this.#bytes[++at] as number;
        length |= (byte & 0x7f) << shift;
        shift += 7;
      } while (byte > 0x7f);
      at += 1 + length;
    }
    return true;
  }

  #pair(field: number, key: string, value: unknown): void {
    if (typeof value === "string" && this.#shortPair(field, key, value)) return;
    const pair = this.open(field);
    this.string(1, key);
    this.value(2, value);
    this.close(pair);
  }

  /** An AnyValue message; it is empty where the value is nothing that it can hold. */
  value(field: number, value: unknown): void {
    const message = this.open(field);
    this.#anyValue(value);
    this.close(message);
  }

  #anyValue(value: unknown): void {
    if (typeof value === "string") this.string(1, value);
    else if (typeof value === "number") this.#number(value);
    else if (typeof value === "boolean") this.uint(2, value ? 1 : 0);
    else if (Array.isArray(value)) {
      const list = this.open(5);
      for (const item of value as unknown[]) this.value(1, item);
      this.close(list);
    } else if (value instanceof Uint8Array) {
      this.bytes(7, value);
    } else if (typeof value === "object" && value !== null) {
      const list = this.open(6);
      this.attributes(1, value as Record<string, unknown>);
      this.close(list);
    }
  }

  #number(value: number): void {
    this.#reserve(11);
    if (!Number.isInteger(value) || value < -(2 ** 63) || value >= 2 ** 63) {
      this.#tag(4, 1);
      this.#length = this.#bytes.writeDoubleLE(value, this.#length);
    } else if (value >= 0) {
      this.#tag(3, 0);
      this.#varint(value);
    } else {
      this.#tag(3, 0);
      let rest = BigInt.asUintN(64, BigInt(value));
      for (; rest > 0x7fn; rest >>= 7n) this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      this.#bytes[this.#length++] = Number(rest);
    }
  }

  /** A KeyValue of two short ASCII texts, as most are, written straight through: all its lengths are known and take one byte. */
  #shortPair(field: number, key: string, text: string): boolean {
    const keyLength = key.length;
    const textLength = text.length;
    if (keyLength + textLength > 2 * shortString - 8) return false;
    this.#reserve(keyLength + textLength + 10);
    const start = this.#length;
    this.#tag(field, 2);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = keyLength + textLength + 6;
    bytes[at++] = 0x0a;
    bytes[at++] = keyLength;
    at = writeAscii(bytes, at, key);
    if (at > 0) {
      bytes[at++] = 0x12;
      bytes[at++] = textLength + 2;
      bytes[at++] = 0x0a;
      bytes[at++] = textLength;
      at = writeAscii(bytes, at, text);
    }
    this.#length = at < 0 ? start : at;
    return at > 0;
  }

  /** Length and bytes of a short text; false, and nothing written, when it is not ASCII. */
  #ascii(text: string): boolean {
    this.#bytes[this.#length] = text.length;
    const end = writeAscii(this.#bytes, this.#length + 1, text);
    if (end > 0) this.#length = end;
    return end > 0;
  }

  #utf8(text: string): void {
    this.#varint(Buffer.byteLength(text));
    this.#length += this.#bytes.write(text, this.#length);
  }

  #tag(field: number, wireType: number): void {
    // Every field number of OTLP's spans and records is below 2^11.
    const tag = (field << 3) | wireType;
    if (tag > 0x7f) this.#bytes[this.#length++] = (tag & 0x7f) | 0x80;
    this.#bytes[this.#length++] = tag > 0x7f ? tag >>> 7 : tag;
  }

  #varint(value: number): void {
    const bytes = this.#bytes;
    let rest = value;
    while (rest > 0x7f) {
      bytes[this.#length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    bytes[this.#length++] = rest;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    this.#turnPage(more);
  }

  /** The message under way moves to a page with room for `more`; positions inside it are kept relative to its start. */
  #turnPage(more: number): void {
    const written = this.#length - this.#start;
    const next = Buffer.allocUnsafe(Math.max(startBytes, 2 * (written + more)));
    this.#bytes.copy(next, 0, this.#start, this.#length);
    this.#bytes = next;
    this.#length = written;
    this.#start = 0;
  }
}

/** Where the text ends; -1 when it is not ASCII. */
function writeAscii(bytes: Buffer, start: number, text: string): number {
  const { length } = text;
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index);
    if (code > 0x7f) return -1;
    bytes[start + index] = code;
  }
  return start + length;
}

function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) count += 1;
  return count;
}

function digit(code: number): number {
  return code < 58 ? code - 48 : (code | 32) - 87;
}
