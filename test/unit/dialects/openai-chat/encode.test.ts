// What the encode half of chat must do, case by case; numbers are those of known bugs in other gateways.
import { describe, expect, it } from "vitest";
import type { InferenceRequest, InferenceResponse, Part } from "../../../../src/canonical/index.ts";
import type { DialectId } from "../../../../src/dialects/dialect.ts";
import { Encoding } from "../../../../src/dialects/encoding.ts";
import { encoder } from "../../../../src/dialects/openai-chat/encoder.ts";

type Json = Record<string, unknown>;

const exchangeId = "0123456789abcdef0123456789abcdef";

function open(source: DialectId, operationKind?: string): Encoding {
  return new Encoding({
    source,
    target: "openai-chat",
    model: "served",
    exchangeId,
    epochSeconds: 1_700_000_000,
    toolResultParts: (value) => (Array.isArray(value) ? (value as Part[]) : [{ type: "text", content: String(value) }]),
    ...(operationKind === undefined ? {} : { operationKind }),
  });
}

function encodeRequest(request: Partial<InferenceRequest>, source: DialectId = "anthropic-messages") {
  const encoding = open(source);
  const whole: InferenceRequest = { stream: false, messages: [], ...request };
  const body = encoder.encodeRequest(whole, encoding);
  encoding.loseLeftovers(whole);
  return { body, losses: encoding.losses.map(({ path, reason, severity }) => [path.join("."), reason, severity]) };
}

const messagesOf = (messages: InferenceRequest["messages"], source?: DialectId) =>
  encodeRequest({ messages }, source).body["messages"];
const user = (...parts: Part[]) => ({ role: "user", parts });
const assistant = (...parts: Part[]) => ({ role: "assistant", parts });
const text = (content: string): Part => ({ type: "text", content });
const call = (id: string | undefined, name: string, args: unknown = {}): Part => ({
  type: "tool_call",
  ...(id === undefined ? {} : { id }),
  name,
  arguments: args,
});
const result = (id: string | undefined, response: unknown): Part => ({
  type: "tool_call_response",
  ...(id === undefined ? {} : { id }),
  response,
});

describe("chat request from another dialect", () => {
  it("writes every field that chat has under its own word", () => {
    const { body, losses } = encodeRequest({
      maxOutputTokens: 9,
      temperature: 0,
      stopSequences: ["a", "b"],
      choiceCount: 2,
      topLogprobs: 3,
      reasoning: { effort: "LOW" },
      user: "u",
      outputFormat: { type: "json_schema", name: "n", schema: { type: "object" } },
    });
    expect(body).toEqual({
      model: "served",
      messages: [],
      max_completion_tokens: 9,
      temperature: 0,
      stop: ["a", "b"],
      n: 2,
      logprobs: true,
      top_logprobs: 3,
      reasoning_effort: "low",
      user: "u",
      response_format: { type: "json_schema", json_schema: { name: "n", schema: { type: "object" } } },
    });
    expect(losses).toEqual([]);
  });

  it.each<[string, Partial<InferenceRequest>, unknown[]]>([
    ["top_k", { topK: 3 }, ["topK", "unsupported", "tuning"]],
    ["an earlier response", { previousResponseId: "r" }, ["previousResponseId", "unsupported", "semantic"]],
    [
      "a fifth stop sequence",
      { stopSequences: ["1", "2", "3", "4", "5"] },
      ["stopSequences", "unsupported", "semantic"],
    ],
    ["a thinking budget", { reasoning: { budgetTokens: 5000 } }, ["reasoning", "approximated", "tuning"]],
    [
      "a schema without a name",
      { outputFormat: { type: "json_schema", schema: {} } },
      ["outputFormat", "injected", "tuning"],
    ],
    [
      "a provider's own tool",
      { tools: [{ type: "web_search_20250305", name: "web_search" }] },
      ["tools.0", "unsupported", "semantic"],
    ],
  ])("tells the loss of %s", (_what, request, loss) => {
    expect(encodeRequest(request).losses).toEqual([loss]);
  });

  it("keeps max_tokens as the client's own word", () => {
    const extensions = { "openai-chat": { is_max_tokens: null } };
    const { body } = encodeRequest({ maxOutputTokens: 5, extensions }, "openai-chat");
    expect(body).toEqual({ model: "served", messages: [], max_tokens: 5 });
  });

  it("leaves the choice of tools out where there are none", () => {
    expect(encodeRequest({ toolChoice: { type: "none" }, parallelToolCalls: false }).body).toEqual({
      model: "served",
      messages: [],
    });
  });

  it("puts results right behind their calls, before the user's text", () => {
    expect(messagesOf([assistant(call("a", "f", { x: 1 })), user(text("and?"), result("a", "out"))])).toEqual([
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "a", type: "function", function: { name: "f", arguments: '{"x":1}' } }],
      },
      { role: "tool", tool_call_id: "a", content: "out" },
      { role: "user", content: "and?" },
    ]);
  });

  it("moves an image in a result to a user's message that names the call (45)", () => {
    const image: Part = { type: "blob", modality: "image", mime_type: "image/png", content: "AA==" };
    const { body, losses } = encodeRequest({
      messages: [assistant(call("a", "f"), call("b", "f")), user(result("a", [text("t"), image]), result("b", "u"))],
    });
    expect((body["messages"] as Json[]).slice(1)).toEqual([
      { role: "tool", tool_call_id: "a", content: "t" },
      { role: "tool", tool_call_id: "b", content: "u" },
      {
        role: "user",
        content: [
          { type: "text", text: "Content of the result of tool call a:" },
          { type: "image_url", image_url: { url: "data:image/png;base64,AA==" } },
        ],
      },
    ]);
    expect(losses).toEqual([["messages.1.parts.0", "moved", "semantic"]]);
  });

  it("makes ids for calls that have none, and the results find them", () => {
    const messages = messagesOf(
      [assistant(call(undefined, "f"), call(undefined, "g")), user(result(undefined, "1"), result(undefined, "2"))],
      "ollama-chat",
    );
    const [made, ...results] = messages as Json[];
    const ids = ((made?.["tool_calls"] ?? []) as Json[]).map(({ id }) => id);
    expect(new Set(ids).size).toBe(2);
    expect(results.map((message) => message["tool_call_id"])).toEqual(ids);
  });

  it("refuses a result that answers no call", () => {
    expect(() => messagesOf([user(result("gone", "out"))])).toThrow("/messages/0/parts/0");
  });

  it("makes one turn of the items of a Responses answer, in silence", () => {
    const { body, losses } = encodeRequest(
      { messages: [assistant(text("so")), assistant(call("a", "f")), assistant(call("b", "f"))] },
      "openai-responses",
    );
    expect(
      (body["messages"] as Json[]).map(({ role, content, tool_calls: calls }) => [
        role,
        content,
        (calls as Json[]).length,
      ]),
    ).toEqual([["assistant", "so", 2]]);
    expect(losses).toEqual([]);
  });

  it("replays reasoning that nobody signed, and tells what another provider signed (11, 47)", () => {
    expect(messagesOf([assistant({ type: "reasoning", content: "hm" }, text("so"))])).toEqual([
      { role: "assistant", content: "so", reasoning_content: "hm" },
    ]);
    const extensions = { "anthropic-messages": { signature: "c2ln" } };
    const { body, losses } = encodeRequest({
      messages: [assistant({ type: "reasoning", content: "", extensions }, text("so"))],
    });
    expect(body["messages"]).toEqual([{ role: "assistant", content: "so" }]);
    expect(losses).toEqual([["messages.0.parts.0", "unsupported", "tuning"]]);
  });

  it("gives a call without arguments an empty object (3)", () => {
    const [message] = messagesOf([assistant(call("a", "f", ""))]) as Json[];
    expect(message?.["tool_calls"]).toMatchObject([{ function: { arguments: "{}" } }]);
  });

  it("spells the types of Google's schemas as JSON Schema does", () => {
    const parameters = { type: "OBJECT", properties: { type: { type: "STRING", nullable: true } } };
    const tools = [
      { type: "function", name: "f", parameters, extensions: { "gemini-generate-content": { parameters } } },
    ];
    const { body, losses } = encodeRequest({ tools }, "gemini-generate-content");
    const schema = { type: "object", properties: { type: { type: ["string", "null"] } } };
    expect(body["tools"]).toEqual([{ type: "function", function: { name: "f", parameters: schema } }]);
    expect(losses).toEqual([]);
  });

  it.each<[string, Part]>([
    ["a video", { type: "blob", modality: "video", mime_type: "video/mp4", content: "AA==" }],
    ["an address only Google can read", { type: "uri", modality: "image", uri: "gs://b/o" }],
    ["another provider's file", { type: "file", modality: "document", file_id: "file_1" }],
    [
      "a part of a kind not known",
      { type: "generic", generic_type: "search_result", extensions: { "anthropic-messages": { a: 1, b: 2 } } },
    ],
  ])("leaves out %s and tells it once", (_what, part) => {
    const { body, losses } = encodeRequest({ messages: [user(text("look"), part)] });
    expect(body["messages"]).toEqual([{ role: "user", content: "look" }]);
    expect(losses).toEqual([["messages.0.parts.1", "unsupported", "semantic"]]);
  });
});

const answer = (parts: Part[], more: Partial<InferenceResponse> = {}): InferenceResponse => ({
  id: "msg_1",
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", parts }, finishReason: { unified: "stop", raw: "end_turn" } }],
  ...more,
});
const encodeAnswer = (response: InferenceResponse, source: DialectId = "anthropic-messages") =>
  encoder.encodeResponse(response, open(source));

describe("chat answer from another dialect", () => {
  it("has every member that the official SDKs read, and counts that include their parts (22, 23)", () => {
    const usage = { inputTokens: 159_223, cacheWriteTokens: 159_217, outputTokens: 196, reasoningTokens: 190 };
    expect(encodeAnswer(answer([text("Hi "), text("you")], { usage }))).toEqual({
      id: `chatcmpl-${exchangeId}`,
      object: "chat.completion",
      created: 1_700_000_000,
      model: "m",
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: "Hi you", refusal: null },
          logprobs: null,
          finish_reason: "stop",
        },
      ],
      usage: {
        prompt_tokens: 159_223,
        completion_tokens: 196,
        total_tokens: 159_223 + 196,
        prompt_tokens_details: { cache_write_tokens: 159_217 },
        completion_tokens_details: { reasoning_tokens: 190 },
      },
    });
  });

  it("is a text completion for a client of those", () => {
    const body = encoder.encodeResponse(answer([text("Hi")]), open("anthropic-messages", "text_completion"));
    expect(body).toMatchObject({ id: `cmpl-${exchangeId}`, object: "text_completion" });
    expect(body["choices"]).toEqual([{ index: 0, text: "Hi", logprobs: null, finish_reason: "stop" }]);
  });

  it("keeps three signed blocks in order, the redacted one between (12)", () => {
    const bag = (own: Json) => ({ "anthropic-messages": own });
    const { choices } = encodeAnswer(
      answer([
        { type: "reasoning", content: "a", extensions: bag({ signature: "s1" }) },
        { type: "reasoning", content: "", extensions: bag({ type: "redacted_thinking", data: "ZA==" }) },
        { type: "reasoning", content: "b", extensions: bag({ signature: "s2" }) },
      ]),
    );
    const format = "anthropic-claude-v1";
    expect((choices as Json[])[0]?.["message"]).toMatchObject({
      reasoning_content: "ab",
      reasoning_details: [
        { type: "reasoning.text", text: "a", signature: "s1", format, index: 0 },
        { type: "reasoning.encrypted", data: "ZA==", format, index: 1 },
        { type: "reasoning.text", text: "b", signature: "s2", format, index: 2 },
      ],
    });
  });

  it("hands Google's signature of a call out where Google's own chat endpoint has it (10)", () => {
    const signed = { ...call("a", "f"), extensions: { "gemini-generate-content": { thoughtSignature: "c2ln" } } };
    const { choices } = encodeAnswer(answer([signed]), "gemini-generate-content");
    const [{ message, finish_reason: finish }] = choices as [Json];
    expect((message as Json)["tool_calls"]).toMatchObject([
      { id: "a", extra_content: { google: { thought_signature: "c2ln" } } },
    ]);
    expect(finish).toBe("tool_calls");
  });

  it.each([
    ["length", "length"],
    ["content_filter", "content_filter"],
    ["error", "error"],
    ["tool_call", "tool_calls"],
  ] as const)("says %s as %s although a tool was called (16)", (unified, word) => {
    const { choices } = encodeAnswer({
      choices: [{ index: 0, message: { role: "assistant", parts: [call("a", "f")] }, finishReason: { unified } }],
    });
    expect(choices).toMatchObject([{ finish_reason: word }]);
  });

  it("never shows a tool that the provider ran as a call of the client's", () => {
    const encoding = open("anthropic-messages");
    const ran: Part = { type: "server_tool_call", name: "web_search", server_tool_call: { type: "web_search" } };
    const { choices } = encoder.encodeResponse(answer([ran, text("so")]), encoding);
    expect((choices as Json[])[0]?.["message"]).toEqual({ role: "assistant", content: "so", refusal: null });
    expect(encoding.losses).toMatchObject([{ path: ["choices", 0, "message", "parts", 0] }]);
  });

  it("has a choice with empty content where thought took the whole cap (17)", () => {
    const { choices } = encodeAnswer({
      choices: [{ index: 0, message: { role: "assistant", parts: [] }, finishReason: { unified: "length" } }],
    });
    expect(choices).toMatchObject([{ message: { content: "" }, finish_reason: "length" }]);
  });
});

describe("places in a chat body", () => {
  const body = {
    max_tokens: 5,
    stop: "a",
    response_format: { type: "json_schema", json_schema: { name: "n", schema: { type: "object" } } },
    tools: [{ type: "function", function: { name: "f", strict: true } }],
    functions: [{ name: "g" }],
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "a" },
          { type: "image_url", image_url: { url: "u", detail: "low" } },
        ],
      },
      {
        role: "assistant",
        reasoning_content: "r",
        content: "c",
        tool_calls: [{ id: "1", type: "function", function: { name: "f", arguments: "{}" }, extra_content: {} }],
      },
      { role: "tool", tool_call_id: "1", content: "out" },
    ],
  };
  it.each<[(string | number)[], string]>([
    [["maxOutputTokens"], "/max_tokens"],
    [["stopSequences", 0], "/stop"],
    [["temperature"], ""],
    [["outputFormat", "schema"], "/response_format/json_schema/schema"],
    [["tools", 0, "function"], "/tools/0/function"],
    [["tools", 0, "name"], "/tools/0/function/name"],
    [["tools", 1], "/functions/0"],
    [["messages", 0, "parts", 1], "/messages/0/content/1"],
    [["messages", 0, "parts", 1, "image_url"], "/messages/0/content/1/image_url"],
    [["messages", 1, "parts", 0], "/messages/1/reasoning_content"],
    [["messages", 1, "parts", 1], "/messages/1/content"],
    [["messages", 1, "parts", 2, "arguments"], "/messages/1/tool_calls/0/function/arguments"],
    [["messages", 1, "parts", 2, "extra_content"], "/messages/1/tool_calls/0/extra_content"],
    [["messages", 2, "parts", 0, "response", 0], "/messages/2/content"],
    [["messages", 2, "parts", 0, "id"], "/messages/2/tool_call_id"],
  ])("finds %j at %s", (path, pointer) => {
    expect(encoder.locate(path, body)).toBe(pointer);
  });

  it("finds a legacy prompt", () => {
    expect(encoder.locate(["messages", 1, "parts", 0], { prompt: ["a", "b"] })).toBe("/prompt/1");
    expect(encoder.locate(["messages", 0], { prompt: "a" })).toBe("/prompt");
  });
});
