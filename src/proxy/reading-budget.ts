// Room proxy: how much of a WebSocket may be read in a second, so that a flood costs its sender more than it costs the observer.
// Invariant: it bounds reading alone; what may not be read still passes.

import type { Clock } from "../clock.ts";

/** Twice this many may come at once, for a peer that was silent before. */
const messagesPerSecond = 2000;
const bytesPerSecond = 32 * 1024 * 1024;

/** Two buckets that fill with time: messages and bytes. One per direction of a session. */
export class ReadingBudget {
  readonly #clock: Pick<Clock, "nowMs">;
  #messages = messagesPerSecond * 2;
  #bytes = bytesPerSecond * 2;
  #filledAtMs: number;

  constructor(clock: Pick<Clock, "nowMs">) {
    this.#clock = clock;
    this.#filledAtMs = clock.nowMs();
  }

  /** Whether another message may be read. */
  allows(): boolean {
    const nowMs = this.#clock.nowMs();
    const seconds = (nowMs - this.#filledAtMs) / 1000;
    this.#filledAtMs = nowMs;
    this.#messages = Math.min(this.#messages + seconds * messagesPerSecond, messagesPerSecond * 2);
    this.#bytes = Math.min(this.#bytes + seconds * bytesPerSecond, bytesPerSecond * 2);
    return this.#messages >= 1 && this.#bytes > 0;
  }

  /** One message of this many bytes was read. The last one allowed may overdraw. */
  charge(bytes: number): void {
    this.#messages -= 1;
    this.#bytes -= bytes;
  }
}
