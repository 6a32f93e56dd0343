// How long policy waits: for every form in which a provider asks for it, for the client and for its deadline; and what a wait that is too
// long leads to. Told as whole stories, as in fallbacks.test.ts.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Scene, type Stage, startStage } from "../support/fallback-stage.ts";
import {
  anthropicForms as anthropic,
  googleForms as google,
  openaiForms as openai,
  refuseWithRetryDelay,
  silence,
} from "../support/scripted-answers.ts";
import { readStories } from "../support/stories.ts";
import type { Plan } from "../support/scripted-upstream.ts";

const gpt = { provider: "openai", model: "gpt" };
const claude = { provider: "anthropic", model: "claude" };
const gemini = { provider: "google", model: "gemini" };
const toClaude = { to: "anthropic/claude" };

const limited = (headers: Record<string, string>): Plan => openai.refusal(429, "rate_limit_exceeded", headers);
const inMs = (ms: number): Date => new Date(Date.now() + ms);

/** A wait that is asked for: from `leastMs`, and at most a tenth more than `mostMs`; what is at random is added, never taken off. */
interface Form {
  form: string;
  alias: Scene["alias"];
  client?: "anthropic";
  answers: Scene["answers"];
  leastMs: number;
  mostMs: number;
}

const ofOpenai = (form: string, refuse: () => Plan, leastMs: number, mostMs = leastMs): Form => ({
  form,
  alias: { targets: [gpt] },
  answers: { openai: [refuse, openai.whole("from gpt")] },
  leastMs,
  mostMs,
});

/** The backoff of these tests. */
const [backoffMs, longestMs] = [20, 1200];
const ofBackoff = (form: string, headers: Record<string, string>): Form =>
  ofOpenai(form, () => limited(headers), backoffMs / 2, backoffMs / 1.1);

const forms: readonly Form[] = [
  ofOpenai("retry-after in seconds", () => limited({ "retry-after": "1" }), 1000),
  ofOpenai("retry-after as a date", () => limited({ "retry-after": inMs(2000).toUTCString() }), 950, 2000),
  ofOpenai("retry-after-ms", () => limited({ "retry-after-ms": "300", "retry-after": "9" }), 300),
  ofOpenai("retry-after with an overload", () => openai.refusal(503, "overloaded", { "retry-after": "0.3" }), 300),
  ofOpenai("x-ratelimit-reset-requests", () => limited({ "x-ratelimit-reset-requests": "350ms" }), 350),
  ofOpenai(
    "the reset of the limit that has nothing left",
    () =>
      limited({
        "x-ratelimit-reset-requests": "20ms",
        "x-ratelimit-remaining-requests": "99",
        "x-ratelimit-reset-tokens": "0.4s",
        "x-ratelimit-remaining-tokens": "0",
      }),
    400,
  ),
  {
    form: "anthropic-ratelimit-requests-reset (RFC 3339)",
    alias: { targets: [claude] },
    client: "anthropic",
    answers: {
      anthropic: [
        () =>
          anthropic.refusal(429, "rate_limit_error", { "anthropic-ratelimit-requests-reset": inMs(500).toISOString() }),
        anthropic.whole("from claude"),
      ],
    },
    leastMs: 400,
    mostMs: 500,
  },
  {
    form: "retryDelay in Gemini's body",
    alias: { targets: [gemini] },
    client: "anthropic",
    answers: { google: [refuseWithRetryDelay("0.3s"), google.whole("from gemini")] },
    leastMs: 300,
    mostMs: 300,
  },
  ofBackoff("no hint", {}),
  ofBackoff("retry-after: 0", { "retry-after": "0" }),
  ofBackoff("retry-after: -1", { "retry-after": "-1" }),
  ofBackoff("a retry-after that cannot be read", { "retry-after": "soon", "retry-after-ms": "NaN" }),
  ofBackoff("a retry-after in the past", { "retry-after": "Mon, 01 Jan 2024 00:00:00 GMT" }),
  ofOpenai(
    "the state of limits with an error that is none of theirs",
    () => openai.refusal(500, "server_error", { "x-ratelimit-reset-requests": "8.64s" }),
    backoffMs / 2,
    backoffMs / 1.1,
  ),
];

const tooLong: Scene = {
  name: "a wait that is too long",
  alias: { targets: [gpt], fallbacks: [toClaude] },
  answers: { openai: [limited({ "retry-after": "60" })], anthropic: [anthropic.whole("from claude")] },
};
const tooLongAlone: Scene = {
  name: "a wait that is too long, and nobody else",
  alias: { targets: [gpt] },
  answers: { openai: [limited({ "retry-after-ms": String(longestMs * 2) })] },
};
const tooLongInBody: Scene = {
  name: "a wait in Gemini's body that is too long",
  alias: { targets: [gemini], fallbacks: [toClaude] },
  answers: { google: [refuseWithRetryDelay("22s")], anthropic: [anthropic.whole("from claude")] },
  ask: { client: "anthropic" },
};
const pastDeadline: Scene = {
  name: "a wait beyond the client's deadline",
  alias: { targets: [gpt], fallbacks: [toClaude] },
  answers: { openai: [limited({ "retry-after-ms": "900" })], anthropic: [anthropic.whole("from claude")] },
  ask: { headers: { "x-outrider-timeout-ms": "700" } },
};
const deadline: Scene = {
  name: "the client's deadline is over",
  alias: { targets: [gpt], fallbacks: [toClaude] },
  answers: { openai: [limited({ "retry-after-ms": "200" }), silence] },
  ask: { headers: { "x-outrider-timeout-ms": "700" } },
};
const hangUp: Scene = {
  name: "a client that goes away while it is waited",
  alias: { targets: [gpt], fallbacks: [toClaude] },
  answers: { openai: [limited({ "retry-after-ms": "800" }), openai.whole("too late")] },
  ask: { leaveAfterMs: 300 },
};
const told = [tooLongAlone, tooLongInBody, pastDeadline, deadline];

const stories = readStories("test/fault/stories/waits.txt");
let stage: Stage;

beforeAll(async () => {
  stage = await startStage([...forms, tooLong, hangUp, ...told], {
    retry: { maxAttempts: 3, backoff: { baseMs: backoffMs, maxMs: longestMs } },
  });
});

afterAll(() => stage?.close());

describe("waits as long as the provider asks", () => {
  it.each(forms)("$form", async ({ alias, client, answers, leastMs, mostMs }) => {
    const story = await stage.play({ alias, answers, ask: client === undefined ? {} : { client } });
    const retry = story.find((line) => line.includes("POST 200 retry resend 1"));
    const toldMs = Number(/after ([\d.]+)s/.exec(retry ?? "")?.[1]) * 1000;
    expect(toldMs).toBeGreaterThan(leastMs - 100);
    expect(toldMs).toBeLessThanOrEqual(mostMs * 1.1);
    const seen = (["openai", "anthropic", "google"] as const).flatMap((name) => [...stage.seen(name)]);
    const [first, second] = seen;
    expect(seen.length).toBe(2);
    expect((second?.startedAt ?? 0) - (first?.endedAt ?? 0)).toBeGreaterThan(leastMs - 2);
    expect(story.filter((line) => line.startsWith("fallback"))).toEqual([]);
  });
});

it.each(told)("$name", async (scene) => {
  expect(await stage.play(scene)).toEqual(stories.of(scene.name));
});

it("leaves a target alone whose wait is too long, and tells so from the first call that goes elsewhere", async () => {
  expect(await stage.play(tooLong)).toEqual(stories.of(tooLong.name));
  const again = { ...tooLong, answers: { anthropic: [anthropic.whole("from claude")] } };
  expect(await stage.play(again)).toEqual(stories.of("the call after that"));
});

it("sends nothing more for a client that went away while it was waited", async () => {
  expect(await stage.play(hangUp)).toEqual(stories.of(hangUp.name));
  await sleep(900);
  expect(stage.seen("openai").length).toBe(1);
});

it("plays every story", () => {
  expect(stories.unread()).toEqual([]);
});
