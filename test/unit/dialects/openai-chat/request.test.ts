import { describe, expect, it } from "vitest";
import { openaiChat } from "../../../../src/dialects/openai-chat/index.ts";

const chat = openaiChat.match("POST", "/v1/chat/completions");
const completion = openaiChat.match("POST", "/v1/completions");
if (chat === undefined || completion === undefined) throw new Error("no operation");

const decode = (body: Record<string, unknown>) => openaiChat.decodeRequest(body, chat);
const decodeMessage = (message: Record<string, unknown>) => decode({ messages: [message] }).messages[0];
const decodePart = (part: unknown) => decodeMessage({ role: "user", content: [part] })?.parts[0];
const own = (bag: Record<string, unknown>) => ({ "openai-chat": bag });

describe("chat request", () => {
  it("maps every field that has a canonical place", () => {
    expect(
      decode({
        model: "m",
        messages: [{ role: "developer", content: "be brief" }],
        stream: true,
        stream_options: { include_usage: true },
        max_completion_tokens: 9,
        temperature: 0,
        top_p: 0.5,
        top_k: 3,
        seed: 1,
        frequency_penalty: -1,
        presence_penalty: 2,
        stop: "END",
        n: 2,
        logprobs: true,
        top_logprobs: 4,
        logit_bias: { 50256: -100 },
        response_format: { type: "json_object" },
        reasoning_effort: "low",
        service_tier: "flex",
        user: "u",
        metadata: { k: "v" },
        parallel_tool_calls: false,
      }),
    ).toEqual({
      model: "m",
      messages: [{ role: "developer", parts: [{ type: "text", content: "be brief" }] }],
      stream: true,
      streamUsage: true,
      maxOutputTokens: 9,
      temperature: 0,
      topP: 0.5,
      topK: 3,
      seed: 1,
      frequencyPenalty: -1,
      presencePenalty: 2,
      stopSequences: ["END"],
      choiceCount: 2,
      logprobs: true,
      topLogprobs: 4,
      logitBias: { 50256: -100 },
      outputFormat: { type: "json" },
      reasoning: { effort: "low" },
      serviceTier: "flex",
      user: "u",
      metadata: { k: "v" },
      parallelToolCalls: false,
    });
  });

  it("keeps every other field of the wire in extensions", () => {
    const others = {
      audio: { voice: "alloy", format: "wav" },
      modalities: ["text", "audio"],
      moderation: {},
      prediction: { type: "content", content: "x" },
      prompt_cache_key: "k",
      prompt_cache_options: { mode: "auto" },
      prompt_cache_retention: "24h",
      safety_identifier: "s",
      store: true,
      verbosity: "low",
      web_search_options: {},
      brand_new: [1],
      seed: null,
    };
    const request = decode({ model: "m", messages: [], ...others, stream_options: { include_obfuscation: false } });
    expect(request.extensions).toEqual(own({ ...others, stream_options: { include_obfuscation: false } }));
    expect(request).not.toHaveProperty("seed");
  });

  it("keeps wrongly typed fields instead of throwing", () => {
    const wrong = {
      model: 7,
      messages: "hello",
      stream: "yes",
      temperature: "hot",
      stop: [1],
      tools: {},
      tool_choice: "maybe",
      logit_bias: { a: "b" },
      response_format: "json",
      stream_options: null,
      metadata: [],
    };
    expect(decode(wrong)).toEqual({ stream: false, messages: [], extensions: own(wrong) });
  });

  it("takes max_tokens when it stands alone, and keeps it beside max_completion_tokens", () => {
    expect(decode({ messages: [], max_tokens: 5 })).toEqual({
      stream: false,
      messages: [],
      maxOutputTokens: 5,
      extensions: own({ is_max_tokens: null }),
    });
    expect(decode({ messages: [], max_tokens: 5, max_completion_tokens: 6 })).toMatchObject({
      maxOutputTokens: 6,
      extensions: own({ max_tokens: 5 }),
    });
  });

  it.each([
    { options: undefined, streamUsage: undefined },
    { options: { include_usage: false }, streamUsage: false },
    { options: { include_usage: true }, streamUsage: true },
    { options: {}, streamUsage: undefined },
    { options: null, streamUsage: undefined },
  ])("reads stream_options $options as $streamUsage", ({ options, streamUsage }) => {
    expect(decode({ messages: [], stream_options: options }).streamUsage).toBe(streamUsage);
  });

  it.each([
    { choice: "auto", expected: { type: "auto" } },
    { choice: "none", expected: { type: "none" } },
    { choice: "required", expected: { type: "required" } },
    { choice: "any", expected: { type: "required" } },
    { choice: { type: "function", function: { name: "f" } }, expected: { type: "tool", name: "f" } },
    { choice: { type: "custom", custom: { name: "c" } }, expected: { type: "tool", name: "c" } },
    {
      choice: {
        type: "allowed_tools",
        allowed_tools: {
          mode: "required",
          tools: [
            { type: "function", function: { name: "f" } },
            { type: "custom", custom: { name: "c" } },
          ],
        },
      },
      expected: { type: "allowed", mode: "required", names: ["f", "c"] },
    },
  ])("reads tool_choice $choice", ({ choice, expected }) => {
    const request = decode({ messages: [], tool_choice: choice });
    expect(request.toolChoice).toEqual(expected);
    expect(request.extensions).toBeUndefined();
  });

  it("reads legacy functions and function_call", () => {
    const request = decode({
      messages: [],
      functions: [{ name: "f", description: "d", parameters: { type: "object" } }],
      function_call: { name: "f" },
    });
    expect(request.toolChoice).toEqual({ type: "tool", name: "f" });
    expect(request.tools).toEqual([
      {
        type: "function",
        name: "f",
        description: "d",
        parameters: { type: "object" },
        extensions: own({ legacy: true }),
      },
    ]);
  });

  it("reads function, custom and provider tools", () => {
    const request = decode({
      messages: [],
      tools: [
        { type: "function", function: { name: "f", strict: true }, cache_control: { type: "ephemeral" } },
        { type: "custom", custom: { name: "c", description: "d", format: { type: "text" } } },
        { type: "web_search", max_results: 3 },
      ],
    });
    expect(request.tools).toEqual([
      {
        type: "function",
        name: "f",
        extensions: own({ function: { strict: true }, cache_control: { type: "ephemeral" } }),
      },
      { type: "custom", name: "c", description: "d", extensions: own({ custom: { format: { type: "text" } } }) },
      { type: "web_search", name: "web_search", extensions: own({ max_results: 3 }) },
    ]);
  });

  it.each([
    { format: { type: "text" }, expected: { type: "text" } },
    {
      format: {
        type: "json_schema",
        json_schema: { name: "n", schema: { type: "object" }, strict: true, description: "d" },
      },
      expected: { type: "json_schema", name: "n", schema: { type: "object" }, strict: true, description: "d" },
    },
  ])("reads response_format $format", ({ format, expected }) => {
    expect(decode({ messages: [], response_format: format })).toMatchObject({ outputFormat: expected });
  });

  it.each([
    { type: "grammar", grammar: "x" },
    { type: "json_schema", json_schema: { name: "n" } },
  ])("keeps a response_format it cannot tell: %j", (format) => {
    const request = decode({ messages: [], response_format: format });
    expect(request.outputFormat).toBeUndefined();
    expect(request.extensions).toEqual(own({ response_format: format }));
  });
});

describe("chat messages", () => {
  it("reads an assistant turn with reasoning, text, refusal, tool calls and unknown members", () => {
    expect(
      decodeMessage({
        role: "assistant",
        name: "bot",
        content: null,
        reasoning_content: "hm",
        refusal: "no",
        tool_calls: [
          {
            id: "1",
            type: "function",
            function: { name: "f", arguments: '{"a":1}' },
            extra_content: { google: { thought_signature: "s" } },
          },
          { id: "2", type: "function", function: { name: "g", arguments: "" } },
          { id: "3", type: "function", function: { name: "h", arguments: "{broken" } },
          { id: "4", type: "custom", custom: { name: "c", input: "42" } },
        ],
        prefix: true,
      }),
    ).toEqual({
      role: "assistant",
      name: "bot",
      parts: [
        { type: "reasoning", content: "hm" },
        { type: "text", content: "no", extensions: own({ type: "refusal" }) },
        {
          type: "tool_call",
          id: "1",
          name: "f",
          arguments: { a: 1 },
          extensions: own({ extra_content: { google: { thought_signature: "s" } } }),
        },
        { type: "tool_call", id: "2", name: "g", arguments: {} },
        { type: "tool_call", id: "3", name: "h", arguments: "{broken" },
        { type: "tool_call", id: "4", name: "c", arguments: "42", extensions: own({ type: "custom" }) },
      ],
      extensions: own({ prefix: true }),
    });
  });

  it("reads tool results, and legacy function results as such", () => {
    expect(decodeMessage({ role: "tool", tool_call_id: "1", content: "out" })).toEqual({
      role: "tool",
      parts: [{ type: "tool_call_response", id: "1", response: "out" }],
    });
    expect(
      decodeMessage({ role: "tool", tool_call_id: "1", content: [{ type: "text", text: "a" }] })?.parts[0],
    ).toEqual({
      type: "tool_call_response",
      id: "1",
      response: [{ type: "text", content: "a" }],
    });
    expect(decodeMessage({ role: "function", name: "f", content: "out" })).toEqual({
      role: "tool",
      name: "f",
      parts: [{ type: "tool_call_response", response: "out", extensions: own({ name: "f" }) }],
      extensions: own({ role: "function" }),
    });
  });

  it("reads the history's audio and legacy function_call", () => {
    expect(
      decodeMessage({ role: "assistant", audio: { id: "audio_1" }, function_call: { name: "f", arguments: "{}" } })
        ?.parts,
    ).toEqual([
      { type: "file", modality: "audio", file_id: "audio_1" },
      { type: "tool_call", name: "f", arguments: {}, extensions: own({ type: "function_call" }) },
    ]);
  });

  it("keeps empty text that a client wrote", () => {
    expect(decodeMessage({ role: "user", content: "" })?.parts).toEqual([{ type: "text", content: "" }]);
  });

  it.each([
    {
      part: { type: "text", text: "a", prompt_cache_breakpoint: { mode: "explicit" } },
      expected: { type: "text", content: "a", extensions: own({ prompt_cache_breakpoint: { mode: "explicit" } }) },
    },
    {
      part: { type: "refusal", refusal: "no" },
      expected: { type: "text", content: "no", extensions: own({ type: "refusal" }) },
    },
    {
      part: { type: "image_url", image_url: { url: "https://a/b.png", detail: "low" } },
      expected: {
        type: "uri",
        modality: "image",
        uri: "https://a/b.png",
        extensions: own({ image_url: { detail: "low" } }),
      },
    },
    {
      part: { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } },
      expected: { type: "blob", modality: "image", mime_type: "image/png", content: "AAAA" },
    },
    {
      part: { type: "image_url", image_url: "https://a/b" },
      expected: { type: "uri", modality: "image", uri: "https://a/b" },
    },
    {
      part: { type: "input_audio", input_audio: { data: "AAAA", format: "mp3" } },
      expected: { type: "blob", modality: "audio", mime_type: "audio/mpeg", content: "AAAA" },
    },
    {
      part: { type: "input_audio", input_audio: "AAAA" },
      expected: { type: "blob", modality: "audio", content: "AAAA" },
    },
    {
      part: { type: "video_url", video_url: { url: "https://a/v" } },
      expected: { type: "uri", modality: "video", uri: "https://a/v" },
    },
    {
      part: { type: "file", file: { file_id: "f1" } },
      expected: { type: "file", modality: "document", file_id: "f1" },
    },
    {
      part: { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,AAAA" } },
      expected: {
        type: "blob",
        modality: "document",
        mime_type: "application/pdf",
        content: "AAAA",
        extensions: own({ file: { filename: "a.pdf" } }),
      },
    },
    {
      part: { type: "file_url", file_url: { url: "https://a/d" } },
      expected: { type: "uri", modality: "document", uri: "https://a/d", extensions: own({ type: "file_url" }) },
    },
    {
      part: {
        type: "thinking",
        thinking: [
          { type: "text", text: "a" },
          { type: "text", text: "b" },
        ],
      },
      expected: { type: "reasoning", content: "ab", extensions: own({ type: "thinking" }) },
    },
    {
      part: { type: "hologram", hologram: 1 },
      expected: { type: "generic", generic_type: "hologram", extensions: own({ type: "hologram", hologram: 1 }) },
    },
    { part: "bare", expected: { type: "generic", generic_type: "unknown", extensions: own({ value: "bare" }) } },
    { part: { type: "text" }, expected: { type: "generic", generic_type: "text", extensions: own({ type: "text" }) } },
  ])("reads the content part $part", ({ part, expected }) => {
    expect(decodePart(part)).toEqual(expected);
  });
});

describe("content part kinds", () => {
  it("are never names that every object has", () => {
    expect(decodePart(JSON.parse('{"type":"constructor","constructor":"x"}'))?.type).toBe("generic");
  });
});

describe("legacy completion request", () => {
  const promptParts = (prompt: unknown) =>
    openaiChat.decodeRequest({ model: "m", prompt }, completion).messages.map((message) => message.parts);

  it("reads every kind of prompt", () => {
    expect(promptParts("a")).toEqual([[{ type: "text", content: "a" }]]);
    expect(promptParts(["a", "b"])).toEqual([[{ type: "text", content: "a" }], [{ type: "text", content: "b" }]]);
    const tokens = (list: number[]) => ({ type: "generic", generic_type: "tokens", extensions: own({ tokens: list }) });
    expect(promptParts([1, 2])).toEqual([[tokens([1, 2])]]);
    expect(promptParts([[1], [2]])).toEqual([[tokens([1])], [tokens([2])]]);
  });

  it("keeps what is legacy: suffix, echo, best_of and the number of logprobs", () => {
    const legacy = { suffix: "s", echo: true, best_of: 2, logprobs: 3 };
    expect(openaiChat.decodeRequest({ prompt: "a", ...legacy }, completion).extensions).toEqual(own(legacy));
  });
});
