// Settings and tools of other dialects in Converse's words. Numbers in brackets: wire.md §5.

import { describe, expect, it } from "vitest";
import { encoder } from "../../../../src/dialects/bedrock-converse/encoder.ts";
import { call, claude, encodeForConverse as encode, f, result, said } from "../../../support/converse-encoding.ts";

describe("the call", () => {
  it("names the model in the path, percent-encoded as a signature will read it", () => {
    const arn = "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc";
    expect(encoder.path(arn, false)).toBe(
      "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fabc/converse",
    );
    expect(encoder.path("amazon.nova-lite-v1:0", true)).toBe("/model/amazon.nova-lite-v1%3A0/converse-stream");
  });
});

describe("settings", () => {
  it("go to inferenceConfig, zeros included, and nothing is made up", () => {
    const { body, losses } = encode({ maxOutputTokens: 0, temperature: 0, topP: 0, stopSequences: ["x"] });
    expect(body).toEqual({
      messages: [{ role: "user", content: [{ text: "hi" }] }],
      inferenceConfig: { maxTokens: 0, temperature: 0, topP: 0, stopSequences: ["x"] },
    });
    expect(losses).toEqual([]);
    expect(Object.keys(encode({}).body)).toEqual(["messages"]);
  });

  it("brings a temperature above 1 into range and tells it (44)", () => {
    const { body, losses } = encode({ temperature: 1.5 });
    expect(body["inferenceConfig"]).toEqual({ temperature: 1 });
    expect(losses).toEqual(["temperature approximated tuning"]);
  });

  it("tells what Converse has no place for, and is silent about what changes nothing", () => {
    const { losses } = encode({ seed: 1, frequencyPenalty: 0.5, choiceCount: 2, logprobs: true, logitBias: { 1: 2 } });
    expect(losses.toSorted()).toEqual([
      "choiceCount unsupported semantic",
      "frequencyPenalty unsupported tuning",
      "logitBias unsupported tuning",
      "logprobs unsupported semantic",
      "seed unsupported tuning",
    ]);
    const quiet = encode({ choiceCount: 1, logprobs: false, presencePenalty: 0, outputFormat: { type: "text" } });
    expect(quiet.losses).toEqual([]);
  });

  it.each([
    { model: claude, fields: { top_k: 5 } },
    { model: "amazon.nova-lite-v1:0", fields: { inferenceConfig: { topK: 5 } } },
  ])("hands top_k to $model in its own words", ({ model, fields }) => {
    const { body, losses } = encode({ topK: 5 }, { model });
    expect(body["additionalModelRequestFields"]).toEqual(fields);
    expect(losses).toEqual([]);
  });

  it("tells top_k where the model's family is not known", () => {
    expect(encode({ topK: 5 }, { model: "meta.llama3" }).losses).toEqual(["topK unsupported tuning"]);
  });

  it("writes a schema as a text, and tells that JSON without one cannot be asked for", () => {
    const { body } = encode({ outputFormat: { type: "json_schema", name: "n", schema: { type: "object" } } });
    expect(body["outputConfig"]).toEqual({
      textFormat: { type: "json_schema", structure: { jsonSchema: { schema: '{"type":"object"}', name: "n" } } },
    });
    expect(encode({ outputFormat: { type: "json" } }).losses).toEqual(["outputFormat unsupported semantic"]);
  });

  it.each([
    { reasoning: { effort: "high" }, model: claude, body: { outputConfig: { effort: "high" } }, losses: [] },
    {
      reasoning: { effort: "minimal" },
      model: claude,
      body: { outputConfig: { effort: "low" } },
      losses: ["reasoning/effort approximated tuning"],
    },
    {
      reasoning: { budgetTokens: 2048 },
      model: claude,
      body: { additionalModelRequestFields: { thinking: { type: "enabled", budget_tokens: 2048 } } },
      losses: [],
    },
    {
      reasoning: { effort: "none" },
      model: claude,
      body: { additionalModelRequestFields: { thinking: { type: "disabled" } } },
      losses: [],
    },
    {
      reasoning: { effort: "xhigh" },
      model: "openai.gpt-oss-120b-1:0",
      body: { additionalModelRequestFields: { reasoning_effort: "high" } },
      losses: ["reasoning/effort approximated tuning"],
    },
    {
      reasoning: { budgetTokens: 1 },
      model: "meta.llama3",
      body: {},
      losses: ["reasoning/budgetTokens unsupported tuning"],
    },
  ])("writes reasoning $reasoning for $model", ({ reasoning, model, body, losses }) => {
    const encoded = encode({ reasoning }, { model });
    const { messages: _messages, ...rest } = encoded.body;
    expect(rest).toEqual(body);
    expect(encoded.losses).toEqual(losses);
  });

  it("keeps metadata that Bedrock takes and tells the rest", () => {
    const { body, losses } = encode({ metadata: { team: "a", note: "ä" }, user: "u1", serviceTier: "scale" });
    expect(body["requestMetadata"]).toEqual({ team: "a", user: "u1" });
    expect(losses).toEqual(["serviceTier unsupported tuning", "metadata/note unsupported tuning", "user moved tuning"]);
  });
});

describe("tools", () => {
  const history = [said("user", "hi"), { role: "assistant", parts: [call("a")] }, result("a")];

  it("keep their whole schema and strictness, and get one where they have none", () => {
    const { body } = encode({
      tools: [
        { ...f, description: "d", extensions: { "openai-chat": { function: { strict: true } } } },
        { type: "function", name: "g", description: "" },
      ],
    });
    expect(body["toolConfig"]).toEqual({
      tools: [
        {
          toolSpec: {
            name: "f",
            description: "d",
            inputSchema: { json: { type: "object", additionalProperties: false } },
            strict: true,
          },
        },
        { toolSpec: { name: "g", inputSchema: { json: { type: "object" } } } },
      ],
    });
  });

  it("are named whenever the history has tool calls", () => {
    const { body, losses } = encode({ messages: history });
    expect(body["toolConfig"]).toEqual({
      tools: [{ toolSpec: { name: "f", inputSchema: { json: { type: "object" } } } }],
    });
    expect(losses).toEqual(["tools injected semantic"]);
  });

  it("are taken away for a tool choice of none", () => {
    const { body, losses } = encode({ tools: [f], toolChoice: { type: "none" } });
    expect(body["toolConfig"]).toBeUndefined();
    expect(losses).toEqual(["toolChoice approximated tuning", "tools approximated tuning"]);
  });

  it("stay for a tool choice of none where the history needs them, which is told", () => {
    const { body, losses } = encode({ tools: [f], toolChoice: { type: "none" }, messages: history });
    expect(Object.keys(body["toolConfig"] as object)).toEqual(["tools"]);
    expect(losses).toEqual(["toolChoice approximated semantic"]);
  });

  it.each([
    { toolChoice: { type: "auto" } as const, choice: { auto: {} } },
    { toolChoice: { type: "required" } as const, choice: { any: {} } },
    { toolChoice: { type: "tool", name: "f" } as const, choice: { tool: { name: "f" } } },
  ])("are chosen by $toolChoice", ({ toolChoice, choice }) => {
    const { body, losses } = encode({ tools: [f], toolChoice });
    expect(body["toolConfig"]).toMatchObject({ toolChoice: choice });
    expect(losses).toEqual([]);
  });

  it("are only the allowed ones", () => {
    const { body, losses } = encode({
      tools: [f, { ...f, name: "g" }],
      toolChoice: { type: "allowed", mode: "required", names: ["g"] },
    });
    expect(body["toolConfig"]).toMatchObject({ tools: [{ toolSpec: { name: "g" } }], toolChoice: { any: {} } });
    expect(losses).toEqual(["tools/0 approximated semantic", "toolChoice approximated semantic"]);
  });

  it("are called one at a time by Claude, which others cannot be asked", () => {
    const { body } = encode({ tools: [f], parallelToolCalls: false });
    expect(body["additionalModelRequestFields"]).toEqual({
      tool_choice: { type: "auto", disable_parallel_tool_use: true },
    });
    const { losses } = encode({ tools: [f], parallelToolCalls: false }, { model: "amazon.nova-lite-v1:0" });
    expect(losses).toEqual(["parallelToolCalls unsupported semantic"]);
  });

  it("that another provider runs are left out and told", () => {
    const { body, losses } = encode({ tools: [{ type: "web_search", name: "w" }] });
    expect(body["toolConfig"]).toBeUndefined();
    expect(losses).toEqual(["tools/0 unsupported semantic"]);
  });
});

describe("places in a Converse body", () => {
  const body = {
    system: [{ text: "s" }],
    messages: [{ role: "user", content: [{ text: "a" }, { document: { name: "n", source: { bytes: "" } } }] }],
    inferenceConfig: { temperature: 1 },
    toolConfig: { tools: [{ toolSpec: { name: "f", inputSchema: { json: {} } } }] },
    guardrailConfig: { trace: "enabled" },
    additionalModelRequestFields: { thinking: { budget_tokens: 1 } },
  };

  it.each([
    { path: ["temperature"], pointer: "/inferenceConfig/temperature" },
    { path: ["systemInstructions", 0], pointer: "/system/0" },
    { path: ["messages", 0, "role"], pointer: "/messages/0/role" },
    { path: ["messages", 0, "parts", 1, "name"], pointer: "/messages/0/content/1/document/name" },
    { path: ["messages", 0, "parts", 7], pointer: "/messages/0/content" },
    { path: ["tools", 0, "parameters"], pointer: "/toolConfig/tools/0/toolSpec/inputSchema/json" },
    { path: ["guardrailConfig"], pointer: "/guardrailConfig" },
    { path: ["reasoning", "budgetTokens"], pointer: "/additionalModelRequestFields/thinking/budget_tokens" },
    { path: ["seed"], pointer: "" },
  ])("finds $path", ({ path, pointer }) => {
    expect(encoder.locate(path, body)).toBe(pointer);
  });
});
