// Room policy: a document's candidate on a part of the fleet. Which instances take it follows from their ids alone; one that fails more
// often than the document allows goes back for good. Invariant: once rolled back, it does not return before the next document.

import { createHash } from "node:crypto";

/** When an instance gives its candidate up. */
export interface RollbackBound {
  /** 0 to 1. */
  errorRatioAbove: number;
  /** The ratio is taken over this many exchanges, the latest; nothing is decided before. */
  minRequests: number;
}

/** Where a candidate stands on this instance. */
export type RolloutState = "not_chosen" | "running" | "rolled_back";

/** One candidate on this instance. */
export interface Rollout {
  readonly state: RolloutState;
  readonly requests: number;
  readonly errors: number;
  /** Notes the end of an exchange under the candidate; true exactly once, when it has just been rolled back. */
  note(ok: boolean): boolean;
}

/** Whether an instance is one of `percent` in a hundred; an instance chosen at 10 % is also chosen at 50 %. */
export function isChosen(instanceId: string, percent: number): boolean {
  const place = createHash("sha256").update(instanceId).digest().readUInt32BE(0) / 2 ** 32;
  return place * 100 < percent;
}

/** Starts the watch over a candidate. */
export function createRollout(chosen: boolean, { errorRatioAbove, minRequests }: RollbackBound): Rollout {
  // The ends of the latest `minRequests` exchanges, in a ring.
  const failedAt = new Uint8Array(minRequests);
  let state: RolloutState = chosen ? "running" : "not_chosen";
  let requests = 0;
  let errors = 0;
  return {
    get state() {
      return state;
    },
    get requests() {
      return requests;
    },
    get errors() {
      return errors;
    },
    note(ok) {
      if (state !== "running") return false;
      const place = requests % minRequests;
      errors += (ok ? 0 : 1) - (requests >= minRequests ? (failedAt[place] ?? 0) : 0);
      failedAt[place] = ok ? 0 : 1;
      requests += 1;
      if (requests < minRequests || errors / minRequests <= errorRatioAbove) return false;
      state = "rolled_back";
      return true;
    },
  };
}
