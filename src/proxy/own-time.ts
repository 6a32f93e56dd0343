// Room proxy: how much of an exchange was Outrider's own time, and not waiting for the client, the provider or a timer.
// Invariant: own time is the sum of the stretches between `enter` and `leave`; nested stretches count once.

import type { Clock } from "../clock.ts";

/** One per exchange. All results in milliseconds. */
export class OwnTime {
  readonly #clock: Clock;
  #depth = 0;
  #enteredAtMs = 0;
  #spentMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  enter(): void {
    if (this.#depth === 0) this.#enteredAtMs = this.#clock.nowMs();
    this.#depth += 1;
  }

  leave(): void {
    this.#depth -= 1;
    if (this.#depth === 0) this.#spentMs += this.#clock.nowMs() - this.#enteredAtMs;
  }

  /** Own time so far, a stretch under way included. */
  spentMs(): number {
    return this.#depth === 0 ? this.#spentMs : this.#spentMs + this.#clock.nowMs() - this.#enteredAtMs;
  }
}
