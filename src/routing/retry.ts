// Room routing: what to do after a failed attempt: the same target again, the next candidate, or give up.
// Invariant: an exchange only moves forward through its plan, and sends at most `maxAttempts` times to one candidate.

import type { ErrorCode } from "../errors.ts";
import type { RetrySettings } from "./options.ts";
import { type FallbackReason, isTransient, reasonOf, siblingReasons } from "./reasons.ts";
import type { RetryBudget } from "./retry-budget.ts";
import type { Candidate } from "./routing.ts";

export type NextStep =
  | { type: "retry"; delayMs: number }
  | { type: "next"; index: number; reason: FallbackReason }
  | { type: "give_up" };

/** The attempt that failed, before anything was committed to the client. */
export interface FailedAttempt {
  plan: readonly Candidate[];
  /** Of the candidate it was sent to. */
  index: number;
  /** Sends to this candidate so far, this one included. */
  attemptsHere: number;
  code: ErrorCode;
  /** How long the provider asks to wait, from `readRetryAfter`. */
  retryAfterMs?: number;
  /** To the exchange's deadline. */
  remainingMs: number;
  /** False: nothing but retries at this candidate. */
  allowsFallback: boolean;
  /** False: the request cannot be sent a second time, to whomever. */
  isRepeatable: boolean;
}

/** A provider may ask for a wait of up to this many times the longest backoff. */
const patience = 2;

/** Share of a wait asked for that is added at random, so that a fleet does not come back at once. */
const hintJitter = 0.1;

/** These pass sooner at an equal than here, so an equal that is left is tried before this one again. */
const siblingFirst: ReadonlySet<FallbackReason> = new Set(["rate_limited", "overloaded", "timeout"]);

/** Decides what follows a failed attempt; takes from the budget when that is a retry. `random` is in [0, 1). */
export function decideNext(
  failed: FailedAttempt,
  retry: RetrySettings,
  budget: RetryBudget,
  random: () => number,
): NextStep {
  const reason = reasonOf(failed.code);
  if (reason === undefined || !failed.isRepeatable || failed.remainingMs <= 0) return { type: "give_up" };
  const next = failed.allowsFallback ? findNext(failed.plan, failed.index, reason) : undefined;
  const isEqual = next !== undefined && failed.plan[next]?.step === failed.plan[failed.index]?.step;
  if (!(isEqual && siblingFirst.has(reason))) {
    const delayMs = findDelayMs(failed, retry, random);
    if (delayMs !== undefined && budget.take(retry.budgetRatio)) return { type: "retry", delayMs };
  }
  return next === undefined ? { type: "give_up" } : { type: "next", index: next, reason };
}

/**
 * The candidate after `index` that such a failure leads to; undefined: none. Equals share every failure that need not meet them too; a
 * later step is for those its `when` names. For a candidate whose breaker did not let the attempt through as well.
 */
export function findNext(plan: readonly Candidate[], index: number, reason: FallbackReason): number | undefined {
  const step = plan[index]?.step;
  const next = plan.findIndex((candidate, place) => {
    if (place <= index) return false;
    return candidate.step === step ? siblingReasons.has(reason) : (candidate.when?.has(reason) ?? false);
  });
  return next < 0 ? undefined : next;
}

/** How long to wait before the next send here; undefined: there should be none. */
function findDelayMs(failed: FailedAttempt, retry: RetrySettings, random: () => number): number | undefined {
  if (!isTransient(failed.code) || failed.attemptsHere >= retry.maxAttempts) return undefined;
  const { baseMs, maxMs } = retry.backoff;
  const limitMs = Math.min(maxMs * patience, failed.remainingMs);
  const hintMs = retry.respectRetryAfter ? failed.retryAfterMs : undefined;
  if (hintMs !== undefined) {
    return hintMs < limitMs ? Math.min(hintMs * (1 + hintJitter * random()), limitMs) : undefined;
  }
  const backoffMs = Math.min(baseMs * 2 ** (failed.attemptsHere - 1), maxMs);
  const delayMs = backoffMs * (0.5 + random() / 2);
  return delayMs < limitMs ? delayMs : undefined;
}
