import { describe, expect, it } from "vitest";
import type { Operation } from "../../../../src/dialects/dialect.ts";
import { cohereChat } from "../../../../src/dialects/cohere-chat/index.ts";

const call = (path: string): Operation => {
  const operation = cohereChat.match("POST", path);
  if (operation === undefined) throw new Error(`no call at ${path}`);
  return operation;
};
const chat = call("/v2/chat");
const bag = (facts: Record<string, unknown>) => ({ "cohere-chat": facts });
const paths = ["/v2/chat", "/v1/chat", "/v1/generate", "/v2/embed", "/v1/embed"];

describe("Cohere's calls", () => {
  it.each([
    ["/v2/chat", "chat"],
    ["/v1/chat", "chat"],
    ["/v1/generate", "text_completion"],
    ["/v2/embed", "embeddings"],
    ["/v1/embed", "embeddings"],
  ])("are matched: %s as %s", (path, name) => {
    expect(cohereChat.match("POST", path)).toMatchObject({ name, route: path });
    expect(cohereChat.match("GET", path)).toBeUndefined();
  });

  it.each(["/v1/chat/completions", "/chat", "/v2/chat/", "/v1/tokenize", "/v2/rerank", "/__proto__"])(
    "do not include %s",
    (path) => {
      expect(cohereChat.match("POST", path)).toBeUndefined();
    },
  );
});

describe("Cohere v2 chat request", () => {
  it("has Cohere's names for the controls, and keeps what has no canonical place", () => {
    const request = cohereChat.decodeRequest(
      {
        model: "command-a",
        stream: true,
        messages: [],
        max_tokens: 9,
        temperature: 0.5,
        p: 0.9,
        k: 40,
        seed: 7,
        frequency_penalty: 0.1,
        presence_penalty: 0.2,
        stop_sequences: ["a"],
        logprobs: true,
        thinking: { type: "enabled", token_budget: 100 },
        safety_mode: "STRICT",
        citation_options: { mode: "FAST" },
        documents: [{ id: "d", data: { text: "t" } }],
        strict_tools: true,
        priority: 1,
      },
      chat,
    );
    expect(request).toEqual({
      model: "command-a",
      stream: true,
      messages: [],
      maxOutputTokens: 9,
      temperature: 0.5,
      topP: 0.9,
      topK: 40,
      seed: 7,
      frequencyPenalty: 0.1,
      presencePenalty: 0.2,
      stopSequences: ["a"],
      logprobs: true,
      reasoning: { enabled: true, budgetTokens: 100 },
      extensions: bag({
        safety_mode: "STRICT",
        citation_options: { mode: "FAST" },
        documents: [{ id: "d", data: { text: "t" } }],
        strict_tools: true,
        priority: 1,
      }),
    });
  });

  it.each([
    { body: { tool_choice: "REQUIRED" }, expected: { toolChoice: { type: "required" } } },
    { body: { tool_choice: "NONE" }, expected: { toolChoice: { type: "none" } } },
    { body: { tool_choice: "auto" }, expected: { extensions: bag({ tool_choice: "auto" }) } },
    { body: { response_format: { type: "text" } }, expected: { outputFormat: { type: "text" } } },
    { body: { response_format: { type: "json_object" } }, expected: { outputFormat: { type: "json" } } },
    {
      body: { response_format: { type: "json_object", json_schema: { type: "object" } } },
      expected: { outputFormat: { type: "json_schema", schema: { type: "object" } } },
    },
    { body: { response_format: { type: "xml" } }, expected: { extensions: bag({ response_format: { type: "xml" } }) } },
    { body: { thinking: { type: "disabled" } }, expected: { reasoning: { enabled: false } } },
    { body: { thinking: { type: "maybe" } }, expected: { extensions: bag({ thinking: { type: "maybe" } }) } },
  ])("reads $body", ({ body, expected }) => {
    expect(cohereChat.decodeRequest(body, chat)).toEqual({ stream: false, messages: [], ...expected });
  });

  it("reads messages of every role and kind of content", () => {
    const citations = [{ start: 0, end: 1, text: "a" }];
    const document = { type: "document", document: { id: "d", data: "x" } };
    const { messages, tools } = cohereChat.decodeRequest(
      {
        tools: [{ type: "function", function: { name: "add", description: "adds", parameters: { type: "object" } } }],
        messages: [
          { role: "system", content: "be kind" },
          {
            role: "user",
            content: [
              { type: "text", text: "look" },
              { type: "image_url", image_url: { url: "data:image/png;base64,aGk=", detail: "low" } },
              { type: "image_url", image_url: { url: "https://example.test/a.png" } },
            ],
          },
          {
            role: "assistant",
            content: [{ type: "thinking", thinking: "hm" }],
            tool_plan: "add",
            tool_calls: [{ id: "c", type: "function", function: { name: "add", arguments: '{"a":1}' } }],
            citations,
          },
          { role: "tool", tool_call_id: "c", content: [document] },
        ],
      },
      chat,
    );
    expect(messages).toEqual([
      { role: "system", parts: [{ type: "text", content: "be kind" }] },
      {
        role: "user",
        parts: [
          { type: "text", content: "look" },
          {
            type: "blob",
            modality: "image",
            mime_type: "image/png",
            content: "aGk=",
            extensions: bag({ image_url: { detail: "low" } }),
          },
          { type: "uri", modality: "image", uri: "https://example.test/a.png" },
        ],
      },
      {
        role: "assistant",
        parts: [
          { type: "reasoning", content: "hm" },
          { type: "reasoning", content: "add", extensions: bag({ type: "tool_plan" }) },
          { type: "tool_call", id: "c", name: "add", arguments: { a: 1 } },
        ],
        extensions: bag({ citations }),
      },
      { role: "tool", parts: [{ type: "tool_call_response", id: "c", response: [document] }] },
    ]);
    expect(tools).toEqual([{ type: "function", name: "add", description: "adds", parameters: { type: "object" } }]);
  });
});

describe("Cohere v1 requests", () => {
  it("of chat have history, newest message and instructions apart", () => {
    const request = cohereChat.decodeRequest(
      {
        message: "now",
        preamble: "be kind",
        chat_history: [
          { role: "USER", message: "before" },
          { role: "CHATBOT", message: "yes" },
        ],
        connectors: [{ id: "web-search" }],
      },
      call("/v1/chat"),
    );
    expect(request).toEqual({
      stream: false,
      systemInstructions: [{ type: "text", content: "be kind" }],
      messages: [
        { role: "user", parts: [{ type: "text", content: "before" }] },
        { role: "assistant", parts: [{ type: "text", content: "yes" }] },
        { role: "user", parts: [{ type: "text", content: "now" }] },
      ],
      extensions: bag({ connectors: [{ id: "web-search" }] }),
    });
  });

  it("of generate have one prompt", () => {
    expect(
      cohereChat.decodeRequest({ prompt: "p", num_generations: 2, truncate: "END" }, call("/v1/generate")),
    ).toEqual({
      stream: false,
      messages: [{ role: "user", parts: [{ type: "text", content: "p" }] }],
      choiceCount: 2,
      extensions: bag({ truncate: "END" }),
    });
  });
});

describe("Cohere embed request", () => {
  it.each([
    { body: { texts: ["a", "b"] }, count: 2 },
    { body: { images: ["data:image/png;base64,aGk="] }, count: 1 },
    { body: { inputs: [{ content: [{ type: "text", text: "a" }] }] }, count: 1 },
    { body: {}, count: undefined },
  ])("counts the inputs of $body", ({ body, count }) => {
    const request = cohereChat.decodeRequest(body, call("/v2/embed"));
    expect(request.embedding?.inputCount).toBe(count);
    expect(request.messages).toHaveLength(count ?? 0);
  });

  it("keeps formats, dimensions and what it does not know", () => {
    expect(
      cohereChat.decodeRequest(
        { model: "m", texts: ["a"], embedding_types: ["float", "int8"], output_dimension: 256, input_type: "image" },
        call("/v2/embed"),
      ),
    ).toMatchObject({
      model: "m",
      embedding: { inputCount: 1, dimensions: 256, encodingFormats: ["float", "int8"] },
      extensions: bag({ input_type: "image" }),
    });
  });
});

describe("any Cohere request", () => {
  it("never throws, whatever the types", () => {
    const keys = [
      "model",
      "messages",
      "tools",
      "thinking",
      "response_format",
      "message",
      "chat_history",
      "prompt",
      "texts",
      "inputs",
      "images",
    ];
    for (const value of [
      null,
      7,
      "x",
      true,
      [],
      {},
      [null],
      [[]],
      [{ content: [7, { type: "image_url", image_url: 7 }] }],
    ]) {
      for (const path of paths) {
        const body = Object.fromEntries(keys.map((key) => [key, value]));
        expect(() => cohereChat.decodeRequest(body, call(path))).not.toThrow();
        const message = { role: "assistant", content: value, tool_calls: [value], tool_plan: value };
        expect(() =>
          cohereChat.decodeRequest({ messages: [value, message], tools: [value] }, call(path)),
        ).not.toThrow();
      }
    }
  });
});
