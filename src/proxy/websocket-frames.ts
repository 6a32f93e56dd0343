// Room proxy: reads one direction of a WebSocket (RFC 6455) from a copy of its bytes: messages, close codes and frame boundaries.
// Invariant: it never throws and never changes the bytes it is given. Memory is bounded by `maxMessageBytes`; what is larger, or not
// readable, comes out as `unread`. Once the bytes break the protocol it reads nothing more: `corrupt`.

import { type Inflation, InflationError } from "./websocket-deflate.ts";

/** What one direction said, in order. */
export type WebSocketMessage =
  | { kind: "text"; data: Buffer }
  | { kind: "binary" | "ping" | "pong" }
  /** `code` is 1005 when the frame held none (RFC 6455 §7.1.5). */
  | { kind: "close"; code: number }
  /** A data message that was too large or could not be decompressed. */
  | { kind: "unread" };

export interface FrameReaderSettings {
  /** Largest text message that is read, decompressed. */
  maxMessageBytes: number;
  /** Undefined when permessage-deflate was not negotiated. */
  inflation: Inflation | undefined;
  /** Whether text messages are wanted at all; else their bytes are skipped. */
  readsText: boolean;
}

const closeWithoutCode = 1005;
const maxHeadBytes = 14;
const maxControlBytes = 125;

/** Takes the bytes of one direction as they come; a chunk may end anywhere and gives the same messages. */
export class FrameReader {
  /** The bytes are no WebSocket frames: reading has stopped for good. */
  corrupt = false;
  /** Of the last chunk: bytes up to the end of the last frame that ended in it; -1 when none did. */
  lastBoundary = -1;
  readonly #settings: FrameReaderSettings;
  readonly #head = Buffer.allocUnsafe(maxHeadBytes);
  #headFilled = 0;
  #headNeeded = 2;
  #inPayload = false;
  // The frame under way.
  #opcode = 0;
  #isFinal = false;
  #payloadLeft = 0;
  #mask: Buffer | undefined;
  #maskAt = 0;
  // The data message under way, over its fragments.
  #message: "text" | "binary" | undefined;
  #compressed = false;
  #unread = false;
  readonly #data = new Collector();
  /** Control frames come between the fragments of a message, so they are collected apart. */
  readonly #control = new Collector();

  constructor(settings: FrameReaderSettings) {
    this.#settings = settings;
  }

  /** Nothing of an unfinished frame has come: a frame of our own could stand here. */
  get atBoundary(): boolean {
    return !this.corrupt && !this.#inPayload && this.#headFilled === 0;
  }

  push(chunk: Buffer): WebSocketMessage[] {
    const messages: WebSocketMessage[] = [];
    this.lastBoundary = -1;
    let at = 0;
    while (at < chunk.length && !this.corrupt) {
      if (!this.#inPayload) {
        at = this.#readHead(chunk, at);
        if (!this.#inPayload) continue;
      }
      const taken = Math.min(this.#payloadLeft, chunk.length - at);
      if (taken > 0) this.#collect(chunk.subarray(at, at + taken));
      at += taken;
      this.#payloadLeft -= taken;
      if (this.#payloadLeft > 0) continue;
      this.#endFrame(messages);
      this.lastBoundary = at;
    }
    return messages;
  }

  /** Takes head bytes; enters the payload, which may be empty, when the head is whole. */
  #readHead(chunk: Buffer, start: number): number {
    let at = start;
    while (this.#headFilled < this.#headNeeded && at < chunk.length) {
      this.#head[this.#headFilled++] = chunk[at++] as number;
      if (this.#headFilled === 2) {
        const second = this.#head[1] as number;
        const length = second & 0x7f;
        this.#headNeeded = 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + ((second & 0x80) === 0 ? 0 : 4);
      }
    }
    if (this.#headFilled < this.#headNeeded) return at;
    this.#openFrame();
    this.#headFilled = 0;
    this.#headNeeded = 2;
    this.#inPayload = !this.corrupt;
    return at;
  }

  #openFrame(): void {
    const head = this.#head;
    const first = head[0] as number;
    const second = head[1] as number;
    this.#opcode = first & 0x0f;
    this.#isFinal = (first & 0x80) !== 0;
    const short = second & 0x7f;
    let length: number = short;
    if (short === 126) length = head.readUInt16BE(2);
    // Beyond 2^53 a length is no length.
    else if (short === 127) length = head.readUInt32BE(2) >= 2 ** 21 ? Infinity : Number(head.readBigUInt64BE(2));
    const masked = (second & 0x80) !== 0;
    this.#mask = masked ? Buffer.from(head.subarray(this.#headNeeded - 4, this.#headNeeded)) : undefined;
    this.#maskAt = 0;
    this.#payloadLeft = length;
    this.corrupt = length === Infinity || !this.#accept(first & 0x70, length);
  }

  /** The rules of RFC 6455 §5.2, 5.4 and 5.5, and RFC 7692 for the first reserved bit. */
  #accept(reserved: number, length: number): boolean {
    if (this.#opcode >= 8) {
      this.#control.clear();
      return this.#opcode <= 10 && this.#isFinal && reserved === 0 && length <= maxControlBytes;
    }
    if (this.#opcode === 0) return this.#message !== undefined && reserved === 0;
    if (this.#opcode > 2 || this.#message !== undefined) return false;
    this.#compressed = reserved === 0x40;
    if (reserved !== 0 && !(this.#compressed && this.#settings.inflation !== undefined)) return false;
    this.#message = this.#opcode === 1 ? "text" : "binary";
    this.#unread = false;
    this.#data.clear();
    return true;
  }

  #collect(payload: Buffer): void {
    if (this.#opcode >= 8) {
      this.#control.add(payload, this.#mask, this.#maskAt);
    } else if (this.#isWanted() && !this.#unread) {
      if (this.#data.size + payload.length > this.#settings.maxMessageBytes) {
        this.#unread = true;
        this.#data.clear();
      } else {
        this.#data.add(payload, this.#mask, this.#maskAt);
      }
    }
    this.#maskAt = (this.#maskAt + payload.length) & 3;
  }

  /** A compressed message is needed whatever it holds, because the next one may refer to its bytes. */
  #isWanted(): boolean {
    return this.#settings.readsText && (this.#message === "text" || this.#compressed);
  }

  #endFrame(messages: WebSocketMessage[]): void {
    this.#inPayload = false;
    if (this.#opcode === 8) {
      const payload = this.#control.take();
      messages.push({ kind: "close", code: payload.length >= 2 ? payload.readUInt16BE(0) : closeWithoutCode });
    } else if (this.#opcode === 9 || this.#opcode === 10) {
      messages.push({ kind: this.#opcode === 9 ? "ping" : "pong" });
    } else if (this.#isFinal) {
      messages.push(this.#endMessage());
      this.#message = undefined;
      this.#data.clear();
    }
  }

  #endMessage(): WebSocketMessage {
    const { inflation, readsText } = this.#settings;
    if (this.#unread) {
      if (this.#compressed) inflation?.skip();
      return { kind: "unread" };
    }
    if (!readsText || (this.#message === "binary" && !this.#compressed)) return { kind: "binary" };
    let data = this.#data.take();
    if (this.#compressed && inflation !== undefined) {
      try {
        data = inflation.inflate(data);
      } catch (error) {
        if (!(error instanceof InflationError)) throw error;
        return { kind: "unread" };
      }
    }
    return this.#message === "text" ? { kind: "text", data } : { kind: "binary" };
  }
}

/**
 * One message's bytes, unmasked, in one buffer that grows by what came and not by what was announced: fragments of a byte each cost
 * no object each.
 */
class Collector {
  size = 0;
  #buffer = empty;

  add(bytes: Buffer, mask: Buffer | undefined, maskAt: number): void {
    const start = this.size;
    const end = start + bytes.length;
    if (end > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(end, Math.min(this.#buffer.length * 2, end + maxSpareBytes)));
      this.#buffer.copy(grown, 0, 0, start);
      this.#buffer = grown;
    }
    bytes.copy(this.#buffer, start);
    this.size = end;
    if (mask === undefined) return;
    const buffer = this.#buffer;
    for (let index = start, key = maskAt; index < end; index++, key++) {
      buffer[index] = (buffer[index] as number) ^ (mask[key & 3] as number);
    }
  }

  /** The bytes; they are the caller's. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.size);
    this.clear();
    return taken;
  }

  clear(): void {
    this.size = 0;
    this.#buffer = empty;
  }
}

const empty = Buffer.alloc(0);
const maxSpareBytes = 1024 * 1024;

/** A close frame of Outrider's own. Towards a provider it is masked, as a client's must be (RFC 6455 §5.3). */
export function encodeClose(code: number, mask: Buffer | undefined): Buffer {
  const frame = Buffer.from([0x88, 2, code >> 8, code & 0xff]);
  if (mask === undefined) return frame;
  const masked = Buffer.from([0x88, 0x82, ...mask.subarray(0, 4), code >> 8, code & 0xff]);
  masked[6] = (masked[6] as number) ^ (mask[0] as number);
  masked[7] = (masked[7] as number) ^ (mask[1] as number);
  return masked;
}
