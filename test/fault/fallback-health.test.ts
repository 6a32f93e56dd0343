// What one call teaches the next: breakers that open, let one call try, and close; strategies that share the calls. Told as whole
// stories, as in fallbacks.test.ts.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Stage, startStage } from "../support/fallback-stage.ts";
import { anthropicForms as anthropic, openaiForms as openai } from "../support/scripted-answers.ts";
import { readStories } from "../support/stories.ts";
import type { Plan } from "../support/scripted-upstream.ts";

const gpt = { provider: "openai", model: "gpt" };
const second = { provider: "second", model: "gpt-b" };
const toClaude = { to: "anthropic/claude" };
const broken = openai.refusal(500, "server_error");
const fromGpt = openai.whole("from gpt");
const fromClaude = anthropic.whole("from claude");

const aliases = {
  closing: { targets: [gpt], fallbacks: [toClaude] },
  staying: { targets: [gpt], fallbacks: [toClaude] },
  stale: { targets: [gpt] },
  turns: { strategy: "round-robin", targets: [gpt, second] },
  weights: {
    strategy: "weighted",
    targets: [
      { ...gpt, weight: 1 },
      { ...second, weight: 3 },
    ],
  },
  last: { strategy: "weighted", targets: [{ ...gpt, weight: 0 }, second] },
  unpaid: { targets: [{ provider: "groq", model: "llama" }], fallbacks: [toClaude] },
};
const openForMs = 1500;

const stories = readStories("test/fault/stories/health.txt");
let stage: Stage;

beforeAll(async () => {
  stage = await startStage(
    Object.values(aliases).map((alias) => ({ alias })),
    {
      retry: { maxAttempts: 3, backoff: { baseMs: 5, maxMs: 20 } },
      breaker: { window: "10s", minRequests: 5, failureRatio: 0.5, openFor: `${openForMs}ms` },
    },
  );
});

afterAll(() => stage?.close());

describe("a breaker", () => {
  it("opens after enough failures, sends calls elsewhere, lets one try, and closes", async () => {
    const alias = aliases.closing;
    const play = (...answers: [openai: Plan[], anthropic?: Plan[]]): Promise<string[]> =>
      stage.play({ alias, answers: { openai: answers[0], anthropic: answers[1] ?? [] } });
    expect(await play([broken, broken, broken], [fromClaude])).toContain("attempts: 4");
    // The fifth failure opens it: the third try is not made.
    expect(await play([broken, broken], [fromClaude])).toEqual(stories.of("the failure that opens the breaker"));
    // From the first attempt on it is told that another stands in.
    expect(await play([], [fromClaude])).toEqual(stories.of("a breaker that is open"));
    expect(await stage.play({ alias, answers: {}, ask: { headers: { "x-outrider-fallback": "off" } } })).toEqual(
      stories.of("a breaker that is open, without fallbacks"),
    );
    await sleep(openForMs);
    expect(await play([fromGpt])).toEqual(stories.of("the call that may try"));
    // Closed: one failure is one failure again.
    expect(await play([broken, fromGpt])).toContain("served-by: openai/gpt");
  });

  it("stays open when the call that may try fails, and leaves that call its fallback", async () => {
    const alias = aliases.staying;
    const play = (...plans: Plan[]): Promise<string[]> =>
      stage.play({ alias, answers: { openai: plans, anthropic: [fromClaude] } });
    await play(broken, broken, broken);
    await play(broken, broken);
    await sleep(openForMs);
    expect(await play(broken)).toEqual(stories.of("the call that may try fails"));
    expect(await play()).toContain("fallback: openai/gpt->anthropic/claude;reason=breaker_open");
    expect(stage.seen("openai").length).toBe(0);
  });
});

describe("strategies", () => {
  const serve = async (alias: Record<string, unknown>, calls: number): Promise<(string | null)[]> => {
    const many = Array.from({ length: calls }, () => fromGpt);
    stage.script({ openai: many, second: many });
    const served: (string | null)[] = [];
    for (let call = 0; call < calls; call++) {
      const { header } = await stage.ask({ alias });
      served.push(header("x-outrider-fallback") ?? header("x-outrider-served-by")?.split("/")[0] ?? null);
    }
    return served;
  };

  it("round-robin takes the targets in turn, and a turn is no fallback", async () => {
    expect(await serve(aliases.turns, 4)).toEqual(["openai", "second", "openai", "second"]);
  });

  it("weighted serves at each target", async () => {
    // None of 40 calls at a target with a quarter of them: once in 100,000 runs.
    expect(new Set(await serve(aliases.weights, 40))).toEqual(new Set(["openai", "second"]));
  });

  it("weight 0 is for when nobody else is left", async () => {
    expect(new Set(await serve(aliases.last, 10))).toEqual(new Set(["second"]));
    const answers = { second: [broken, broken, broken], openai: [fromGpt] };
    expect(await stage.play({ alias: aliases.last, answers })).toContain(
      "fallback: second/gpt-b->openai/gpt;reason=upstream_server_error",
    );
  });
});

it("tells from the first attempt on that a target which nobody can pay for was replaced", async () => {
  expect(await stage.play({ alias: aliases.unpaid, answers: { anthropic: [fromClaude] } })).toEqual(
    stories.of("a target that nobody can pay for"),
  );
});

it("does not count a kept-alive connection that had died among the retries", async () => {
  const alias = aliases.stale;
  const keptAlive: Plan = { ...fromGpt, ending: "end", onReuse: "destroy" };
  expect(await stage.play({ alias, answers: { openai: [keptAlive] } })).toContain("attempts: 1");
  expect(await stage.play({ alias, answers: { openai: [broken, broken, fromGpt] } })).toEqual(
    stories.of("a kept-alive connection that had died"),
  );
});

it("plays every story", () => {
  expect(stories.unread()).toEqual([]);
});
