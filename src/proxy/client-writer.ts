// Room proxy: writes an answer at the client's pace: the provider waits while the client does not read.
// Invariant: a client that takes nothing for the time limit is cut; after that, and after it left, nothing is written.

import { SidecarError } from "../errors.ts";
import type { UpstreamControl } from "./upstream.ts";
import type { Responder } from "./wire.ts";

/** One per answer. */
export class ClientWriter {
  /** The client went away, or stopped reading. */
  gone = false;
  readonly #respond: Responder;
  readonly #slowClientTimeoutMs: number;
  #control: UpstreamControl | undefined;
  #slowClient: NodeJS.Timeout | undefined;
  #done = false;

  constructor(respond: Responder, slowClientTimeoutMs: number) {
    this.#respond = respond;
    this.#slowClientTimeoutMs = slowClientTimeoutMs;
  }

  /** Gives it its grip on the request whose answer is written. */
  attach(control: UpstreamControl): void {
    this.#control = control;
    this.#respond.onDrain(() => {
      clearTimeout(this.#slowClient);
      this.#slowClient = undefined;
      if (!this.#done) control.resume();
    });
    this.#respond.onClientGone(() => {
      if (this.#done) return;
      this.gone = true;
      control.abort(new SidecarError("client_disconnected", "the client went away"));
    });
  }

  write(chunk: Buffer): void {
    if (this.#respond.write(chunk)) return;
    this.#control?.pause();
    this.#slowClient ??= setTimeout(() => {
      this.gone = true;
      this.#control?.abort(new SidecarError("client_disconnected", "the client stopped reading"));
      this.#respond.reset();
    }, this.#slowClientTimeoutMs);
  }

  /** The answer has its end, whatever it is. */
  stop(): void {
    this.#done = true;
    clearTimeout(this.#slowClient);
  }
}
