// What the encode half of chat must do with streams, case by case; numbers are those of known bugs in other gateways.
import { describe, expect, it } from "vitest";
import type { Part, StreamEvent } from "../../../../src/canonical/index.ts";
import { Encoding } from "../../../../src/dialects/encoding.ts";
import { encoder } from "../../../../src/dialects/openai-chat/encoder.ts";

type Json = Record<string, unknown>;

const exchangeId = "0123456789abcdef0123456789abcdef";

function open(operationKind: string | undefined): Encoding {
  return new Encoding({
    source: "anthropic-messages",
    target: "openai-chat",
    model: "served",
    exchangeId,
    epochSeconds: 1_700_000_000,
    toolResultParts: () => [],
    ...(operationKind === undefined ? {} : { operationKind }),
  });
}

const text = (content: string): Part => ({ type: "text", content });

function stream(events: StreamEvent[], { streamUsage = false, kind }: { streamUsage?: boolean; kind?: string } = {}) {
  const events_ = encoder.eventEncoder(open(kind), streamUsage);
  const wire = [...events.flatMap((event) => events_.push(event)), ...events_.end()].join("");
  const data = wire
    .split("\n\n")
    .filter((frame) => frame.startsWith("data: "))
    .map((frame) => frame.slice("data: ".length));
  return {
    wire,
    last: data.at(-1),
    chunks: data.filter((item) => item !== "[DONE]").map((item) => JSON.parse(item) as Json),
  };
}

const deltasOf = (chunks: Json[]) => chunks.flatMap(({ choices }) => (choices as Json[]).map(({ delta }) => delta));
const at = { choice: 0 };
const start: StreamEvent[] = [
  { type: "response_start", id: "msg_1", model: "m" },
  { type: "choice_start", ...at, role: "assistant" },
];
const stop: StreamEvent[] = [
  { type: "choice_end", ...at, finishReason: { unified: "stop" } },
  { type: "response_end" },
];
const begin = (part: number, value: Part): StreamEvent => ({ type: "part_start", ...at, part, value });
const grow = (part: number, text: string): StreamEvent => ({ type: "part_delta", ...at, part, text });

describe("chat stream from another dialect", () => {
  it("gives the role first, then deltas under one id, then the finish", () => {
    const { chunks, last } = stream([...start, begin(0, text("")), grow(0, "Hi"), ...stop]);
    expect(deltasOf(chunks)).toEqual([{ role: "assistant", content: "" }, { content: "Hi" }, {}]);
    expect(
      new Set(chunks.map(({ id, model, created }) => `${String(id)} ${String(model)} ${String(created)}`)),
    ).toEqual(new Set([`chatcmpl-${exchangeId} m 1700000000`]));
    expect(chunks.at(-1)?.["choices"]).toMatchObject([{ finish_reason: "stop" }]);
    expect(last).toBe("[DONE]");
  });

  it("numbers parallel calls 0 and 1 whatever stands between, and gives arguments to one without (1, 2, 4, 6)", () => {
    const tool = (id: string): Part => ({ type: "tool_call", id, name: "f" });
    const { chunks } = stream([
      ...start,
      begin(0, text("so")),
      begin(1, tool("a")),
      begin(3, tool("b")),
      grow(1, '{"x":'),
      grow(1, "1}"),
      ...stop,
    ]);
    const pieces = deltasOf(chunks).flatMap((delta) => ((delta as Json)["tool_calls"] ?? []) as Json[]);
    expect(pieces.map(({ index, id, function: called }) => [index, id, (called as Json)["arguments"]])).toEqual([
      [0, "a", ""],
      [1, "b", ""],
      [0, undefined, '{"x":'],
      [0, undefined, "1}"],
      [1, undefined, "{}"],
    ]);
    expect(chunks.at(-1)?.["choices"]).toMatchObject([{ finish_reason: "tool_calls" }]);
  });

  it.each([
    { streamUsage: true, expected: [{ prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 }] },
    { streamUsage: false, expected: [] },
  ])("tells usage in a chunk without choices when asked: $streamUsage (27)", ({ streamUsage, expected }) => {
    const { chunks } = stream([...start, ...stop, { type: "usage", usage: { inputTokens: 3, outputTokens: 4 } }], {
      streamUsage,
    });
    expect(chunks.filter(({ choices }) => (choices as Json[]).length === 0).map(({ usage }) => usage)).toEqual(
      expected,
    );
    expect(chunks.filter((chunk) => "usage" in chunk)).toHaveLength(expected.length);
  });

  it("hands out the signature of an empty thinking block (11)", () => {
    const extensions = { "anthropic-messages": { signature: "c2ln" } };
    const { chunks } = stream([
      ...start,
      begin(0, { type: "reasoning", content: "" }),
      { type: "part_extend", ...at, part: 0, extensions },
      ...stop,
    ]);
    expect(deltasOf(chunks)).toContainEqual({
      reasoning_details: [{ type: "reasoning.text", signature: "c2ln", format: "anthropic-claude-v1", index: 0 }],
    });
  });

  it("tells all reasoning details in the last delta before the finish, so that both official SDKs keep them whole", () => {
    const signed = { "anthropic-messages": { signature: "c2ln" } };
    const redacted = { "anthropic-messages": { type: "redacted_thinking", data: "ZGF0YQ==" } };
    const { chunks } = stream([
      ...start,
      begin(0, { type: "reasoning", content: "" }),
      grow(0, "One "),
      grow(0, "thought."),
      { type: "part_extend", ...at, part: 0, extensions: signed },
      { type: "part_end", ...at, part: 0 },
      begin(1, { type: "reasoning", content: "", extensions: redacted }),
      begin(2, text("Hi")),
      ...stop,
    ]);
    const format = "anthropic-claude-v1";
    const details = [
      { type: "reasoning.text", text: "One thought.", signature: "c2ln", format, index: 0 },
      { type: "reasoning.encrypted", data: "ZGF0YQ==", format, index: 1 },
    ];
    expect(deltasOf(chunks)).toEqual([
      { role: "assistant", content: "" },
      { reasoning_content: "One " },
      { reasoning_content: "thought." },
      { content: "Hi" },
      { reasoning_details: details },
      {},
    ]);
  });

  it("ends in an error frame and no [DONE] when the provider fails (34)", () => {
    const { chunks, wire } = stream([
      ...start,
      grow(0, "Hi"),
      { type: "error", error: { message: "overloaded" } },
      ...stop,
    ]);
    expect(chunks.at(-1)).toMatchObject({ error: { message: "overloaded", code: "upstream_server_error" } });
    expect(wire).not.toContain("[DONE]");
  });

  it("ends in an error frame when the stream just stops (33)", () => {
    const { chunks, wire } = stream([...start, grow(0, "Hi")]);
    expect(chunks.at(-1)).toMatchObject({ error: { code: "stream_truncated" } });
    expect(wire).not.toContain("[DONE]");
  });

  it("is a stream of texts for a client of legacy completions", () => {
    const { chunks } = stream([...start, grow(0, "Hi"), ...stop], { kind: "text_completion" });
    expect(chunks.flatMap(({ choices }) => choices)).toEqual([
      { index: 0, text: "", logprobs: null, finish_reason: null },
      { index: 0, text: "Hi", logprobs: null, finish_reason: null },
      { index: 0, text: "", logprobs: null, finish_reason: "stop" },
    ]);
  });
});
