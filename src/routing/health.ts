// Room routing: what this process has seen of each target: calls under way, latency, breaker, cooldown, retry budget.
// Invariant: it outlives policies, is bounded, and a lease that was forgotten for the bound still ends without harm.

import type { Clock } from "../clock.ts";
import type { ErrorCode } from "../errors.ts";
import { Breaker, type BreakerState, type Pass } from "./breaker.ts";
import type { BreakerSettings } from "./options.ts";
import { type FallbackReason, judgeOutcome, reasonOf } from "./reasons.ts";
import { type RetryBudget, RollingRetryBudget } from "./retry-budget.ts";

/** Most targets remembered; the one opened least recently is forgotten first. */
export const maxTargets = 4096;

/** Weight of the newest latency in the average. */
const newestShare = 0.2;

/** How an attempt ended. `code` undefined: it succeeded. `latencyMs`: to the first byte, where there was one. */
export interface Outcome {
  code?: ErrorCode | undefined;
  latencyMs?: number | undefined;
}

/** An attempt under way at a target. */
export interface Lease {
  /** Call once, however the attempt ends; a second call does nothing. */
  end(outcome: Outcome): void;
}

/** What strategies look at. */
export interface TargetLoad {
  /** Attempts under way. */
  readonly inFlight: number;
  /** Moving average to the first byte; undefined: never tried to the end; infinite: tried, and never answered. */
  readonly latencyMs: number | undefined;
  /** When it was last measured, or is being measured, by `Health.nowMs`. */
  readonly measuredAtMs: number;
}

/** Process-wide; keyed by `Candidate.key`. Times are `Clock.nowMs`, in milliseconds. */
export interface Health {
  /** Begins an attempt at a target; undefined: its breaker does not let it through now (half open, it lets one probe through). */
  open(key: string, breaker: BreakerSettings): Lease | undefined;
  breakerState(key: string): BreakerState;
  /** Leaves a target out of plans until then, by `Clock.nowMs`; a later end wins over an earlier one. */
  coolDown(key: string, untilMs: number): void;
  /** Of the targets that were ever opened, for the metric outrider.breaker.state. */
  breakers(): Iterable<{ key: string; state: BreakerState }>;
  onBreakerChange?: (key: string, from: BreakerState, to: BreakerState) => void;

  /** None of these would have a refusal; false: some may have one. */
  refusesNone(keys: ReadonlySet<string>): boolean;
  /** Why a plan leaves the target out now, and which failure was behind it; undefined: it does not. Takes no probe. */
  findRefusal(key: string): { why: "breaker_open" | "cooling_down"; reason: FallbackReason } | undefined;
  load(key: string): TargetLoad | undefined;
  /** Of this target. */
  retryBudget(key: string): RetryBudget;
  /** 0, 1, 2, … for each call with this name. */
  nextTurn(name: string): number;
  /** In [0, 1). */
  readonly random: () => number;
  nowMs(): number;
}

/** @param random in [0, 1) */
export function createHealth(clock: Clock, random: () => number): Health {
  return new TargetHealth(clock, random);
}

interface Target {
  inFlight: number;
  latencyMs: number | undefined;
  measuredAtMs: number;
  coolingUntilMs: number;
  cooledAtMs: number;
  breaker: Breaker;
  budget: RollingRetryBudget;
}

class TargetHealth implements Health {
  onBreakerChange?: (key: string, from: BreakerState, to: BreakerState) => void;
  readonly random: () => number;
  readonly #clock: Clock;
  readonly #targets = new Map<string, Target>();
  /** Targets that may have to be refused: most often there are none, and then nobody need be asked. */
  readonly #suspects = new Set<string>();
  readonly #turns = new Map<string, number>();

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.random = random;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  open(key: string, settings: BreakerSettings): Lease | undefined {
    const startedMs = this.nowMs();
    const target = this.#touch(key);
    const pass = target.breaker.pass(startedMs, settings);
    if (pass === undefined) return undefined;
    target.inFlight += 1;
    target.measuredAtMs = startedMs;
    target.budget.noteAttempt(startedMs);
    return new TargetLease(this.#clock, target, pass, startedMs, settings);
  }

  breakerState(key: string): BreakerState {
    return this.#targets.get(key)?.breaker.state(this.nowMs()) ?? "closed";
  }

  coolDown(key: string, untilMs: number): void {
    const target = this.#touch(key);
    this.#suspects.add(key);
    target.coolingUntilMs = Math.max(target.coolingUntilMs, untilMs);
    target.cooledAtMs = this.nowMs();
  }

  *breakers(): Iterable<{ key: string; state: BreakerState }> {
    const nowMs = this.nowMs();
    for (const [key, target] of this.#targets) yield { key, state: target.breaker.state(nowMs) };
  }

  refusesNone(keys: ReadonlySet<string>): boolean {
    if (this.#suspects.size === 0) return true;
    for (const suspect of this.#suspects) if (keys.has(suspect)) return false;
    return true;
  }

  findRefusal(key: string): { why: "breaker_open" | "cooling_down"; reason: FallbackReason } | undefined {
    const target = this.#suspects.has(key) ? this.#targets.get(key) : undefined;
    if (target === undefined) return undefined;
    const nowMs = this.nowMs();
    if (!target.breaker.admits(nowMs)) return { why: "breaker_open", reason: target.breaker.openedFor };
    if (target.coolingUntilMs > nowMs) return { why: "cooling_down", reason: "rate_limited" };
    if (target.breaker.state(nowMs) === "closed") this.#suspects.delete(key);
    return undefined;
  }

  load(key: string): TargetLoad | undefined {
    return this.#targets.get(key);
  }

  retryBudget(key: string): RetryBudget {
    return this.#touch(key).budget;
  }

  nextTurn(name: string): number {
    const turn = this.#turns.get(name) ?? 0;
    if (turn === 0 && this.#turns.size >= maxTargets) this.#turns.clear();
    this.#turns.set(name, (turn + 1) % Number.MAX_SAFE_INTEGER);
    return turn;
  }

  /** The target, made where it is new, as the one used last; while there is room for twice as many, their order does not matter. */
  #touch(key: string): Target {
    let target = this.#targets.get(key);
    if (target === undefined) {
      const oldest = this.#targets.size >= maxTargets ? this.#targets.keys().next() : undefined;
      if (oldest?.done === false) {
        this.#targets.delete(oldest.value);
        this.#suspects.delete(oldest.value);
      }
      target = {
        inFlight: 0,
        latencyMs: undefined,
        measuredAtMs: Number.NEGATIVE_INFINITY,
        coolingUntilMs: 0,
        cooledAtMs: Number.NEGATIVE_INFINITY,
        breaker: new Breaker((from, to) => {
          if (to !== "closed") this.#suspects.add(key);
          this.onBreakerChange?.(key, from, to);
        }),
        budget: new RollingRetryBudget(this.#clock),
      };
    } else {
      if (this.#targets.size <= maxTargets / 2) return target;
      this.#targets.delete(key);
    }
    this.#targets.set(key, target);
    return target;
  }
}

class TargetLease implements Lease {
  readonly #clock: Clock;
  readonly #target: Target;
  readonly #pass: Pass;
  readonly #startedMs: number;
  readonly #settings: BreakerSettings;
  #isEnded = false;

  constructor(clock: Clock, target: Target, pass: Pass, startedMs: number, settings: BreakerSettings) {
    this.#clock = clock;
    this.#target = target;
    this.#pass = pass;
    this.#startedMs = startedMs;
    this.#settings = settings;
  }

  end({ code, latencyMs }: Outcome): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const target = this.#target;
    const nowMs = this.#clock.nowMs();
    const verdict = judgeOutcome(code);
    target.inFlight -= 1;
    const reason = code === undefined ? undefined : reasonOf(code);
    target.breaker.record(nowMs, this.#pass, verdict, reason, this.#settings);
    // A quick refusal is no sign of a quick target; a slow failure is one of a slow target.
    const tells = code === undefined || (verdict === "failure" && (latencyMs ?? 0) > (target.latencyMs ?? 0));
    if (latencyMs !== undefined && tells) {
      const previous = Number.isFinite(target.latencyMs ?? Number.NaN) ? (target.latencyMs ?? latencyMs) : latencyMs;
      target.latencyMs = previous + newestShare * (latencyMs - previous);
      target.measuredAtMs = nowMs;
    } else if (verdict !== "unknown" && code !== undefined) {
      target.latencyMs ??= Number.POSITIVE_INFINITY;
    }
    if (code === undefined && this.#startedMs >= target.cooledAtMs) target.coolingUntilMs = 0;
  }
}
