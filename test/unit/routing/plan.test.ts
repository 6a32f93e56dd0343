import { describe, expect, it } from "vitest";
import { createHealth, type Health, type ModelFacts, type SkipReason } from "../../../src/routing/index.ts";
import { compile, createCall, createManualClock, createRoutingFacts, keysOf } from "../../support/routing.ts";

const document = {
  models: {
    smart: {
      targets: [
        { provider: "openai", model: "gpt", tier: "frontier" },
        { provider: "azure", model: "gpt", tier: "frontier", region: "eu" },
      ],
      fallbacks: [
        { to: "long", when: ["context_length"] },
        { to: "claude" },
        { to: "local/llama", when: ["budget_exhausted"], tier: "local" },
      ],
      hedge: { afterMs: 900 },
    },
    claude: {
      strategy: "round-robin",
      targets: [
        { provider: "anthropic", model: "claude", tier: "standard" },
        { provider: "groq", model: "claude", tier: "small" },
      ],
      fallbacks: [{ to: "google/deep", when: ["server_error"] }],
    },
    long: { targets: [{ provider: "google", model: "gemini", tier: "frontier" }] },
  },
};
const all = ["openai/gpt", "azure/gpt/eu", "google/gemini", "anthropic/claude", "groq/claude", "local/llama"];

function start(
  facts: { models?: Record<string, ModelFacts>; prices?: Record<string, number> } = {},
  changes: object = {},
) {
  const clock = createManualClock();
  const chance = { next: 0.5 };
  const health = createHealth(clock, () => chance.next);
  const routing = compile({ ...document, ...changes }, createRoutingFacts(facts));
  const coolDown = (...keys: string[]) => {
    for (const key of keys) health.coolDown(key, clock.nowMs() + 1000);
  };
  const breakOpen = (...keys: string[]) => {
    for (const key of keys) fail(health, key);
  };
  return { chance, clock, health, routing, coolDown, breakOpen };
}

function fail(health: Health, key: string): void {
  const settings = { windowMs: 60_000, minRequests: 5, failureRatio: 0.5, openForMs: 15_000 };
  for (let index = 0; index < 5; index++) health.open(key, settings)?.end({ code: "upstream_server_error" });
}

describe("a plan", () => {
  it("has the targets in order, then each fallback's, and not the fallbacks' own fallbacks", () => {
    const { routing, health } = start();
    const plan = routing.plan(createCall(), health);
    expect(plan).toMatchObject({ alias: "smart", route: undefined, skipped: [], hedge: { afterMs: 900 } });
    expect(plan).not.toHaveProperty("diverted");
    expect(keysOf(plan)).toEqual(all);
    expect(plan?.candidates.map(({ kind, step }) => `${kind} ${step}`)).toEqual([
      "target 0",
      "target 0",
      "fallback 1",
      "fallback 2",
      "fallback 2",
      "fallback 3",
    ]);
    expect(plan?.candidates[1]).toEqual({
      provider: "azure",
      model: "gpt",
      tier: "frontier",
      region: "eu",
      weight: 1,
      kind: "target",
      step: 0,
      key: "azure/gpt/eu",
    });
    expect(plan?.candidates[2]?.when).toEqual(new Set(["context_length"]));
    expect(plan?.candidates[3]?.when).toEqual(
      new Set(["rate_limited", "overloaded", "timeout", "unreachable", "server_error"]),
    );
    expect(plan?.candidates[5]?.tier).toBe("local");
  });

  it("names a key once, for the failures of all fallbacks that named it", () => {
    const { routing, health } = start(undefined, {
      models: {
        smart: {
          targets: [{ provider: "openai", model: "gpt" }],
          fallbacks: [
            { to: "pair", when: ["server_error"] },
            { to: "groq/x", when: ["context_length"] },
          ],
        },
        pair: {
          targets: [
            { provider: "openai", model: "gpt" },
            { provider: "groq", model: "x" },
          ],
        },
      },
    });
    const plan = routing.plan(createCall(), health);
    expect(keysOf(plan)).toEqual(["openai/gpt", "groq/x"]);
    expect(plan?.candidates[1]?.when).toEqual(new Set(["server_error", "context_length"]));
  });

  it("is there for aliases only, and on bare paths only", () => {
    const { routing, health } = start();
    expect(routing.plan(createCall({ model: "gpt-5" }), health)).toBeUndefined();
    expect(routing.plan(createCall({ model: undefined }), health)).toBeUndefined();
    expect(routing.plan(createCall({ model: "constructor" }), health)).toBeUndefined();
    expect(routing.plan(createCall({ bare: false }), health)).toBeUndefined();
  });

  it("has one candidate when fallback is off: the first of an ordered alias, in whatever health", () => {
    const { routing, health, coolDown, breakOpen } = start();
    const off = createCall({ allowsFallback: false });
    expect(keysOf(routing.plan(off, health))).toEqual(["openai/gpt"]);
    coolDown("openai/gpt");
    expect(routing.plan(off, health)).toMatchObject({ candidates: [{ key: "openai/gpt" }], skipped: [] });
    breakOpen("openai/gpt");
    expect(routing.plan(off, health)).toMatchObject({ candidates: [], skipped: [{ why: "breaker_open" }] });
    expect(keysOf(routing.plan(createCall({ model: "claude", allowsFallback: false }), health))).toHaveLength(1);
  });
});

describe("routes", () => {
  const routes = [
    { match: { provider: "groq", model: "*" }, use: "claude" },
    { match: { model: "gpt-4*", tags: { env: "dev" } }, use: "smart" },
    { match: { app: "checkout", team: "a*" }, use: "long" },
    { match: { operation: "embeddings" }, use: "openai/embed/v3" },
    { match: { dialect: "anthropic-*", model: "smart" }, use: "smart", minTier: "standard" },
    { match: { model: "gpt-4*" }, use: "claude" },
  ];
  const { routing, health } = start(undefined, { routes });
  const gpt4 = { model: "gpt-4o" };

  it.each<[name: string, call: Parameters<typeof createCall>[0], route: string | undefined, alias: string | undefined]>(
    [
      ["the first that matches", { ...gpt4, tags: { env: "dev" } }, "routes.1", "smart"],
      ["a later one when a tag differs", { ...gpt4, tags: { env: "prod" } }, "routes.5", "claude"],
      ["a later one when a tag is missing", { ...gpt4 }, "routes.5", "claude"],
      ["by app and team", { model: "x", app: "checkout", team: "alpha" }, "routes.2", "long"],
      ["not by app alone", { model: "x", app: "checkout" }, undefined, undefined],
      ["before an alias", { app: "checkout", team: "a" }, "routes.2", "long"],
      ["by operation, to a model", { model: "x", operation: "embeddings" }, "routes.3", undefined],
      ["by operation, without a model", { model: undefined, operation: "embeddings" }, "routes.3", undefined],
      ["by dialect", { dialect: "anthropic-messages" }, "routes.4", "smart"],
      ["the alias when none matches", {}, undefined, "smart"],
      ["by the provider that a path names", { ...gpt4, provider: "groq", bare: false }, "routes.0", "claude"],
      ["none without provider on such a path", { ...gpt4, provider: "azure", bare: false }, undefined, undefined],
      ["not by a tag's inherited name", { ...gpt4, tags: Object.create({ env: "dev" }) as {} }, "routes.5", "claude"],
    ],
  )("%s", (_, call, route, alias) => {
    for (const round of ["first", "remembered"]) {
      const plan = routing.plan(createCall(call), health);
      expect([plan?.route, plan?.alias], round).toEqual([route, alias]);
    }
  });

  it("may go to one model, whose name may hold slashes", () => {
    const plan = routing.plan(createCall({ model: "x", operation: "embeddings" }), health);
    expect(plan?.candidates).toMatchObject([{ provider: "openai", model: "embed/v3", kind: "target" }]);
  });

  it("bars what is below the route's minimum tier, fallbacks included", () => {
    const plan = routing.plan(createCall({ dialect: "anthropic-messages" }), health);
    expect(keysOf(plan)).toEqual(["openai/gpt", "azure/gpt/eu", "google/gemini", "anthropic/claude"]);
    expect(plan?.skipped.map(({ candidate, why }) => `${candidate.key} ${why}`)).toEqual([
      "groq/claude below_min_tier",
      "local/llama below_min_tier",
    ]);
  });
});

describe("minimum tiers", () => {
  it("of an alias that a fallback names hold there, and what one bars another may bring, told once", () => {
    const guarded = {
      targets: [
        { provider: "anthropic", model: "claude", tier: "standard" },
        { provider: "groq", model: "x", tier: "small" },
        { provider: "groq", model: "y", tier: "small" },
      ],
      minTier: "standard",
    };
    const models = {
      smart: {
        targets: [{ provider: "openai", model: "gpt" }],
        fallbacks: [{ to: "one" }, { to: "two" }, { to: "groq/y", tier: "small" }],
      },
      one: guarded,
      two: guarded,
    };
    const { routing, health } = start(undefined, { models });
    const plan = routing.plan(createCall(), health);
    expect(keysOf(plan)).toEqual(["openai/gpt", "anthropic/claude", "groq/y"]);
    expect(plan?.skipped).toMatchObject([{ candidate: { key: "groq/x" }, why: "below_min_tier" }]);
  });
});

describe("regions", () => {
  const models = {
    smart: {
      targets: [
        { provider: "openai", model: "gpt", region: "us" },
        { provider: "azure", model: "gpt", region: "eu" },
        { provider: "groq", model: "gpt" },
      ],
      fallbacks: [{ to: "google/gemini", region: "eu" }, { to: "local/llama" }, { to: "claude" }],
      regions: ["eu", "uk"],
    },
    claude: {
      targets: ["eu", "uk", "us"].map((region) => ({ provider: "anthropic", model: "claude", region })),
    },
  };
  const routes = [{ match: { app: "bank" }, use: "smart", regions: ["uk", "eu"] }];
  const tell = ({ routing, health }: ReturnType<typeof start>, call: Parameters<typeof createCall>[0] = {}) => {
    const plan = routing.plan(createCall(call), health);
    return [keysOf(plan), plan?.skipped.map(({ candidate, why }) => `${candidate.key} ${why}`)];
  };
  const inEurope = ["azure/gpt/eu", "google/gemini/eu", "anthropic/claude/eu", "anthropic/claude/uk"];
  const outside = ["openai/gpt/us", "groq/gpt", "local/llama", "anthropic/claude/us"];

  it("bar what is in another one and what says none, fallbacks included, and let a fallback say its own", () => {
    expect(tell(start(undefined, { models }))).toEqual([inEurope, outside.map((key) => `${key} outside_regions`)]);
  });

  it("of a route, of its alias and of an alias that a fallback names hold at once", () => {
    const claude = { ...models.claude, regions: ["us", "eu"] };
    const smart = { ...models.smart, regions: ["us", "eu"] };
    const skipped = [...outside, "anthropic/claude/uk"];
    const [kept, barred] = tell(start(undefined, { models: { smart, claude }, routes }), { app: "bank" });
    expect(kept).toEqual(inEurope.slice(0, 3));
    expect(barred?.toSorted()).toEqual(skipped.map((key) => `${key} outside_regions`).toSorted());
  });

  it("are never given up, even where nothing in them can be asked", () => {
    const stage = start(undefined, { models });
    stage.breakOpen(...inEurope);
    expect(tell(stage)[0]).toEqual([]);
  });
});

describe("what is passed over", () => {
  const needs = { contextTokens: 1000, tools: false, images: false, structuredOutput: false };

  it.each<[why: SkipReason, known: ModelFacts, needs: object]>([
    ["context_window", { contextTokens: 999 }, {}],
    ["no_tools", { tools: false }, { tools: true }],
    ["no_images", { images: false }, { images: true }],
    ["no_structured_output", { structuredOutput: false }, { structuredOutput: true }],
  ])("%s", (why, known, more) => {
    const { routing, health } = start({ models: { "openai/gpt": known } });
    const plan = routing.plan(createCall({ needs: () => ({ ...needs, ...more }) }), health);
    expect(keysOf(plan)).toEqual(all.slice(1));
    expect(plan?.skipped).toEqual([{ candidate: expect.objectContaining({ key: "openai/gpt" }), why }]);
    expect(plan?.diverted).toMatchObject({ from: { key: "openai/gpt" }, why });
  });

  it("is nothing of which nothing is known, and what fits exactly", () => {
    const { routing, health } = start({ models: { "openai/gpt": { contextTokens: 1000, tools: true } } });
    const plan = routing.plan(createCall({ needs: () => ({ ...needs, tools: true, images: true }) }), health);
    expect(keysOf(plan)).toEqual(all);
  });

  it("asks for the needs once, and not at all where nothing is known", () => {
    let asked = 0;
    const call = createCall({ needs: () => ((asked += 1), needs) });
    const { routing: unknowing, health } = start();
    unknowing.plan(call, health);
    expect(asked).toBe(0);
    const { routing } = start({ models: Object.fromEntries(all.map((key) => [key, { contextTokens: 5000 }])) });
    routing.plan(call, health);
    expect(asked).toBe(1);
  });

  it("is judged without the needs where the call is too short for any window, unless a model lacks something else", () => {
    let asked = 0;
    const call = (mostTokens: number) =>
      createCall({ needs: () => ((asked += 1), { ...needs, tools: true }), mostTokens: () => mostTokens });
    const { routing, health } = start({ models: { "openai/gpt": { contextTokens: 5000 } } });
    expect(routing.plan(call(5000), health)?.skipped).toEqual([]);
    expect(asked).toBe(0);
    expect(routing.plan(call(5001), health)?.skipped).toEqual([]);
    expect(asked).toBe(1);
    const { routing: lacking } = start({ models: { "openai/gpt": { contextTokens: 5000, tools: false } } });
    expect(lacking.plan(call(1), health)?.skipped).toMatchObject([{ why: "no_tools" }]);
  });

  it("is a target whose breaker is open, or which cools down", () => {
    const { routing, health, breakOpen, coolDown } = start();
    breakOpen("openai/gpt");
    coolDown("anthropic/claude");
    const plan = routing.plan(createCall(), health);
    expect(keysOf(plan)).toEqual(["azure/gpt/eu", "google/gemini", "groq/claude", "local/llama"]);
    expect(plan?.skipped.map(({ why }) => why)).toEqual(["breaker_open", "cooling_down"]);
    expect(plan?.diverted).toMatchObject({ from: { key: "openai/gpt" }, reason: "server_error" });
  });

  it("is not said to be diverted where a strategy chooses among equals", () => {
    const { routing, health, breakOpen } = start();
    breakOpen("anthropic/claude");
    const plan = routing.plan(createCall({ model: "claude" }), health);
    expect(keysOf(plan)).toEqual(["groq/claude", "google/deep"]);
    expect(plan).not.toHaveProperty("diverted");
  });
});

describe("when no target is left", () => {
  it("begins with the first fallback that is for the failure", () => {
    const { routing, health, breakOpen } = start();
    breakOpen("openai/gpt", "azure/gpt/eu");
    const plan = routing.plan(createCall(), health);
    expect(keysOf(plan)).toEqual(["anthropic/claude", "groq/claude", "local/llama"]);
    expect(plan?.diverted).toMatchObject({ from: { key: "openai/gpt" }, why: "breaker_open", reason: "server_error" });
  });

  it("takes a context window that is too small for context_length", () => {
    const small = { contextTokens: 10 };
    const { routing, health } = start({ models: { "openai/gpt": small, "azure/gpt": small } });
    const plan = routing.plan(createCall(), health);
    expect(keysOf(plan)?.[0]).toBe("google/gemini");
    expect(plan?.diverted).toMatchObject({ why: "context_window", reason: "context_length" });
  });

  it("tries the targets that cool down all the same where no fallback is for it", () => {
    const { routing, health, coolDown, breakOpen } = start(undefined, {
      models: {
        ...document.models,
        smart: { ...document.models.smart, fallbacks: [{ to: "long", when: ["context_length"] }] },
      },
    });
    coolDown("openai/gpt", "azure/gpt/eu");
    const plan = routing.plan(createCall(), health);
    expect(plan).toMatchObject({ skipped: [] });
    expect(keysOf(plan)).toEqual(["openai/gpt", "azure/gpt/eu", "google/gemini"]);
    expect(plan).not.toHaveProperty("diverted");
    breakOpen("openai/gpt");
    const diverted = routing.plan(createCall(), health);
    expect(keysOf(diverted)).toEqual(["azure/gpt/eu", "google/gemini"]);
    expect(diverted?.diverted).toMatchObject({ from: { key: "openai/gpt" }, why: "breaker_open" });
  });

  it("lets the provider refuse what a model is only thought not to have", () => {
    const { routing, health } = start({ models: { "google/gemini": { tools: false } } });
    const call = createCall({
      model: "long",
      needs: () => ({ contextTokens: 1, tools: true, images: false, structuredOutput: false }),
    });
    expect(keysOf(routing.plan(call, health))).toEqual(["google/gemini"]);
  });

  it("sends nothing where every breaker is open and no fallback is for it", () => {
    const { routing, health, breakOpen } = start();
    breakOpen("google/gemini");
    const plan = routing.plan(createCall({ model: "long" }), health);
    expect(plan).toMatchObject({
      candidates: [],
      skipped: [{ candidate: { key: "google/gemini" }, why: "breaker_open" }],
    });
  });

  it("never gives up the minimum tier", () => {
    const { routing, health, breakOpen } = start(undefined, {
      routes: [{ match: {}, use: "smart", minTier: "frontier" }],
    });
    breakOpen("openai/gpt", "azure/gpt/eu");
    const plan = routing.plan(createCall(), health);
    expect(keysOf(plan)).toEqual([]);
    expect(plan?.skipped.filter(({ why }) => why === "below_min_tier")).toHaveLength(3);
  });
});

describe("strategies", () => {
  const pool = (strategy: string, more: object = {}) => ({
    models: {
      smart: {
        strategy,
        targets: ["openai", "azure", "groq"].map((provider, index) => ({ provider, model: "m", weight: index + 1 })),
        ...more,
      },
    },
  });
  const settings = { windowMs: 60_000, minRequests: 5, failureRatio: 0.5, openForMs: 15_000 };

  it("round-robin takes the healthy targets in turn", () => {
    const { routing, health, breakOpen } = start(undefined, pool("round-robin"));
    const firsts = () => Array.from({ length: 6 }, () => routing.plan(createCall(), health)?.candidates[0]?.provider);
    expect(firsts()).toEqual(["openai", "azure", "groq", "openai", "azure", "groq"]);
    breakOpen("azure/m");
    expect(firsts()).toEqual(["openai", "groq", "openai", "groq", "openai", "groq"]);
  });

  it("round-robin of an alias is not moved on by plans that list it as a fallback", () => {
    const { routing, health } = start();
    const own = Array.from({ length: 4 }, () => {
      routing.plan(createCall(), health);
      return routing.plan(createCall({ model: "claude" }), health)?.candidates[0]?.provider;
    });
    expect(own).toEqual(["anthropic", "groq", "anthropic", "groq"]);
  });

  it("least-busy takes the one with the fewest calls under way for its weight", () => {
    const { routing, health } = start(undefined, pool("least-busy"));
    const taken = Array.from({ length: 12 }, () => {
      const [candidate] = routing.plan(createCall(), health)?.candidates ?? [];
      health.open(candidate?.key ?? "", settings);
      return candidate?.provider;
    });
    const count = (provider: string) => taken.filter((other) => other === provider).length;
    expect([count("openai"), count("azure"), count("groq")]).toEqual([2, 4, 6]);
  });

  it("lowest-latency measures each, then keeps to the quickest, and looks again after a while", () => {
    const { chance, clock, health, routing } = start(undefined, pool("lowest-latency"));
    const latencies: Record<string, number> = { "openai/m": 300, "azure/m": 100, "groq/m": 200 };
    const seen = new Set<string>();
    for (let index = 0; index < 3; index++) {
      const key = routing.plan(createCall(), health)?.candidates[0]?.key ?? "";
      seen.add(key);
      health.open(key, settings)?.end({ latencyMs: latencies[key] ?? 0 });
    }
    expect(seen.size).toBe(3);
    expect(keysOf(routing.plan(createCall(), health))).toEqual(["azure/m", "groq/m", "openai/m"]);
    clock.advance(30_001);
    expect(keysOf(routing.plan(createCall(), health))).toEqual(["azure/m", "groq/m", "openai/m"]);
    chance.next = 0.01;
    expect(keysOf(routing.plan(createCall(), health))).toEqual(["groq/m", "azure/m", "openai/m"]);
  });

  it("lowest-cost takes known prices only, and the order written where none is known", () => {
    const { routing, health } = start({ prices: { "azure/m": 900, "groq/m": 100 } }, pool("lowest-cost"));
    const plan = routing.plan(createCall(), health);
    expect(keysOf(plan)).toEqual(["groq/m", "azure/m"]);
    expect(plan?.skipped).toMatchObject([{ candidate: { key: "openai/m" }, why: "price_unknown" }]);
    const unpriced = start(undefined, pool("lowest-cost"));
    expect(keysOf(unpriced.routing.plan(createCall(), unpriced.health))).toEqual(["openai/m", "azure/m", "groq/m"]);
  });

  it("a weight of 0 is last, and used when nothing else is left", () => {
    for (const strategy of ["weighted", "least-busy", "lowest-latency"]) {
      const targets = [
        { provider: "openai", model: "m", weight: 0 },
        { provider: "azure", model: "m" },
      ];
      const { routing, health, breakOpen } = start(undefined, { models: { smart: { strategy, targets } } });
      for (let index = 0; index < 50; index++) {
        expect(keysOf(routing.plan(createCall(), health)), strategy).toEqual(["azure/m", "openai/m"]);
      }
      breakOpen("azure/m");
      expect(keysOf(routing.plan(createCall(), health)), strategy).toEqual(["openai/m"]);
    }
  });

  it("affinity keeps a session at its target, asks by the sources named, and falls to the strategy without a session", () => {
    const { routing, health } = start(undefined, pool("round-robin", { affinity: { by: ["session"] } }));
    const asked: unknown[] = [];
    const call = (session: string | undefined) =>
      createCall({
        affinityKey: (by) => {
          asked.push(by);
          return session;
        },
      });
    const firsts = (session: string | undefined) =>
      new Set(Array.from({ length: 9 }, () => keysOf(routing.plan(call(session), health))?.[0]));
    expect(firsts("s-1").size).toBe(1);
    expect(firsts(undefined).size).toBe(3);
    expect(asked[0]).toEqual(["session"]);
  });
});
