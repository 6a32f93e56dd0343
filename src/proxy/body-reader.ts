// Room proxy: a request's body read whole, whichever protocol it came by.
// Invariant: one read, one end: the bytes, or a SidecarError that says why not. A body cut short is never taken for whole.

import type { Readable } from "node:stream";
import { SidecarError } from "../errors.ts";

/** Reads one request's body, once. */
export class BodyReader {
  readonly #source: Readable;
  /** Whether the body came to its end as its framing tells it. */
  readonly #isComplete: () => boolean;
  #reject: ((error: SidecarError) => void) | undefined;

  constructor(source: Readable, isComplete: () => boolean) {
    this.#source = source;
    this.#isComplete = isComplete;
  }

  /**
   * `announcedBytes`: what the content-length says, 0 without one.
   * @throws SidecarError request_too_large, request_timeout, client_disconnected
   */
  read(announcedBytes: number, maxBytes: number, timeoutMs: number): Promise<Buffer> {
    const source = this.#source;
    if (announcedBytes > maxBytes) return Promise.reject(tooLarge(maxBytes));
    if (source.destroyed) return Promise.reject(disconnected());
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let size = 0;
      this.#reject = reject;
      const deadline = setTimeout(() => this.timeOut(), Math.max(timeoutMs, 0));
      source.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxBytes) {
          source.pause();
          source.removeAllListeners("data");
          reject(tooLarge(maxBytes));
          return;
        }
        chunks.push(chunk);
      });
      source.on("end", () => {
        clearTimeout(deadline);
        this.#reject = undefined;
        resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size));
      });
      source.on("error", () => reject(disconnected()));
      source.on("close", () => {
        clearTimeout(deadline);
        if (!this.#isComplete()) reject(disconnected());
      });
    });
  }

  /** The body did not come in time; true when somebody was waiting for it and now answers. */
  timeOut(): boolean {
    if (this.#reject === undefined) return false;
    this.#reject(timedOut());
    this.#reject = undefined;
    return true;
  }
}

/** What the client is told when its body is late (408). */
export function timedOut(): SidecarError {
  return new SidecarError("request_timeout", "the request body did not arrive in time");
}

/** What the client is told when its body has more than `maxBytes` bytes (413). */
export function tooLarge(maxBytes: number): SidecarError {
  return new SidecarError("request_too_large", `the request body is larger than ${maxBytes} bytes`);
}

/** What is recorded when the client left; nobody is there to be told. */
export function disconnected(): SidecarError {
  return new SidecarError("client_disconnected", "the client went away before its request was complete");
}
