// Real bugs of other gateways around tools: indexes, arguments, results. Each test's name begins with its number in the list of pitfalls
// and the reports it comes from; what is expected is written here by hand.
import { describe, expect, it } from "vitest";
import {
  answerIn,
  askIn,
  at,
  chatChunk,
  chatTool,
  chatUsage,
  foldStream,
  joinCalls,
  type Json,
  messagesStream,
  readAnswer,
  readChatStream,
  sse,
  streamedBlock,
  streamIn,
} from "../support/translated-words.ts";

const toolUse = (id: string): Json => ({ type: "tool_use", id, name: "look", input: {} });
const fragment = (text: string): Json => ({ type: "input_json_delta", partial_json: text });
const callOf = (index: number, id: string, text: string): Json => ({
  tool_calls: [{ index, id, type: "function", function: { name: "look", arguments: text } }],
});

describe("calls in streams", () => {
  it("1 BerriAI/litellm#5231: two parallel tool_use blocks are Chat's tool calls 0 and 1", () => {
    const { events } = streamIn(
      "anthropic-messages",
      "openai-chat",
      messagesStream(
        [
          ...streamedBlock(0, { type: "text", text: "" }, { type: "text_delta", text: "Two." }),
          ...streamedBlock(1, toolUse("toolu_a"), fragment('{"at":'), fragment('"a"}')),
          ...streamedBlock(2, toolUse("toolu_b"), fragment('{"at":"b"}')),
        ],
        "tool_use",
      ),
    );
    const { calls, finish } = readChatStream(events);
    expect(joinCalls(calls)).toEqual([
      { index: 0, id: "toolu_a", name: "look", arguments: '{"at":"a"}' },
      { index: 1, id: "toolu_b", name: "look", arguments: '{"at":"b"}' },
    ]);
    expect(finish).toEqual(["tool_calls"]);
  });

  it("2 BerriAI/litellm#21331: two function_call items are 0 and 1, whatever their output_index", () => {
    const item = (id: string, text: string): Json => ({
      type: "function_call",
      id: `fc_${id}`,
      call_id: `call_${id}`,
      name: "look",
      arguments: text,
      status: "completed",
    });
    const message = {
      type: "message",
      id: "msg_1",
      role: "assistant",
      status: "completed",
      content: [{ type: "output_text", text: "Two.", annotations: [] }],
    };
    const response = { id: "resp_1", object: "response", created_at: 1, model: "gpt-test", output: [], tools: [] };
    const streamed = (index: number, id: string, text: string): Json[] => [
      { type: "response.output_item.added", output_index: index, item: { ...item(id, ""), status: "in_progress" } },
      { type: "response.function_call_arguments.delta", output_index: index, item_id: `fc_${id}`, delta: text },
      { type: "response.function_call_arguments.done", output_index: index, item_id: `fc_${id}`, arguments: text },
      { type: "response.output_item.done", output_index: index, item: item(id, text) },
    ];
    const output = [message, item("a", '{"at":"a"}'), item("b", '{"at":"b"}')];
    const usage = { input_tokens: 20, output_tokens: 9, total_tokens: 29 };
    const { events } = streamIn(
      "openai-responses",
      "openai-chat",
      sse(
        { type: "response.created", response: { ...response, status: "in_progress" } },
        { type: "response.output_item.added", output_index: 0, item: { ...message, content: [] } },
        {
          type: "response.content_part.added",
          output_index: 0,
          item_id: "msg_1",
          content_index: 0,
          part: { type: "output_text", text: "", annotations: [] },
        },
        {
          type: "response.output_text.delta",
          output_index: 0,
          item_id: "msg_1",
          content_index: 0,
          delta: "Two.",
        },
        { type: "response.output_item.done", output_index: 0, item: message },
        ...streamed(1, "a", '{"at":"a"}'),
        ...streamed(2, "b", '{"at":"b"}'),
        { type: "response.completed", response: { ...response, status: "completed", output, usage } },
      ),
    );
    expect(joinCalls(readChatStream(events).calls)).toEqual([
      { index: 0, id: "call_a", name: "look", arguments: '{"at":"a"}' },
      { index: 1, id: "call_b", name: "look", arguments: '{"at":"b"}' },
    ]);
  });

  it('3 BerriAI/litellm#5063: a call without arguments streamed as "" is {}, and "" in the history too', () => {
    const { events } = streamIn(
      "anthropic-messages",
      "openai-chat",
      messagesStream(streamedBlock(0, toolUse("toolu_a"), fragment("")), "tool_use"),
    );
    expect(joinCalls(readChatStream(events).calls)).toEqual([
      { index: 0, id: "toolu_a", name: "look", arguments: "{}" },
    ]);
    const { body } = askIn("openai-chat", "anthropic-messages", {
      model: "m",
      messages: [
        { role: "user", content: "Look." },
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "call_1", type: "function", function: { name: "look", arguments: "" } }],
        },
        { role: "tool", tool_call_id: "call_1", content: "Nothing." },
      ],
      tools: [chatTool],
    });
    const [, turn] = body["messages"] as Json[];
    expect(turn).toEqual({
      role: "assistant",
      content: [{ type: "tool_use", id: "call_1", name: "look", input: {} }],
    });
  });

  it("4 MadSkittles/Router-Maestro#162: a call of which no argument ever comes is {}", () => {
    const started = { tool_calls: [{ index: 0, id: "call_1", type: "function", function: { name: "look" } }] };
    const stream = sse(
      chatChunk({ role: "assistant", content: null }),
      chatChunk(started),
      chatChunk({}, "tool_calls"),
      "[DONE]",
    );
    const folded = foldStream("anthropic-messages", streamIn("openai-chat", "anthropic-messages", stream).bytes);
    const [part] = folded.choices[0]?.message.parts ?? [];
    expect(part).toMatchObject({ type: "tool_call", id: "call_1", name: "look" });
    expect((part as { arguments?: unknown }).arguments ?? {}).toEqual({});
    expect(folded.choices[0]?.finishReason?.raw).toBe("tool_use");

    const whole = {
      id: "x",
      model: "gpt-test",
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            content: null,
            tool_calls: [{ id: "call_1", type: "function", function: { name: "look" } }],
          },
          finish_reason: "tool_calls",
        },
      ],
    };
    expect(answerIn("openai-chat", "anthropic-messages", whole).body["content"]).toEqual([
      { type: "tool_use", id: "call_1", name: "look", input: {} },
    ]);
  });

  it("5 theopenco/llmgateway#2468: an empty delta is a delta, not an unknown event", () => {
    const events = streamIn(
      "anthropic-messages",
      "openai-chat",
      messagesStream(
        streamedBlock(0, { type: "text", text: "" }, ...["", "Hi", ""].map((text) => ({ type: "text_delta", text }))),
      ),
    );
    expect(readChatStream(events.events)).toEqual({ calls: [], text: "Hi", finish: ["stop"] });
    const empty = { role: "assistant", content: "" };
    const answer = foldStream(
      "openai-chat",
      sse(chatChunk(empty), chatChunk({ content: "" }), chatChunk({}, "stop"), "[DONE]"),
    );
    expect(answer.choices[0]?.finishReason?.unified).toBe("stop");
    expect(events.losses).toEqual([]);
  });

  it("6 BerriAI/litellm#25321: the chunk in which text turns into a call is not lost", () => {
    const stream = sse(
      chatChunk({ role: "assistant", content: "Let me look." }),
      chatChunk(callOf(0, "call_1", '{"at":"a"}')),
      chatChunk({}, "tool_calls"),
      chatUsage,
      "[DONE]",
    );
    const { events } = streamIn("openai-chat", "anthropic-messages", stream);
    const deltas = events.map(({ data }) => data as Json).filter(({ type }) => type === "content_block_delta");
    const texts = deltas.map(({ index, delta }) => [index, (delta as Json)["text"] ?? (delta as Json)["partial_json"]]);
    const joined = [0, 1].map((index) =>
      texts
        .filter(([at]) => at === index)
        .map(([, text]) => text)
        .join(""),
    );
    expect(joined).toEqual(["Let me look.", '{"at":"a"}']);
  });

  it("14 envoyproxy/ai-gateway#2399: functionCall in one chunk and STOP in the next is tool_calls", () => {
    const stream = sse(
      {
        candidates: [
          { index: 0, content: { role: "model", parts: [{ functionCall: { name: "look", args: { at: "a" } } }] } },
        ],
        modelVersion: "gemini-test",
      },
      {
        candidates: [{ index: 0, content: { role: "model", parts: [{ text: "" }] }, finishReason: "STOP" }],
        usageMetadata: { promptTokenCount: 20, candidatesTokenCount: 9, totalTokenCount: 29 },
      },
    );
    const { calls, finish } = readChatStream(streamIn("gemini-generate-content", "openai-chat", stream).events);
    expect(finish).toEqual(["tool_calls"]);
    expect(joinCalls(calls)).toMatchObject([{ index: 0, name: "look", arguments: '{"at":"a"}' }]);
    expect(calls[0]?.["id"]).toMatch(/^call_/);
  });

  it("15 googleapis/python-genai#2868: a call that Gemini's Chat layer ends as stop is a call in every client's word", () => {
    const called = callOf(0, "call_1", '{"at":"a"}');
    const usage = { prompt_tokens: 20, completion_tokens: 9, total_tokens: 29 };
    const message = { role: "assistant", content: null, ...called };
    const whole = { id: "x", model: "gemini-test", choices: [{ index: 0, message, finish_reason: "stop" }], usage };
    const wordOf = {
      "anthropic-messages": (body: Json) => body["stop_reason"],
      "bedrock-converse": (body: Json) => body["stopReason"],
      "cohere-chat": (body: Json) => body["finish_reason"],
    };
    const words = Object.entries(wordOf).map(([client, read]) =>
      read(answerIn("openai-chat", client as keyof typeof wordOf, whole).body),
    );
    expect(words).toEqual(["tool_use", "tool_use", "TOOL_CALL"]);
    const stream = sse(chatChunk(called), chatChunk({}, "stop"), chatUsage, "[DONE]");
    expect(streamIn("openai-chat", "anthropic-messages", stream).bytes.toString()).toContain(
      '"stop_reason":"tool_use"',
    );
    expect(streamIn("openai-chat", "bedrock-converse", stream).bytes.toString()).toContain('"stopReason":"tool_use"');
    expect(streamIn("openai-chat", "cohere-chat", stream).bytes.toString()).toContain('"finish_reason":"TOOL_CALL"');
    // What the provider said is what is reported.
    expect(readAnswer("openai-chat", whole).choices[0]?.finishReason).toEqual({ unified: "stop", raw: "stop" });
  });

  it("16 NousResearch/hermes-agent#43478: a call cut by the token limit ends as length", () => {
    const { events } = streamIn(
      "anthropic-messages",
      "openai-chat",
      messagesStream(streamedBlock(0, toolUse("toolu_a"), fragment('{"at":"a')), "max_tokens"),
    );
    expect(readChatStream(events).finish).toEqual(["length"]);
    const cut = {
      candidates: [
        {
          index: 0,
          content: { role: "model", parts: [{ functionCall: { name: "look", args: {} } }] },
          finishReason: "MAX_TOKENS",
        },
      ],
      usageMetadata: { promptTokenCount: 20, candidatesTokenCount: 9, totalTokenCount: 29 },
    };
    for (const [client, read] of [
      ["openai-chat", (body: Json) => (body["choices"] as Json[])[0]?.["finish_reason"]],
      ["anthropic-messages", (body: Json) => body["stop_reason"]],
    ] as const) {
      const word = read(answerIn("gemini-generate-content", client, cut).body);
      expect(word).toBe(client === "openai-chat" ? "length" : "max_tokens");
    }
  });

  it("50 agentgateway/agentgateway#2760: a stream's calls are told as those of the whole answer", () => {
    const streamed = foldStream(
      "anthropic-messages",
      messagesStream(
        [...streamedBlock(0, toolUse("toolu_a"), fragment('{"at":"a"}')), ...streamedBlock(1, toolUse("toolu_b"))],
        "tool_use",
      ),
    );
    const whole = readAnswer("anthropic-messages", {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "claude-test",
      content: [{ ...toolUse("toolu_a"), input: { at: "a" } }, toolUse("toolu_b")],
      stop_reason: "tool_use",
      stop_sequence: null,
      usage: { input_tokens: 20, output_tokens: 9 },
    });
    const calls = [
      { type: "tool_call", id: "toolu_a", name: "look", arguments: { at: "a" } },
      { type: "tool_call", id: "toolu_b", name: "look", arguments: {} },
    ];
    for (const { choices } of [streamed, whole]) {
      expect(choices[0]?.message.parts).toMatchObject(calls);
      expect(choices[0]?.finishReason).toEqual({ unified: "tool_call", raw: "tool_use" });
    }
  });
});

describe("calls and results in the history", () => {
  const history = (content: unknown, tools: Json = { tools: [chatTool] }): Json => ({
    model: "m",
    messages: [
      { role: "user", content: "Look." },
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "call_1", type: "function", function: { name: "look", arguments: '{"at":"a"}' } }],
      },
      { role: "tool", tool_call_id: "call_1", content },
    ],
    ...tools,
  });

  it("40 NousResearch/hermes-agent#55092: an empty tool result is a block that Converse takes, and told", () => {
    for (const empty of ["", []]) {
      const { body, losses } = askIn("openai-chat", "bedrock-converse", history(empty));
      const content = at(body, "messages", 2, "content", 0, "toolResult", "content") as Json[];
      expect(content).toHaveLength(1);
      expect(content[0]?.["text"]).not.toBe("");
      expect(losses.map(({ pointer }) => pointer)).toEqual([expect.stringMatching(/^\/messages\/2/)]);
    }
  });

  it("41 patriceckhart/zot#18: calls in the history and no tools in the request: toolConfig is supplied", () => {
    const { body, losses } = askIn("openai-chat", "bedrock-converse", history("Sunny.", {}));
    const { tools } = body["toolConfig"] as { tools: Json[] };
    expect(tools.map((tool) => (tool["toolSpec"] as Json)["name"])).toEqual(["look"]);
    expect(losses.map(({ reason }) => reason)).toContain("injected");
  });

  it("45 router-for-me/CLIProxyAPI#1670: an image in a tool result reaches a Chat model in a user message", () => {
    const { body, losses } = askIn("anthropic-messages", "openai-chat", {
      model: "m",
      max_tokens: 100,
      messages: [
        { role: "user", content: "Look." },
        { role: "assistant", content: [{ type: "tool_use", id: "toolu_a", name: "look", input: { at: "a" } }] },
        {
          role: "user",
          content: [
            {
              type: "tool_result",
              tool_use_id: "toolu_a",
              content: [
                { type: "text", text: "A picture:" },
                { type: "image", source: { type: "base64", media_type: "image/png", data: "iVBORw0KGgo=" } },
              ],
            },
          ],
        },
      ],
      tools: [{ name: "look", input_schema: { type: "object" } }],
    });
    const messages = body["messages"] as Json[];
    const result = messages.findIndex(({ role }) => role === "tool");
    expect(JSON.stringify(messages[result])).toContain("A picture:");
    expect(messages[result]?.["tool_call_id"]).toBe("toolu_a");
    const after = messages[result + 1];
    expect(after?.["role"]).toBe("user");
    const image = (at(after, "content") as Json[]).find(({ type }) => type === "image_url");
    expect(at(image, "image_url", "url")).toBe("data:image/png;base64,iVBORw0KGgo=");
    expect(JSON.stringify(after)).toContain("toolu_a");
    expect(losses.some(({ pointer }) => pointer.startsWith("/messages/2/content/0"))).toBe(true);
  });

  it("46 shogo-labs/shogo-ai#842: a turn with null content and a call is a list of blocks", () => {
    const { body } = askIn("openai-chat", "anthropic-messages", history("Sunny."));
    expect((body["messages"] as Json[]).slice(1)).toEqual([
      { role: "assistant", content: [{ type: "tool_use", id: "call_1", name: "look", input: { at: "a" } }] },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "call_1", content: "Sunny." }] },
    ]);
  });
});
