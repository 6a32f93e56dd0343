// Room routing: how many retries a target may see, as a share of its calls, so that a sick target is not drowned in them.
// Invariant: over any ten seconds retries ≤ max(floor, ratio × calls), calls without their retries.

import type { Clock } from "../clock.ts";
import { RollingWindow } from "./rolling-window.ts";

/** Of one target. */
export interface RetryBudget {
  /** Takes one retry, when there is one; `ratio` is of the policy in force, 0 to 1. */
  take(ratio: number): boolean;
}

/** How far back calls and retries count. */
const windowMs = 10_000;

/** Retries that a quiet target may see in a window all the same. */
const floor = 10;

export class RollingRetryBudget implements RetryBudget {
  readonly #clock: Clock;
  /** Attempts, and the retries taken, which are marked. */
  readonly #window = new RollingWindow(windowMs);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts an attempt, whatever it was; each retry taken is followed by one. */
  noteAttempt(nowMs: number): void {
    this.#window.add(nowMs, false);
  }

  take(ratio: number): boolean {
    const nowMs = this.#clock.nowMs();
    const { all, marked: retries } = this.#window.count(nowMs);
    // A retry was counted twice: when it was taken, and as an attempt.
    const calls = all - 2 * retries;
    const allowed = ratio === 0 ? 0 : Math.max(floor, Math.floor(calls * ratio));
    if (retries >= allowed) return false;
    this.#window.add(nowMs, true);
    return true;
  }
}
