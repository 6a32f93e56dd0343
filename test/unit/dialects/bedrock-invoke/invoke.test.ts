import { describe, expect, it } from "vitest";
import { bedrockInvoke } from "../../../../src/dialects/bedrock-invoke/index.ts";
import type { Operation } from "../../../../src/dialects/dialect.ts";

type Json = Record<string, unknown>;

function match(model: string): Operation {
  const found = bedrockInvoke.match("POST", `/model/${encodeURIComponent(model)}/invoke`);
  if (found === undefined) throw new Error(`no call of ${model}`);
  return found;
}

const decodeRequest = (model: string, body: Json) => bedrockInvoke.decodeRequest(body, match(model));
const decodeResponse = (model: string, body: Json) => bedrockInvoke.decodeResponse(body, match(model));

describe("bedrock-invoke paths", () => {
  it.each([
    ["us.anthropic.claude-sonnet-4-20250514-v1:0", "chat"],
    ["anthropic.claude-v2", "chat"],
    ["amazon.nova-pro-v1:0", "chat"],
    ["openai.gpt-oss-120b-1:0", "chat"],
    ["cohere.command-r-plus-v1:0", "chat"],
    ["ai21.jamba-1-5-mini-v1:0", "chat"],
    ["mistral.mistral-large-2407-v1:0", "chat"],
    ["arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", "chat"],
    ["amazon.titan-text-express-v1", "text_completion"],
    ["arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-tg1-large", "text_completion"],
    ["us.meta.llama3-3-70b-instruct-v1:0", "text_completion"],
    ["mistral.mixtral-8x7b-instruct-v0:1", "text_completion"],
    ["cohere.command-light-text-v14", "text_completion"],
    ["ai21.j2-ultra-v1", "text_completion"],
    ["us.deepseek.r1-v1:0", "text_completion"],
    ["amazon.titan-embed-text-v2:0", "embeddings"],
    ["amazon.nova-2-multimodal-embeddings-v1:0", "embeddings"],
    ["us.cohere.embed-v4:0", "embeddings"],
    ["amazon.rerank-v1:0", "rerank"],
    ["amazon.titan-image-generator-v2:0", "image_generation"],
    ["stability.sd3-5-large-v1:0", "image_generation"],
  ])("%s is %s", (model, name) => {
    expect(match(model)).toMatchObject({ kind: name, name, model, route: "/model/{modelId}/invoke" });
  });

  it("knows the stream by its path, and no other action", () => {
    const stream = bedrockInvoke.match("POST", "/model/m/invoke-with-response-stream");
    expect(stream).toMatchObject({ stream: true, path: "model/m/invoke-with-response-stream" });
    expect(bedrockInvoke.match("GET", "/model/m/invoke")).toBeUndefined();
    expect(bedrockInvoke.match("POST", "/model/m/async-invoke")).toBeUndefined();
    expect(bedrockInvoke.match("POST", "/model/m/converse")).toBeUndefined();
  });
});

describe("bedrock-invoke request", () => {
  const user = (content: string) => [{ role: "user", parts: [{ type: "text", content }] }];

  it.each([
    {
      model: "amazon.titan-text-lite-v1",
      body: {
        inputText: "hi",
        textGenerationConfig: { maxTokenCount: 5, temperature: 0.1, topP: 0.2, stopSequences: ["|"] },
      },
      expected: { messages: user("hi"), maxOutputTokens: 5, temperature: 0.1, topP: 0.2, stopSequences: ["|"] },
    },
    {
      model: "meta.llama3-8b-instruct-v1:0",
      body: { prompt: "hi", max_gen_len: 5, top_p: 0.2 },
      expected: { messages: user("hi"), maxOutputTokens: 5, topP: 0.2 },
    },
    {
      model: "anthropic.claude-instant-v1",
      body: { prompt: "hi", max_tokens_to_sample: 5, top_k: 7 },
      expected: { messages: user("hi"), maxOutputTokens: 5, topK: 7 },
    },
    {
      model: "cohere.command-text-v14",
      body: { prompt: "hi", max_tokens: 5, p: 0.2, k: 7, num_generations: 2 },
      expected: { messages: user("hi"), maxOutputTokens: 5, topP: 0.2, topK: 7, choiceCount: 2 },
    },
    {
      model: "mistral.mistral-7b-instruct-v0:2",
      body: { prompt: "hi", max_tokens: 5, stop: ["|"] },
      expected: { messages: user("hi"), maxOutputTokens: 5, stopSequences: ["|"] },
    },
    {
      model: "anthropic.claude-3-haiku-20240307-v1:0",
      body: { anthropic_version: "bedrock-2023-05-31", max_tokens: 5, messages: [{ role: "user", content: "hi" }] },
      expected: { messages: user("hi"), maxOutputTokens: 5 },
    },
    {
      model: "amazon.nova-micro-v1:0",
      body: {
        messages: [{ role: "user", content: [{ text: "hi" }] }],
        inferenceConfig: { max_new_tokens: 5, topK: 7 },
      },
      expected: { messages: user("hi"), maxOutputTokens: 5, topK: 7 },
    },
    {
      model: "openai.gpt-oss-20b-1:0",
      body: { messages: [{ role: "user", content: "hi" }], max_completion_tokens: 5 },
      expected: { messages: user("hi"), maxOutputTokens: 5 },
    },
    {
      model: "mistral.mistral-large-2402-v1:0",
      body: { messages: [{ role: "user", content: "hi" }], max_tokens: 5 },
      expected: { messages: user("hi"), maxOutputTokens: 5 },
    },
  ])("reads the body of $model, with and without its content", ({ model, body, expected }) => {
    expect(decodeRequest(model, body)).toMatchObject({ model, stream: false, ...expected });
    const facts = Object.fromEntries(Object.entries(body).filter(([key]) => !bedrockInvoke.contentMembers.has(key)));
    expect(decodeRequest(model, facts).maxOutputTokens).toBe(5);
  });

  it("reads a turn of Command R with its history", () => {
    const request = decodeRequest("cohere.command-r-v1:0", {
      message: "now",
      preamble: "be brief",
      chat_history: [{ role: "CHATBOT", message: "before", id: 1 }],
      tools: [{ name: "f", parameter_definitions: {} }],
    });
    expect(request.systemInstructions).toEqual([{ type: "text", content: "be brief" }]);
    expect(request.messages).toEqual([
      { role: "assistant", parts: [{ type: "text", content: "before" }], extensions: { "bedrock-invoke": { id: 1 } } },
      { role: "user", parts: [{ type: "text", content: "now" }] },
    ]);
    expect(request.tools?.map(({ name }) => name)).toEqual(["f"]);
  });

  it("takes model and streaming from the path, and keeps what the body says of them", () => {
    const request = decodeRequest("cohere.command-text-v14", { prompt: "hi", stream: true, model: "other" });
    expect(request).toMatchObject({ model: "cohere.command-text-v14", stream: false });
    expect(request.extensions).toEqual({ "bedrock-invoke": { stream: true, model: "other" } });
  });

  it.each([
    {
      model: "amazon.titan-embed-text-v2:0",
      body: { inputText: "a", dimensions: 256 },
      embedding: { inputCount: 1, dimensions: 256 },
    },
    {
      model: "cohere.embed-v4:0",
      body: { texts: ["a", "b"], output_dimension: 8, embedding_types: ["int8"] },
      embedding: { inputCount: 2, dimensions: 8, encodingFormats: ["int8"] },
    },
  ])("counts the inputs of $model", ({ model, body, embedding }) => {
    expect(decodeRequest(model, body).embedding).toEqual(embedding);
  });

  it.each([null, 7, "x", [], {}, [null], [[]]])("throws nothing at members that are %j", (value) => {
    const keys = [
      "messages",
      "prompt",
      "texts",
      "images",
      "inputs",
      "query",
      "documents",
      "textGenerationConfig",
      "chat_history",
    ];
    const body = Object.fromEntries(
      [...keys, "message", "tools", "system", "singleEmbeddingParams"].map((key) => [key, value]),
    );
    for (const model of [
      "anthropic.a",
      "amazon.nova-x",
      "amazon.titan-text-x",
      "cohere.embed",
      "a.rerank",
      "stability.x",
      "x",
    ]) {
      expect(decodeRequest(model, body).model).toBe(model);
    }
  });
});

describe("bedrock-invoke response", () => {
  it.each([
    {
      model: "us.deepseek.r1-v1:0",
      body: { choices: [{ text: "hi", stop_reason: "stop" }] },
      reason: { raw: "stop", unified: "stop" },
    },
    {
      model: "mistral.mistral-large-2407-v1:0",
      body: { choices: [{ index: 0, message: { role: "assistant", content: "hi" }, stop_reason: "length" }] },
      reason: { raw: "length", unified: "length" },
    },
    {
      model: "cohere.command-text-v14",
      body: { generations: [{ text: "hi", finish_reason: "ERROR_TOXIC" }] },
      reason: { raw: "ERROR_TOXIC", unified: "content_filter" },
    },
    {
      model: "amazon.titan-text-lite-v1",
      body: { results: [{ outputText: "hi", completionReason: null }], "amazon-bedrock-guardrailAction": "INTERVENED" },
      reason: { raw: "INTERVENED", unified: "content_filter" },
    },
  ])("reads text and reason of $model", ({ model, body, reason }) => {
    const [choice] = decodeResponse(model, body).choices;
    expect(choice?.message.parts).toEqual([{ type: "text", content: "hi" }]);
    expect(choice?.finishReason).toEqual(reason);
  });

  it("keeps what Amazon added beside the leftovers of the family's own dialect", () => {
    const body = {
      type: "message",
      content: [],
      extra: 1,
      "amazon-bedrock-guardrailAction": "NONE",
      "amazon-bedrock-trace": { a: 1 },
    };
    expect(decodeResponse("anthropic.claude-3", body).extensions).toEqual({
      "anthropic-messages": { extra: 1 },
      "bedrock-invoke": { "amazon-bedrock-guardrailAction": "NONE", "amazon-bedrock-trace": { a: 1 } },
    });
  });

  it("gives Command R's calls", () => {
    const body = { text: "", finish_reason: "COMPLETE", tool_calls: [{ name: "f", parameters: { a: 1 } }] };
    expect(decodeResponse("cohere.command-r-v1:0", body).choices[0]?.message.parts).toEqual([
      { type: "tool_call", name: "f", arguments: { a: 1 } },
    ]);
  });

  it("keeps the number of images and none of them", () => {
    const response = decodeResponse("amazon.titan-image-generator-v2:0", { images: ["AAAA", "BBBB"], error: null });
    expect(response.usage).toEqual({ outputImages: 2 });
    expect(JSON.stringify(response)).not.toContain("AAAA");
  });

  it("gives no choice for a body of no known shape", () => {
    expect(decodeResponse("x.y", { something: 1 })).toEqual({
      choices: [],
      extensions: { "bedrock-invoke": { something: 1 } },
    });
  });

  it.each([
    {
      headers: { input: "3", output: "44", "cache-read-input": "9511", "cache-write-input": "1956" },
      sums: [11_470, 44, 9511, 1956],
    },
    { headers: { input: "7" }, sums: [7, undefined, undefined, undefined] },
    { headers: { input: "x", output: "-1" }, sums: undefined },
    { headers: {}, sums: undefined },
  ])("adds up the counts of the headers $headers", ({ headers, sums }) => {
    const found = new Map(Object.entries(headers).map(([key, value]) => [`x-amzn-bedrock-${key}-token-count`, value]));
    const usage = bedrockInvoke.decodeUsageHeaders?.((name) => found.get(name), match("m"));
    const counts = usage && [usage.inputTokens, usage.outputTokens, usage.cacheReadTokens, usage.cacheWriteTokens];
    expect(counts).toEqual(sums);
  });
});
