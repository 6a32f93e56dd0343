// Streams that fail: until the first content the client does not notice but for the headers; after it nothing is replaced. Told as whole
// stories, as in fallbacks.test.ts.
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Scene, type Stage, startStage } from "../support/fallback-stage.ts";
import {
  anthropicForms as anthropic,
  answerStream,
  googleForms as google,
  openaiForms as openai,
  streamCutEarly,
  streamCutLate,
  streamWhole,
} from "../support/scripted-answers.ts";
import { readStories } from "../support/stories.ts";

const gpt = { provider: "openai", model: "gpt" };
const claude = { provider: "anthropic", model: "claude" };
const toClaude = { to: "anthropic/claude" };
const cutEarly = streamCutEarly(openai);
const stream = true;

const scenes: readonly Scene[] = [
  {
    name: "a stream cut before its first content is tried again unseen",
    alias: { targets: [gpt], fallbacks: [toClaude] },
    answers: { openai: [cutEarly, streamWhole(openai, "from gpt")] },
    ask: { stream },
  },
  {
    name: "a stream cut before its first content each time is replaced unseen but for the headers",
    alias: { targets: [gpt], fallbacks: [toClaude] },
    answers: { openai: [cutEarly, cutEarly, cutEarly], anthropic: [streamWhole(anthropic, "from claude")] },
    ask: { stream },
  },
  {
    name: "a stream cut after content is not replaced: it ends in an error event",
    alias: { targets: [gpt], fallbacks: [toClaude] },
    answers: { openai: [streamCutLate(openai, "half an ans")] },
    ask: { stream },
  },
  {
    name: "a stream that stalls after content is not replaced either",
    alias: { targets: [gpt], fallbacks: [toClaude] },
    answers: {
      openai: [answerStream([...openai.frames("").opening, ...openai.frames("half an ans").content], "stall")],
    },
    ask: { stream },
  },
  {
    name: "a stream whose first event is an error is tried again, then replaced",
    alias: { targets: [gpt], fallbacks: [toClaude] },
    answers: {
      openai: Array.from({ length: 3 }, () => answerStream([openai.errorFrame("server_error")])),
      anthropic: [streamWhole(anthropic, "from claude")],
    },
    ask: { stream },
  },
  {
    name: "an error event after content reaches the client as it is",
    alias: { targets: [gpt], fallbacks: [toClaude] },
    answers: { openai: [answerStream([...openai.frames("half an ans").content, openai.errorFrame("server_error")])] },
    ask: { stream },
  },
  {
    name: "a stream of nothing but pings gives way to an equal after the first-token timeout",
    alias: { targets: [claude, gpt] },
    answers: {
      anthropic: [
        answerStream(
          [
            ...anthropic.frames("").opening,
            ...Array.from({ length: 3 }, () => 'event: ping\ndata: {"type":"ping"}\n\n'),
          ],
          "stall",
        ),
      ],
      openai: [streamWhole(openai, "from gpt")],
    },
    ask: { stream, client: "anthropic" },
  },
  {
    name: "an Anthropic client's stream goes from OpenAI to Google before its first content",
    alias: { targets: [gpt], fallbacks: [{ to: "google/gemini" }] },
    answers: { openai: [cutEarly, cutEarly, cutEarly], google: [streamWhole(google, "from gemini")] },
    ask: { stream, client: "anthropic" },
  },
  {
    name: "an Anthropic client's stream from OpenAI that is cut after content ends in an Anthropic error event",
    alias: { targets: [gpt], fallbacks: [toClaude] },
    answers: { openai: [streamCutLate(openai, "half an ans")] },
    ask: { stream, client: "anthropic" },
  },
  {
    name: "an Anthropic client's stream from OpenAI whose first event is an error is replaced",
    alias: { targets: [gpt], fallbacks: [toClaude, { to: "google/gemini", when: ["context_length"] }] },
    answers: {
      openai: [answerStream([openai.errorFrame("context_length_exceeded")])],
      google: [streamWhole(google, "from gemini")],
    },
    ask: { stream, client: "anthropic" },
  },
  {
    name: "a limit met before the stream began leads to a streamed fallback",
    alias: { targets: [gpt, { provider: "second", model: "gpt-b" }], fallbacks: [toClaude] },
    answers: {
      openai: [openai.refusal(429, "rate_limit_exceeded")],
      second: Array.from({ length: 3 }, () => openai.refusal(429, "rate_limit_exceeded")),
      anthropic: [streamWhole(anthropic, "from claude")],
    },
    ask: { stream },
  },
  {
    name: "a stream that a filter ends before any content leads to the fallback that names it",
    alias: { targets: [claude], fallbacks: [{ to: "openai/gpt", when: ["content_filtered"] }] },
    answers: {
      anthropic: [
        answerStream([
          ...anthropic.frames("").opening,
          `event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"refusal"},"usage":{"output_tokens":1}}\n\n`,
          `event: message_stop\ndata: {"type":"message_stop"}\n\n`,
        ]),
      ],
      openai: [streamWhole(openai, "from gpt")],
    },
    ask: { stream, client: "anthropic" },
  },
  {
    name: "where every stream is cut before its first content the client gets the first error, and no stream",
    alias: { targets: [gpt], fallbacks: [toClaude] },
    answers: {
      openai: [cutEarly, cutEarly, cutEarly],
      anthropic: Array.from({ length: 3 }, () => streamCutEarly(anthropic)),
    },
    ask: { stream },
  },
];

const stories = readStories("test/fault/stories/streams.txt");
let stage: Stage;

beforeAll(async () => {
  stage = await startStage(scenes, {
    retry: { maxAttempts: 3, backoff: { baseMs: 5, maxMs: 20 } },
    timeouts: { firstTokenMs: 700, idleMs: 900 },
  });
});

afterAll(() => stage?.close());

it.each(scenes)("$name", async (scene) => {
  expect(await stage.play(scene)).toEqual(stories.of(scene.name));
});

it("plays every story", () => {
  expect(stories.unread()).toEqual([]);
});
