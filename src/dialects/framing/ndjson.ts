// Room dialects, framing: cuts a byte stream into lines of JSON (NDJSON: Ollama, and what calls itself JSON Lines).
// Invariant: the `raw` of all frames, end() included, in order are the input bytes, as long as `overflowed` is false.

import type { Frame, FrameDecoder } from "../dialect.ts";
import { defaultMaxEventBytes } from "./limits.ts";

/** Starts a decoder for one stream. A frame is one line with its LF; the last one may lack it. A blank line is `commentOnly`. */
export function createNdjsonDecoder(options: { maxEventBytes?: number } = {}): FrameDecoder {
  return new LineDecoder(options.maxEventBytes ?? defaultMaxEventBytes);
}

const lf = 10;

class LineDecoder implements FrameDecoder {
  /** Any bytes are some lines. */
  readonly corrupt = false;
  overflowed = false;
  readonly #maxEventBytes: number;
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  constructor(maxEventBytes: number) {
    this.#maxEventBytes = maxEventBytes;
  }

  get midFrame(): boolean {
    return this.#pendingBytes > 0;
  }

  get isFresh(): boolean {
    return this.#pendingBytes === 0 && !this.overflowed;
  }

  push(chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    let start = 0;
    while (!this.overflowed && start < chunk.length) {
      const lineEnd = chunk.indexOf(lf, start);
      const end = lineEnd === -1 ? chunk.length : lineEnd + 1;
      this.#hold(chunk.subarray(start, end));
      if (lineEnd !== -1 && !this.overflowed) frames.push(this.#take());
      start = end;
    }
    return frames;
  }

  end(): Frame[] {
    return this.overflowed || this.#pendingBytes === 0 ? [] : [this.#take()];
  }

  #hold(bytes: Buffer): void {
    this.#pendingBytes += bytes.length;
    this.overflowed = this.#pendingBytes > this.#maxEventBytes;
    if (this.overflowed) this.#pending = [];
    else this.#pending.push(bytes);
  }

  #take(): Frame {
    const raw =
      this.#pending.length === 1 ? (this.#pending[0] as Buffer) : Buffer.concat(this.#pending, this.#pendingBytes);
    this.#pending = [];
    this.#pendingBytes = 0;
    const data = raw.toString("utf8").trim();
    return data === "" ? { data, raw, commentOnly: true } : { data, raw };
  }
}
