import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../../src/errors.ts";
import { type BreakerSettings, createHealth, type Health, type Lease } from "../../../src/routing/index.ts";
import { createManualClock } from "../../support/routing.ts";

const settings: BreakerSettings = { windowMs: 60_000, minRequests: 5, failureRatio: 0.5, openForMs: 15_000 };
const key = "openai/a";

function start() {
  const clock = createManualClock();
  const health = createHealth(clock, () => 0.5);
  const changes: string[] = [];
  health.onBreakerChange = (changed, from, to) => changes.push(`${changed} ${from} ${to}`);
  return { clock, health, changes };
}

function open(health: Health, target = key): Lease {
  const lease = health.open(target, settings);
  if (lease === undefined) throw new Error(`${target} lets nothing through`);
  return lease;
}

function attempt(health: Health, code?: ErrorCode, times = 1, target = key): void {
  for (let index = 0; index < times; index++) {
    open(health, target).end(code === undefined ? { latencyMs: 100 } : { code });
  }
}

describe("breaker", () => {
  it("stays closed below the least number of calls", () => {
    const { health } = start();
    attempt(health, "upstream_server_error", 4);
    expect(health.breakerState(key)).toBe("closed");
    attempt(health, "upstream_server_error");
    expect(health.breakerState(key)).toBe("open");
  });

  it("stays closed below the ratio, and opens at it", () => {
    const { health } = start();
    attempt(health, undefined, 6);
    attempt(health, "upstream_server_error", 5);
    expect(health.breakerState(key)).toBe("closed");
    attempt(health, "upstream_server_error");
    expect(health.breakerState(key)).toBe("open");
  });

  it("forgets failures that are older than the window", () => {
    const { clock, health } = start();
    attempt(health, "upstream_server_error", 4);
    clock.advance(61_000);
    attempt(health, "upstream_server_error", 4);
    expect(health.breakerState(key)).toBe("closed");
    clock.advance(30_000);
    attempt(health, "upstream_server_error");
    expect(health.breakerState(key)).toBe("open");
  });

  it.each<[ErrorCode, boolean]>([
    ["upstream_unreachable", true],
    ["upstream_dns", true],
    ["upstream_tls", true],
    ["upstream_connect_timeout", true],
    ["upstream_first_byte_timeout", true],
    ["upstream_first_token_timeout", true],
    ["stream_idle", true],
    ["stream_truncated", true],
    ["upstream_overloaded", true],
    ["upstream_server_error", true],
    ["upstream_invalid", true],
    ["upstream_rate_limited", false],
    ["upstream_quota_exhausted", false],
    ["upstream_rejected", false],
    ["upstream_auth", false],
    ["context_length", false],
    ["content_filtered", false],
    ["client_disconnected", false],
    ["deadline_exceeded", false],
    ["guardrail_blocked", false],
    ["internal", false],
  ])("counts %s: %j", (code, counts) => {
    const { health } = start();
    attempt(health, code, 5);
    expect(health.breakerState(key)).toBe(counts ? "open" : "closed");
  });

  it("lets nothing through while open, then one probe", () => {
    const { clock, health } = start();
    attempt(health, "upstream_server_error", 5);
    expect(health.open(key, settings)).toBeUndefined();
    clock.advance(14_999);
    expect(health.open(key, settings)).toBeUndefined();
    clock.advance(1);
    expect(health.breakerState(key)).toBe("half_open");
    expect(health.findRefusal(key)).toBeUndefined();
    const probe = health.open(key, settings);
    expect(probe).toBeDefined();
    expect(health.open(key, settings)).toBeUndefined();
    expect(health.findRefusal(key)).toEqual({ why: "breaker_open", reason: "server_error" });
  });

  it("closes with a probe that succeeds, and begins its count anew", () => {
    const { clock, health, changes } = start();
    attempt(health, "upstream_server_error", 5);
    clock.advance(15_000);
    attempt(health);
    expect(health.breakerState(key)).toBe("closed");
    attempt(health, "upstream_server_error", 4);
    expect(health.breakerState(key)).toBe("closed");
    expect(changes).toEqual([`${key} closed open`, `${key} open half_open`, `${key} half_open closed`]);
  });

  it("opens again with a probe that fails, for as long as before", () => {
    const { clock, health, changes } = start();
    attempt(health, "upstream_server_error", 5);
    clock.advance(15_000);
    attempt(health, "upstream_first_byte_timeout");
    expect(health.findRefusal(key)).toEqual({ why: "breaker_open", reason: "timeout" });
    clock.advance(14_999);
    expect(health.breakerState(key)).toBe("open");
    clock.advance(1);
    expect(health.breakerState(key)).toBe("half_open");
    expect(changes).toHaveLength(4);
  });

  it("frees the probe's place when its end says nothing", () => {
    const { clock, health } = start();
    attempt(health, "upstream_server_error", 5);
    clock.advance(15_000);
    attempt(health, "client_disconnected");
    expect(health.breakerState(key)).toBe("half_open");
    expect(health.open(key, settings)).toBeDefined();
  });

  it("replaces a probe that never ends, and then hears it no more", () => {
    const { clock, health } = start();
    attempt(health, "upstream_server_error", 5);
    clock.advance(15_000);
    const lost = open(health);
    clock.advance(15_000);
    const second = open(health);
    lost.end({ code: "upstream_server_error" });
    expect(health.breakerState(key)).toBe("half_open");
    second.end({ latencyMs: 10 });
    expect(health.breakerState(key)).toBe("closed");
  });

  it("is not moved by attempts that began before it opened", () => {
    const { clock, health } = start();
    const early = [open(health), open(health)];
    attempt(health, "upstream_server_error", 5);
    early[0]?.end({ latencyMs: 50 });
    expect(health.breakerState(key)).toBe("open");
    clock.advance(15_000);
    early[1]?.end({ code: "upstream_server_error" });
    expect(health.breakerState(key)).toBe("half_open");
  });

  it("is of one target and not of its siblings", () => {
    const { health } = start();
    attempt(health, "upstream_server_error", 5);
    attempt(health, undefined, 1, "openai/a/eu");
    expect([...health.breakers()]).toEqual([
      { key, state: "open" },
      { key: "openai/a/eu", state: "closed" },
    ]);
  });
});

describe("cooldown", () => {
  it("lasts until its end, of this target alone, the later end winning", () => {
    const { clock, health } = start();
    health.coolDown(key, clock.nowMs() + 5000);
    health.coolDown(key, clock.nowMs() + 1000);
    expect(health.findRefusal(key)).toEqual({ why: "cooling_down", reason: "rate_limited" });
    expect(health.findRefusal("azure/a")).toBeUndefined();
    clock.advance(4999);
    expect(health.findRefusal(key)).toBeDefined();
    clock.advance(1);
    expect(health.findRefusal(key)).toBeUndefined();
  });

  it("ends with a success that began after it, not with one from before", () => {
    const { clock, health } = start();
    const before = open(health);
    clock.advance(1);
    health.coolDown(key, clock.nowMs() + 5000);
    before.end({ latencyMs: 1 });
    expect(health.findRefusal(key)).toBeDefined();
    attempt(health);
    expect(health.findRefusal(key)).toBeUndefined();
  });
});

describe("load", () => {
  it("counts what is under way, and each end once", () => {
    const { health } = start();
    const [left, right] = [open(health), open(health)];
    expect(health.load(key)?.inFlight).toBe(2);
    left.end({ latencyMs: 1 });
    left.end({ latencyMs: 1 });
    expect(health.load(key)?.inFlight).toBe(1);
    right.end({ code: "client_disconnected" });
    expect(health.load(key)?.inFlight).toBe(0);
  });

  it("averages the latency of successes, and is not flattered by quick refusals", () => {
    const { health } = start();
    expect(health.load(key)?.latencyMs).toBeUndefined();
    open(health).end({ latencyMs: 100 });
    expect(health.load(key)?.latencyMs).toBe(100);
    open(health).end({ latencyMs: 200 });
    expect(health.load(key)?.latencyMs).toBeCloseTo(120);
    open(health).end({ code: "upstream_rejected", latencyMs: 1 });
    open(health).end({ code: "upstream_rate_limited", latencyMs: 1 });
    expect(health.load(key)?.latencyMs).toBeCloseTo(120);
    open(health).end({ code: "upstream_first_byte_timeout", latencyMs: 1120 });
    expect(health.load(key)?.latencyMs).toBeCloseTo(320);
  });

  it("holds a target that only ever failed for slower than any, until it answers", () => {
    const { health } = start();
    open(health).end({ code: "upstream_auth" });
    expect(health.load(key)?.latencyMs).toBe(Number.POSITIVE_INFINITY);
    open(health).end({ latencyMs: 70 });
    expect(health.load(key)?.latencyMs).toBe(70);
  });
});

describe("bound", () => {
  it("forgets the target opened least recently, whose leases still end", () => {
    const { health } = start();
    const forgotten = open(health, "p/0");
    for (let index = 1; index < 4096; index++) open(health, `p/${index}`).end({});
    open(health, "p/1").end({});
    open(health, "p/new").end({});
    expect(health.load("p/0")).toBeUndefined();
    expect(health.load("p/1")).toBeDefined();
    expect([...health.breakers()]).toHaveLength(4096);
    expect(() => forgotten.end({ code: "upstream_server_error" })).not.toThrow();
  });
});

describe("retry budget", () => {
  it("gives a quiet target ten retries in ten seconds", () => {
    const { clock, health } = start();
    const budget = health.retryBudget(key);
    const taken = Array.from({ length: 12 }, () => budget.take(0.2));
    expect(taken.filter(Boolean)).toHaveLength(10);
    clock.advance(10_000);
    expect(budget.take(0.2)).toBe(true);
  });

  it("gives a busy one its share of calls, retries not counted among them", () => {
    const { health } = start();
    attempt(health, undefined, 200);
    const budget = health.retryBudget(key);
    let retries = 0;
    while (budget.take(0.2)) {
      attempt(health);
      retries += 1;
    }
    expect(retries).toBe(40);
    expect(health.retryBudget("azure/a").take(0.2)).toBe(true);
  });

  it("gives none where the ratio is 0", () => {
    expect(start().health.retryBudget(key).take(0)).toBe(false);
  });
});
