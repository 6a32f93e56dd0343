// Room routing: the breaker of one target: closed, open for a while, then half open for one probe.
// Invariant: while it is not closed, only its probe's end changes it; a probe that never ends is replaced after `openForMs`.

import type { BreakerSettings } from "./options.ts";
import type { FallbackReason, Verdict } from "./reasons.ts";
import { RollingWindow } from "./rolling-window.ts";

export type BreakerState = "closed" | "open" | "half_open";

/** What let an attempt through; given back with its verdict. */
export type Pass = { readonly isProbe: false } | { readonly isProbe: true; readonly number: number };

const plainPass: Pass = { isProbe: false };

export class Breaker {
  /** What the failure was that opened it last. */
  openedFor: FallbackReason = "server_error";
  #state: BreakerState = "closed";
  #window: RollingWindow | undefined;
  #openForMs = 0;
  #openUntilMs = 0;
  #probeStartedMs: number | undefined;
  #probes = 0;
  readonly #onChange: (from: BreakerState, to: BreakerState) => void;

  constructor(onChange: (from: BreakerState, to: BreakerState) => void) {
    this.#onChange = onChange;
  }

  /** An open breaker whose time is over is half open. */
  state(nowMs: number): BreakerState {
    if (this.#state === "open" && nowMs >= this.#openUntilMs) this.#change("half_open");
    return this.#state;
  }

  /** Whether an attempt would be let through now; takes nothing. */
  admits(nowMs: number): boolean {
    const state = this.state(nowMs);
    if (state !== "half_open") return state === "closed";
    return this.#probeStartedMs === undefined || nowMs - this.#probeStartedMs >= this.#openForMs;
  }

  /** Lets an attempt through, or does not; in the half-open state the one let through is the probe. */
  pass(nowMs: number, settings: BreakerSettings): Pass | undefined {
    this.#openForMs = settings.openForMs;
    if (this.#window?.windowMs !== settings.windowMs) this.#window = new RollingWindow(settings.windowMs);
    if (!this.admits(nowMs)) return undefined;
    if (this.#state === "closed") return plainPass;
    this.#probeStartedMs = nowMs;
    this.#probes += 1;
    return { isProbe: true, number: this.#probes };
  }

  /** Hears how an attempt ended. */
  record(
    nowMs: number,
    pass: Pass,
    verdict: Verdict,
    reason: FallbackReason | undefined,
    settings: BreakerSettings,
  ): void {
    const state = this.state(nowMs);
    if (pass.isProbe) {
      if (state !== "half_open" || pass.number !== this.#probes) return;
      this.#probeStartedMs = undefined;
      if (verdict === "failure") this.#open(nowMs, reason, settings);
      if (verdict === "success") this.#change("closed");
      return;
    }
    if (state !== "closed" || verdict === "unknown" || this.#window === undefined) return;
    this.#window.add(nowMs, verdict === "failure");
    if (verdict !== "failure") return;
    const { all, marked } = this.#window.count(nowMs);
    if (all >= settings.minRequests && marked >= all * settings.failureRatio) {
      this.#open(nowMs, reason, settings);
    }
  }

  #open(nowMs: number, reason: FallbackReason | undefined, settings: BreakerSettings): void {
    this.#openUntilMs = nowMs + settings.openForMs;
    this.openedFor = reason ?? this.openedFor;
    this.#change("open");
  }

  #change(to: BreakerState): void {
    const from = this.#state;
    this.#state = to;
    this.#probeStartedMs = undefined;
    if (to === "closed") this.#window?.clear();
    this.#onChange(from, to);
  }
}
