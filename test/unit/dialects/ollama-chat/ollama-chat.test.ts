import { describe, expect, it } from "vitest";
import { createFold, type StreamEvent } from "../../../../src/canonical/index.ts";
import type { Frame, Operation } from "../../../../src/dialects/dialect.ts";
import { createNdjsonDecoder } from "../../../../src/dialects/framing/ndjson.ts";
import { ollamaChat } from "../../../../src/dialects/ollama-chat/index.ts";
import { SidecarError } from "../../../../src/errors.ts";

type Wire = Record<string, unknown>;

const call = (path: string): Operation => {
  const operation = ollamaChat.match("POST", path);
  if (operation === undefined) throw new Error(`no call at ${path}`);
  return operation;
};
const chat = call("/api/chat");
const generate = call("/api/generate");
const bag = (facts: Wire) => ({ "ollama-chat": facts });
const linesOf = (...lines: (string | Wire)[]): Frame[] => {
  const text = lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join("");
  return createNdjsonDecoder().push(Buffer.from(text));
};
function decode(operation: Operation, ...lines: (string | Wire)[]): StreamEvent[] {
  const decoder = ollamaChat.eventDecoder(operation);
  return [...linesOf(...lines).flatMap((frame) => decoder.push(frame)), ...decoder.end()];
}
function fold(events: readonly StreamEvent[]) {
  const folded = createFold({ keepContent: true });
  for (const event of events) folded.push(event);
  return folded;
}
const hostile = [null, 7, "x", true, [], {}, [null], [[]], { function: null }, { type: 7 }];

describe("Ollama's calls", () => {
  it.each([
    ["/api/chat", "chat"],
    ["/api/generate", "text_completion"],
    ["/api/embed", "embeddings"],
    ["/api/embeddings", "embeddings"],
  ])("are matched: %s as %s", (path, name) => {
    expect(ollamaChat.match("POST", path)).toMatchObject({ name, route: path });
    expect(ollamaChat.match("GET", path)).toBeUndefined();
  });

  it.each(["/api/tags", "/api/show", "/api/chat/", "/v1/api/chat", "/api/__proto__"])("do not include %s", (path) => {
    expect(ollamaChat.match("POST", path)).toBeUndefined();
  });
});

describe("Ollama request", () => {
  it.each([
    { body: {}, stream: true },
    { body: { stream: null }, stream: true },
    { body: { stream: true }, stream: true },
    { body: { stream: false }, stream: false },
  ])("of chat and generate streams unless told not to: $body", ({ body, stream }) => {
    expect(ollamaChat.decodeRequest(body, chat).stream).toBe(stream);
    expect(ollamaChat.decodeRequest(body, generate).stream).toBe(stream);
    expect(ollamaChat.decodeRequest(body, call("/api/embed")).stream).toBe(false);
  });

  it("has its controls in `options`, and keeps those without a canonical place where they were", () => {
    const request = ollamaChat.decodeRequest(
      {
        model: "m",
        messages: [],
        keep_alive: "5m",
        think: "high",
        format: "json",
        logprobs: true,
        top_logprobs: 2,
        options: {
          num_predict: 9,
          temperature: 0.5,
          top_p: 0.9,
          top_k: 40,
          seed: 7,
          stop: ["a", "b"],
          frequency_penalty: 0.1,
          presence_penalty: 0.2,
          num_ctx: 4096,
        },
      },
      chat,
    );
    expect(request).toEqual({
      model: "m",
      stream: true,
      messages: [],
      maxOutputTokens: 9,
      temperature: 0.5,
      topP: 0.9,
      topK: 40,
      seed: 7,
      stopSequences: ["a", "b"],
      frequencyPenalty: 0.1,
      presencePenalty: 0.2,
      outputFormat: { type: "json" },
      reasoning: { enabled: true, effort: "high" },
      logprobs: true,
      topLogprobs: 2,
      extensions: bag({ keep_alive: "5m", options: { num_ctx: 4096 } }),
    });
  });

  it.each([
    { name: "one stop text", body: { options: { stop: "a" } }, expected: { stopSequences: ["a"] } },
    {
      name: "a schema as format",
      body: { format: { type: "object" } },
      expected: { outputFormat: { type: "json_schema", schema: { type: "object" } } },
    },
    { name: "thinking turned off", body: { think: false }, expected: { reasoning: { enabled: false } } },
  ])("reads $name", ({ body, expected }) => {
    expect(ollamaChat.decodeRequest(body, chat)).toMatchObject(expected);
  });

  it.each([-1, -2])("takes num_predict %i as no number of tokens, and keeps it", (limit) => {
    const request = ollamaChat.decodeRequest({ options: { num_predict: limit } }, chat);
    expect(request.maxOutputTokens).toBeUndefined();
    expect(request.extensions).toEqual(bag({ options: { num_predict: limit } }));
  });

  it("reads messages with images, thinking, tool calls without ids and results by tool name", () => {
    const { messages, tools } = ollamaChat.decodeRequest(
      {
        tools: [
          {
            type: "function",
            function: { name: "add", description: "adds", parameters: { type: "object" }, strict: true },
          },
        ],
        messages: [
          { role: "system", content: "be kind" },
          { role: "user", content: "look", images: ["aGk="] },
          {
            role: "assistant",
            content: "",
            thinking: "hm",
            tool_calls: [{ function: { name: "add", arguments: { a: 1 } } }],
          },
          { role: "tool", tool_name: "add", content: "2" },
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
          { type: "blob", modality: "image", content: "aGk=" },
        ],
      },
      {
        role: "assistant",
        parts: [
          { type: "reasoning", content: "hm" },
          { type: "tool_call", name: "add", arguments: { a: 1 } },
        ],
      },
      { role: "tool", parts: [{ type: "tool_call_response", response: "2" }], extensions: bag({ tool_name: "add" }) },
    ]);
    expect(tools).toEqual([
      {
        type: "function",
        name: "add",
        description: "adds",
        parameters: { type: "object" },
        extensions: bag({ function: { strict: true } }),
      },
    ]);
  });

  it("of generate has a prompt, its images and instructions", () => {
    const request = ollamaChat.decodeRequest(
      { model: "m", prompt: "hi", images: ["aGk="], system: "short", suffix: "end", raw: false },
      generate,
    );
    expect(request).toMatchObject({
      systemInstructions: [{ type: "text", content: "short" }],
      messages: [
        {
          role: "user",
          parts: [
            { type: "text", content: "hi" },
            { type: "blob", content: "aGk=" },
          ],
        },
      ],
      extensions: bag({ suffix: "end", raw: false }),
    });
  });

  it.each([
    { path: "/api/embed", body: { input: "a" }, count: 1 },
    { path: "/api/embed", body: { input: ["a", "b"], dimensions: 8 }, count: 2 },
    { path: "/api/embed", body: {}, count: undefined },
    { path: "/api/embeddings", body: { prompt: "a" }, count: 1 },
    // With content left out of the reading, as when capture is off.
    { path: "/api/embeddings", body: {}, count: 1 },
  ])("counts the inputs of $path $body", ({ path, body, count }) => {
    expect(ollamaChat.decodeRequest(body, call(path)).embedding?.inputCount).toBe(count);
  });

  it("never throws, whatever the types", () => {
    for (const value of hostile) {
      const keys = [
        "model",
        "messages",
        "tools",
        "options",
        "format",
        "think",
        "stream",
        "prompt",
        "images",
        "input",
        "system",
      ];
      const body = Object.fromEntries(keys.map((key) => [key, value]));
      for (const path of ["/api/chat", "/api/generate", "/api/embed", "/api/embeddings"]) {
        expect(() => ollamaChat.decodeRequest(body, call(path))).not.toThrow();
        expect(() => ollamaChat.decodeRequest({ messages: [value], tools: [value] }, call(path))).not.toThrow();
      }
    }
  });
});

describe("Ollama response", () => {
  const whole = {
    model: "m",
    created_at: "t",
    done: true,
    done_reason: "stop",
    prompt_eval_count: 3,
    eval_count: 5,
    total_duration: 9,
  };

  it("is one choice with its usage, and what is left", () => {
    expect(
      ollamaChat.decodeResponse({ ...whole, message: { role: "assistant", content: "hi", thinking: "hm" } }, chat),
    ).toEqual({
      model: "m",
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            parts: [
              { type: "reasoning", content: "hm" },
              { type: "text", content: "hi" },
            ],
          },
          finishReason: { unified: "stop", raw: "stop" },
        },
      ],
      usage: { inputTokens: 3, outputTokens: 5, raw: { prompt_eval_count: 3, eval_count: 5, total_duration: 9 } },
      extensions: bag({ created_at: "t" }),
    });
  });

  it.each([
    { reason: "stop", calls: true, unified: "tool_call" },
    { reason: "length", calls: true, unified: "length" },
    { reason: "length", calls: false, unified: "length" },
    { reason: "load", calls: false, unified: "stop" },
    { reason: "unload", calls: false, unified: "stop" },
    { reason: "surprise", calls: false, unified: "error" },
  ])("ended by $reason, with tool calls: $calls, means $unified", ({ reason, calls, unified }) => {
    const message = { role: "assistant", content: "", ...(calls ? { tool_calls: [{ function: { name: "f" } }] } : {}) };
    const { choices } = ollamaChat.decodeResponse({ ...whole, done_reason: reason, message }, chat);
    expect(choices[0]?.finishReason).toEqual({ unified, raw: reason });
  });

  it("leaves a count that is not stated unknown", () => {
    const { usage } = ollamaChat.decodeResponse({ message: {}, eval_count: 5 }, chat);
    expect(usage).toEqual({ outputTokens: 5, raw: { eval_count: 5 } });
    expect(ollamaChat.decodeResponse({ message: {} }, chat).usage).toBeUndefined();
  });

  it("of generate has its text at the top level", () => {
    const { choices, extensions } = ollamaChat.decodeResponse({ ...whole, response: "hi", context: [1] }, generate);
    expect(choices[0]?.message.parts).toEqual([{ type: "text", content: "hi" }]);
    expect(extensions).toEqual(bag({ created_at: "t", context: [1] }));
  });

  it.each([
    {
      path: "/api/embed",
      body: {
        embeddings: [
          [1, 2, 3],
          [4, 5, 6],
        ],
        prompt_eval_count: 2,
      },
      dimensions: 3,
    },
    { path: "/api/embeddings", body: { embedding: [1, 2] }, dimensions: 2 },
    { path: "/api/embeddings", body: { embedding: [] }, dimensions: undefined },
  ])("of $path tells the length of its vectors and keeps none", ({ path, body, dimensions }) => {
    const response = ollamaChat.decodeResponse(body, call(path));
    expect(response.embeddingDimensions).toBe(dimensions);
    expect(response.extensions).toBeUndefined();
  });
});

describe("Ollama stream", () => {
  it("gives the events of an answer in order, and none for empty text", () => {
    const events = decode(
      chat,
      { model: "m", created_at: "1", message: { role: "assistant", content: "", thinking: "h" }, done: false },
      { model: "m", created_at: "2", message: { role: "assistant", content: "", thinking: "m" }, done: false },
      { model: "m", created_at: "3", message: { role: "assistant", content: "a" }, done: false },
      {
        model: "m",
        created_at: "4",
        message: { role: "assistant", content: "" },
        done: true,
        done_reason: "stop",
        eval_count: 2,
      },
    );
    expect(events).toEqual([
      { type: "response_start", model: "m" },
      { type: "choice_start", choice: 0, role: "assistant" },
      { type: "part_start", choice: 0, part: 0, value: { type: "reasoning", content: "h" } },
      { type: "part_delta", choice: 0, part: 0, text: "m" },
      { type: "part_start", choice: 0, part: 1, value: { type: "text", content: "a" } },
      { type: "usage", usage: { outputTokens: 2, raw: { eval_count: 2 } } },
      { type: "response_start", extensions: bag({ created_at: "4" }) },
      { type: "part_end", choice: 0, part: 0 },
      { type: "part_end", choice: 0, part: 1 },
      { type: "choice_end", choice: 0, finishReason: { unified: "stop", raw: "stop" } },
      { type: "response_end" },
    ]);
  });

  it("calls the end of a stream with tool calls tool_call, though the wire says stop", () => {
    const folded = fold(
      decode(
        chat,
        {
          message: { role: "assistant", content: "", tool_calls: [{ function: { name: "f", arguments: { a: 1 } } }] },
          done: false,
        },
        { message: { role: "assistant", content: "" }, done: true, done_reason: "stop" },
      ),
    );
    expect(folded.result().choices[0]).toEqual({
      index: 0,
      message: { role: "assistant", parts: [{ type: "tool_call", name: "f", arguments: { a: 1 } }] },
      finishReason: { unified: "tool_call", raw: "stop" },
    });
  });

  it("appends logprobs over the lines, as the whole answer lists them", () => {
    const folded = fold(
      decode(
        chat,
        { message: { content: "a" }, logprobs: [{ token: "a" }], done: false },
        { message: { content: "b" }, logprobs: [{ token: "b" }], done: false },
      ),
    );
    expect(folded.result().extensions).toEqual(bag({ logprobs: [{ token: "a" }, { token: "b" }] }));
  });

  it("takes an error line for what it is: no end, and nothing unrecognized", () => {
    const folded = fold(
      decode(chat, { message: { content: "a" }, done: false }, { error: "model runner has stopped" }),
    );
    expect(folded.error).toEqual({ message: "model runner has stopped" });
    expect(folded.ended).toBe(false);
    expect(folded.unrecognizedEvents).toBe(0);
  });

  it("is not ended by a line that says done: false, nor by the end of the bytes", () => {
    expect(fold(decode(chat, { message: { content: "a" }, done: false })).ended).toBe(false);
    expect(fold(decode(generate, { response: "a", done: false }, { response: "", done: true })).ended).toBe(true);
  });

  it.each(["{", "7", "null", "[]", '"x"', '{"status":"pulling"}'])(
    "counts the line %s as unrecognized, without its text",
    (line) => {
      expect(decode(chat, line)).toEqual([
        { type: "unrecognized", name: expect.stringMatching(/^(unreadable|line)$/) },
      ]);
    },
  );

  it("never throws, whatever the types", () => {
    for (const value of hostile) {
      const lines: Wire[] = [
        { message: value, done: false },
        { message: { role: value, content: value, thinking: value, images: value, tool_calls: value }, done: true },
        { response: value, model: value, done_reason: value, eval_count: value, done: true },
        { error: value },
      ];
      expect(() => fold(decode(chat, ...lines)).result()).not.toThrow();
      expect(() => fold(decode(generate, ...lines)).result()).not.toThrow();
    }
  });
});

describe("Ollama error", () => {
  it.each([
    { body: { error: "no such model" }, expected: { message: "no such model" } },
    { body: { error: { message: "m", type: "t" } }, expected: { message: "m", type: "t" } },
    {
      body: { error: "signed out", signin_url: "u" },
      expected: { message: "signed out", extensions: bag({ signin_url: "u" }) },
    },
    { body: { error: "" }, expected: undefined },
    { body: { message: { content: "an answer" } }, expected: undefined },
    { body: [], expected: undefined },
    { body: null, expected: undefined },
  ])("of $body is $expected", ({ body, expected }) => {
    expect(ollamaChat.decodeError(body)).toEqual(expected);
  });

  it("is written as the API writes it, and read back from a stream as one line", () => {
    const error = new SidecarError("stream_idle", "nothing came");
    expect(ollamaChat.encodeError(error, "r1")).toEqual({
      error: "nothing came",
      code: "stream_idle",
      request_id: "r1",
    });
    const frames = createNdjsonDecoder().push(Buffer.from(ollamaChat.encodeStreamError(error, "r1")));
    expect(frames).toHaveLength(1);
    const events = frames.flatMap((frame) => ollamaChat.eventDecoder(chat).push(frame));
    expect(events).toMatchObject([{ type: "error", error: { message: "nothing came" } }]);
  });
});
