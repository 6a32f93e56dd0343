import { describe, expect, it } from "vitest";
import { bedrockConverse } from "../../../../src/dialects/bedrock-converse/index.ts";
import type { Operation } from "../../../../src/dialects/dialect.ts";

const operation = match("/model/m/converse");
const decodeRequest = (body: Record<string, unknown>) => bedrockConverse.decodeRequest(body, operation);
const decodeResponse = (body: Record<string, unknown>) => bedrockConverse.decodeResponse(body, operation);

function match(path: string): Operation {
  const found = bedrockConverse.match("POST", path);
  if (found === undefined) throw new Error(`no call at ${path}`);
  return found;
}

const parts = (...content: unknown[]) => decodeRequest({ messages: [{ role: "user", content }] }).messages[0]?.parts;

describe("bedrock-converse paths", () => {
  it.each([
    { path: "/model/amazon.nova-lite-v1:0/converse", model: "amazon.nova-lite-v1:0" },
    { path: "/model/amazon.nova-lite-v1%3A0/converse", model: "amazon.nova-lite-v1:0" },
    {
      path: "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fabc/converse",
      model: "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc",
    },
  ])("decodes the model of $path and keeps the path as it is", ({ path, model }) => {
    expect(match(path)).toEqual({
      kind: "chat",
      name: "chat",
      route: "/model/{modelId}/converse",
      path: path.slice(1),
      model,
    });
  });

  it("knows the stream by its path, and gives the token counter no name", () => {
    expect(match("/model/m/converse-stream")).toMatchObject({
      stream: true,
      route: "/model/{modelId}/converse-stream",
    });
    expect(match("/model/m/count-tokens").name).toBeUndefined();
  });

  it.each([
    ["GET", "/model/m/converse"],
    ["POST", "/model/m/converse/"],
    ["POST", "/model//converse"],
    ["POST", "/model/a/b/converse"],
    ["POST", "/model/%zz/converse"],
    ["POST", "/model/m/invoke"],
    ["POST", "/v1/model/m/converse"],
    ["POST", "/model/m/__proto__"],
  ])("knows no %s %s", (method, path) => {
    expect(bedrockConverse.match(method, path)).toBeUndefined();
  });
});

describe("bedrock-converse request", () => {
  it("reads settings, tools and controls, and keeps the rest", () => {
    const request = decodeRequest({
      system: [{ text: "be brief" }, { cachePoint: { type: "default", ttl: "1h" } }],
      messages: [],
      inferenceConfig: { maxTokens: 9, temperature: 0, topP: 0.5, stopSequences: ["x"] },
      toolConfig: {
        tools: [
          { toolSpec: { name: "f", description: "d", strict: true, inputSchema: { json: { type: "object" } } } },
          { systemTool: { name: "nova_grounding" } },
          { cachePoint: { type: "default" } },
        ],
        toolChoice: { tool: { name: "f" } },
      },
      additionalModelRequestFields: { thinking: { type: "enabled", budget_tokens: 1024 }, top_k: 3, other: 1 },
      outputConfig: {
        textFormat: { type: "json_schema", structure: { jsonSchema: { name: "n", schema: '{"type":"x"}' } } },
      },
      serviceTier: { type: "flex" },
      requestMetadata: { team: "a" },
      guardrailConfig: { guardrailIdentifier: "g" },
      performanceConfig: { latency: "optimized" },
    });
    expect(request).toMatchObject({
      model: "m",
      stream: false,
      maxOutputTokens: 9,
      temperature: 0,
      topP: 0.5,
      topK: 3,
      stopSequences: ["x"],
      toolChoice: { type: "tool", name: "f" },
      reasoning: { enabled: true, budgetTokens: 1024 },
      outputFormat: { type: "json_schema", name: "n", schema: { type: "x" } },
      serviceTier: "flex",
      metadata: { team: "a" },
    });
    expect(request.systemInstructions?.map(({ type }) => type)).toEqual(["text", "generic"]);
    expect(request.tools).toEqual([
      {
        type: "function",
        name: "f",
        description: "d",
        parameters: { type: "object" },
        extensions: { "bedrock-converse": { toolSpec: { strict: true } } },
      },
      { type: "systemTool", name: "nova_grounding" },
      { type: "cachePoint", name: "", extensions: { "bedrock-converse": { cachePoint: { type: "default" } } } },
    ]);
    expect(request.extensions).toEqual({
      "bedrock-converse": {
        additionalModelRequestFields: { other: 1 },
        guardrailConfig: { guardrailIdentifier: "g" },
        performanceConfig: { latency: "optimized" },
      },
    });
  });

  it.each([
    { fields: { reasoning_effort: "high" }, reasoning: { effort: "high" } },
    { fields: { reasoning_config: "low" }, reasoning: { effort: "low" } },
    {
      fields: { reasoning_config: { type: "enabled", budget_tokens: 5 } },
      reasoning: { enabled: true, budgetTokens: 5 },
    },
    { fields: { reasoningConfig: { type: "disabled" } }, reasoning: { enabled: false } },
    { fields: { thinking: { type: "adaptive" } }, reasoning: { enabled: true } },
    { fields: { thinking: { type: 7 } }, reasoning: undefined },
  ])("reads how much to think from $fields", ({ fields, reasoning }) => {
    expect(decodeRequest({ additionalModelRequestFields: fields }).reasoning).toEqual(reasoning);
  });

  it("reads media by their format", () => {
    expect(
      parts(
        { image: { format: "png", source: { bytes: "AA==" } } },
        { document: { format: "docx", name: "d", source: { s3Location: { uri: "s3://b/k", bucketOwner: "1" } } } },
        { video: { format: "three_gp", source: { bytes: "AA==" } } },
        { audio: { format: "mp3", source: { bytes: "AA==" } } },
        { document: { format: "txt", name: "t", source: { text: "hello" } } },
      ),
    ).toEqual([
      { type: "blob", modality: "image", mime_type: "image/png", content: "AA==" },
      {
        type: "uri",
        modality: "document",
        mime_type: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        uri: "s3://b/k",
        extensions: { "bedrock-converse": { name: "d", source: { s3Location: { bucketOwner: "1" } } } },
      },
      { type: "blob", modality: "video", mime_type: "video/3gpp", content: "AA==" },
      { type: "blob", modality: "audio", mime_type: "audio/mpeg", content: "AA==" },
      {
        type: "text",
        content: "hello",
        extensions: { "bedrock-converse": { document: { format: "txt", name: "t" } } },
      },
    ]);
  });

  it("tells apart what the client runs and what Bedrock runs", () => {
    expect(
      parts(
        { toolUse: { toolUseId: "1", name: "f", input: { a: 1 } } },
        { toolResult: { toolUseId: "1", content: [{ json: { b: 2 } }], status: "error" } },
        { toolUse: { toolUseId: "2", name: "nova_grounding", input: { q: "x" }, type: "server_tool_use" } },
        { toolResult: { toolUseId: "2", content: [{ text: "y" }], type: "nova_grounding_result" } },
      ),
    ).toEqual([
      { type: "tool_call", id: "1", name: "f", arguments: { a: 1 } },
      {
        type: "tool_call_response",
        id: "1",
        response: [{ json: { b: 2 } }],
        extensions: { "bedrock-converse": { status: "error" } },
      },
      {
        type: "server_tool_call",
        id: "2",
        name: "nova_grounding",
        server_tool_call: { type: "nova_grounding", input: { q: "x" } },
      },
      {
        type: "server_tool_call_response",
        id: "2",
        server_tool_call_response: { type: "nova_grounding", content: [{ text: "y" }] },
      },
    ]);
  });

  it("keeps guard marks, signatures, redacted reasoning and citations at their part", () => {
    expect(
      parts(
        { guardContent: { text: { text: "check me", qualifiers: ["query"] } } },
        { reasoningContent: { reasoningText: { text: "hm", signature: "s" } } },
        { reasoningContent: { redactedContent: "AA==" } },
        { citationsContent: { content: [{ text: "so" }], citations: [{ title: "t" }] } },
        { searchResult: { source: "u" } },
        { text: "a", later: 1 },
      ),
    ).toEqual([
      {
        type: "text",
        content: "check me",
        extensions: { "bedrock-converse": { guardContent: { text: { qualifiers: ["query"] } } } },
      },
      { type: "reasoning", content: "hm", extensions: { "bedrock-converse": { reasoningText: { signature: "s" } } } },
      { type: "reasoning", content: "", extensions: { "bedrock-converse": { redactedContent: "AA==" } } },
      { type: "text", content: "so", extensions: { "bedrock-converse": { citations: [{ title: "t" }] } } },
      {
        type: "generic",
        generic_type: "searchResult",
        extensions: { "bedrock-converse": { searchResult: { source: "u" } } },
      },
      { type: "text", content: "a", extensions: { "bedrock-converse": { later: 1 } } },
    ]);
  });

  it("reads the Converse body inside the token counter's", () => {
    const counter = match("/model/m/count-tokens");
    const body = { input: { converse: { messages: [{ role: "user", content: [{ text: "a" }] }], x: 1 } } };
    const request = bedrockConverse.decodeRequest(body, counter);
    expect(request.messages).toEqual([{ role: "user", parts: [{ type: "text", content: "a" }] }]);
    expect(request.extensions).toEqual({ "bedrock-converse": { input: { converse: { x: 1 } } } });
    expect(bedrockConverse.decodeResponse({ inputTokens: 7 }, counter)).toEqual({
      choices: [],
      extensions: { "bedrock-converse": { inputTokens: 7 } },
    });
  });

  it.each([
    null,
    7,
    "x",
    [],
    {},
    [null],
    [[]],
    { text: 1 },
    [{ role: 1, content: [null, 1, { toolUse: {} }, { image: 1 }] }],
  ])("throws nothing at members that are %j", (value) => {
    const keys = ["messages", "system", "inferenceConfig", "toolConfig", "outputConfig", "serviceTier", "input"];
    for (const key of [...keys, "additionalModelRequestFields", "requestMetadata"]) {
      expect(decodeRequest({ [key]: value }).model).toBe("m");
      expect(
        decodeResponse({ [key]: value, output: value, usage: value, stopReason: value }).choices.length,
      ).toBeLessThan(2);
    }
  });
});

describe("bedrock-converse response", () => {
  it.each([
    ["end_turn", "stop"],
    ["stop_sequence", "stop"],
    ["max_tokens", "length"],
    ["model_context_window_exceeded", "length"],
    ["tool_use", "tool_call"],
    ["guardrail_intervened", "content_filter"],
    ["content_filtered", "content_filter"],
    ["malformed_model_output", "error"],
    ["malformed_tool_use", "error"],
    ["something_new", "error"],
  ])("unifies %s to %s", (raw, unified) => {
    expect(decodeResponse({ stopReason: raw }).choices[0]?.finishReason).toEqual({ raw, unified });
  });

  it("adds the cache to the input and splits the writes by time to live", () => {
    const raw = {
      inputTokens: 10,
      outputTokens: 4,
      cacheReadInputTokens: 100,
      cacheWriteInputTokens: 1000,
      cacheDetails: [
        { inputTokens: 300, ttl: "5m" },
        { inputTokens: 700, ttl: "1h" },
      ],
    };
    expect(decodeResponse({ usage: raw }).usage).toEqual({
      inputTokens: 1110,
      outputTokens: 4,
      cacheReadTokens: 100,
      cacheWriteTokens: 1000,
      cacheWrite5mTokens: 300,
      cacheWrite1hTokens: 700,
      raw,
    });
  });

  it("leaves absent what is not stated", () => {
    const raw = { inputTokens: null, outputTokens: 1.5, cacheReadInputTokens: -1 };
    expect(decodeResponse({ usage: raw }).usage).toEqual({ raw });
  });
});
