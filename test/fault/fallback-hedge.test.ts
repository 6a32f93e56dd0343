// A second target asked beside one that is slow: one answer, both told and settled, and what follows when both fail. Told as whole
// stories, as in fallbacks.test.ts.
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Scene, type Stage, startStage } from "../support/fallback-stage.ts";
import { anthropicForms as anthropic, openaiForms as openai, streamWhole } from "../support/scripted-answers.ts";
import type { Plan } from "../support/scripted-upstream.ts";
import { readStories } from "../support/stories.ts";

const targets = [
  { provider: "openai", model: "gpt" },
  { provider: "second", model: "gpt-b" },
];
const hedge = { afterMs: 200 };
const fallbacks = [{ to: "anthropic/claude" }];
const afterMs = (delayMs: number, plan: Plan): Plan => ({ ...plan, delayMs });
const [fromGpt, fromSecond] = [openai.whole("from gpt"), openai.whole("from second")];
const overloaded = openai.refusal(503, "overloaded");

const scenes: readonly Scene[] = [
  {
    name: "a quick target is asked alone",
    alias: { targets, hedge },
    answers: { openai: [fromGpt] },
  },
  {
    name: "the second answers first",
    alias: { targets, hedge },
    answers: { openai: [afterMs(1500, fromGpt)], second: [fromSecond] },
  },
  {
    name: "the first answers first after all",
    alias: { targets, hedge },
    answers: { openai: [afterMs(600, fromGpt)], second: [afterMs(1500, fromSecond)] },
  },
  {
    name: "the second streams first",
    alias: { targets, hedge },
    answers: { openai: [afterMs(1500, streamWhole(openai, "from gpt"))], second: [streamWhole(openai, "from second")] },
    ask: { stream: true },
  },
  {
    name: "the second fails",
    alias: { targets, hedge, fallbacks },
    answers: { openai: [afterMs(600, fromGpt)], second: [overloaded] },
  },
  {
    name: "the first fails",
    alias: { targets, hedge, fallbacks },
    answers: { openai: [afterMs(500, openai.refusal(500, "server_error"))], second: [afterMs(600, fromSecond)] },
  },
  {
    name: "both fail: a fallback stands in for the first",
    alias: { targets, hedge, fallbacks },
    answers: {
      openai: [afterMs(600, openai.refusal(500, "server_error"))],
      second: [overloaded],
      anthropic: [anthropic.whole("from claude")],
    },
  },
  {
    name: "x-outrider-fallback: off asks nobody beside",
    alias: { targets, hedge },
    answers: { openai: [afterMs(500, fromGpt)] },
    ask: { headers: { "x-outrider-fallback": "off" } },
  },
];

const stories = readStories("test/fault/stories/hedge.txt");
let stage: Stage;

beforeAll(async () => {
  stage = await startStage(scenes, { retry: { maxAttempts: 3, backoff: { baseMs: 5, maxMs: 20 } } });
});

afterAll(() => stage?.close());

it.each(scenes)("$name", async (scene) => {
  expect(await stage.play(scene)).toEqual(stories.of(scene.name));
});

it("plays every story", () => {
  expect(stories.unread()).toEqual([]);
});
