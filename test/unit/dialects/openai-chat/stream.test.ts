import { describe, expect, it } from "vitest";
import type { Part, StreamEvent } from "../../../../src/canonical/index.ts";
import { openaiChat } from "../../../../src/dialects/openai-chat/index.ts";
import { createStreamDecoder } from "../../../../src/dialects/openai-chat/stream.ts";
import { decodeEvents, foldEvents } from "../../../support/stream-decoding.ts";

type Json = Record<string, unknown>;

const own = (bag: Json) => ({ "openai-chat": bag });
const chunk = (delta: Json, more: Json = {}): Json => ({
  id: "c1",
  object: "chat.completion.chunk",
  model: "m",
  choices: [{ index: 0, delta, finish_reason: null, ...more }],
});
const finish = (reason: string) => chunk({}, { finish_reason: reason });

function decodeText(text: string): StreamEvent[] {
  return decodeEvents(createStreamDecoder(), [Buffer.from(text)]);
}

function decode(...chunks: (Json | string)[]): StreamEvent[] {
  return decodeText(
    chunks.map((item) => `data: ${typeof item === "string" ? item : JSON.stringify(item)}\n\n`).join(""),
  );
}

const fold = (...chunks: (Json | string)[]) => foldEvents(decode(...chunks));
const parts = (...chunks: (Json | string)[]): Part[] => fold(...chunks).choices[0]?.message.parts ?? [];
const types = (events: StreamEvent[]) => events.map((event) => event.type);
const call = (index: number | undefined, id: string | undefined, name: string | undefined, args?: unknown): Json => ({
  ...(index === undefined ? {} : { index }),
  ...(id === undefined ? {} : { id, type: "function" }),
  function: { ...(name === undefined ? {} : { name }), ...(args === undefined ? {} : { arguments: args }) },
});

describe("chat stream", () => {
  it("gives a plain answer as events in order", () => {
    expect(
      decode(
        chunk({ role: "assistant", content: "" }),
        chunk({ content: "Hel" }),
        chunk({ content: "lo" }),
        finish("stop"),
        { id: "c1", model: "m", choices: [], usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } },
        "[DONE]",
      ),
    ).toEqual([
      { type: "response_start", id: "c1", model: "m" },
      { type: "choice_start", choice: 0, role: "assistant" },
      { type: "part_start", choice: 0, part: 0, value: { type: "text", content: "" } },
      { type: "part_delta", choice: 0, part: 0, text: "Hel" },
      { type: "part_delta", choice: 0, part: 0, text: "lo" },
      { type: "choice_end", choice: 0, finishReason: { unified: "stop", raw: "stop" } },
      {
        type: "usage",
        usage: { inputTokens: 1, outputTokens: 2, raw: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } },
      },
      { type: "part_end", choice: 0, part: 0 },
      { type: "response_end" },
    ]);
  });

  it("waits past Azure's first chunk for the real id and model", () => {
    const events = decode(
      { choices: [], created: 0, id: "", model: "", object: "", prompt_filter_results: [{ prompt_index: 0 }] },
      chunk({ role: "assistant", content: "x" }),
      finish("stop"),
      "[DONE]",
    );
    expect(events[0]).toEqual({ type: "response_start", id: "c1", model: "m" });
    expect(types(events)).not.toContain("unrecognized");
    expect(foldEvents(events)).toMatchObject({
      id: "c1",
      model: "m",
      extensions: own({ created: 0, prompt_filter_results: [{ prompt_index: 0 }] }),
    });
  });

  it("takes usage-only chunks with empty or missing choices", () => {
    for (const tail of [{ choices: [], usage: { prompt_tokens: 7 } }, { usage: { prompt_tokens: 7 } }]) {
      expect(fold(chunk({ content: "x" }), finish("stop"), tail, "[DONE]").usage?.inputTokens).toBe(7);
    }
  });

  it.each([
    { name: "Groq", tail: { choices: [], x_groq: { id: "r", usage: { prompt_tokens: 7 } } } },
    {
      name: "Moonshot",
      tail: { choices: [{ index: 0, delta: {}, finish_reason: "stop", usage: { prompt_tokens: 7 } }] },
    },
    { name: "Mistral", tail: { ...finish("stop"), usage: { prompt_tokens: 7 } } },
  ])("finds usage where $name puts it", ({ tail }) => {
    expect(fold(chunk({ content: "x" }), tail, "[DONE]").usage).toEqual({ inputTokens: 7, raw: { prompt_tokens: 7 } });
  });

  it("merges usage over chunks: a later value wins, null never", () => {
    expect(
      fold(
        { ...chunk({ content: "a" }), usage: { prompt_tokens: 3, completion_tokens: 1 } },
        { ...chunk({ content: "b" }), usage: null },
        { ...finish("stop"), usage: { prompt_tokens: null, completion_tokens: 2 } },
        "[DONE]",
      ).usage?.raw,
    ).toEqual({ prompt_tokens: 3, completion_tokens: 2 });
  });

  it("ends with [DONE] only once, and lets nothing follow it", () => {
    const events = decode(finish("stop"), "[DONE]", "[DONE]", chunk({ content: "late" }));
    expect(types(events).filter((type) => type === "response_end")).toHaveLength(1);
    expect(events.at(-1)).toEqual({ type: "response_end" });
  });

  it("ends cleanly without [DONE] when every choice has its finish reason", () => {
    expect(types(decode(chunk({ content: "a" }), finish("stop")))).toContain("response_end");
  });

  it.each([
    { name: "a choice without a finish reason", chunks: [chunk({ content: "a" })] },
    {
      name: "one of two choices unfinished",
      chunks: [finish("stop"), { choices: [{ index: 1, delta: { content: "x" }, finish_reason: null }] }],
    },
    { name: "nothing at all", chunks: [] },
    { name: "an error after the finish reason", chunks: [finish("stop"), { error: { message: "m" } }] },
  ])("does not end cleanly with $name", ({ chunks }) => {
    expect(types(decode(...chunks))).not.toContain("response_end");
  });

  it("tells each change of the finish reason once", () => {
    const ends = decode(finish("stop"), finish("stop"), finish("tool_calls"), "[DONE]").filter(
      (event) => event.type === "choice_end",
    );
    expect(ends.map((event) => event.finishReason.raw)).toEqual(["stop", "tool_calls"]);
  });

  it("sorts several choices by their index", () => {
    const choice = (index: number, content: string) => ({ index, delta: { content }, finish_reason: null });
    const response = fold({ choices: [choice(1, "b"), choice(0, "a")] }, { choices: [choice(1, "B")] }, "[DONE]");
    expect(response.choices.map((c) => [c.index, c.message.parts])).toEqual([
      [0, [{ type: "text", content: "a" }]],
      [1, [{ type: "text", content: "bB" }]],
    ]);
  });

  it("keeps logprobs, annotations and unknown members", () => {
    const token = (text: string) => ({ content: [{ token: text }], refusal: null });
    expect(
      fold(
        chunk({ content: "a", channel: "final" }, { logprobs: token("a"), native_finish_reason: null }),
        chunk({ content: "b", annotations: [1] }, { logprobs: token("b"), native_finish_reason: "STOP" }),
        chunk({ annotations: [2] }, { logprobs: null, finish_reason: "stop" }),
        "[DONE]",
      ).choices[0],
    ).toEqual({
      index: 0,
      message: {
        role: "assistant",
        parts: [{ type: "text", content: "ab" }],
        extensions: own({ annotations: [1, 2], channel: "final" }),
      },
      finishReason: { unified: "stop", raw: "stop" },
      extensions: own({
        logprobs: { content: [{ token: "a" }, { token: "b" }], refusal: null },
        native_finish_reason: "STOP",
      }),
    });
  });

  it("keeps the last of the unknown top-level members and drops padding", () => {
    const response = fold(
      { ...chunk({ content: "a" }), citations: ["1"], obfuscation: "xx", p: "abc" },
      { ...finish("stop"), citations: ["1", "2"] },
      "[DONE]",
    );
    expect(response.extensions).toEqual(own({ citations: ["1", "2"] }));
  });

  it("reads legacy completions, and Writer's form of them", () => {
    const completion = openaiChat.match("POST", "/v1/completions");
    if (completion === undefined) throw new Error("no operation");
    const frame = (text: string, reason: string | null) =>
      `data: ${JSON.stringify({ id: "1", choices: [{ index: 0, text, finish_reason: reason }] })}\n\n`;
    const events = decodeEvents(openaiChat.eventDecoder(completion), [
      Buffer.from(frame("a", null) + frame("b", "length")),
    ]);
    expect(foldEvents(events).choices[0]).toMatchObject({
      message: { parts: [{ type: "text", content: "ab" }] },
      finishReason: { unified: "length" },
    });
    expect(parts({ value: "a" }, { value: "b" })).toEqual([{ type: "text", content: "ab" }]);
  });
});

describe("chat stream: text of other kinds", () => {
  it.each(["reasoning", "reasoning_content"])("reads %s deltas as one reasoning part", (key) => {
    expect(
      parts(chunk({ [key]: "a", content: "" }), chunk({ [key]: "b", content: null }), chunk({ content: "c" })),
    ).toEqual([
      { type: "reasoning", content: "ab" },
      { type: "text", content: "c" },
    ]);
  });

  it("puts reasoning details together again, the signature included", () => {
    expect(
      parts(
        chunk({ reasoning: "a", reasoning_details: [{ type: "reasoning.text", text: "a", index: 0, format: "f" }] }),
        chunk({ reasoning: "b", reasoning_details: [{ type: "reasoning.text", text: "b", index: 0, format: "f" }] }),
        chunk({ reasoning_details: [{ type: "reasoning.text", signature: "s", index: 0 }] }),
        chunk({ reasoning_details: [{ type: "reasoning.encrypted", data: "z" }] }),
      ),
    ).toEqual([
      {
        type: "reasoning",
        content: "ab",
        extensions: own({
          reasoning_details: [
            { type: "reasoning.text", text: "ab", index: 0, format: "f", signature: "s" },
            { type: "reasoning.encrypted", data: "z" },
          ],
        }),
      },
    ]);
  });

  it("reads reasoning that only comes in details", () => {
    expect(parts(chunk({ reasoning_details: [{ type: "reasoning.text", text: "a", index: 0 }] }))).toMatchObject([
      { type: "reasoning", content: "a" },
    ]);
  });

  it("does not say reasoning again that details repeat at the end", () => {
    expect(
      parts(
        chunk({ reasoning_content: "a" }),
        chunk({ reasoning_content: "b" }),
        chunk({ reasoning_details: [{ type: "reasoning.text", text: "ab", signature: "s", index: 0 }] }),
      ),
    ).toMatchObject([{ type: "reasoning", content: "ab" }]);
  });

  it("reads Mistral's list content", () => {
    const thinking = (text: string) => ({ content: [{ type: "thinking", thinking: [{ type: "text", text }] }] });
    expect(
      parts(
        chunk(thinking("a")),
        chunk(thinking("b")),
        chunk({ content: [{ type: "text", text: "c" }] }),
        chunk({ content: "d" }),
        chunk({ content: [{ type: "reference", ids: [1] }] }),
      ),
    ).toEqual([
      { type: "reasoning", content: "ab", extensions: own({ type: "thinking" }) },
      { type: "text", content: "cd" },
      { type: "generic", generic_type: "reference", extensions: own({ type: "reference", ids: [1] }) },
    ]);
  });

  it("reads refusals", () => {
    expect(parts(chunk({ refusal: "I " }), chunk({ refusal: "won't" }))).toEqual([
      { type: "text", content: "I won't", extensions: own({ type: "refusal" }) },
    ]);
  });

  it("reads audio and its transcript", () => {
    expect(
      parts(
        chunk({ audio: { id: "a1", transcript: "he" } }),
        chunk({ audio: { data: "AA" } }),
        chunk({ audio: { data: "BB", transcript: "y" } }),
        chunk({ audio: { expires_at: 5 } }),
      ),
    ).toEqual([
      {
        type: "blob",
        modality: "audio",
        content: "AABB",
        extensions: own({ audio: { id: "a1", transcript: "hey", expires_at: 5 } }),
      },
    ]);
  });

  it("takes the new text only from chunks that repeat the whole message (Perplexity)", () => {
    const whole = (content: string, delta?: Json) => ({
      id: "c",
      choices: [{ index: 0, message: { role: "assistant", content }, ...(delta === undefined ? {} : { delta }) }],
    });
    expect(parts(whole("a"), whole("ab"), whole("abc"))).toEqual([{ type: "text", content: "abc" }]);
    expect(parts(whole("a", { content: "a" }), whole("ab", { content: "b" }))).toEqual([
      { type: "text", content: "ab" },
    ]);
  });
});

describe("chat stream: tool calls", () => {
  const toolParts = (...calls: (Json | Json[])[]) =>
    parts(...calls.map((item) => chunk({ tool_calls: Array.isArray(item) ? item : [item] })));

  it("keeps parallel calls apart by index, fragments interleaved", () => {
    expect(
      toolParts(
        call(0, "a", "f", ""),
        call(1, "b", "g", ""),
        call(0, undefined, undefined, '{"x"'),
        call(1, undefined, undefined, "{}"),
        call(0, undefined, undefined, ":1}"),
      ),
    ).toEqual([
      { type: "tool_call", id: "a", name: "f", arguments: { x: 1 } },
      { type: "tool_call", id: "b", name: "g", arguments: {} },
    ]);
  });

  it("keeps parallel calls apart when a server numbers all of them 0", () => {
    expect(toolParts(call(0, "a", "f", '{"x":1}'), call(0, "b", "g", '{"y":'), call(0, "b", undefined, "2}"))).toEqual([
      { type: "tool_call", id: "a", name: "f", arguments: { x: 1 } },
      { type: "tool_call", id: "b", name: "g", arguments: { y: 2 } },
    ]);
  });

  it("takes whole calls without an index", () => {
    expect(
      toolParts(
        [call(undefined, "a", "f", "{}"), call(undefined, "b", "f", '{"x":1}')],
        call(undefined, undefined, "h", "{}"),
      ),
    ).toEqual([
      { type: "tool_call", id: "a", name: "f", arguments: {} },
      { type: "tool_call", id: "b", name: "f", arguments: { x: 1 } },
      { type: "tool_call", name: "h", arguments: {} },
    ]);
  });

  it("continues the last call when pieces have neither index nor id", () => {
    expect(toolParts(call(undefined, "a", "f", '{"x":'), call(undefined, undefined, undefined, "1}"))).toEqual([
      { type: "tool_call", id: "a", name: "f", arguments: { x: 1 } },
    ]);
  });

  it.each([
    { name: "no arguments at all", args: [undefined] },
    { name: "an empty string", args: [""] },
    { name: "null first", args: [null, ""] },
  ])("gives {} for $name", ({ args }) => {
    const [first, ...rest] = args;
    expect(toolParts(call(0, "a", "f", first), ...rest.map((arg) => call(0, undefined, undefined, arg)))).toEqual([
      { type: "tool_call", id: "a", name: "f", arguments: {} },
    ]);
  });

  it("holds arguments back until the name is there", () => {
    const events = decode(
      chunk({ tool_calls: [call(0, "a", undefined, '{"x":')] }),
      chunk({ tool_calls: [call(0, undefined, "f", "1}")] }),
    );
    expect(types(events).indexOf("part_start")).toBeLessThan(types(events).indexOf("part_delta"));
    expect(foldEvents(events).choices[0]?.message.parts).toEqual([
      { type: "tool_call", id: "a", name: "f", arguments: { x: 1 } },
    ]);
  });

  it("loses no arguments when a name never comes", () => {
    expect(toolParts(call(0, "a", undefined, '{"x":1}'))).toEqual([
      { type: "tool_call", id: "a", name: "", arguments: { x: 1 } },
    ]);
  });

  it("does not take a repeated name for more of it, nor null for a piece", () => {
    expect(
      toolParts(
        call(0, "a", "f", ""),
        { index: 0, id: null, type: null, function: { name: "f", arguments: "{" } },
        { index: 0, id: null, function: { name: null, arguments: "}" } },
      ),
    ).toEqual([{ type: "tool_call", id: "a", name: "f", arguments: {} }]);
  });

  it("keeps what is cut off as text", () => {
    expect(toolParts(call(0, "a", "f", '{"x":'))).toEqual([
      { type: "tool_call", id: "a", name: "f", arguments: '{"x":' },
    ]);
  });

  it("keeps a custom tool's input as it is, and signatures beside a call", () => {
    expect(
      toolParts(
        { index: 0, id: "a", type: "custom", custom: { name: "c", input: "4" } },
        { index: 0, custom: { input: "2" } },
        { ...call(1, "b", "f", "{}"), extra_content: { google: { thought_signature: "s" } } },
      ),
    ).toEqual([
      { type: "tool_call", id: "a", name: "c", arguments: "42", extensions: own({ type: "custom" }) },
      {
        type: "tool_call",
        id: "b",
        name: "f",
        arguments: {},
        extensions: own({ extra_content: { google: { thought_signature: "s" } } }),
      },
    ]);
  });

  it("reads legacy function_call", () => {
    expect(
      parts(chunk({ function_call: { name: "f", arguments: "" } }), chunk({ function_call: { arguments: "{}" } })),
    ).toEqual([{ type: "tool_call", name: "f", arguments: {}, extensions: own({ type: "function_call" }) }]);
  });

  it("does not lose the delta that switches from text to a tool call", () => {
    expect(parts(chunk({ content: "a" }), chunk({ content: "b", tool_calls: [call(0, "1", "f", '{"x":1}')] }))).toEqual(
      [
        { type: "text", content: "ab" },
        { type: "tool_call", id: "1", name: "f", arguments: { x: 1 } },
      ],
    );
  });
});

describe("chat stream: errors and noise", () => {
  it.each([
    {
      name: "a data error",
      text: 'data: {"error":{"message":"m","code":429}}\n\n',
      expected: { message: "m", code: "429" },
    },
    { name: "event: error", text: 'event: error\ndata: {"error":{"message":"m"}}\n\n', expected: { message: "m" } },
    {
      name: "event: error with bare text",
      text: "event: error\ndata: overloaded\n\n",
      expected: { message: "overloaded" },
    },
    {
      name: "event: error with a message",
      text: 'event: error\ndata: {"message":"m","type":"t"}\n\n',
      expected: { message: "m", type: "t" },
    },
    {
      name: "a bare message",
      text: 'data: {"object":"error","message":"m","code":40303}\n\n',
      expected: { message: "m", code: "40303" },
    },
  ])("reads $name", ({ text, expected }) => {
    const events = decodeText(text);
    expect(events.filter((event) => event.type === "error")).toMatchObject([{ error: expected }]);
    expect(types(events)).not.toContain("response_end");
  });

  it("reads an error that rides on a chunk, and the chunk (OpenRouter)", () => {
    const events = decode({
      ...chunk({ content: "a" }, { finish_reason: "error" }),
      error: { code: 502, message: "m" },
    });
    expect(types(events)).toEqual(expect.arrayContaining(["part_delta", "choice_end", "error"]));
  });

  it("takes error: null for no error", () => {
    expect(types(decode({ ...chunk({ content: "a" }), error: null }))).not.toContain("error");
  });

  it.each([
    [": OPENROUTER PROCESSING\n\n", "keepalive"],
    ['event: ping\ndata: {"type":"ping"}\n\n', "keepalive"],
    ['data: {"type":"ping"}\n\n', "keepalive"],
    ["data:\n\n", "keepalive"],
    ["data: {broken\n\n", "unrecognized"],
    ["data: 42\n\n", "unrecognized"],
    ["data: [1]\n\n", "unrecognized"],
    ["data: null\n\n", "unrecognized"],
    ['event: news\ndata: {"a":1}\n\n', "unrecognized"],
    ["event: news\n\n", "unrecognized"],
  ])("gives one event for %j: %s", (text, type) => {
    expect(types(decodeText(text))).toEqual([type]);
  });

  it("keeps the name of an unrecognized event short", () => {
    expect(decodeText(`event: ${"x".repeat(500)}\ndata: {"a":1}\n\n`)).toEqual([
      { type: "unrecognized", name: "x".repeat(64) },
    ]);
  });
});
