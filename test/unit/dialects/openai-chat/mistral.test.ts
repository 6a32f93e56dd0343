// What Mistral writes otherwise than OpenAI.
import { describe, expect, it } from "vitest";
import type { Operation } from "../../../../src/dialects/dialect.ts";
import { openaiChat } from "../../../../src/dialects/openai-chat/index.ts";
import { foldEvents, framesOf } from "../../../support/stream-decoding.ts";

function operationAt(path: string): Operation {
  const operation = openaiChat.match("POST", path);
  if (operation === undefined) throw new Error(`no operation at ${path}`);
  return operation;
}

const chat = operationAt("/v1/chat/completions");
const fim = operationAt("/v1/fim/completions");
const agents = operationAt("/v1/agents/completions");

function decodeStream(operation: Operation, ...chunks: (string | Record<string, unknown>)[]) {
  const decoder = openaiChat.eventDecoder(operation);
  return foldEvents([...framesOf(...chunks, "[DONE]").flatMap((frame) => decoder.push(frame)), ...decoder.end()]);
}

describe("Mistral's usage", () => {
  it("counts audio beside the prompt, told by the total (recorded: 11 + 15 + 375 = 401)", () => {
    const usage = {
      prompt_tokens: 11,
      completion_tokens: 15,
      total_tokens: 401,
      prompt_audio_seconds: 5,
      prompt_tokens_details: { audio_tokens: 375, cached_tokens: 9 },
    };
    expect(openaiChat.decodeResponse({ usage }, chat).usage).toEqual({
      inputTokens: 386,
      inputAudioTokens: 375,
      cacheReadTokens: 9,
      outputTokens: 15,
      inputAudioSeconds: 5,
      raw: usage,
    });
  });

  it("leaves audio that OpenAI counts in the prompt where it is", () => {
    const usage = {
      prompt_tokens: 100,
      completion_tokens: 5,
      total_tokens: 105,
      prompt_tokens_details: { audio_tokens: 40 },
    };
    expect(openaiChat.decodeResponse({ usage }, chat).usage).toMatchObject({ inputTokens: 100, inputAudioTokens: 40 });
  });

  it("has cached tokens at the top, and no seconds where they are null", () => {
    const usage = { prompt_tokens: 175, completion_tokens: 39, num_cached_tokens: 174, prompt_audio_seconds: null };
    const decoded = openaiChat.decodeResponse({ usage }, chat).usage;
    expect(decoded).toMatchObject({ inputTokens: 175, cacheReadTokens: 174 });
    expect(decoded).not.toHaveProperty("inputAudioSeconds");
  });
});

describe("Mistral's answers", () => {
  it.each([
    ["model_length", "length"],
    ["error", "error"],
  ])("end by %s as %s, whole and streamed", (raw, unified) => {
    const whole = openaiChat.decodeResponse({ choices: [{ index: 0, message: {}, finish_reason: raw }] }, chat);
    const streamed = decodeStream(chat, { choices: [{ index: 0, delta: { content: "a" }, finish_reason: raw }] });
    expect(whole.choices[0]?.finishReason).toEqual({ unified, raw });
    expect(streamed.choices[0]?.finishReason).toEqual({ unified, raw });
  });

  it("call tools without type and index, whole and streamed", () => {
    const toolCalls = [
      { id: "aaaaaaaaa", function: { name: "f", arguments: '{"x":1}' } },
      { id: "bbbbbbbbb", function: { name: "g", arguments: { y: 2 } } },
    ];
    const choice = { index: 0, finish_reason: "tool_calls" };
    const expected = [
      { type: "tool_call", id: "aaaaaaaaa", name: "f", arguments: { x: 1 } },
      { type: "tool_call", id: "bbbbbbbbb", name: "g", arguments: { y: 2 } },
    ];
    const whole = openaiChat.decodeResponse({ choices: [{ ...choice, message: { tool_calls: toolCalls } }] }, chat);
    expect(whole.choices[0]?.message.parts).toEqual(expected);
    const streamed = decodeStream(chat, { choices: [{ ...choice, delta: { tool_calls: toolCalls } }] });
    expect(streamed.choices[0]?.message.parts).toEqual(expected);
  });

  it("think in lists of parts, streamed as whole", () => {
    const think = (text: string) => ({ type: "thinking", thinking: [{ type: "text", text }] });
    const content = [think("ab"), { type: "text", text: "c" }];
    const whole = openaiChat.decodeResponse({ choices: [{ index: 0, message: { content } }] }, chat);
    const streamed = decodeStream(
      chat,
      { choices: [{ index: 0, delta: { role: "assistant", content: [think("a")] } }] },
      { choices: [{ index: 0, delta: { content: [think("b")] } }] },
      { choices: [{ index: 0, delta: { content: "c" } }] },
    );
    expect(whole.choices[0]?.message.parts).toMatchObject([
      { type: "reasoning", content: "ab" },
      { type: "text", content: "c" },
    ]);
    expect(streamed).toEqual(whole);
  });
});

describe("Mistral's own calls", () => {
  it("fill in the middle: a prompt and a suffix, answered with a message", () => {
    const request = openaiChat.decodeRequest({ model: "codestral-latest", prompt: "a(", suffix: ")" }, fim);
    expect(request).toEqual({
      model: "codestral-latest",
      stream: false,
      messages: [{ role: "user", parts: [{ type: "text", content: "a(" }] }],
      extensions: { "openai-chat": { suffix: ")" } },
    });
    expect(openaiChat.contentMembers.has("suffix")).toBe(true);
    const parts = [{ type: "text", content: "b" }];
    const whole = { choices: [{ index: 0, message: { role: "assistant", content: "b" } }] };
    expect(openaiChat.decodeResponse(whole, fim).choices[0]?.message.parts).toEqual(parts);
    const streamed = decodeStream(fim, { choices: [{ index: 0, delta: { content: "b" } }] });
    expect(streamed.choices[0]?.message.parts).toEqual(parts);
  });

  it("ask an agent: no model, and the agent is kept", () => {
    const request = openaiChat.decodeRequest({ agent_id: "ag:1", messages: [{ role: "user", content: "a" }] }, agents);
    expect(request.model).toBeUndefined();
    expect(request.messages).toHaveLength(1);
    expect(request.extensions).toEqual({ "openai-chat": { agent_id: "ag:1" } });
  });
});
