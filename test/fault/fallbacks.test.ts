// What policy does when a target fails before it answered: retries, equals, fallbacks, and what is never answered by another. Each
// scene tells its whole story: the client's answer, what each provider saw, spans, counters, log events, the summary.
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Scene, type Stage, startStage } from "../support/fallback-stage.ts";
import {
  anthropicForms as anthropic,
  answerJson,
  googleForms as google,
  openaiForms as openai,
  resetUnanswered,
  silence,
} from "../support/scripted-answers.ts";
import { readStories } from "../support/stories.ts";

const gpt = { provider: "openai", model: "gpt" };
const claude = { provider: "anthropic", model: "claude" };
const toClaude = { to: "anthropic/claude" };
const broken = openai.refusal(500, "server_error");

const scenes: readonly Scene[] = [
  {
    name: "a retry succeeds",
    alias: { targets: [gpt], fallbacks: [toClaude] },
    answers: { openai: [broken, openai.whole("from gpt")] },
  },
  {
    name: "the retries are used up, then those of an equal, then a fallback of another vendor answers",
    alias: { targets: [gpt, { provider: "second", model: "gpt-b" }], fallbacks: [toClaude] },
    answers: {
      openai: [broken, broken, broken],
      second: [broken, broken, broken],
      anthropic: [anthropic.whole("from claude")],
    },
  },
  {
    name: "an overloaded target (529) is tried again, then replaced",
    alias: { targets: [claude], fallbacks: [{ to: "openai/gpt" }] },
    answers: {
      anthropic: Array.from({ length: 3 }, () => anthropic.refusal(529, "overloaded_error")),
      openai: [openai.whole("from gpt")],
    },
  },
  {
    name: "an overloaded target (503) gives way to its equal at once",
    alias: { targets: [gpt, { provider: "second", model: "gpt-b" }] },
    answers: { openai: [openai.refusal(503, "overloaded")], second: [openai.whole("from second")] },
  },
  {
    name: "a quota that is used up is neither tried again nor replaced unasked",
    alias: { targets: [gpt], fallbacks: [toClaude] },
    answers: { openai: [openai.refusal(429, "insufficient_quota")] },
  },
  {
    name: "a quota that is used up leads to the fallback that names it",
    alias: { targets: [gpt], fallbacks: [toClaude, { to: "google/gemini", when: ["quota_exhausted"] }] },
    answers: { openai: [openai.refusal(429, "insufficient_quota")], google: [openai.whole("from gemini")] },
  },
  {
    name: "a context that is too long leads to the fallback that names it alone",
    alias: { targets: [gpt], fallbacks: [toClaude, { to: "google/gemini", when: ["context_length"] }] },
    answers: { openai: [openai.refusal(400, "context_length_exceeded")], google: [openai.whole("from gemini")] },
  },
  {
    name: "an answer that a filter left empty leads to the fallback that names it",
    alias: { targets: [gpt], fallbacks: [{ to: "anthropic/claude", when: ["content_filtered"] }] },
    answers: { openai: [openai.filtered()], anthropic: [anthropic.whole("from claude")] },
  },
  {
    name: "an answer that a filter left empty is the client's where no fallback names it",
    alias: { targets: [gpt], fallbacks: [toClaude] },
    answers: { openai: [openai.filtered()] },
  },
  {
    name: "a request that is wrong (400) is neither tried again nor replaced",
    alias: { targets: [gpt, { provider: "second", model: "gpt-b" }], fallbacks: [toClaude] },
    answers: { openai: [openai.refusal(400, "invalid_request_error")] },
  },
  {
    name: "a credential of Outrider's own that is refused (401) is not hidden by another",
    alias: { targets: [gpt, { provider: "second", model: "gpt-b" }], fallbacks: [toClaude] },
    answers: { openai: [openai.refusal(401, "invalid_api_key")] },
  },
  {
    name: "a connection that is refused is tried again, then replaced",
    alias: { targets: [{ provider: "gone", model: "gpt" }], fallbacks: [toClaude] },
    answers: { anthropic: [anthropic.whole("from claude")] },
  },
  {
    name: "a connection that is reset before any byte is tried again",
    alias: { targets: [gpt], fallbacks: [toClaude] },
    answers: { openai: [resetUnanswered, openai.whole("from gpt")] },
  },
  {
    name: "a name that does not resolve is tried again, then replaced",
    alias: { targets: [{ provider: "nowhere", model: "gpt" }], fallbacks: [toClaude] },
    answers: { anthropic: [anthropic.whole("from claude")] },
  },
  {
    name: "a target that does not begin to answer is tried again",
    alias: { targets: [gpt], fallbacks: [toClaude] },
    answers: { openai: [silence, openai.whole("from gpt")] },
  },
  {
    name: "a target that does not begin to answer gives way to its equal at once",
    alias: { targets: [gpt, { provider: "second", model: "gpt-b" }] },
    answers: { openai: [silence], second: [openai.whole("from second")] },
  },
  {
    name: "an answer that is no answer (HTML) is replaced without another try",
    alias: { targets: [gpt], fallbacks: [toClaude] },
    answers: {
      openai: [{ headers: { "content-type": "text/html" }, contentLength: true, chunks: ["<html></html>"] }],
      anthropic: [anthropic.whole("from claude")],
    },
  },
  {
    name: "an answer of another form (200 with an error in it) is tried again",
    alias: { targets: [gpt] },
    answers: {
      openai: [
        answerJson({ error: { message: "openai says server_error", type: "server_error", code: null } }),
        openai.whole("from gpt"),
      ],
    },
  },
  {
    name: "x-outrider-fallback: off leaves the retries and nothing else",
    alias: { targets: [gpt, { provider: "second", model: "gpt-b" }], fallbacks: [toClaude] },
    answers: { openai: [broken, broken, broken] },
    ask: { headers: { "x-outrider-fallback": "off" } },
  },
  {
    name: "where nothing is left the client gets the first error, and the list of what was tried",
    alias: { targets: [gpt], fallbacks: [toClaude, { to: "google/gemini", when: ["overloaded"] }] },
    answers: {
      openai: [broken, broken, broken],
      anthropic: Array.from({ length: 3 }, () => anthropic.refusal(529, "overloaded_error")),
      google: Array.from({ length: 3 }, () => openai.refusal(500, "server_error")),
    },
  },
  {
    name: "a fallback that nobody can pay for is skipped",
    alias: { targets: [gpt], fallbacks: [{ to: "groq/llama" }, toClaude] },
    answers: { openai: [broken, broken, broken], anthropic: [anthropic.whole("from claude")] },
  },
  {
    name: "a fallback below the minimum tier is skipped",
    alias: {
      minTier: "standard",
      targets: [{ ...gpt, tier: "frontier" }],
      fallbacks: [
        { to: "google/gemini", tier: "small" },
        { ...toClaude, tier: "standard" },
      ],
    },
    answers: { openai: [broken, broken, broken], anthropic: [anthropic.whole("from claude")] },
  },
  {
    name: "an alias for one region is answered there by its fallback, and the one elsewhere is never asked",
    alias: {
      regions: ["eu"],
      targets: [{ ...gpt, region: "eu" }],
      fallbacks: [
        { to: "google/gemini", region: "us" },
        { ...toClaude, region: "eu" },
      ],
    },
    answers: { openai: [broken, broken, broken], anthropic: [anthropic.whole("from claude")] },
  },
  {
    name: "a fallback that cannot take the call without loss is passed over",
    alias: { targets: [gpt], fallbacks: [toClaude, { to: "google/gemini" }] },
    answers: { openai: [broken, broken, broken], google: [openai.whole("from gemini")] },
    ask: { more: { n: 2 } },
  },
  {
    name: "of two equal fallbacks the one that can take the call does, for whatever reason they are asked",
    alias: { targets: [gpt], fallbacks: [{ to: "long", when: ["context_length"] }] },
    answers: { openai: [openai.refusal(400, "context_length_exceeded")], google: [openai.whole("from gemini")] },
    ask: { more: { n: 2 } },
  },
  {
    name: "a fallback whose credential cannot be made is passed over",
    alias: { targets: [gpt], fallbacks: [{ to: "vertex/gemini" }, toClaude] },
    answers: { openai: [broken, broken, broken], anthropic: [anthropic.whole("from claude")] },
  },
  {
    name: "a fallback whose credential cannot be made leaves the client the first error",
    alias: { targets: [gpt], fallbacks: [{ to: "vertex/gemini" }] },
    answers: { openai: [broken, broken, broken] },
  },
  {
    name: "an Anthropic client is served by OpenAI, then by Google, in its own words",
    alias: { targets: [gpt], fallbacks: [{ to: "google/gemini" }] },
    answers: { openai: [broken, broken, broken], google: [google.whole("from gemini")] },
    ask: { client: "anthropic" },
  },
  {
    name: "an Anthropic client gets the first error of a chain in its own words",
    alias: { targets: [gpt], fallbacks: [{ to: "google/gemini" }] },
    answers: {
      openai: [broken, broken, broken],
      google: Array.from({ length: 3 }, () => google.refusal(503, "UNAVAILABLE")),
    },
    ask: { client: "anthropic" },
  },
  {
    name: "the client's own credential goes to the provider it was sent to, and to no fallback",
    alias: { targets: [gpt], fallbacks: [toClaude] },
    answers: { openai: [broken, broken, broken], anthropic: [anthropic.whole("from claude")] },
    ask: { headers: { authorization: "Bearer test-key-client" } },
  },
  {
    name: "provider/model without an alias obeys the retries",
    alias: { targets: [gpt] },
    answers: { anthropic: [anthropic.refusal(500, "api_error"), anthropic.whole("from claude")] },
    ask: { model: "anthropic/claude" },
  },
  {
    name: "a path that names its provider is not taken by aliases, but tried again",
    alias: { targets: [claude] },
    answers: { openai: [broken, openai.whole("from gpt")] },
    ask: { path: "/openai/v1/chat/completions" },
  },
];

const stories = readStories("test/fault/stories/failures.txt");
let stage: Stage;

beforeAll(async () => {
  stage = await startStage(scenes, {
    retry: { maxAttempts: 3, backoff: { baseMs: 5, maxMs: 20 } },
    timeouts: { firstByteMs: 700 },
    models: {
      long: {
        targets: [
          { provider: "anthropic", model: "claude-long" },
          { provider: "google", model: "gemini-long" },
        ],
      },
    },
  });
});

afterAll(() => stage?.close());

it.each(scenes)("$name", async (scene) => {
  expect(await stage.play(scene)).toEqual(stories.of(scene.name));
});

it("plays every story", () => {
  expect(stories.unread()).toEqual([]);
});
