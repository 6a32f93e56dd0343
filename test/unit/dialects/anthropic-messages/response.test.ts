// Whole answers: parts in order, stop reasons, usage.
import { describe, expect, it } from "vitest";

import type { UnifiedFinishReason } from "../../../../src/canonical/index.ts";
import { anthropicMessages } from "../../../../src/dialects/anthropic-messages/index.ts";
import { decodeResponse } from "../../../../src/dialects/anthropic-messages/response.ts";
import type { Operation } from "../../../../src/dialects/dialect.ts";

const bag = (facts: Record<string, unknown>) => ({ "anthropic-messages": facts });
const chat: Operation = { kind: "chat", name: "chat", route: "/v1/messages", path: "v1/messages" };

describe("decoding an answer", () => {
  it("keeps thinking, redacted thinking and thinking apart, in order and with their own signatures", () => {
    const response = decodeResponse(
      {
        id: "msg_1",
        type: "message",
        role: "assistant",
        model: "claude-x",
        content: [
          { type: "thinking", thinking: "a", signature: "1" },
          { type: "redacted_thinking", data: "2" },
          { type: "thinking", thinking: "", signature: "3" },
          { type: "tool_use", id: "t", name: "f", input: {} },
        ],
        stop_reason: "tool_use",
        stop_sequence: null,
        container: { id: "c" },
        usage: { input_tokens: 1, output_tokens: 2, service_tier: "priority" },
      },
      chat,
    );
    expect(response).toEqual({
      id: "msg_1",
      model: "claude-x",
      serviceTier: "priority",
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            parts: [
              { type: "reasoning", content: "a", extensions: bag({ signature: "1" }) },
              { type: "reasoning", content: "", extensions: bag({ type: "redacted_thinking", data: "2" }) },
              { type: "reasoning", content: "", extensions: bag({ signature: "3" }) },
              { type: "tool_call", id: "t", name: "f", arguments: {} },
            ],
          },
          finishReason: { unified: "tool_call", raw: "tool_use" },
          extensions: bag({ stop_sequence: null }),
        },
      ],
      usage: {
        inputTokens: 1,
        outputTokens: 2,
        raw: { input_tokens: 1, output_tokens: 2, service_tier: "priority" },
      },
      extensions: bag({ container: { id: "c" } }),
    });
  });

  it.each<[string, UnifiedFinishReason]>([
    ["end_turn", "stop"],
    ["stop_sequence", "stop"],
    ["pause_turn", "stop"],
    ["max_tokens", "length"],
    ["model_context_window_exceeded", "length"],
    ["tool_use", "tool_call"],
    ["refusal", "content_filter"],
    ["compaction", "compaction"],
    ["constructor", "error"],
  ])("reads stop reason %s as %s and keeps the word", (stop_reason, unified) => {
    const { choices } = decodeResponse({ content: [], stop_reason }, chat);
    expect(choices[0]?.finishReason).toEqual({ unified, raw: stop_reason });
  });

  it("has no finish reason where the answer has none", () => {
    expect(decodeResponse({ content: [], stop_reason: null }, chat)).toEqual({
      choices: [{ index: 0, message: { role: "assistant", parts: [] } }],
    });
  });

  it("keeps a body that is no message whole", () => {
    expect(decodeResponse({ type: "message_batch", content: 3, usage: [] }, chat)).toEqual({
      choices: [],
      extensions: bag({ type: "message_batch", content: 3, usage: [] }),
    });
  });

  it("takes what the token counter says for no usage", () => {
    const operation = anthropicMessages.match("POST", "/v1/messages/count_tokens") ?? chat;
    expect(decodeResponse({ input_tokens: 14 }, operation)).toEqual({
      choices: [],
      extensions: bag({ input_tokens: 14 }),
    });
  });
});
