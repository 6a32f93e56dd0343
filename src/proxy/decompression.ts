// Room proxy: an answer's encoded bytes as the bytes they stand for, for who observes it.
// Invariant: it throws nothing, and gives out no more bytes than its cap.

import type { Transform } from "node:stream";
import { createDecompressor } from "./content-coding.ts";

/** Feeds decompressed bytes on; `done` settles when the last of them has come out. */
export class Decompression {
  readonly #stream: Transform | undefined;
  readonly done: Promise<boolean>;

  constructor(coding: string, maxBytes: number, onBytes: (bytes: Buffer) => void) {
    const stream = createDecompressor(coding);
    this.#stream = stream;
    if (stream === undefined) {
      this.done = Promise.resolve(false);
      return;
    }
    this.done = new Promise((resolve) => {
      let size = 0;
      stream.on("data", (bytes: Buffer) => {
        size += bytes.length;
        if (size > maxBytes) stream.destroy();
        else onBytes(bytes);
      });
      stream.on("end", () => resolve(true));
      stream.on("error", () => resolve(false));
      stream.on("close", () => resolve(false));
    });
  }

  write(chunk: Buffer): void {
    if (this.#stream?.writable === true) this.#stream.write(chunk);
  }

  end(): Promise<boolean> {
    if (this.#stream?.writable === true) this.#stream.end();
    return this.done;
  }
}
