// Real bugs of other gateways around fields of a request: dropped in silence, invented, or put in the wrong place. Each test's name begins
// with its number in the list of pitfalls and the report it comes from; what is expected is written here by hand.
import { describe, expect, it } from "vitest";
import { askIn, type Json } from "../support/translated-words.ts";

const question = [{ role: "user", content: "Look." }];

describe("nothing is dropped in silence", () => {
  it("18 langwatch/langwatch#6290: json_object to Claude is told, as a loss of what was asked", () => {
    const { body, losses } = askIn("openai-chat", "anthropic-messages", {
      model: "m",
      max_tokens: 100,
      messages: question,
      response_format: { type: "json_object" },
    });
    expect(losses).toMatchObject([{ pointer: "/response_format", severity: "semantic" }]);
    expect(Object.keys(body).toSorted()).toEqual(["max_tokens", "messages", "model"]);
  });

  it("20 maximhq/bifrost#1136: every dropped parameter is told by its pointer", () => {
    const { body, losses } = askIn("openai-chat", "anthropic-messages", {
      model: "m",
      max_tokens: 100,
      messages: question,
      n: 2,
      seed: 7,
      logprobs: true,
      top_logprobs: 2,
      logit_bias: { "50256": -100 },
      frequency_penalty: 0.5,
      presence_penalty: 0.5,
      prediction: { type: "content", content: "x" },
      a_field_of_tomorrow: 1,
    });
    expect(losses.map(({ pointer }) => pointer).toSorted()).toEqual([
      "/a_field_of_tomorrow",
      "/frequency_penalty",
      "/logit_bias",
      "/logprobs",
      "/n",
      "/prediction",
      "/presence_penalty",
      "/seed",
      "/top_logprobs",
    ]);
    expect(Object.keys(body).toSorted()).toEqual(["max_tokens", "messages", "model"]);
  });

  it("21 router-for-me/CLIProxyAPI#97: a schema that Gemini's own form cannot say goes as JSON Schema, whole", () => {
    const schema = {
      $schema: "http://json-schema.org/draft-07/schema#",
      type: "object",
      properties: {
        tags: { type: "array", items: { $ref: "#/$defs/tag", description: "One tag" }, uniqueItems: true },
        names: { type: "object", propertyNames: { pattern: "^[a-z]+$" } },
      },
      $defs: { tag: { type: "string", const: "a" } },
      additionalProperties: false,
    };
    const chat = askIn("openai-chat", "gemini-generate-content", {
      model: "m",
      messages: question,
      tools: [{ type: "function", function: { name: "look", parameters: schema } }],
      response_format: { type: "json_schema", json_schema: { name: "shape", schema } },
    });
    const claude = askIn("anthropic-messages", "gemini-generate-content", {
      model: "m",
      max_tokens: 100,
      messages: question,
      tools: [{ name: "look", input_schema: schema }],
    });
    for (const { body } of [chat, claude]) {
      expect(body["tools"]).toEqual([{ functionDeclarations: [{ name: "look", parametersJsonSchema: schema }] }]);
    }
    expect(chat.body["generationConfig"]).toEqual({ responseMimeType: "application/json", responseJsonSchema: schema });
    expect(claude.losses).toEqual([]);
  });
});

describe("nothing is invented", () => {
  it("44 pollinations/pollinations#11319: no sampling value that the client did not send; what it sent is sent or told", () => {
    const sampling = ["temperature", "top_p", "top_k"];
    const plain = { model: "m", max_tokens: 100, messages: question };
    const silent = askIn("openai-chat", "anthropic-messages", plain, "claude-opus-4-7").body;
    expect(sampling.filter((name) => name in silent)).toEqual([]);
    for (const target of [
      "openai-responses",
      "gemini-generate-content",
      "bedrock-converse",
      "cohere-chat",
      "ollama-chat",
    ] as const) {
      const text = JSON.stringify(askIn("openai-chat", target, plain).body);
      expect(text, target).not.toMatch(/"(temperature|top_?[pkPK]|p|k)":/);
    }
    const { body, losses } = askIn(
      "openai-chat",
      "anthropic-messages",
      { ...plain, temperature: 0.2 },
      "claude-opus-4-7",
    );
    const told = losses.filter(({ pointer }) => pointer === "/temperature");
    expect([body["temperature"], told.length]).toEqual([0.2, 0]);
  });
});

describe("the model in its place", () => {
  it("42 vercel/ai#14117: an ARN with slashes and colons is one segment of the path", () => {
    const arn = "arn:aws:bedrock:eu-west-1:1:application-inference-profile/abc";
    const { path, body } = askIn("openai-chat", "bedrock-converse", { model: "x", messages: question }, arn);
    expect(path).toBe("/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Aapplication-inference-profile%2Fabc/converse");
    expect(body).not.toHaveProperty("model");
    expect((body["messages"] as Json[])[0]).toEqual({ role: "user", content: [{ text: "Look." }] });
  });
});
