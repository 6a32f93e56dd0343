import { describe, expect, it } from "vitest";
import { routingSchema } from "../../../src/routing/index.ts";
import { compile, findIssues } from "../../support/routing.ts";

const target = { provider: "openai", model: "gpt-5.2" };

describe("a routing document", () => {
  it("may be empty, and has defaults", () => {
    expect(routingSchema.parse({})).toEqual({
      models: {},
      routes: [],
      tiers: ["frontier", "standard", "small", "local"],
      retry: { maxAttempts: 3, backoff: { baseMs: 200, maxMs: 5000 }, budgetRatio: 0.2, respectRetryAfter: true },
      breaker: { window: "60s", minRequests: 5, failureRatio: 0.5, openFor: "15s" },
    });
    const { breaker, aliases } = compile({});
    expect(breaker).toEqual({ windowMs: 60_000, openForMs: 15_000, minRequests: 5, failureRatio: 0.5 });
    expect(aliases).toEqual(new Set());
  });

  it("takes the example of the design", () => {
    const routing = compile({
      models: {
        smart: {
          strategy: "ordered",
          targets: [
            { ...target, tier: "frontier" },
            { provider: "azure", model: "gpt-5.2", tier: "frontier", weight: 2 },
          ],
          fallbacks: [
            { to: "claude", when: ["rate_limited", "overloaded", "timeout", "unreachable", "server_error"] },
            { to: "long", when: ["context_length"] },
            { to: "local/llama3.3", when: ["budget_exhausted"], tier: "local" },
          ],
        },
        claude: { targets: [{ provider: "anthropic", model: "claude" }] },
        long: { targets: [{ provider: "google", model: "gemini" }] },
      },
      routes: [{ match: { model: "gpt-4*", tags: { env: "dev" } }, use: "smart" }],
      breaker: { window: "1m30s", openFor: "500ms" },
    });
    expect(routing.aliases).toEqual(new Set(["smart", "claude", "long"]));
    const named = ["openai/gpt-5.2", "azure/gpt-5.2", "local/llama3.3", "anthropic/claude", "google/gemini"];
    expect([...routing.models].sort()).toEqual(named.sort());
    expect(routing.breaker).toMatchObject({ windowMs: 90_000, openForMs: 500 });
  });

  it.each<[name: string, document: unknown, path: string]>([
    ["an unknown key", { models: { a: { targets: [target], fallback: [] } } }, "models.a"],
    ["an unknown strategy", { models: { a: { strategy: "fastest", targets: [target] } } }, "models.a.strategy"],
    ["no target", { models: { a: { targets: [] } } }, "models.a.targets"],
    ["a negative weight", { models: { a: { targets: [{ ...target, weight: -1 }] } } }, "models.a.targets.0.weight"],
    [
      "an unknown reason",
      { models: { a: { targets: [target], fallbacks: [{ to: "b", when: ["bad"] }] } } },
      "models.a.fallbacks.0.when.0",
    ],
    [
      "an empty when",
      { models: { a: { targets: [target], fallbacks: [{ to: "b", when: [] }] } } },
      "models.a.fallbacks.0.when",
    ],
    [
      "a line break in a name",
      { models: { a: { targets: [{ provider: "openai", model: "a\r\nb" }] } } },
      "models.a.targets.0.model",
    ],
    [
      "what separates in a header",
      { models: { a: { targets: [{ provider: "openai", model: "a;b" }] } } },
      "models.a.targets.0.model",
    ],
    ["a comma", { models: { a: { targets: [{ provider: "openai", model: "a,b" }] } } }, "models.a.targets.0.model"],
    ["a duration without unit", { breaker: { window: "60" } }, "breaker.window"],
    ["a duration too short", { breaker: { window: "10ms" } }, "breaker.window"],
    ["a ratio above 1", { breaker: { failureRatio: 1.5 } }, "breaker.failureRatio"],
    ["a ratio of 0", { breaker: { failureRatio: 0 } }, "breaker.failureRatio"],
    ["no attempt", { retry: { maxAttempts: 0 } }, "retry.maxAttempts"],
    ["a budget above 1", { retry: { budgetRatio: 2 } }, "retry.budgetRatio"],
    ["a hedge at once", { models: { a: { targets: [target], hedge: { afterMs: 0 } } } }, "models.a.hedge.afterMs"],
  ])("has the shape of the schema: %s", (_, document, path) => {
    const result = routingSchema.safeParse(document);
    expect(result.error?.issues.map((issue) => issue.path.join("."))).toContain(path);
  });
});

describe("issues", () => {
  const b = { targets: [{ provider: "anthropic", model: "claude" }] };

  it.each<[name: string, document: unknown, issue: object]>([
    [
      "an unknown provider, with the nearest",
      { models: { a: { targets: [{ provider: "opnai", model: "x" }] } } },
      { path: "models.a.targets.0.provider", message: 'no provider "opnai" is known', nearest: "openai" },
    ],
    [
      "an unknown alias, with the nearest",
      { models: { claude: b, a: { targets: [target], fallbacks: [{ to: "cluade" }] } } },
      { path: "models.a.fallbacks.0.to", message: expect.stringContaining('no alias "cluade"'), nearest: "claude" },
    ],
    [
      "a model of an unknown provider, with the nearest",
      { models: { a: { targets: [target], fallbacks: [{ to: "antropic/claude" }] } } },
      { path: "models.a.fallbacks.0.to", message: expect.stringContaining("neither"), nearest: "anthropic/claude" },
    ],
    [
      "a route to nowhere",
      { models: { smart: b }, routes: [{ match: {}, use: "smrat" }] },
      { path: "routes.0.use", message: expect.stringContaining("no alias"), nearest: "smart" },
    ],
    [
      "a route for an unknown provider",
      { models: { smart: b }, routes: [{ match: { provider: "grok" }, use: "smart" }] },
      { path: "routes.0.match.provider", message: expect.stringContaining("no provider"), nearest: "groq" },
    ],
    [
      "a target twice",
      { models: { a: { targets: [target, b.targets[0], target] } } },
      { path: "models.a.targets.2", message: "the same target as models.a.targets.0" },
    ],
    [
      "a fallback twice",
      { models: { b, a: { targets: [target], fallbacks: [{ to: "b" }, { to: "b", when: ["context_length"] }] } } },
      {
        path: "models.a.fallbacks.1.to",
        message: expect.stringContaining("the same fallback as models.a.fallbacks.0"),
      },
    ],
    [
      "a fallback that is a target",
      { models: { a: { targets: [target], fallbacks: [{ to: "openai/gpt-5.2" }] } } },
      { path: "models.a.fallbacks.0.to", message: expect.stringContaining("the same as a target") },
    ],
    [
      "weights that leave no target",
      { models: { a: { targets: [{ ...target, weight: 0 }] } } },
      { path: "models.a.targets", message: expect.stringContaining("every weight is 0") },
    ],
    [
      "a fallback to itself",
      { models: { a: { targets: [target], fallbacks: [{ to: "a" }] } } },
      { path: "models.a.fallbacks.0.to", message: 'fallbacks run in a circle: "a" → "a"' },
    ],
    [
      "an unknown tier, with the nearest",
      { models: { a: { targets: [{ ...target, tier: "fronteir" }] } } },
      { path: "models.a.targets.0.tier", message: expect.stringContaining("none of the tiers"), nearest: "frontier" },
    ],
    [
      "a minimum tier that no target reaches",
      { models: { a: { targets: [{ ...target, tier: "small" }, { ...b.targets[0] }], minTier: "standard" } } },
      { path: "models.a.minTier", message: expect.stringContaining("no target is of the tier") },
    ],
    [
      "a route's minimum tier that no target reaches",
      {
        models: { a: { targets: [{ ...target, tier: "small" }] } },
        routes: [{ match: {}, use: "a", minTier: "standard" }],
      },
      { path: "routes.0.minTier", message: expect.stringContaining("no target is of the tier") },
    ],
    [
      "a minimum tier of a model that has none",
      { routes: [{ match: {}, use: "openai/x", minTier: "standard" }] },
      { path: "routes.0.minTier", message: expect.stringContaining("has no tier") },
    ],
    [
      "regions in which no target is",
      { models: { a: { targets: [{ ...target, region: "us" }, { ...b.targets[0] }], regions: ["eu", "uk"] } } },
      { path: "models.a.regions", message: 'no target is in the regions "eu", "uk"' },
    ],
    [
      "a route's regions in which no target is",
      { models: { a: { targets: [{ ...target, region: "us" }] } }, routes: [{ match: {}, use: "a", regions: ["eu"] }] },
      { path: "routes.0.regions", message: 'no target is in the regions "eu"' },
    ],
    [
      "regions of a model that has none",
      { routes: [{ match: {}, use: "openai/x", regions: ["eu"] }] },
      { path: "routes.0.regions", message: expect.stringContaining("has no region") },
    ],
    [
      "a tier and regions that no target has both of",
      {
        models: {
          a: {
            targets: [
              { ...target, tier: "small", region: "eu" },
              { ...target, tier: "frontier", region: "us" },
            ],
            minTier: "standard",
            regions: ["eu"],
          },
        },
        routes: [{ match: {}, use: "a", regions: ["eu"] }],
      },
      { path: "models.a.regions", message: expect.stringContaining("no target is within this and the other limits") },
    ],
    [
      "a route's regions that the alias's leave no target of",
      {
        models: {
          a: {
            targets: [
              { ...target, region: "eu" },
              { ...target, region: "us" },
            ],
            regions: ["us"],
          },
        },
        routes: [
          { match: { app: "x" }, use: "a" },
          { match: {}, use: "a", regions: ["eu"] },
        ],
      },
      { path: "routes.1.regions", message: expect.stringContaining("no target is within this and the other limits") },
    ],
    [
      "a region of an alias",
      { models: { b, a: { targets: [target], fallbacks: [{ to: "b", region: "eu" }] } } },
      { path: "models.a.fallbacks.0.region", message: expect.stringContaining("whose targets say their regions") },
    ],
    [
      "a fallback that is a target, region and all",
      {
        models: {
          a: {
            targets: [{ ...target, region: "eu" }],
            fallbacks: [
              { to: "openai/gpt-5.2", region: "us" },
              { to: "openai/gpt-5.2", region: "eu" },
            ],
          },
        },
      },
      { path: "models.a.fallbacks.1.to", message: expect.stringContaining("the same as a target") },
    ],
    ["a tier twice", { tiers: ["a", "b", "a"] }, { path: "tiers.2", message: 'the tier "a" is there twice' }],
    [
      "a pattern too long",
      { routes: [{ match: { model: "a".repeat(257) }, use: "openai/x" }] },
      { path: "routes.0.match.model", message: "a pattern has at most 256 characters, this one 257" },
    ],
    [
      "a pattern too complex",
      { routes: [{ match: { tags: { env: "*a".repeat(17) } }, use: "openai/x" }] },
      { path: "routes.0.match.tags.env", message: "a pattern has at most 16 *, this one 17" },
    ],
  ])("%s", (_, document, issue) => {
    expect(findIssues(document)).toEqual([issue]);
  });

  it("tells each circle once, however many aliases lead into it", () => {
    const leadingTo = (to: string, model: string) => ({
      targets: [{ provider: "openai", model }],
      fallbacks: [{ to }],
    });
    const models = { in: leadingTo("a", "1"), a: leadingTo("b", "2"), b: leadingTo("c", "3"), c: leadingTo("a", "4") };
    expect(findIssues({ models })).toEqual([
      { path: "models.c.fallbacks.0.to", message: 'fallbacks run in a circle: "a" → "b" → "c" → "a"' },
    ]);
  });

  it("finds a circle of 20,000 aliases, and shows a part of it", () => {
    const count = 20_000;
    const models = Object.fromEntries(
      Array.from({ length: count }, (_, index) => [
        `a${index}`,
        { targets: [{ provider: "openai", model: `m${index}` }], fallbacks: [{ to: `a${(index + 1) % count}` }] },
      ]),
    );
    const [issue, ...rest] = findIssues({ models });
    expect(rest).toEqual([]);
    expect(issue?.message).toMatch(/circle: "a0" → .*"…" → "a0"$/);
  });

  it("does not mistake two ways to one alias for a circle", () => {
    const models = {
      a: { targets: [target], fallbacks: [{ to: "b" }, { to: "c" }] },
      b: { targets: [{ provider: "groq", model: "b" }], fallbacks: [{ to: "c" }] },
      c: { targets: [{ provider: "groq", model: "c" }] },
    };
    expect(findIssues({ models })).toEqual([]);
  });

  it("finds all of them at once", () => {
    const paths = findIssues({
      tiers: ["x", "x"],
      models: {
        a: { targets: [{ provider: "nope", model: "x", tier: "y" }], fallbacks: [{ to: "zzz" }, { to: "a" }] },
      },
      routes: [{ match: { model: "*".repeat(17) }, use: "nowhere" }],
    }).map(({ path }) => path);
    expect(paths).toEqual([
      "tiers.1",
      "models.a.targets.0.provider",
      "models.a.targets.0.tier",
      "models.a.fallbacks.0.to",
      "routes.0.match.model",
      "routes.0.use",
      "models.a.fallbacks.1.to",
    ]);
  });
});
