import { describe, expect, it } from "vitest";
import { type ErrorCode, errorTable } from "../../../src/errors.ts";
import {
  type Candidate,
  decideNext,
  type FailedAttempt,
  type FallbackReason,
  findNext,
  type NextStep,
  reasonOf,
  routingSchema,
} from "../../../src/routing/index.ts";
import { createCandidate } from "../../support/routing.ts";

const { retry } = routingSchema.parse({});
const fallback = (key: string, step: number, when: FallbackReason[]): Candidate =>
  createCandidate(key, { kind: "fallback", step, when: new Set(when) });

const first = createCandidate("openai/a");
const second = createCandidate("azure/a");
const down = fallback("anthropic/b", 1, ["rate_limited", "overloaded", "timeout", "unreachable", "server_error"]);
const long = fallback("google/c", 2, ["context_length"]);
const broke = fallback("local/d", 3, ["quota_exhausted", "budget_exhausted"]);
const alone = [first];
const pair = [first, second];
const chain = [first, down, long, broke];
const full = [first, second, down, long, broke];

function decide(
  changes: Partial<FailedAttempt>,
  { settings = retry, hasBudget = true } = {},
): NextStep & { taken: number } {
  let taken = 0;
  const budget = { take: () => (hasBudget ? ((taken += 1), true) : false) };
  const failed: FailedAttempt = {
    plan: full,
    index: 0,
    attemptsHere: 1,
    code: "upstream_server_error",
    remainingMs: 60_000,
    allowsFallback: true,
    isRepeatable: true,
    ...changes,
  };
  return { ...decideNext(failed, settings, budget, () => 0), taken };
}

const giveUp = { type: "give_up", taken: 0 };
const again = (delayMs: number) => ({ type: "retry", delayMs, taken: 1 });
const next = (index: number, reason: FallbackReason) => ({ type: "next", index, reason, taken: 0 });

describe("what follows a failed attempt", () => {
  const transient: [ErrorCode, FallbackReason][] = [
    ["upstream_rate_limited", "rate_limited"],
    ["upstream_overloaded", "overloaded"],
    ["upstream_connect_timeout", "timeout"],
    ["upstream_first_byte_timeout", "timeout"],
    ["upstream_first_token_timeout", "timeout"],
    ["stream_idle", "timeout"],
  ];
  it.each(transient)("%s: an equal at once, else a retry, else a fallback for it", (code, reason) => {
    expect(decide({ code })).toEqual(next(1, reason));
    expect(decide({ code, plan: alone })).toEqual(again(100));
    expect(decide({ code, index: 1 })).toEqual(again(100));
    expect(decide({ code, index: 1, attemptsHere: 3 })).toEqual(next(2, reason));
    expect(decide({ code, index: 1 }, { hasBudget: false })).toEqual(next(2, reason));
    expect(decide({ code, plan: alone, attemptsHere: 3 })).toEqual(giveUp);
  });

  it.each<[ErrorCode, FallbackReason]>([
    ["upstream_unreachable", "unreachable"],
    ["upstream_dns", "unreachable"],
    ["upstream_server_error", "server_error"],
    ["stream_truncated", "server_error"],
  ])("%s: retries here first, then the next", (code, reason) => {
    expect(decide({ code })).toEqual(again(100));
    expect(decide({ code, attemptsHere: 2 })).toEqual(again(200));
    expect(decide({ code, attemptsHere: 3 })).toEqual(next(1, reason));
    expect(decide({ code }, { hasBudget: false })).toEqual(next(1, reason));
    expect(decide({ code, index: 1, attemptsHere: 3 })).toEqual(next(2, reason));
    expect(decide({ code, index: 2, attemptsHere: 3 })).toEqual(giveUp);
  });

  it.each<[ErrorCode, FallbackReason, number]>([
    ["upstream_tls", "unreachable", 1],
    ["upstream_invalid", "server_error", 1],
    ["upstream_quota_exhausted", "quota_exhausted", 1],
    ["context_length", "context_length", 3],
    ["budget_exhausted", "budget_exhausted", 4],
  ])("%s: never here again, and %s goes to candidate %i", (code, reason, index) => {
    expect(decide({ code })).toEqual(next(index, reason));
    expect(decide({ code, plan: alone })).toEqual(giveUp);
  });

  it("gives a filtered or too long request to no equal, only to a fallback that names it", () => {
    expect(decide({ code: "content_filtered" })).toEqual(giveUp);
    expect(decide({ code: "content_filtered", plan: pair })).toEqual(giveUp);
    expect(decide({ code: "context_length", plan: pair })).toEqual(giveUp);
    const named = [...full, fallback("groq/e", 4, ["content_filtered"])];
    expect(decide({ code: "content_filtered", plan: named })).toEqual(next(5, "content_filtered"));
  });

  it("gives up on every code that is for no fallback", () => {
    const others = (Object.keys(errorTable) as ErrorCode[]).filter((code) => reasonOf(code) === undefined);
    expect(others).toEqual(expect.arrayContaining(["upstream_rejected", "upstream_auth", "upstream_redirect"]));
    expect(others).toEqual(expect.arrayContaining(["upstream_too_large", "client_disconnected", "deadline_exceeded"]));
    for (const code of others) expect(decide({ code }), code).toEqual(giveUp);
  });

  it("has a reason or none for each code, and no reason twice in doubt", () => {
    const reasons = Object.fromEntries(
      (Object.keys(errorTable) as ErrorCode[]).map((code) => [code, reasonOf(code)]).filter(([, reason]) => reason),
    );
    expect(reasons).toEqual({
      budget_exhausted: "budget_exhausted",
      upstream_unreachable: "unreachable",
      upstream_dns: "unreachable",
      upstream_tls: "unreachable",
      upstream_connect_timeout: "timeout",
      upstream_first_byte_timeout: "timeout",
      upstream_first_token_timeout: "timeout",
      stream_idle: "timeout",
      upstream_rate_limited: "rate_limited",
      upstream_quota_exhausted: "quota_exhausted",
      upstream_overloaded: "overloaded",
      upstream_server_error: "server_error",
      context_length: "context_length",
      content_filtered: "content_filtered",
      upstream_invalid: "server_error",
      stream_truncated: "server_error",
    });
  });

  it("skips fallbacks that are not for the failure", () => {
    expect(decide({ code: "upstream_server_error", plan: [first, long, down], attemptsHere: 3 })).toEqual(
      next(2, "server_error"),
    );
    expect(decide({ code: "upstream_server_error", plan: [first, long, broke], attemptsHere: 3 })).toEqual(giveUp);
  });

  it("treats the targets of one fallback as equals", () => {
    const plan = [first, fallback("google/c", 1, ["context_length"]), fallback("groq/c", 1, ["context_length"])];
    expect(decide({ plan, index: 1, code: "upstream_rate_limited" })).toEqual(next(2, "rate_limited"));
    expect(decide({ plan, index: 1, code: "context_length" })).toEqual(giveUp);
  });

  it("does nothing but retry here when fallback is off", () => {
    const off = { allowsFallback: false };
    expect(decide({ ...off })).toEqual(again(100));
    expect(decide({ ...off, code: "upstream_rate_limited" })).toEqual(again(100));
    expect(decide({ ...off, attemptsHere: 3 })).toEqual(giveUp);
    expect(decide({ ...off, code: "context_length" })).toEqual(giveUp);
    expect(decide({ ...off, code: "upstream_quota_exhausted" })).toEqual(giveUp);
  });

  it("gives up when the request cannot be sent again, or no time is left", () => {
    expect(decide({ isRepeatable: false })).toEqual(giveUp);
    expect(decide({ isRepeatable: false, code: "context_length" })).toEqual(giveUp);
    expect(decide({ remainingMs: 0 })).toEqual(giveUp);
  });

  it("sends once only where maxAttempts is 1", () => {
    expect(decide({ plan: alone }, { settings: { ...retry, maxAttempts: 1 } })).toEqual(giveUp);
  });
});

describe("waits", () => {
  const limited = { code: "upstream_rate_limited", plan: chain } as const;

  it.each<[name: string, changes: Partial<FailedAttempt>, expected: object]>([
    ["as long as the provider asks", { retryAfterMs: 3000 }, again(3000)],
    ["up to twice the longest backoff", { retryAfterMs: 9999 }, again(9999)],
    ["no longer: a fallback then", { retryAfterMs: 10_000 }, next(1, "rate_limited")],
    ["no longer than there is time", { retryAfterMs: 3000, remainingMs: 3000 }, next(1, "rate_limited")],
    ["not where no attempt is left", { retryAfterMs: 10, attemptsHere: 3 }, next(1, "rate_limited")],
    ["not at all, without a fallback", { retryAfterMs: 10_000, plan: alone }, giveUp],
  ])("%s", (_, changes, expected) => {
    expect(decide({ ...limited, ...changes })).toEqual(expected);
  });

  it("ignores the hint where the policy says so", () => {
    const settings = { ...retry, respectRetryAfter: false };
    expect(decide({ ...limited, retryAfterMs: 3000 }, { settings })).toEqual(again(100));
  });

  it("doubles from base to max, jittered between the half and the whole", () => {
    const settings = { ...retry, maxAttempts: 10 };
    const delays = (random: number): number[] =>
      [1, 2, 3, 4, 5, 6, 7].map((attemptsHere) => {
        const step = decideNext(
          { ...limited, index: 0, attemptsHere, remainingMs: 1e6, allowsFallback: true, isRepeatable: true },
          settings,
          { take: () => true },
          () => random,
        );
        return step.type === "retry" ? step.delayMs : -1;
      });
    expect(delays(0)).toEqual([100, 200, 400, 800, 1600, 2500, 2500]);
    expect(delays(1)).toEqual([200, 400, 800, 1600, 3200, 5000, 5000]);
  });

  it("comes back a little late, never early, and never past the limit", () => {
    const delayOf = (retryAfterMs: number): number => {
      const step = decideNext(
        {
          ...limited,
          index: 0,
          attemptsHere: 1,
          retryAfterMs,
          remainingMs: 1e6,
          allowsFallback: true,
          isRepeatable: true,
        },
        retry,
        { take: () => true },
        () => 0.5,
      );
      return step.type === "retry" ? step.delayMs : -1;
    };
    expect(delayOf(2000)).toBeCloseTo(2100);
    expect(delayOf(9900)).toBe(10_000);
  });
});

describe("the candidate after", () => {
  it.each<[FallbackReason, from: number, to: number | undefined]>([
    ["server_error", 0, 1],
    ["server_error", 1, 2],
    ["server_error", 2, undefined],
    ["context_length", 0, 3],
    ["quota_exhausted", 0, 1],
    ["quota_exhausted", 1, 4],
    ["budget_exhausted", 0, 4],
    ["content_filtered", 0, undefined],
  ])("%s at %i is %j", (reason, from, to) => {
    expect(findNext(full, from, reason)).toBe(to);
  });
});
