import { describe, expect, it } from "vitest";
import { createFold, type StreamEvent } from "../../../../src/canonical/index.ts";
import type { Frame, Operation } from "../../../../src/dialects/dialect.ts";
import { cohereChat } from "../../../../src/dialects/cohere-chat/index.ts";
import { createNdjsonDecoder } from "../../../../src/dialects/framing/ndjson.ts";
import { framesOf } from "../../../support/stream-decoding.ts";

type Wire = Record<string, unknown>;

const call = (path: string): Operation => {
  const operation = cohereChat.match("POST", path);
  if (operation === undefined) throw new Error(`no call at ${path}`);
  return operation;
};
const chat = call("/v2/chat");
const bag = (facts: Wire) => ({ "cohere-chat": facts });
const linesOf = (...lines: Wire[]): Frame[] =>
  createNdjsonDecoder().push(Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join("")));

function decode(operation: Operation, frames: readonly Frame[]): StreamEvent[] {
  const decoder = cohereChat.eventDecoder(operation);
  return [...frames.flatMap((frame) => decoder.push(frame)), ...decoder.end()];
}
function fold(events: readonly StreamEvent[]) {
  const folded = createFold({ keepContent: true });
  for (const event of events) folded.push(event);
  return folded;
}

const message = (facts: Wire) => ({ delta: { message: facts } });
const start: Wire = {
  type: "message-start",
  id: "i",
  ...message({ role: "assistant", content: [], tool_plan: "", tool_calls: [], citations: [] }),
};
const open = (index: number, kind: string): Wire => ({
  type: "content-start",
  index,
  ...message({ content: { type: kind, [kind]: "" } }),
});
const delta = (index: number, kind: string, text: string): Wire => ({
  type: "content-delta",
  index,
  ...message({ content: { [kind]: text } }),
});
const end = (reason: string, more: Wire = {}): Wire => ({
  type: "message-end",
  delta: { finish_reason: reason, ...more },
});

describe("a Cohere v2 stream", () => {
  it("gives the events of an answer in order", () => {
    const usage = { tokens: { input_tokens: 5, output_tokens: 2 } };
    const frames = framesOf(
      start,
      open(0, "text"),
      delta(0, "text", "hé"),
      delta(0, "text", ""),
      { type: "content-end", index: 0 },
      end("COMPLETE", { usage }),
      "[DONE]",
    );
    expect(decode(chat, frames)).toEqual([
      { type: "response_start", id: "i" },
      { type: "choice_start", choice: 0, role: "assistant" },
      { type: "part_start", choice: 0, part: 0, value: { type: "text", content: "" } },
      { type: "part_delta", choice: 0, part: 0, text: "hé" },
      { type: "part_end", choice: 0, part: 0 },
      { type: "usage", usage: { inputTokens: 5, outputTokens: 2, raw: usage } },
      { type: "choice_end", choice: 0, finishReason: { unified: "stop", raw: "COMPLETE" } },
      { type: "response_end" },
    ]);
  });

  it("numbers thinking, plan and calls as they come, though content and calls count apart on the wire", () => {
    const call = (index: number, id: string): Wire => ({
      type: "tool-call-start",
      index,
      ...message({ tool_calls: { id, type: "function", function: { name: "add", arguments: "" } } }),
    });
    const args = (index: number, text: string): Wire => ({
      type: "tool-call-delta",
      index,
      ...message({ tool_calls: { function: { arguments: text } } }),
    });
    const frames = framesOf(
      start,
      open(0, "thinking"),
      delta(0, "thinking", "hm"),
      { type: "tool-plan-delta", ...message({ tool_plan: "I " }) },
      { type: "tool-plan-delta", ...message({ tool_plan: "add" }) },
      call(0, "a"),
      args(0, '{"a"'),
      args(0, ":1}"),
      { type: "tool-call-end", index: 0 },
      call(1, "b"),
      { type: "tool-call-end", index: 1 },
      end("TOOL_CALL"),
    );
    expect(fold(decode(chat, frames)).result().choices).toEqual([
      {
        index: 0,
        message: {
          role: "assistant",
          parts: [
            { type: "reasoning", content: "hm" },
            { type: "reasoning", content: "I add", extensions: bag({ type: "tool_plan" }) },
            { type: "tool_call", id: "a", name: "add", arguments: { a: 1 } },
            { type: "tool_call", id: "b", name: "add", arguments: {} },
          ],
        },
        finishReason: { unified: "tool_call", raw: "TOOL_CALL" },
      },
    ]);
  });

  it("collects citations and logprobs as the whole answer lists them", () => {
    const citation = (index: number, text: string): Wire => ({
      type: "citation-start",
      index,
      ...message({ citations: { start: index, text } }),
    });
    const frames = framesOf(
      start,
      open(0, "text"),
      { ...delta(0, "text", "a"), logprobs: { token_ids: [1] } },
      { ...delta(0, "text", "b"), logprobs: { token_ids: [2] } },
      citation(0, "a"),
      { type: "citation-end", index: 0 },
      citation(1, "b"),
      end("COMPLETE"),
    );
    const { choices, extensions } = fold(decode(chat, frames)).result();
    expect(choices[0]?.message.extensions).toEqual(
      bag({
        citations: [
          { start: 0, text: "a" },
          { start: 1, text: "b" },
        ],
      }),
    );
    expect(extensions).toEqual(bag({ logprobs: [{ token_ids: [1] }, { token_ids: [2] }] }));
  });

  it("starts a block itself where the wire never did, and one more where the kind changes", () => {
    const frames = framesOf(start, delta(0, "thinking", "h"), delta(0, "text", "a"), delta(0, "text", "b"));
    expect(fold(decode(chat, frames)).result().choices[0]?.message.parts).toEqual([
      { type: "reasoning", content: "h" },
      { type: "text", content: "ab" },
    ]);
  });

  it("keeps what already stands in message-start", () => {
    const whole = { role: "assistant", content: [{ type: "text", text: "a" }], citations: [{ start: 0 }] };
    const [choice] = fold(decode(chat, framesOf({ ...start, ...message(whole) }))).result().choices;
    expect(choice?.message).toEqual({
      role: "assistant",
      parts: [{ type: "text", content: "a" }],
      extensions: bag({ citations: [{ start: 0 }] }),
    });
  });

  it.each([
    { more: { error: "out of luck" }, text: "out of luck" },
    { more: {}, text: "the provider ended the stream with an error it did not describe" },
  ])("that ends with ERROR and $more is an error with its usage, and no good end", ({ more, text }) => {
    const usage = { tokens: { input_tokens: 5 } };
    const folded = fold(decode(chat, framesOf(start, end("ERROR", { ...more, usage }))));
    expect(folded.error).toEqual({ type: "ERROR", message: text });
    expect(folded.ended).toBe(false);
    expect(folded.usage?.inputTokens).toBe(5);
    expect(folded.result().choices[0]?.finishReason).toEqual({ unified: "error", raw: "ERROR" });
  });

  it("without message-end has no end", () => {
    expect(fold(decode(chat, framesOf(start, "[DONE]"))).ended).toBe(false);
  });

  it.each([
    { frame: { type: "surprise", secret: "x" }, name: "surprise" },
    { frame: { type: "content-delta", index: 0 }, name: "content-delta" },
    { frame: { type: "tool-call-delta", index: 3, ...message({ tool_calls: {} }) }, name: "tool-call-delta" },
    { frame: { type: "content-end", index: 9 }, name: "content-end" },
    { frame: { type: "t".repeat(99) }, name: "t".repeat(64) },
    { frame: "no json", name: "unreadable" },
    { frame: "7", name: "unreadable" },
    { frame: {}, name: "unnamed" },
  ])("counts $frame as unrecognized, by its name alone", ({ frame, name }) => {
    expect(decode(chat, framesOf(frame))).toEqual([{ type: "unrecognized", name }]);
  });

  it("never throws, whatever the types", () => {
    const types = [
      "message-start",
      "content-start",
      "content-delta",
      "content-end",
      "tool-plan-delta",
      "tool-call-start",
    ];
    types.push("tool-call-delta", "tool-call-end", "citation-start", "citation-end", "message-end", "debug");
    for (const value of [null, 7, "x", true, [], {}, [null], { function: 7 }, { type: "text", text: 7 }]) {
      const frames = types.flatMap((type) =>
        framesOf(
          { type, index: value, delta: value },
          { type, index: 0, ...message({ content: value, tool_calls: value, tool_plan: value, citations: value }) },
          { type, delta: { finish_reason: value, usage: value, error: value } },
        ),
      );
      expect(() => fold(decode(chat, frames)).result()).not.toThrow();
    }
  });
});

describe("a Cohere v1 stream", () => {
  const response = {
    response_id: "r",
    generation_id: "g",
    text: "ab",
    finish_reason: "COMPLETE",
    citations: [{ start: 0 }],
    meta: { billed_units: { input_tokens: 1 }, tokens: { input_tokens: 5, output_tokens: 2 } },
  };
  const older: Wire[] = [
    { is_finished: false, event_type: "stream-start", generation_id: "g" },
    { is_finished: false, event_type: "text-generation", text: "a" },
    { is_finished: false, event_type: "text-generation", text: "b" },
    { is_finished: false, event_type: "citation-generation", citations: [{ start: 0 }] },
    { is_finished: true, event_type: "stream-end", finish_reason: "COMPLETE", response },
  ];
  const olderChat = call("/v1/chat");
  const generate = call("/v1/generate");

  it("folds to the whole answer that its last event carries, as lines and as server-sent events", () => {
    for (const frames of [linesOf(...older), framesOf(...older)]) {
      const folded = fold(decode(olderChat, frames));
      expect(folded.result()).toEqual(cohereChat.decodeResponse(response, olderChat));
      expect(folded.ended).toBe(true);
      expect(folded.unrecognizedEvents).toBe(0);
      expect(folded.outputCharacters).toBe(2);
    }
  });

  it("takes tool calls from the last event", () => {
    const calls = [{ name: "add", parameters: { a: 1 } }];
    const frames = linesOf(
      { event_type: "tool-calls-generation", tool_calls: calls },
      { event_type: "stream-end", finish_reason: "COMPLETE", response: { text: "", tool_calls: calls } },
    );
    expect(fold(decode(olderChat, frames)).result().choices[0]).toMatchObject({
      message: { parts: [{ type: "tool_call", name: "add", arguments: { a: 1 } }] },
      finishReason: { unified: "tool_call", raw: "COMPLETE" },
    });
  });

  it("of generate may name no event, and has several choices", () => {
    const frames = linesOf(
      { index: 0, text: "a", is_finished: false },
      { index: 1, text: "x", is_finished: false },
      { index: 0, text: "b", is_finished: false },
      {
        is_finished: true,
        finish_reason: "MAX_TOKENS",
        response: {
          id: "i",
          generations: [
            { id: "1", text: "ab" },
            { id: "2", text: "x" },
          ],
          prompt: "p",
        },
      },
    );
    const folded = fold(decode(generate, frames));
    expect(folded.ended).toBe(true);
    const whole = {
      id: "i",
      prompt: "p",
      generations: [
        { id: "1", text: "ab" },
        { id: "2", text: "x" },
      ],
    };
    for (const generation of whole.generations) Object.assign(generation, { finish_reason: "MAX_TOKENS" });
    expect(folded.result()).toEqual(cohereChat.decodeResponse(whole, generate));
  });

  it.each([
    { line: { event_type: "stream-error", err: "gone" }, text: "gone" },
    { line: { event_type: "stream-end", is_finished: true, finish_reason: "ERROR" }, text: /did not describe/ },
    { line: { message: "rate limited" }, text: "rate limited" },
  ])("takes $line for an error, not for its end", ({ line, text }) => {
    const folded = fold(decode(olderChat, linesOf(line)));
    expect(folded.error?.message).toMatch(text);
    expect(folded.ended).toBe(false);
  });

  it("counts what it does not know, and never throws", () => {
    expect(decode(olderChat, linesOf({ event_type: "surprise" }, {}))).toEqual([
      { type: "unrecognized", name: "surprise" },
      { type: "unrecognized", name: "unnamed" },
    ]);
    for (const value of [
      null,
      7,
      "x",
      [],
      {},
      [null],
      { generations: [null] },
      { text: 7, meta: 7, tool_calls: [{}] },
    ]) {
      const lines = ["text-generation", "stream-end", "stream-error"].map((event_type) => ({
        event_type,
        text: value,
        index: value,
        response: value,
        finish_reason: value,
      }));
      for (const operation of [olderChat, generate]) {
        expect(() => fold(decode(operation, linesOf(...lines))).result()).not.toThrow();
      }
    }
  });
});
