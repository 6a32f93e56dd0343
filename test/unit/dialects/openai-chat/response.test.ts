import { describe, expect, it } from "vitest";
import { openaiChat } from "../../../../src/dialects/openai-chat/index.ts";
import { decodeUsage } from "../../../../src/dialects/openai-chat/usage.ts";

const chat = openaiChat.match("POST", "/v1/chat/completions");
if (chat === undefined) throw new Error("no operation");
const decode = (body: Record<string, unknown>) => openaiChat.decodeResponse(body, chat);
const decodeChoice = (choice: Record<string, unknown>) => decode({ choices: [choice] }).choices[0];
const own = (bag: Record<string, unknown>) => ({ "openai-chat": bag });

describe("chat response", () => {
  it("reads head, choice, usage and keeps the rest at its node", () => {
    expect(
      decode({
        id: "c1",
        object: "chat.completion",
        created: 5,
        model: "m-1",
        service_tier: "default",
        system_fingerprint: "fp",
        x_groq: { id: "r" },
        choices: [
          {
            index: 0,
            message: { role: "assistant", content: "hi", refusal: null, annotations: [{ type: "url_citation" }] },
            logprobs: { content: [{ token: "hi" }], refusal: null },
            finish_reason: "stop",
            content_filter_results: {},
          },
        ],
        usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
      }),
    ).toEqual({
      id: "c1",
      model: "m-1",
      serviceTier: "default",
      systemFingerprint: "fp",
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            parts: [{ type: "text", content: "hi" }],
            extensions: own({ annotations: [{ type: "url_citation" }] }),
          },
          finishReason: { unified: "stop", raw: "stop" },
          extensions: own({ logprobs: { content: [{ token: "hi" }], refusal: null }, content_filter_results: {} }),
        },
      ],
      usage: {
        inputTokens: 1,
        outputTokens: 2,
        raw: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
      },
      extensions: own({ created: 5, x_groq: { id: "r" } }),
    });
  });

  it.each([
    ["stop", "stop"],
    ["length", "length"],
    ["tool_calls", "tool_call"],
    ["function_call", "tool_call"],
    ["content_filter", "content_filter"],
    ["eos", "stop"],
    ["model_length", "length"],
    ["insufficient_system_resource", "error"],
  ])("names the finish reason %s %s and keeps the word", (raw, unified) => {
    expect(decodeChoice({ finish_reason: raw })?.finishReason).toEqual({ unified, raw });
  });

  it.each([null, "", undefined, 3])("has no finish reason for %s", (raw) => {
    expect(decodeChoice({ finish_reason: raw })).not.toHaveProperty("finishReason");
  });

  it("stays at stop when tools were called: the dialect has a word of its own", () => {
    const choice = decodeChoice({
      finish_reason: "stop",
      message: { tool_calls: [{ id: "1", type: "function", function: { name: "f", arguments: "{}" } }] },
    });
    expect(choice?.finishReason?.unified).toBe("stop");
  });

  it("survives Azure's filtered choice without a message", () => {
    expect(decodeChoice({ index: 0, finish_reason: "content_filter", content_filter_results: { hate: {} } })).toEqual({
      index: 0,
      message: { role: "assistant", parts: [] },
      finishReason: { unified: "content_filter", raw: "content_filter" },
      extensions: own({ content_filter_results: { hate: {} } }),
    });
  });

  it.each([
    {
      message: { reasoning: "a", content: "b" },
      parts: [
        { type: "reasoning", content: "a" },
        { type: "text", content: "b" },
      ],
    },
    { message: { reasoning_content: "a", content: "" }, parts: [{ type: "reasoning", content: "a" }] },
    {
      message: {
        reasoning: null,
        reasoning_details: [
          { type: "reasoning.text", text: "x", index: 0 },
          { type: "reasoning.summary", summary: "y", index: 1 },
        ],
      },
      parts: [
        {
          type: "reasoning",
          content: "xy",
          extensions: own({
            reasoning_details: [
              { type: "reasoning.text", text: "x", index: 0 },
              { type: "reasoning.summary", summary: "y", index: 1 },
            ],
          }),
        },
      ],
    },
    {
      message: { reasoning_details: [{ type: "reasoning.encrypted", data: "z" }] },
      parts: [
        {
          type: "reasoning",
          content: "",
          extensions: own({ reasoning_details: [{ type: "reasoning.encrypted", data: "z" }] }),
        },
      ],
    },
    { message: { reasoning: "", reasoning_details: [], content: "b" }, parts: [{ type: "text", content: "b" }] },
    {
      message: { audio: { id: "a1", data: "AAAA", transcript: "hi", expires_at: 9 } },
      parts: [
        {
          type: "blob",
          modality: "audio",
          content: "AAAA",
          extensions: own({ audio: { id: "a1", transcript: "hi", expires_at: 9 } }),
        },
      ],
    },
    {
      message: { audio: { id: "", data: "", transcript: "" }, function_call: { name: "", arguments: "" }, refusal: "" },
      parts: [],
    },
    {
      message: {
        content: [
          { type: "thinking", thinking: [{ type: "text", text: "t" }] },
          { type: "text", text: "a" },
        ],
      },
      parts: [
        { type: "reasoning", content: "t", extensions: own({ type: "thinking" }) },
        { type: "text", content: "a" },
      ],
    },
  ])("reads the message $message", ({ message, parts }) => {
    expect(decodeChoice({ message: { role: "assistant", ...message } })?.message.parts).toEqual(parts);
  });

  it("reads legacy completions, choices without an index in their places", () => {
    const response = decode({ object: "text_completion", choices: [{ text: "a" }, { text: "b", index: 1 }] });
    expect(response.choices.map((choice) => [choice.index, choice.message.parts])).toEqual([
      [0, [{ type: "text", content: "a" }]],
      [1, [{ type: "text", content: "b" }]],
    ]);
  });

  it("takes an answer without anything", () => {
    expect(decode({})).toEqual({ choices: [] });
    expect(decode({ id: "", model: "", choices: null, usage: null })).toEqual({
      choices: [],
      extensions: own({ choices: null }),
    });
  });
});

describe("usage", () => {
  it.each([
    {
      name: "OpenAI: cached and reasoning are included",
      raw: {
        prompt_tokens: 100,
        completion_tokens: 50,
        total_tokens: 150,
        prompt_tokens_details: {
          cached_tokens: 40,
          cache_write_tokens: 5,
          audio_tokens: 0,
          text_tokens: 95,
          image_tokens: 5,
        },
        completion_tokens_details: { reasoning_tokens: 30, audio_tokens: 7, text_tokens: 13 },
      },
      counts: {
        inputTokens: 100,
        outputTokens: 50,
        cacheReadTokens: 40,
        cacheWriteTokens: 5,
        reasoningTokens: 30,
        inputAudioTokens: 0,
        inputTextTokens: 95,
        inputImageTokens: 5,
        outputAudioTokens: 7,
        outputTextTokens: 13,
      },
    },
    {
      name: "xAI: reasoning on top, as the total says",
      raw: {
        prompt_tokens: 65,
        completion_tokens: 5,
        total_tokens: 197,
        completion_tokens_details: { reasoning_tokens: 127 },
      },
      counts: { inputTokens: 65, outputTokens: 132, reasoningTokens: 127 },
    },
    {
      name: "reasoning inside when the total does not say so",
      raw: {
        prompt_tokens: 65,
        completion_tokens: 132,
        total_tokens: 197,
        completion_tokens_details: { reasoning_tokens: 127 },
      },
      counts: { inputTokens: 65, outputTokens: 132, reasoningTokens: 127 },
    },
    {
      name: "DeepSeek: hit and miss",
      raw: { prompt_tokens: 10, completion_tokens: 1, prompt_cache_hit_tokens: 8, prompt_cache_miss_tokens: 2 },
      counts: { inputTokens: 10, outputTokens: 1, cacheReadTokens: 8 },
    },
    {
      name: "Moonshot: cached_tokens at the top",
      raw: { prompt_tokens: 10, completion_tokens: 1, cached_tokens: 4 },
      counts: { inputTokens: 10, outputTokens: 1, cacheReadTokens: 4 },
    },
    {
      name: "GitHub Copilot: reasoning at the top",
      raw: { prompt_tokens: 159, completion_tokens: 58, total_tokens: 217, reasoning_tokens: 3 },
      counts: { inputTokens: 159, outputTokens: 58, reasoningTokens: 3 },
    },
    {
      name: "Doubleword: cache writes by time to live",
      raw: {
        prompt_tokens: 9,
        completion_tokens: 1,
        cache_creation_input_tokens: 3,
        cache_creation: { ephemeral_5m_input_tokens: 1, ephemeral_1h_input_tokens: 2 },
        cache_read_input_tokens: 4,
      },
      counts: {
        inputTokens: 9,
        outputTokens: 1,
        cacheReadTokens: 4,
        cacheWriteTokens: 3,
        cacheWrite5mTokens: 1,
        cacheWrite1hTokens: 2,
      },
    },
    { name: "counts that are none", raw: { prompt_tokens: -1, completion_tokens: 1.5, total_tokens: "3" }, counts: {} },
    { name: "nothing stated", raw: {}, counts: {} },
  ])("reads $name", ({ raw, counts }) => {
    expect(decodeUsage(raw)).toEqual({ ...counts, raw });
  });

  it("states nothing for null members", () => {
    expect(decodeUsage({ prompt_tokens: 1, prompt_tokens_details: null, completion_tokens: null })).toEqual({
      inputTokens: 1,
      raw: { prompt_tokens: 1 },
    });
  });

  it.each([
    { x_groq: { id: "r", usage: { prompt_tokens: 1 } } },
    { choices: [{ index: 0, usage: { prompt_tokens: 1 } }] },
  ])("finds usage in %j", (body) => {
    expect(decode(body).usage?.inputTokens).toBe(1);
  });
});
