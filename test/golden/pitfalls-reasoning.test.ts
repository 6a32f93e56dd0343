// Real bugs of other gateways around reasoning and what seals it. Each test's name begins with its number in the list of pitfalls and the
// report it comes from; what is expected is written here by hand.
import { describe, expect, it } from "vitest";
import {
  answerIn,
  askIn,
  at,
  chatChunk,
  type ChatDialect,
  chatTool,
  chatUsage,
  type Json,
  messagesStream,
  readRequest,
  sse,
  streamedBlock,
  streamIn,
} from "../support/translated-words.ts";

/** Another provider's answer as the client keeps it, then sent to that provider again with the client's next request. */
function sendBack(provider: ChatDialect, answer: Json): { kept: Json; asked: Json } {
  const { body } = answerIn(provider, "openai-chat", answer);
  const kept = (body["choices"] as Json[])[0]?.["message"] as Json;
  const messages = [{ role: "user", content: "Look." }, kept, { role: "user", content: "And?" }];
  const { body: asked } = askIn("openai-chat", provider, { model: "m", messages, tools: [chatTool] });
  return { kept, asked };
}

const claudeAnswer = (content: Json[], stopReason = "end_turn"): Json => ({
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-test",
  content,
  stop_reason: stopReason,
  stop_sequence: null,
  usage: { input_tokens: 20, output_tokens: 9 },
});

const thinking = (text: string, signature: string): Json => ({ type: "thinking", thinking: text, signature });
const said = { type: "text", text: "Sunny." };

describe("reasoning in streams", () => {
  it("7 BerriAI/litellm#32357: reasoning_content first opens a thinking block before its delta, after one message_start", () => {
    const stream = sse(
      chatChunk({ role: "assistant", reasoning_content: "Hm." }),
      chatChunk({ reasoning_content: " Well." }),
      chatChunk({ content: "Sunny." }),
      chatChunk({}, "stop"),
      chatUsage,
      "[DONE]",
    );
    const events = streamIn("openai-chat", "anthropic-messages", stream).events.map(({ data }) => data as Json);
    const told = events.map(({ type, index, content_block, delta }) =>
      [type, index, ((content_block ?? delta ?? {}) as Json)["type"]].filter((word) => word !== undefined).join(" "),
    );
    expect(told.filter((word) => word !== "ping" && !word.endsWith("signature_delta"))).toEqual([
      "message_start",
      "content_block_start 0 thinking",
      "content_block_delta 0 thinking_delta",
      "content_block_delta 0 thinking_delta",
      "content_block_stop 0",
      "content_block_start 1 text",
      "content_block_delta 1 text_delta",
      "content_block_stop 1",
      "message_delta",
      "message_stop",
    ]);
  });

  it("11 BerriAI/litellm#38809: a signed thinking block without text survives a stream too", () => {
    const { bytes } = streamIn(
      "anthropic-messages",
      "openai-chat",
      messagesStream([
        ...streamedBlock(0, thinking("", ""), { type: "signature_delta", signature: "U2lnbmVk" }),
        ...streamedBlock(1, { type: "text", text: "" }, { type: "text_delta", text: "Sunny." }),
      ]),
    );
    expect(bytes.toString()).toContain('"signature":"U2lnbmVk"');
    expect(bytes.toString()).toContain('"format":"anthropic-claude-v1"');
  });
});

describe("reasoning across turns", () => {
  it("10 BerriAI/litellm#25322: Gemini's signature on a thought, and on a call, comes back on the next turn unchanged", () => {
    const parts = [
      { text: "Hm.", thought: true, thoughtSignature: "dGhvdWdodA==" },
      { functionCall: { name: "look", args: { at: "a" } }, thoughtSignature: "Y2FsbA==" },
    ];
    const answer = {
      candidates: [{ index: 0, content: { role: "model", parts }, finishReason: "STOP" }],
      usageMetadata: { promptTokenCount: 20, candidatesTokenCount: 9, totalTokenCount: 29 },
      modelVersion: "gemini-test",
    };
    const { asked } = sendBack("gemini-generate-content", answer);
    const turn = (asked["contents"] as Json[]).find(({ role }) => role === "model");
    const sent = (at(turn, "parts") as Json[]).map(({ text, thought, functionCall, thoughtSignature }) => [
      text ?? (functionCall as Json | undefined)?.["name"],
      thought,
      thoughtSignature,
    ]);
    expect(sent).toEqual([
      ["Hm.", true, "dGhvdWdodA=="],
      ["look", undefined, "Y2FsbA=="],
    ]);
  });

  it("11 strands-agents/harness-sdk#2704: a signed thinking block without text is kept and sent again", () => {
    const { kept, asked } = sendBack("anthropic-messages", claudeAnswer([thinking("", "U2lnbmVk"), said]));
    expect(kept["reasoning_details"]).toMatchObject([{ signature: "U2lnbmVk", format: "anthropic-claude-v1" }]);
    expect((asked["messages"] as Json[])[1]?.["content"]).toEqual([thinking("", "U2lnbmVk"), said]);
  });

  it("12 crmne/ruby_llm#896: thinking, redacted and thinking are three blocks in the same order", () => {
    const blocks = [
      thinking("First.", "c2lnLTE="),
      { type: "redacted_thinking", data: "c2VhbGVk" },
      thinking("Last.", "c2lnLTI="),
    ];
    const { asked } = sendBack("anthropic-messages", claudeAnswer([...blocks, said]));
    expect((asked["messages"] as Json[])[1]?.["content"]).toEqual([...blocks, said]);
  });

  it("13 anomalyco/opencode#3077: a tool loop whose client dropped the thinking is asked so that it is not refused, and told", () => {
    const loop = (parts: Json[], budget: number): Json => ({
      contents: [
        { role: "user", parts: [{ text: "Look." }] },
        { role: "model", parts: [...parts, { functionCall: { name: "look", args: { at: "a" } } }] },
        { role: "user", parts: [{ functionResponse: { name: "look", response: { output: "Sunny." } } }] },
      ],
      tools: [{ functionDeclarations: [{ name: "look", parametersJsonSchema: { type: "object" } }] }],
      generationConfig: { maxOutputTokens: 8000, thinkingConfig: { thinkingBudget: budget } },
    });
    const dropped = askIn("gemini-generate-content", "anthropic-messages", loop([], 2048));
    expect(dropped.body["thinking"]).toEqual({ type: "disabled" });
    expect(dropped.losses).toMatchObject([
      { pointer: "/generationConfig/thinkingConfig", reason: "approximated", severity: "tuning" },
    ]);
    const onBedrock = askIn("gemini-generate-content", "bedrock-converse", loop([], 2048), "anthropic.claude-test");
    expect(onBedrock.body["additionalModelRequestFields"]).toEqual({ thinking: { type: "disabled" } });

    // With the thinking that Anthropic sealed it thinks on: the Gemini client holds it in its own field.
    const sealed = Buffer.from("outrider:anthropic-claude-v1:U2lnbmVk").toString("base64");
    const kept = askIn(
      "gemini-generate-content",
      "anthropic-messages",
      loop([{ text: "Hm.", thought: true, thoughtSignature: sealed }], 2048),
    );
    expect(kept.body["thinking"]).toEqual({ type: "enabled", budget_tokens: 2048 });
    expect(at(kept.body, "messages", 1, "content", 0)).toEqual(thinking("Hm.", "U2lnbmVk"));

    // An effort asks for adaptive thinking, of which the API asks no such thing.
    const { body } = askIn("openai-chat", "anthropic-messages", {
      model: "m",
      max_completion_tokens: 8000,
      reasoning_effort: "high",
      messages: [
        { role: "user", content: "Look." },
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "toolu_a", type: "function", function: { name: "look", arguments: '{"at":"a"}' } }],
        },
        { role: "tool", tool_call_id: "toolu_a", content: "Sunny." },
      ],
      tools: [chatTool],
    });
    expect([body["thinking"], body["output_config"]]).toEqual([{ type: "adaptive" }, { effort: "high" }]);
  });

  it("17 langwatch/langwatch#6290: a cap that thinking ate is one choice with empty content and length", () => {
    const answer = {
      candidates: [{ index: 0, finishReason: "MAX_TOKENS" }],
      usageMetadata: { promptTokenCount: 20, thoughtsTokenCount: 100, totalTokenCount: 120 },
      modelVersion: "gemini-test",
    };
    const { body } = answerIn("gemini-generate-content", "openai-chat", answer);
    const choices = body["choices"] as Json[];
    expect(choices).toHaveLength(1);
    expect(choices[0]).toMatchObject({
      index: 0,
      finish_reason: "length",
      message: { role: "assistant", content: "" },
    });
    expect(body["usage"]).toMatchObject({
      prompt_tokens: 20,
      completion_tokens: 100,
      total_tokens: 120,
      completion_tokens_details: { reasoning_tokens: 100 },
    });
  });
});

describe("encrypted reasoning of Responses", () => {
  const reasoning = { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "c2VhbGVk" };
  const conversation = (item: Json): Json => ({
    model: "m",
    input: [
      { role: "user", content: "Look." },
      item,
      { type: "message", role: "assistant", content: [{ type: "output_text", text: "Sunny." }] },
      { role: "user", content: "And?" },
    ],
  });

  it("47 BerriAI/litellm#36197: toward another provider it is told, and toward a client it travels", () => {
    for (const target of [
      "anthropic-messages",
      "gemini-generate-content",
      "bedrock-converse",
      "cohere-chat",
    ] as const) {
      const { losses } = askIn("openai-responses", target, conversation(reasoning));
      expect(
        losses.some(({ pointer }) => pointer.startsWith("/input/1")),
        `${target}: ${JSON.stringify(losses)}`,
      ).toBe(true);
    }
    const { body } = askIn("openai-responses", "openai-chat", conversation(reasoning));
    const carried = JSON.stringify(body).includes("c2VhbGVk");
    const { losses } = askIn("openai-responses", "openai-chat", conversation(reasoning));
    expect(carried || losses.some(({ pointer }) => pointer.startsWith("/input/1"))).toBe(true);

    const answer = {
      id: "resp_1",
      object: "response",
      created_at: 1,
      model: "gpt-test",
      status: "completed",
      output: [
        reasoning,
        {
          type: "message",
          id: "msg_1",
          role: "assistant",
          status: "completed",
          content: [{ type: "output_text", text: "Sunny.", annotations: [] }],
        },
      ],
      usage: { input_tokens: 20, output_tokens: 9, total_tokens: 29 },
    };
    const message = (answerIn("openai-responses", "openai-chat", answer).body["choices"] as Json[])[0]?.[
      "message"
    ] as Json;
    expect(message["reasoning_details"]).toMatchObject([
      { type: "reasoning.encrypted", data: "c2VhbGVk", format: "openai-responses-v1" },
    ]);
    const back = askIn("openai-chat", "openai-responses", {
      model: "m",
      messages: [{ role: "user", content: "Look." }, message, { role: "user", content: "And?" }],
    });
    const items = (back.body["input"] as Json[]).filter(({ type }) => type === "reasoning");
    expect(items).toMatchObject([{ encrypted_content: "c2VhbGVk" }]);
  });

  it("48 BerriAI/litellm#40364: what another provider sealed goes back to its origin, and nowhere else", () => {
    const { body } = answerIn(
      "anthropic-messages",
      "openai-responses",
      claudeAnswer([thinking("Hm.", "U2lnbmVk"), said]),
    );
    const item = (body["output"] as Json[]).find(({ type }) => type === "reasoning") as Json;
    expect(item["encrypted_content"]).toBe("outrider:anthropic-claude-v1:U2lnbmVk");
    expect(readRequest("openai-responses", conversation(item)).messages.length).toBeGreaterThan(1);
    const home = askIn("openai-responses", "anthropic-messages", conversation(item));
    expect((home.body["messages"] as Json[])[1]?.["content"]).toEqual([thinking("Hm.", "U2lnbmVk"), said]);
    const elsewhere = askIn("openai-responses", "gemini-generate-content", conversation(item));
    expect(JSON.stringify(elsewhere.body)).not.toContain("U2lnbmVk");
    expect(elsewhere.losses.some(({ pointer }) => pointer.startsWith("/input/1"))).toBe(true);
  });
});
