// What the encode half makes of conversations, answers and streams that other gateways got wrong. Numbers in brackets are
// those of the reference's list of bugs.
import { describe, expect, it } from "vitest";
import type {
  InferenceRequest,
  InferenceResponse,
  Message,
  Part,
  StreamEvent,
} from "../../../../src/canonical/index.ts";
import { dialectIds, type DialectId } from "../../../../src/dialects/dialect.ts";
import { Encoding } from "../../../../src/dialects/encoding.ts";
import { encoder } from "../../../../src/dialects/anthropic-messages/encoder.ts";
import { SidecarError } from "../../../../src/errors.ts";

type Json = Record<string, unknown>;

const exchangeId = "0123456789abcdef0123456789abcdef";

function encodingOf(source: DialectId = "openai-chat", maxOutputTokens?: number): Encoding {
  return new Encoding({
    source,
    target: "anthropic-messages",
    model: "claude",
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
    exchangeId,
    epochSeconds: 1,
    toolResultParts: (response) => (typeof response === "string" ? [{ type: "text", content: response }] : []),
  });
}

const text = (content: string): Part => ({ type: "text", content });
const user = (content: string): Message => ({ role: "user", parts: [text(content)] });
const call = (id: string | undefined, name: string, args: unknown): Part => ({
  type: "tool_call",
  name,
  arguments: args,
  ...(id === undefined ? {} : { id }),
});
const result = (id: string | undefined, response: unknown): Message => ({
  role: "tool",
  parts: [{ type: "tool_call_response", response, ...(id === undefined ? {} : { id }) }],
});

function encode(
  request: Partial<InferenceRequest>,
  source: DialectId = "openai-chat",
): { body: Json; losses: string[] } {
  const whole: InferenceRequest = { stream: false, messages: [user("hi")], maxOutputTokens: 2000, ...request };
  const encoding = encodingOf(source);
  const body = encoder.encodeRequest(whole, encoding);
  encoding.loseLeftovers(whole);
  return {
    body,
    losses: encoding.losses.map(({ path, reason, severity }) => `${path.join(".")} ${reason} ${severity}`),
  };
}

describe("a request", () => {
  it("has max_tokens: the client's, else the model's, which is told", () => {
    const encoding = encodingOf("openai-chat", 8192);
    const body = encoder.encodeRequest({ stream: true, messages: [user("hi")] }, encoding);
    expect(body).toEqual({
      model: "claude",
      max_tokens: 8192,
      messages: [{ role: "user", content: "hi" }],
      stream: true,
    });
    expect(encoding.losses).toMatchObject([{ path: ["maxOutputTokens"], reason: "injected" }]);
    expect(encode({ maxOutputTokens: 7 }).body["max_tokens"]).toBe(7);
  });

  it("is refused without any maximum, saying what to set", () => {
    const attempt = (): unknown => encoder.encodeRequest({ stream: false, messages: [user("hi")] }, encodingOf());
    expect(attempt).toThrow(SidecarError);
    expect(attempt).toThrow(/max_tokens/);
  });

  it("answers parallel calls in one user message, results first (1)", () => {
    const { body, losses } = encode({
      tools: [{ type: "function", name: "f" }],
      messages: [
        user("go"),
        { role: "assistant", parts: [call("a", "f", { x: 1 }), call("b", "f", {})] },
        result("a", "one"),
        result("b", "two"),
        user("and now?"),
      ],
    });
    expect(body["messages"]).toEqual([
      { role: "user", content: "go" },
      {
        role: "assistant",
        content: [
          { type: "tool_use", id: "a", name: "f", input: { x: 1 } },
          { type: "tool_use", id: "b", name: "f", input: {} },
        ],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "a", content: "one" },
          { type: "tool_result", tool_use_id: "b", content: "two" },
          { type: "text", text: "and now?" },
        ],
      },
    ]);
    expect(body["tools"]).toEqual([{ name: "f", input_schema: { type: "object" } }]);
    expect(losses).toEqual([]);
  });

  it("has no empty content beside calls (46)", () => {
    const { body } = encode({
      tools: [{ type: "function", name: "f" }],
      messages: [user("go"), { role: "assistant", parts: [text(""), call("a", "f", {})] }, result("a", "")],
    });
    expect((body["messages"] as Json[]).slice(1)).toEqual([
      { role: "assistant", content: [{ type: "tool_use", id: "a", name: "f", input: {} }] },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "a" }] },
    ]);
  });

  it("gives calls without ids one, and their results the same", () => {
    const messages = [user("go"), { role: "assistant", parts: [call(undefined, "f", {}), call(undefined, "g", {})] }];
    const named: Message = { ...result(undefined, "of g"), name: "g" };
    const { body } = encode(
      { messages: [...messages, named, result(undefined, "of f")], tools: [{ type: "function", name: "f" }] },
      "ollama-chat",
    );
    const [, calls, results] = body["messages"] as { content: Json[] }[];
    const [f, g] = calls?.content.map(({ id }) => id) ?? [];
    expect(f).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(f).not.toBe(g);
    expect(results?.content).toEqual([
      { type: "tool_result", tool_use_id: g, content: "of g" },
      { type: "tool_result", tool_use_id: f, content: "of f" },
    ]);
  });

  it("makes ids and names that Anthropic refuses into ones it takes, alike for call and result", () => {
    const { body, losses } = encode({
      messages: [
        user("go"),
        { role: "assistant", parts: [call("functions.f:0", "a.b", {})] },
        result("functions.f:0", "r"),
      ],
      tools: [{ type: "function", name: "a.b" }],
      toolChoice: { type: "tool", name: "a.b" },
    });
    const [, calls, results] = body["messages"] as { content: Json[] }[];
    const [tool] = body["tools"] as Json[];
    expect(calls?.content[0]?.["id"]).toMatch(/^functions_f_0_[0-9a-f]{8}$/);
    expect(results?.content[0]?.["tool_use_id"]).toBe(calls?.content[0]?.["id"]);
    expect(calls?.content[0]?.["name"]).toBe(tool?.["name"]);
    expect(body["tool_choice"]).toEqual({ type: "tool", name: tool?.["name"] });
    expect(losses).toContain("messages.1.parts.0.id approximated tuning");
  });

  it("is refused for a result that answers no call, with its place", () => {
    expect(() => encode({ messages: [user("go"), result("gone", "r")] })).toThrow(/\/messages\/1\/parts\/0/);
  });

  it("names the tools of a history that comes without any", () => {
    const { body, losses } = encode({
      messages: [user("go"), { role: "assistant", parts: [call("a", "f", {})] }, result("a", "r")],
    });
    expect(body["tools"]).toEqual([{ name: "f", input_schema: { type: "object" } }]);
    expect(body["tool_choice"]).toEqual({ type: "none" });
    expect(losses).toEqual(["tools injected tuning"]);
  });

  it("puts leading instructions in system, one block each, and later ones after the results they stood before", () => {
    const system = (content: string): Message => ({ role: "system", parts: [text(content)] });
    const { body } = encode({
      tools: [{ type: "function", name: "f" }],
      messages: [
        system("one"),
        { role: "developer", parts: [text("two")] },
        user("go"),
        { role: "assistant", parts: [call("a", "f", {})] },
        system("three"),
        result("a", "r"),
        user("next"),
      ],
    });
    expect(body["system"]).toEqual([
      { type: "text", text: "one" },
      { type: "text", text: "two" },
    ]);
    expect((body["messages"] as Json[]).map(({ role }) => role)).toEqual([
      "user",
      "assistant",
      "user",
      "system",
      "user",
    ]);
  });

  it("tells json_object as lost and keeps a schema whole (18)", () => {
    expect(encode({ outputFormat: { type: "json" } }).losses).toEqual(["outputFormat unsupported semantic"]);
    const schema = { type: "object", $defs: { a: { type: "string" } }, properties: { a: { $ref: "#/$defs/a" } } };
    expect(encode({ outputFormat: { type: "json_schema", schema } }).body["output_config"]).toEqual({
      format: { type: "json_schema", schema },
    });
    expect(encode({ tools: [{ type: "function", name: "f", parameters: schema }] }).body["tools"]).toEqual([
      { name: "f", input_schema: schema },
    ]);
  });

  it("tells what this API has no place for, and nothing of values that change nothing", () => {
    const nothing = { choiceCount: 1, logprobs: false, frequencyPenalty: 0, presencePenalty: 0, topLogprobs: 0 };
    expect(encode({ ...nothing, logitBias: {}, outputFormat: { type: "text" }, metadata: {} }).losses).toEqual([]);
    const { losses } = encode({
      choiceCount: 2,
      logprobs: true,
      seed: 1,
      frequencyPenalty: 0.5,
      logitBias: { "1": 2 },
    });
    expect(losses).toEqual([
      "seed unsupported tuning",
      "frequencyPenalty unsupported tuning",
      "choiceCount unsupported semantic",
      "logprobs unsupported semantic",
      "logitBias unsupported tuning",
    ]);
  });

  it("turns one call at a time into Anthropic's word, and a subset into fewer tools", () => {
    const tools = [
      { type: "function", name: "f" },
      { type: "function", name: "g" },
    ];
    expect(encode({ tools, parallelToolCalls: false }).body["tool_choice"]).toEqual({
      type: "auto",
      disable_parallel_tool_use: true,
    });
    const { body, losses } = encode({ tools, toolChoice: { type: "allowed", mode: "required", names: ["g"] } });
    expect(body["tools"]).toEqual([{ name: "g", input_schema: { type: "object" } }]);
    expect(body["tool_choice"]).toEqual({ type: "any" });
    expect(losses).toEqual(["toolChoice approximated semantic"]);
  });

  it("asks for thinking in the newer words and leaves out what is refused beside it", () => {
    expect(encode({ reasoning: { effort: "none" } }).body["thinking"]).toEqual({ type: "disabled" });
    const { body, losses } = encode({ reasoning: { effort: "high" }, temperature: 0.2, topP: 0.99 });
    expect(body).toMatchObject({ thinking: { type: "adaptive" }, output_config: { effort: "high" }, top_p: 0.99 });
    expect(body).not.toHaveProperty("temperature");
    expect(losses).toEqual(["temperature unsupported tuning"]);
    expect(encode({ reasoning: { budgetTokens: 1500 } }).body["thinking"]).toEqual({
      type: "enabled",
      budget_tokens: 1500,
    });
    // The budget must be below max_tokens, which is 2000 here.
    expect(encode({ reasoning: { budgetTokens: 2000 } }).body["thinking"]).toEqual({ type: "adaptive" });
    const forced = encode({
      reasoning: { effort: "low" },
      tools: [{ type: "function", name: "f" }],
      toolChoice: { type: "required" },
    });
    expect(forced.body).not.toHaveProperty("thinking");
    expect(forced.losses).toEqual(["reasoning approximated tuning"]);
  });

  it("sends images and PDFs, and tells what it cannot send", () => {
    const parts: Part[] = [
      { type: "blob", modality: "image", content: "iVBORw0KGgoAAA" },
      { type: "uri", modality: "image", uri: "https://example.com/a.png" },
      { type: "blob", modality: "document", mime_type: "application/pdf", content: "JVBERi0" },
      { type: "blob", modality: "audio", mime_type: "audio/wav", content: "UklGRg" },
      { type: "uri", modality: "image", uri: "gs://bucket/a.png" },
      { type: "file", modality: "document", file_id: "file-1" },
    ];
    const { body, losses } = encode({ messages: [{ role: "user", parts }] });
    expect(body["messages"]).toEqual([
      {
        role: "user",
        content: [
          { type: "image", source: { type: "base64", media_type: "image/png", data: "iVBORw0KGgoAAA" } },
          { type: "image", source: { type: "url", url: "https://example.com/a.png" } },
          { type: "document", source: { type: "base64", media_type: "application/pdf", data: "JVBERi0" } },
        ],
      },
    ]);
    expect(losses).toEqual([3, 4, 5].map((index) => `messages.0.parts.${index} unsupported semantic`));
  });

  it("carries Anthropic's own sealed reasoning that a chat client kept, and nobody else's", () => {
    const reasoning_details = [
      { type: "reasoning.text", text: "hm", signature: "c2ln", format: "anthropic-claude-v1" },
      { type: "reasoning.encrypted", data: "cmVk", format: "anthropic-claude-v1" },
      { type: "reasoning.encrypted", data: "Zm9y", format: "google-gemini-v1" },
    ];
    const part: Part = { type: "reasoning", content: "hm", extensions: { "openai-chat": { reasoning_details } } };
    const { body, losses } = encode({ messages: [user("q"), { role: "assistant", parts: [part, text("a")] }] });
    expect((body["messages"] as Json[])[1]).toEqual({
      role: "assistant",
      content: [
        { type: "thinking", thinking: "hm", signature: "c2ln" },
        { type: "redacted_thinking", data: "cmVk" },
        { type: "text", text: "a" },
      ],
    });
    expect(losses).toEqual(["messages.1.parts.0 unsupported tuning"]);
  });

  it("keeps from Anthropic what another family sealed for one of its clients", () => {
    const extensions = { "anthropic-messages": { signature: "outrider:google-gemini-v1:c2ln" } };
    const parts: Part[] = [{ type: "reasoning", content: "hm", extensions }, text("a")];
    const { body, losses } = encode({ messages: [{ role: "assistant", parts }] }, "anthropic-messages");
    expect(body["messages"]).toEqual([{ role: "assistant", content: [{ type: "text", text: "a" }] }]);
    expect(losses).toEqual(["messages.0.parts.0 unsupported tuning"]);
  });

  it("spells Google's schemas as JSON Schema", () => {
    const parameters = { type: "OBJECT", properties: { type: { type: "STRING", nullable: true } }, required: ["type"] };
    const tool = { type: "function", name: "f", parameters, extensions: { "gemini-generate-content": { parameters } } };
    const { body, losses } = encode({ tools: [tool] }, "gemini-generate-content");
    expect(body["tools"]).toEqual([
      {
        name: "f",
        input_schema: { type: "object", properties: { type: { type: ["string", "null"] } }, required: ["type"] },
      },
    ]);
    expect(losses).toEqual([]);
  });
});

describe("an answer", () => {
  const answer = (parts: Part[], rest: Partial<InferenceResponse> = {}, unified: "stop" | "length" = "stop"): Json =>
    encoder.encodeResponse(
      { choices: [{ index: 0, message: { role: "assistant", parts }, finishReason: { unified } }], ...rest },
      encodingOf(),
    );

  it("has all that the SDKs read, and counts the uncached input apart", () => {
    const usage = { inputTokens: 100, cacheReadTokens: 60, cacheWriteTokens: 30, outputTokens: 5, reasoningTokens: 2 };
    expect(answer([text("hi")], { id: "chatcmpl-1", model: "gpt", usage })).toEqual({
      id: `msg_${exchangeId}`,
      type: "message",
      role: "assistant",
      model: "gpt",
      content: [{ type: "text", text: "hi" }],
      stop_reason: "end_turn",
      stop_sequence: null,
      usage: {
        input_tokens: 10,
        cache_creation_input_tokens: 30,
        cache_read_input_tokens: 60,
        output_tokens: 5,
        output_tokens_details: { thinking_tokens: 2 },
      },
    });
  });

  it("promotes a clean stop after calls, and only that", () => {
    expect(answer([call("a", "f", {})])["stop_reason"]).toBe("tool_use");
    expect(answer([call("a", "f", {})], {}, "length")["stop_reason"]).toBe("max_tokens");
  });

  it("passes arguments that are no object on in one, never as {}", () => {
    expect(answer([call("a", "f", '{"cut')])["content"]).toEqual([
      { type: "tool_use", id: "a", name: "f", input: { input: '{"cut' } },
    ]);
  });

  it("hands a client Gemini's signatures, marked", () => {
    const extensions = { "gemini-generate-content": { thoughtSignature: "c2ln" } };
    const parts: Part[] = [{ type: "tool_call", id: "a", name: "f", arguments: {}, extensions }];
    const body = encoder.encodeResponse(
      { choices: [{ index: 0, message: { role: "assistant", parts } }] },
      encodingOf("gemini-generate-content"),
    );
    expect(body["content"]).toEqual([
      { type: "thinking", thinking: "", signature: "outrider:google-gemini-v1:c2ln" },
      { type: "tool_use", id: "a", name: "f", input: {} },
    ]);
  });

  it("never makes a call that the provider ran into one for the client", () => {
    const encoding = encodingOf("openai-responses");
    const part: Part = { type: "server_tool_call", name: "web_search", server_tool_call: { type: "web_search" } };
    const body = encoder.encodeResponse(
      { choices: [{ index: 0, message: { role: "assistant", parts: [part] } }] },
      encoding,
    );
    expect(body["content"]).toEqual([]);
    expect(encoding.losses).toMatchObject([{ path: ["choices", 0, "message", "parts", 0] }]);
  });
});

describe("a stream", () => {
  const choice = 0;
  const finish: StreamEvent = { type: "choice_end", choice, finishReason: { unified: "stop" } };
  const start = (part: number, value: Part): StreamEvent => ({ type: "part_start", choice, part, value });
  const delta = (part: number, content: string): StreamEvent => ({ type: "part_delta", choice, part, text: content });

  function stream(events: StreamEvent[], source: DialectId = "openai-chat"): { names: string[]; bodies: Json[] } {
    const encoded = encoder.eventEncoder(encodingOf(source), false);
    const bytes = [...events.flatMap((event) => encoded.push(event)), ...encoded.end()].map(String).join("");
    expect(bytes === "" || bytes.endsWith("\n\n")).toBe(true);
    const bodies = bytes
      .split("\n\n")
      .slice(0, -1)
      .map((frame) => {
        const [, name, json] = /^event: (\w+)\ndata: (.+)$/.exec(frame) ?? [];
        const body = JSON.parse(json ?? "null") as Json;
        expect(body["type"]).toBe(name);
        return body;
      });
    return { names: bodies.map(({ type }) => String(type)), bodies };
  }

  const textBlock = ["content_block_start", "content_block_delta", "content_block_stop"];

  it("opens thinking before its delta and starts once, whatever is announced again (7, 8, 9)", () => {
    const { names, bodies } = stream([
      { type: "response_start", id: "x", model: "m" },
      { type: "choice_start", choice, role: "assistant" },
      { type: "response_start", model: "other" },
      start(0, { type: "reasoning", content: "" }),
      delta(0, "hm"),
      start(1, text("")),
      delta(1, "yes"),
      finish,
      { type: "usage", usage: { inputTokens: 9, cacheReadTokens: 4, outputTokens: 3 } },
      { type: "response_end" },
    ]);
    expect(names).toEqual(["message_start", ...textBlock, ...textBlock, "message_delta", "message_stop"]);
    expect(bodies[0]).toMatchObject({
      message: {
        usage: { input_tokens: 0, output_tokens: 0, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 },
      },
    });
    expect(bodies[1]).toMatchObject({ index: 0, content_block: { type: "thinking" } });
    expect(bodies[2]).toMatchObject({ index: 0, delta: { type: "thinking_delta", thinking: "hm" } });
    expect(bodies[5]).toMatchObject({ index: 1, delta: { type: "text_delta", text: "yes" } });
    expect(bodies[7]).toMatchObject({
      delta: { stop_reason: "end_turn", stop_sequence: null },
      usage: { input_tokens: 5, cache_read_input_tokens: 4, output_tokens: 3 },
    });
  });

  it("writes interleaved calls one after another, each whole (1)", () => {
    const { bodies } = stream([
      start(0, call("a", "f", undefined)),
      start(1, call("b", "g", undefined)),
      delta(0, '{"x"'),
      delta(1, '{"y"'),
      delta(0, ":1}"),
      delta(1, ":2}"),
      finish,
    ]);
    const blocks = bodies.filter(({ type }) => type === "content_block_start");
    expect(blocks.map(({ index, content_block: block }) => [index, (block as Json)["id"]])).toEqual([
      [0, "a"],
      [1, "b"],
    ]);
    const inputOf = (index: number): string =>
      bodies
        .map((body) =>
          body["index"] === index ? String((body["delta"] as Json | undefined)?.["partial_json"] ?? "") : "",
        )
        .join("");
    expect([inputOf(0), inputOf(1)]).toEqual(['{"x":1}', '{"y":2}']);
    const order = bodies.flatMap(({ index }) => (typeof index === "number" ? [index] : []));
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(bodies.at(-2)).toMatchObject({ delta: { stop_reason: "tool_use" } });
  });

  it("tells arguments that came whole, once, and none of a call without any", () => {
    const { bodies } = stream([start(0, call("a", "f", { x: 1 })), start(1, call("b", "g", {})), finish]);
    const deltas = bodies.filter(({ type }) => type === "content_block_delta");
    expect(deltas).toMatchObject([{ index: 0, delta: { partial_json: '{"x":1}' } }]);
  });

  it("goes on in a new block with text that comes after a call", () => {
    const { bodies } = stream([
      start(0, text("")),
      delta(0, "a"),
      start(1, call("c", "f", {})),
      { type: "part_end", choice, part: 1 },
      delta(0, "b"),
      finish,
    ]);
    const starts = bodies
      .filter(({ type }) => type === "content_block_start")
      .map((body) => (body["content_block"] as Json)["type"]);
    expect(starts).toEqual(["text", "tool_use", "text"]);
    expect(
      bodies.filter(({ type }) => type === "content_block_delta").map(({ delta: d }) => (d as Json)["text"]),
    ).toEqual(["a", "b"]);
  });

  it("never ends well when the provider did not (33)", () => {
    expect(stream([start(0, text("half"))]).names).toEqual([
      "message_start",
      "content_block_start",
      "content_block_delta",
      "error",
    ]);
  });

  it("tells a provider's error as one, and nothing after it (34)", () => {
    const { names, bodies } = stream([
      start(0, text("half")),
      { type: "error", error: { type: "overloaded_error", message: "busy" } },
      delta(0, "more"),
      finish,
    ]);
    expect(names.at(-1)).toBe("error");
    expect(names).not.toContain("message_stop");
    expect(bodies.at(-1)).toMatchObject({ error: { type: "overloaded_error", message: "busy" } });
    const other = stream(
      [{ type: "error", error: { code: "UNAVAILABLE", message: "busy" } }],
      "gemini-generate-content",
    );
    expect(other.bodies).toMatchObject([{ type: "error", error: { type: "overloaded_error" } }]);
  });

  it("keeps quiet connections open with pings, after the start", () => {
    expect(stream([{ type: "keepalive" }, { type: "keepalive" }, finish]).names).toEqual([
      "message_start",
      "ping",
      "ping",
      "message_delta",
      "message_stop",
    ]);
  });

  it("signs thinking with what the provider sealed it with, marked", () => {
    const { bodies } = stream(
      [
        start(0, { type: "reasoning", content: "hm" }),
        {
          type: "part_extend",
          choice,
          part: 0,
          extensions: { "bedrock-converse": { reasoningText: { signature: "c2ln" } } },
        },
        { type: "part_end", choice, part: 0 },
        finish,
      ],
      "bedrock-converse",
    );
    expect(bodies[3]).toMatchObject({
      delta: { type: "signature_delta", signature: "outrider:amazon-bedrock-v1:c2ln" },
    });
  });

  it("passes on a seal without any reasoning before what follows it, and nothing where there is none", () => {
    const item = { type: "reasoning", id: "rs_1", encrypted_content: "ZW5j" };
    const { bodies } = stream(
      [
        start(0, { type: "reasoning", content: "", extensions: { "openai-responses": { item } } }),
        { type: "part_end", choice, part: 0 },
        start(1, { type: "reasoning", content: "" }),
        { type: "part_end", choice, part: 1 },
        start(2, text("yes")),
        finish,
      ],
      "openai-responses",
    );
    expect(bodies.filter(({ type }) => type === "content_block_start")).toMatchObject([
      { index: 0, content_block: { type: "thinking" } },
      { index: 1, content_block: { type: "text" } },
    ]);
    expect(bodies[2]).toMatchObject({ index: 0, delta: { signature: "outrider:openai-responses-v1:ZW5j" } });
  });

  it("tells one choice and the others as lost", () => {
    const encoding = encodingOf();
    const encoded = encoder.eventEncoder(encoding, false);
    for (const other of [1, 1]) encoded.push({ type: "part_start", choice: other, part: 0, value: text("x") });
    expect(encoding.losses).toMatchObject([{ path: ["choices", 1], reason: "unsupported" }]);
  });
});

describe("a place in a request body", () => {
  const body = {
    model: "claude",
    max_tokens: 5,
    system: "be brief",
    thinking: { type: "enabled", budget_tokens: 2000 },
    tool_choice: { type: "auto" },
    tools: [{ name: "f", input_schema: {}, cache_control: {} }],
    messages: [
      { role: "user", content: "hi" },
      { role: "assistant", content: [{ type: "tool_use", id: "a/b", input: { x: 1 } }] },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "a", content: [{ type: "image" }] }] },
    ],
  };

  it.each([
    [["maxOutputTokens"], "/max_tokens"],
    [["seed"], ""],
    [["systemInstructions", 0], "/system"],
    [["parallelToolCalls"], "/tool_choice"],
    [["reasoning"], "/thinking"],
    [["reasoning", "budgetTokens"], "/thinking/budget_tokens"],
    [["tools", 0, "cache_control"], "/tools/0/cache_control"],
    [["tools", 0, "parameters"], "/tools/0/input_schema"],
    [["messages", 0, "parts", 0], "/messages/0/content"],
    [["messages", 1, "parts", 0, "arguments"], "/messages/1/content/0/input"],
    [["messages", 2, "parts", 0, "id"], "/messages/2/content/0/tool_use_id"],
    [["messages", 2, "parts", 0, "response", 0], "/messages/2/content/0/content/0"],
  ])("%j is %j", (path, pointer) => {
    expect(encoder.locate(path, body)).toBe(pointer);
  });
});

it("reads its own tool results as parts", () => {
  expect(encoder.toolResultParts("r")).toEqual([{ type: "text", content: "r" }]);
  expect(encoder.toolResultParts(null)).toEqual([]);
  expect(encoder.toolResultParts([{ type: "text", text: "r" }])).toEqual([{ type: "text", content: "r" }]);
  expect(encoder.toolResultParts({ a: 1 })).toEqual([{ type: "text", content: '{"a":1}' }]);
});

it("takes every dialect as a source without throwing for a plain question", () => {
  for (const source of dialectIds)
    expect(encode({}, source).body["messages"]).toEqual([{ role: "user", content: "hi" }]);
});
