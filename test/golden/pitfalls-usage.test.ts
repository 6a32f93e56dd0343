// Real bugs of other gateways around token counts, and around chunks that hold nothing else. Each test's name begins with its number in the
// list of pitfalls and the report it comes from; what is expected is arithmetic on the provider's words.
import { describe, expect, it } from "vitest";
import { createPricer } from "../../src/spend/index.ts";
import { converseStream } from "../support/converse-stream.ts";
import {
  answerIn,
  at,
  chatChunk,
  chatUsage,
  foldStream,
  type Json,
  readAnswer,
  readChatStream,
  sse,
  streamIn,
} from "../support/translated-words.ts";

const claudeUsage = (usage: Json): Json => ({
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-test",
  content: [{ type: "text", text: "Hi" }],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage,
});

const geminiUsage = (usageMetadata: Json): Json => ({
  candidates: [{ index: 0, content: { role: "model", parts: [{ text: "Hi" }] }, finishReason: "STOP" }],
  usageMetadata,
  modelVersion: "gemini-test",
});

const chatCompletion = (choice: Json, usage: Json): Json => ({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "gpt-test",
  choices: [{ index: 0, ...choice }],
  usage,
});

describe("usage for clients that need it", () => {
  const counts = ["input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"];
  const firstUsage = (events: { data: Json | string }[]): Json => {
    const start = events[0]?.data as Json;
    expect(start["type"]).toBe("message_start");
    return (start["message"] as Json)["usage"] as Json;
  };

  it("8 BerriAI/litellm#24176: message_start through a Chat provider has every count as a number", () => {
    const stream = sse(chatChunk({ role: "assistant", content: "Hi" }), chatChunk({}, "stop"), chatUsage, "[DONE]");
    const { events } = streamIn("openai-chat", "anthropic-messages", stream);
    expect(counts.map((name) => typeof firstUsage(events)[name])).toEqual(counts.map(() => "number"));
    const delta = events.map(({ data }) => data as Json).find(({ type }) => type === "message_delta");
    expect(delta?.["usage"]).toMatchObject({ input_tokens: 20, output_tokens: 9 });
  });

  it("9 Portkey-AI/gateway#1417: message_start through Converse has usage", () => {
    const { events } = streamIn("bedrock-converse", "anthropic-messages", converseStream());
    expect(counts.map((name) => typeof firstUsage(events)[name])).toEqual(counts.map(() => "number"));
    const delta = events.map(({ data }) => data as Json).find(({ type }) => type === "message_delta");
    expect(delta?.["usage"]).toMatchObject({ input_tokens: 20, output_tokens: 9 });
  });
});

describe("what is counted", () => {
  it("22 BerriAI/litellm#9812: 6 and 159217 written to the cache are 159223, and each token is charged once", () => {
    const counts = {
      input_tokens: 6,
      cache_creation_input_tokens: 159_217,
      cache_read_input_tokens: 0,
      output_tokens: 10,
    };
    const { usage } = readAnswer("anthropic-messages", claudeUsage(counts));
    expect(usage).toMatchObject({ inputTokens: 159_223, cacheWriteTokens: 159_217, outputTokens: 10 });
    const { body } = answerIn("anthropic-messages", "openai-chat", claudeUsage(counts));
    expect(body["usage"]).toMatchObject({ prompt_tokens: 159_223, completion_tokens: 10, total_tokens: 159_233 });
    const rates = { inputUsdPerMillion: 3, outputUsdPerMillion: 15, cacheWriteUsdPerMillion: 3.75 };
    const pricer = createPricer([{ provider: "anthropic", model: "claude-test", ...rates }]);
    const { nanoUsd } = pricer.price({
      provider: { id: "anthropic" },
      models: { request: "claude-test" },
      usage,
      epochMs: 0,
    });
    expect(nanoUsd).toBe(6 * 3000 + 159_217 * 3750 + 10 * 15_000);
  });

  it("23 simonw/llm-gemini#75: 6 candidate tokens and 190 of thought are 196 of output", () => {
    const counts = { promptTokenCount: 20, candidatesTokenCount: 6, thoughtsTokenCount: 190, totalTokenCount: 216 };
    const { usage } = readAnswer("gemini-generate-content", geminiUsage(counts));
    expect(usage).toMatchObject({ inputTokens: 20, outputTokens: 196, reasoningTokens: 190 });
    const { body } = answerIn("gemini-generate-content", "openai-chat", geminiUsage(counts));
    expect(body["usage"]).toMatchObject({
      prompt_tokens: 20,
      completion_tokens: 196,
      total_tokens: 216,
      completion_tokens_details: { reasoning_tokens: 190 },
    });
  });

  it("24 simstudioai/sim#3039: what tools put into the prompt is input, and the total is Gemini's own", () => {
    const counts = {
      promptTokenCount: 20,
      toolUsePromptTokenCount: 70,
      candidatesTokenCount: 6,
      thoughtsTokenCount: 4,
      totalTokenCount: 100,
    };
    const { usage } = readAnswer("gemini-generate-content", geminiUsage(counts));
    expect([usage?.inputTokens, usage?.outputTokens]).toEqual([90, 10]);
    const { body } = answerIn("gemini-generate-content", "openai-chat", geminiUsage(counts));
    expect(body["usage"]).toMatchObject({ prompt_tokens: 90, completion_tokens: 10, total_tokens: 100 });
  });

  it("25 pydantic/genai-prices x_ai: completion 10 beside reasoning 90 is an output of 100", () => {
    const usage = {
      prompt_tokens: 20,
      completion_tokens: 10,
      total_tokens: 120,
      completion_tokens_details: { reasoning_tokens: 90 },
    };
    const answer = chatCompletion({ message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }, usage);
    expect(readAnswer("openai-chat", answer).usage).toMatchObject({ outputTokens: 100, reasoningTokens: 90 });
    const claude = answerIn("openai-chat", "anthropic-messages", answer).body["usage"];
    expect(claude).toMatchObject({ input_tokens: 20, output_tokens: 100 });
  });

  it("26 vercel/ai convert-anthropic-usage: iterations with a compaction are billed as their sum", () => {
    const counts = {
      input_tokens: 23_000,
      output_tokens: 1000,
      iterations: [
        { type: "compaction", input_tokens: 180_000, output_tokens: 3500 },
        { type: "message", input_tokens: 23_000, output_tokens: 1000 },
      ],
    };
    const { usage } = readAnswer("anthropic-messages", claudeUsage(counts));
    // Reported as Anthropic states it, charged as Anthropic bills it.
    expect([usage?.inputTokens, usage?.outputTokens]).toEqual([23_000, 1000]);
    const rates = { inputUsdPerMillion: 3, outputUsdPerMillion: 15 };
    const pricer = createPricer([{ provider: "anthropic", model: "claude-test", ...rates }]);
    const { nanoUsd } = pricer.price({
      provider: { id: "anthropic" },
      models: { request: "claude-test" },
      usage,
      epochMs: 0,
    });
    expect(nanoUsd).toBe((180_000 + 23_000) * 3000 + (3500 + 1000) * 15_000);
  });
});

describe("chunks without a choice", () => {
  it("27 Portkey-AI/gateway#1627: a usage chunk with empty choices, or none, gives the usage and no fault", () => {
    const { choices: _none, ...bare } = chatUsage;
    for (const last of [chatUsage, bare, { ...chatUsage, choices: null }]) {
      const stream = sse(chatChunk({ role: "assistant", content: "Hi" }), chatChunk({}, "stop"), last, "[DONE]");
      expect(foldStream("openai-chat", stream).usage).toMatchObject({ inputTokens: 20, outputTokens: 9 });
      const { events } = streamIn("openai-chat", "anthropic-messages", stream);
      expect(events.map(({ name }) => name).filter((name) => name !== "ping")).toEqual([
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
      ]);
      expect(at(events, -2, "data", "usage")).toMatchObject({ input_tokens: 20, output_tokens: 9 });
    }
  });

  it("29 Azure (recorded): its first chunk is empty: the real id and model are waited for", () => {
    const prelude = { choices: [], created: 0, id: "", model: "", object: "", prompt_filter_results: [] };
    const stream = sse(
      prelude,
      chatChunk({ role: "assistant", content: "Hi" }),
      chatChunk({}, "stop"),
      chatUsage,
      "[DONE]",
    );
    expect(foldStream("openai-chat", stream)).toMatchObject({ id: "chatcmpl-1", model: "gpt-test" });
    const { events } = streamIn("openai-chat", "anthropic-messages", stream);
    const starts = events.filter(({ name }) => name === "message_start");
    expect(starts).toHaveLength(1);
    expect(at(starts, 0, "data", "message", "model")).toBe("gpt-test");
  });

  it("30 Azure (recorded): a filtered choice without a message is content_filter", () => {
    const usage = { prompt_tokens: 20, completion_tokens: 0, total_tokens: 20 };
    const filtered = chatCompletion({ finish_reason: "content_filter", content_filter_results: {} }, usage);
    expect(readAnswer("openai-chat", filtered).choices[0]).toMatchObject({
      finishReason: { unified: "content_filter" },
      message: { parts: [] },
    });
    expect(answerIn("openai-chat", "anthropic-messages", filtered).body).toMatchObject({ stop_reason: "refusal" });
    // An answer without any text is a prompt that was refused, in Google's words.
    expect(answerIn("openai-chat", "gemini-generate-content", filtered).body).toMatchObject({
      promptFeedback: { blockReason: "SAFETY" },
    });
    const stream = sse(
      chatChunk({ role: "assistant" }),
      { ...chatChunk({}), choices: [{ index: 0, finish_reason: "content_filter" }] },
      "[DONE]",
    );
    expect(readChatStream(streamIn("openai-chat", "cohere-chat", stream).events).calls).toEqual([]);
    expect(foldStream("openai-chat", stream).choices[0]?.finishReason?.unified).toBe("content_filter");
  });
});
