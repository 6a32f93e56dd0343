// Routing over many calls: plans end and never repeat, strategies share as they say, a slow target is felt less, sessions stay.
// Rerun with OUTRIDER_SEED.
import { describe, expect, it } from "vitest";
import { type ErrorCode, errorTable } from "../../src/errors.ts";
import {
  type CallFacts,
  type Candidate,
  compileRouting,
  createHealth,
  decideNext,
  fallbackReasons,
  findNext,
  type Health,
  reasonOf,
  type Routing,
  routingSchema,
} from "../../src/routing/index.ts";
import { createRandom, createSeededRandom, type Random } from "../support/random.ts";
import { compile, createCall, createManualClock, createRoutingFacts, findIssues } from "../support/routing.ts";

const seed = Number(process.env["OUTRIDER_SEED"] ?? Date.now() % 2 ** 31);
console.log(`OUTRIDER_SEED=${seed}`);

const strategies = ["ordered", "weighted", "round-robin", "least-busy", "lowest-latency", "lowest-cost"];
const providers = ["openai", "azure", "anthropic", "google", "groq", "local"];
const tiers = ["frontier", "standard", "small", "local"];
const codes = Object.keys(errorTable) as ErrorCode[];

/** Undefined every other time. */
function sometimes<Value>(random: Random, value: () => Value): Value | undefined {
  return random.integer(2) === 0 ? value() : undefined;
}

/** Aliases a0, a1, …; a fallback leads to a later one only, so that there is no circle. */
function generateDocument(random: Random): unknown {
  const count = 1 + random.integer(6);
  const models: Record<string, unknown> = {};
  for (let index = 0; index < count; index++) {
    const targets = new Map<string, unknown>();
    for (let left = 1 + random.integer(4); left > 0; left--) {
      const target = {
        provider: random.pick(providers),
        model: `m${random.integer(4)}`,
        tier: sometimes(random, () => random.pick(tiers)),
        weight: 1 + random.integer(9),
      };
      targets.set(`${target.provider}/${target.model}`, target);
    }
    const fallbacks = new Map<string, unknown>();
    for (let left = random.integer(5); left > 0; left--) {
      const later = index + 1 + random.integer(3);
      const to = later < count ? `a${later}` : `${random.pick(providers)}/m${random.integer(6)}`;
      if (targets.has(to)) continue;
      const when = sometimes(random, () => fallbackReasons.filter(() => random.integer(3) > 0));
      fallbacks.set(to, { to, when: when?.length === 0 ? undefined : when });
    }
    models[`a${index}`] = {
      strategy: random.pick(strategies),
      targets: [...targets.values()],
      fallbacks: [...fallbacks.values()],
      affinity: sometimes(random, () => ({})),
    };
  }
  return { models };
}

describe("plans", () => {
  it("never repeat a candidate, and every walk along one ends within its sends", () => {
    const random = createRandom(seed);
    let walks = 0;
    let diverted = 0;
    let longest = 0;
    for (let round = 0; round < 150; round++) {
      const document = generateDocument(random);
      expect(findIssues(document)).toEqual([]);
      const routing = compile(document, createRoutingFacts({ prices: { "openai/m1": 5, "azure/m2": 3 } }));
      const clock = createManualClock();
      const health = createHealth(clock, createSeededRandom(seed + round));
      for (let call = 0; call < 30; call++) {
        const allowsFallback = random.integer(5) > 0;
        const plan = routing.plan(
          createCall({
            model: random.pick([...routing.aliases]),
            allowsFallback,
            affinityKey: () => sometimes(random, () => `s${random.integer(9)}`),
          }),
          health,
        );
        if (plan === undefined) throw new Error("every alias has a plan");
        const keys = plan.candidates.map(({ key }) => key);
        expect(new Set(keys).size).toBe(keys.length);
        const skipped = plan.skipped.map(({ candidate }) => candidate.key);
        expect(keys.filter((key) => skipped.includes(key))).toEqual([]);
        if (plan.candidates[0]?.kind === "fallback") {
          diverted += 1;
          expect(plan.diverted?.reason).toBeDefined();
          expect(plan.candidates[0].when).toContain(plan.diverted?.reason);
        }
        walks += 1;
        const sends = walk(plan.candidates, routing, health, random, allowsFallback);
        longest = Math.max(longest, new Set(sends).size);
        for (const key of keys) {
          expect(sends.filter((sent) => sent === key).length).toBeLessThanOrEqual(routing.retry.maxAttempts);
        }
        clock.advance(random.integer(8000));
      }
    }
    console.log(`${walks} walks, ${diverted} began with a fallback, the longest came to ${longest} targets`);
    expect(diverted).toBeGreaterThan(0);
    expect(longest).toBeGreaterThan(1);
  });
});

/** Acts as an exchange would, with failures drawn at random; the keys sent to. */
function walk(
  plan: readonly Candidate[],
  routing: Routing,
  health: Health,
  random: Random,
  allowsFallback: boolean,
): string[] {
  const sends: string[] = [];
  let index: number | undefined = 0;
  let attemptsHere = 0;
  let code: ErrorCode = "upstream_server_error";
  while (index !== undefined && plan[index] !== undefined) {
    const { key } = plan[index] as Candidate;
    const lease = health.open(key, routing.breaker);
    if (lease === undefined) {
      const reason = reasonOf(code);
      index = reason === undefined || !allowsFallback ? undefined : findNext(plan, index, reason);
      attemptsHere = 0;
      continue;
    }
    attemptsHere += 1;
    sends.push(key);
    if (sends.length > plan.length * routing.retry.maxAttempts) throw new Error("the walk does not end");
    if (random.integer(4) === 0) {
      lease.end({ latencyMs: random.integer(500) });
      return sends;
    }
    code = random.pick(codes);
    lease.end({ code });
    if (code === "upstream_rate_limited") health.coolDown(key, health.nowMs() + 5000);
    const failed = { plan, index, attemptsHere, code, remainingMs: 60_000, allowsFallback, isRepeatable: true };
    const step = decideNext(failed, routing.retry, health.retryBudget(key), () => 0.5);
    if (step.type === "give_up") return sends;
    if (step.type === "next") {
      expect(step.index).toBeGreaterThan(index);
      [index, attemptsHere] = [step.index, 0];
    }
  }
  return sends;
}

function createPool(strategy: string, weights: readonly number[], more: object = {}): Routing {
  const targets = weights.map((weight, index) => ({
    provider: providers[index % providers.length],
    model: `m${index}`,
    weight,
  }));
  return compile({ models: { smart: { strategy, targets, ...more } } });
}

describe("distribution over 10,000 plans", () => {
  const plans = 10_000;

  function countFirsts(routing: Routing, size: number): number[] {
    const health = createHealth(createManualClock(), createSeededRandom(seed));
    const counts = Array.from({ length: size }, () => 0);
    for (let index = 0; index < plans; index++) {
      const first = routing.plan(createCall(), health)?.candidates[0];
      const place = Number(first?.model.slice(1));
      counts[place] = (counts[place] ?? 0) + 1;
    }
    return counts;
  }

  it.each([[[1, 1]], [[1, 2, 7]], [[0.1, 0.2, 0.3, 0.4]], [[1, 99]], [[5, 0, 5]], [[3, 1, 4, 1, 5, 9, 2, 6]]])(
    "weighted %j is within five standard deviations",
    (weights) => {
      const counts = countFirsts(createPool("weighted", weights), weights.length);
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      console.log(`weighted ${JSON.stringify(weights)}: ${counts.join(", ")}`);
      for (const [index, weight] of weights.entries()) {
        const share = weight / total;
        const deviation = Math.sqrt(plans * share * (1 - share));
        expect(Math.abs((counts[index] ?? 0) - plans * share)).toBeLessThanOrEqual(5 * deviation);
      }
    },
  );

  it("weighted draws the second by weight too", () => {
    const routing = createPool("weighted", [6, 3, 1]);
    const health = createHealth(createManualClock(), createSeededRandom(seed));
    let firsts = 0;
    let seconds = 0;
    for (let index = 0; index < plans; index++) {
      const models = routing.plan(createCall(), health)?.candidates.map(({ model }) => model);
      if (models?.[0] !== "m0") continue;
      firsts += 1;
      if (models[1] === "m1") seconds += 1;
    }
    expect(Math.abs(seconds - firsts * 0.75)).toBeLessThanOrEqual(5 * Math.sqrt(firsts * 0.75 * 0.25));
  });

  it.each([2, 3, 7])("round-robin over %i differs by one at most", (size) => {
    const counts = countFirsts(
      createPool(
        "round-robin",
        Array.from({ length: size }, () => 1),
      ),
      size,
    );
    console.log(`round-robin ${size}: ${counts.join(", ")}`);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  });

  it("affinity shares sessions by weight", () => {
    const weights = [1, 2, 7];
    const routing = createPool("weighted", weights, { affinity: {} });
    const health = createHealth(createManualClock(), createSeededRandom(seed));
    const counts = [0, 0, 0];
    for (let index = 0; index < plans; index++) {
      const plan = routing.plan(createCall({ affinityKey: () => `session-${seed}-${index}` }), health);
      const place = Number(plan?.candidates[0]?.model.slice(1));
      counts[place] = (counts[place] ?? 0) + 1;
    }
    console.log(`affinity ${JSON.stringify(weights)}: ${counts.join(", ")}`);
    for (const [index, weight] of weights.entries()) {
      const share = weight / 10;
      expect(Math.abs((counts[index] ?? 0) - plans * share)).toBeLessThanOrEqual(
        5 * Math.sqrt(plans * share * (1 - share)),
      );
    }
  });
});

describe("affinity", () => {
  const size = 6;
  const sessions = Array.from({ length: 2000 }, (_, index) => `s-${seed}-${index}`);
  const routing = createPool(
    "least-busy",
    Array.from({ length: size }, () => 1),
    { affinity: {} },
  );

  function place(health: Health): Map<string, string | undefined> {
    return new Map(
      sessions.map((session) => [
        session,
        routing.plan(createCall({ affinityKey: () => session }), health)?.candidates[0]?.key,
      ]),
    );
  }

  it("moves only the sessions whose target is gone, over all others, and back when it is there again", () => {
    const clock = createManualClock();
    const health = createHealth(clock, createSeededRandom(seed));
    const before = place(health);
    const gone = before.get(sessions[0] ?? "") ?? "";
    health.coolDown(gone, clock.nowMs() + 1000);
    const during = place(health);
    const moved = sessions.filter((session) => before.get(session) !== during.get(session));
    expect(moved).toEqual(sessions.filter((session) => before.get(session) === gone));
    expect(new Set(moved.map((session) => during.get(session))).size).toBe(size - 1);
    clock.advance(1000);
    expect(place(health)).toEqual(before);
  });

  it("does not depend on load, on chance or on the process", () => {
    const other = createHealth(createManualClock(77), createSeededRandom(seed + 1));
    for (let index = 0; index < 50; index++) other.open("openai/m0", routing.breaker);
    expect(place(other)).toEqual(place(createHealth(createManualClock(), createSeededRandom(seed))));
  });
});

/** Poisson arrivals over three targets that each serve `width` calls at once; one of them is ten times slower. */
function simulate(strategy: string): { p50: number; p99: number; slowShare: number } {
  const random = createSeededRandom(seed);
  const exponential = (meanMs: number): number => -Math.log(1 - random()) * meanMs;
  const clock = createManualClock(0);
  const health = createHealth(clock, createSeededRandom(seed + 1));
  const routing = createPool(strategy, [1, 1, 1]);
  const width = 60;
  const meanMs: Record<string, number> = { "openai/m0": 200, "azure/m1": 2000, "anthropic/m2": 200 };
  /** When each of a target's places is free again. */
  const places = new Map(Object.keys(meanMs).map((key) => [key, Array.from({ length: width }, () => 0)]));
  const ends: { atMs: number; end: () => void }[] = [];
  const latencies: number[] = [];
  let slow = 0;
  let arrivalMs = 0;
  const calls = 20_000;
  for (let call = 0; call < calls; call++) {
    arrivalMs += exponential(25);
    ends.sort((left, right) => left.atMs - right.atMs);
    while ((ends[0]?.atMs ?? Number.POSITIVE_INFINITY) <= arrivalMs) {
      const ended = ends.shift();
      clock.advance((ended?.atMs ?? 0) - clock.nowMs());
      ended?.end();
    }
    clock.advance(arrivalMs - clock.nowMs());
    const key = routing.plan(createCall(), health)?.candidates[0]?.key ?? "";
    const lease = health.open(key, routing.breaker);
    const free = places.get(key) ?? [];
    const place = free.indexOf(Math.min(...free));
    const serviceMs = (meanMs[key] ?? 0) / 2 + exponential((meanMs[key] ?? 0) / 2);
    const endMs = Math.max(arrivalMs, free[place] ?? 0) + serviceMs;
    free[place] = endMs;
    if (key === "azure/m1") slow += 1;
    const latencyMs = endMs - arrivalMs;
    latencies.push(latencyMs);
    ends.push({ atMs: endMs, end: () => lease?.end({ latencyMs }) });
  }
  latencies.sort((left, right) => left - right);
  const quantile = (share: number): number => Math.round(latencies[Math.floor(calls * share)] ?? 0);
  return { p50: quantile(0.5), p99: quantile(0.99), slowShare: slow / calls };
}

describe("with one slow target of three", () => {
  it("least-busy and lowest-latency beat round-robin on p99", () => {
    const results = Object.fromEntries(
      ["round-robin", "least-busy", "lowest-latency"].map((strategy) => [strategy, simulate(strategy)]),
    );
    for (const [strategy, { p50, p99, slowShare }] of Object.entries(results)) {
      console.log(
        `${strategy}: p50 ${p50} ms, p99 ${p99} ms, ${(100 * slowShare).toFixed(2)} % of calls at the slow target`,
      );
    }
    const bar = results["round-robin"]?.p99 ?? 0;
    expect(results["least-busy"]?.p99).toBeLessThan(bar * 0.9);
    expect(results["lowest-latency"]?.p99).toBeLessThan(bar * 0.5);
    // It looks at the slow one now and then, or its recovery would never be seen.
    expect(results["lowest-latency"]?.slowShare).toBeGreaterThan(0);
  });
});

describe("cost", () => {
  const build = (strategy: string, fallbackTo: (index: number) => string) => ({
    models: Object.fromEntries(
      Array.from({ length: 1000 }, (_, index) => [
        `m${index}`,
        {
          strategy,
          targets: [0, 1, 2].map((place) => ({ provider: providers[place], model: `real-${index}` })),
          fallbacks: index < 980 ? Array.from({ length: 20 }, (_, place) => ({ to: fallbackTo(place) })) : [],
        },
      ]),
    ),
    routes: Array.from({ length: 200 }, (_, index) => ({
      match: { model: `old-${index}-*`, team: `team-${index}`, tags: { env: "dev" } },
      use: `m${index}`,
    })),
  });
  const toModel = (index: number): string => `google/other-${index}`;
  const toAlias = (index: number): string => `m${980 + index}`;

  // The bounds are only against a change of order: the machine may be busy with other things.
  it.each([
    ["ordered", "models", toModel],
    ["weighted", "models", toModel],
    ["least-busy", "models", toModel],
    ["lowest-latency", "models", toModel],
    ["ordered", "aliases of three targets", toAlias],
    ["weighted", "aliases of three targets", toAlias],
  ])("of a plan with 1,000 models, 200 routes and 20 fallbacks: %s, fallbacks to %s", (strategy, to, fallbackTo) => {
    const routing = compile(build(strategy, fallbackTo));
    const health = createHealth(createManualClock(), createSeededRandom(seed));
    const calls: CallFacts[] = Array.from({ length: 100 }, (_, index) => createCall({ model: `m${index * 9}` }));
    for (const call of calls) {
      for (const { key } of routing.plan(call, health)?.candidates ?? []) {
        health.open(key, routing.breaker)?.end({ latencyMs: 100 });
      }
    }
    const run = (): number => {
      const rounds = 2000;
      const startMs = performance.now();
      for (let index = 0; index < rounds; index++) routing.plan(calls[index % calls.length] as CallFacts, health);
      return ((performance.now() - startMs) / rounds) * 1000;
    };
    const costUs = Math.min(...Array.from({ length: 6 }, run));
    console.log(`plan(), ${strategy}, fallbacks to ${to}: ${costUs.toFixed(2)} µs`);
    expect(costUs).toBeLessThan(500);
  });

  it("of compiling it", () => {
    const parsed = routingSchema.parse(build("weighted", toAlias));
    const facts = createRoutingFacts();
    const timeMs = (): number => {
      const startMs = performance.now();
      compileRouting(parsed, facts);
      return performance.now() - startMs;
    };
    const costMs = Math.min(timeMs(), timeMs(), timeMs());
    console.log(`compileRouting(), 19,600 fallbacks: ${costMs.toFixed(1)} ms`);
    expect(costMs).toBeLessThan(500);
  });
});
