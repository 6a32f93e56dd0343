// Requests of other dialects as bodies of the Responses API: where each field goes, and what is told of what cannot go.
// Numbers in names are those of the list of real bugs that the project keeps.
import { describe, expect, it } from "vitest";
import { openaiResponses } from "../../../../src/dialects/openai-responses/index.ts";
import { assistant, call, encodeForResponses as encode, text, user } from "../../../support/responses-encoding.ts";

type Json = Record<string, unknown>;

const { encoder } = openaiResponses;
if (encoder === undefined) throw new Error("no encode half");

describe("settings", () => {
  it("have the names of this wire", () => {
    const { body, losses } = encode({
      model: "client-name",
      stream: true,
      maxOutputTokens: 50,
      temperature: 0.5,
      topP: 0.9,
      logprobs: true,
      topLogprobs: 2,
      parallelToolCalls: false,
      serviceTier: "flex",
      user: "u1",
      metadata: { team: "a" },
      streamUsage: true,
      extensions: { "openai-chat": { verbosity: "low", store: false, prompt_cache_key: "k" } },
    });
    expect(body).toEqual({
      model: "gpt-5",
      input: [],
      stream: true,
      max_output_tokens: 50,
      temperature: 0.5,
      top_p: 0.9,
      include: ["message.output_text.logprobs"],
      top_logprobs: 2,
      parallel_tool_calls: false,
      service_tier: "flex",
      user: "u1",
      metadata: { team: "a" },
      text: { verbosity: "low" },
      store: false,
      prompt_cache_key: "k",
    });
    expect(losses).toEqual([]);
  });

  it("says nothing of `store` that the client did not say", () => {
    expect(encode({ messages: [user(text("Hi"))] }).body).toEqual({
      model: "gpt-5",
      input: [{ role: "user", content: "Hi" }],
    });
  });

  it("tells every field that has no place (20)", () => {
    const { body, losses } = encode({
      topK: 5,
      seed: 1,
      frequencyPenalty: 0.1,
      presencePenalty: 0.1,
      stopSequences: ["x"],
      choiceCount: 2,
      logitBias: { "1": 5 },
      conversationId: "c",
      previousResponseId: "resp_1",
      extensions: { "openai-chat": { prediction: { type: "content" } } },
    });
    expect(Object.keys(body).toSorted()).toEqual(["input", "model"]);
    expect(losses.map(([path]) => path).toSorted()).toEqual([
      "choiceCount",
      "conversationId",
      "frequencyPenalty",
      "logitBias",
      "prediction",
      "presencePenalty",
      "previousResponseId",
      "seed",
      "stopSequences",
      "topK",
    ]);
  });

  it("does not tell what asks for nothing", () => {
    const nothing = { choiceCount: 1, frequencyPenalty: 0, presencePenalty: 0, logprobs: false, stopSequences: [] };
    const { losses } = encode({ ...nothing, logitBias: {} });
    expect(losses.filter(([path]) => path !== "stopSequences")).toEqual([]);
  });

  it("keeps the earlier answer's id for its own dialect", () => {
    expect(encode({ previousResponseId: "resp_1", conversationId: "c" }, "openai-responses")).toEqual({
      body: { model: "gpt-5", input: [], previous_response_id: "resp_1", conversation: "c" },
      losses: [],
    });
  });

  it.each([
    [{ effort: "minimal" }, "minimal", 0],
    [{ effort: "HIGH" }, "high", 0],
    [{ enabled: false }, "none", 0],
    [{ enabled: true, budgetTokens: 1024 }, "low", 1],
    [{ enabled: true, budgetTokens: 8000 }, "medium", 1],
    [{ enabled: true, budgetTokens: 32_000 }, "high", 1],
    [{ enabled: true }, undefined, 1],
  ])("reads %j as an effort", (reasoning, effort, approximations) => {
    const { body, losses } = encode({ reasoning }, "anthropic-messages");
    expect((body["reasoning"] as Json | undefined)?.["effort"]).toBe(effort);
    expect(losses.filter(([, reason]) => reason === "approximated")).toHaveLength(approximations);
  });

  it("asks for encrypted reasoning where it asks for reasoning, and tells so", () => {
    const { body, losses } = encode({ reasoning: { effort: "low" } });
    expect(body["include"]).toEqual(["reasoning.encrypted_content"]);
    expect(losses).toEqual([["reasoning", "injected"]]);
    expect(encode({ reasoning: { effort: "none" } }).body["include"]).toBeUndefined();
  });

  it("flattens the output format, and names a schema that has no name", () => {
    const schema = { type: "object" };
    expect(encode({ outputFormat: { type: "json" } }).body["text"]).toEqual({ format: { type: "json_object" } });
    expect(encode({ outputFormat: { type: "json_schema", name: "n", strict: true, schema } })).toMatchObject({
      body: { text: { format: { type: "json_schema", name: "n", strict: true, schema } } },
      losses: [],
    });
    const unnamed = encode({ outputFormat: { type: "json_schema", schema } }, "anthropic-messages");
    expect(unnamed.body["text"]).toEqual({ format: { type: "json_schema", name: "answer", schema } });
    expect(unnamed.losses).toEqual([["outputFormat/name", "injected"]]);
  });
});

describe("tools", () => {
  it("are flat, and always state whether they are strict", () => {
    const { body, losses } = encode({
      tools: [
        { type: "function", name: "f", description: "d", parameters: { type: "object" } },
        { type: "function", name: "g", extensions: { "openai-chat": { function: { strict: true } } } },
        {
          type: "custom",
          name: "c",
          extensions: {
            "openai-chat": { custom: { format: { type: "grammar", grammar: { syntax: "lark", definition: "x" } } } },
          },
        },
      ],
      toolChoice: { type: "allowed", mode: "auto", names: ["f", "c"] },
    });
    expect(body["tools"]).toEqual([
      { type: "function", name: "f", description: "d", parameters: { type: "object" }, strict: false },
      { type: "function", name: "g", parameters: { type: "object", properties: {} }, strict: true },
      { type: "custom", name: "c", format: { type: "grammar", syntax: "lark", definition: "x" } },
    ]);
    expect(body["tool_choice"]).toEqual({
      type: "allowed_tools",
      mode: "auto",
      tools: [
        { type: "function", name: "f" },
        { type: "custom", name: "c" },
      ],
    });
    expect(losses).toEqual([]);
  });

  it("spells Google's schemas as JSON Schema", () => {
    const parameters = { type: "OBJECT", properties: { a: { type: "STRING", nullable: true } } };
    const tool = { type: "function", name: "f", parameters, extensions: { "gemini-generate-content": { parameters } } };
    const { body, losses } = encode({ tools: [tool] }, "gemini-generate-content");
    expect(body["tools"]).toMatchObject([
      { parameters: { type: "object", properties: { a: { type: ["string", "null"] } } } },
    ]);
    expect(losses).toEqual([]);
  });

  it("make names safe that OpenAI refuses, alike in tools, choices and calls", () => {
    const { body, losses } = encode(
      {
        tools: [{ type: "function", name: "a.b" }],
        toolChoice: { type: "tool", name: "a.b" },
        messages: [assistant(call("1", "a.b", {}))],
      },
      "gemini-generate-content",
    );
    const names = new Set([
      (body["tools"] as Json[])[0]?.["name"],
      (body["tool_choice"] as Json)["name"],
      (body["input"] as Json[])[0]?.["name"],
    ]);
    expect(names.size).toBe(1);
    expect([...names][0]).toMatch(/^a_b_[0-9a-f]{8}$/);
    expect(losses.map(([, reason]) => reason)).toEqual(["approximated", "approximated", "approximated"]);
  });

  it("of another provider's own are told, but for its search", () => {
    const { body, losses } = encode(
      {
        tools: [
          { type: "web_search_20250305", name: "web_search" },
          { type: "bash_20250124", name: "bash" },
        ],
      },
      "anthropic-messages",
    );
    expect(body["tools"]).toEqual([{ type: "web_search" }]);
    expect(losses).toEqual([
      ["tools/0", "approximated"],
      ["tools/1", "unsupported"],
    ]);
  });
});

describe("places of losses in a body of this dialect", () => {
  const body = {
    instructions: "A",
    input: [
      { role: "user", content: [{ type: "input_text", text: "Hi" }] },
      { type: "function_call", call_id: "c", name: "f", arguments: "{}" },
      { role: "user", content: "Hi" },
    ],
    text: { format: { type: "json_schema", name: "n" } },
    tools: [{ type: "function", name: "f" }],
    top_p: 1,
  };

  it.each([
    [["topP"], "/top_p"],
    [["seed"], ""],
    [["systemInstructions", 0], "/instructions"],
    [["outputFormat", "name"], "/text/format/name"],
    [["tools", 0, "name"], "/tools/0/name"],
    [["messages", 0, "parts", 0], "/input/0/content/0"],
    [["messages", 1, "parts", 0, "arguments"], "/input/1/arguments"],
    [["messages", 1, "parts", 0, "id"], "/input/1/call_id"],
    [["messages", 2, "parts", 0], "/input/2/content"],
  ])("%j stands at %s", (path, pointer) => {
    expect(encoder.locate(path, body)).toBe(pointer);
  });
});
