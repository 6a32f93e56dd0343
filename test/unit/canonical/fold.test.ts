import { describe, expect, it } from "vitest";
import { createFold, parseArguments, type StreamEvent } from "../../../src/canonical/index.ts";

function foldAll(events: StreamEvent[], keepContent = true) {
  const fold = createFold({ keepContent });
  for (const event of events) fold.push(event);
  return fold;
}

describe("fold", () => {
  it("adds deltas up into the parts they belong to, choices in index order", () => {
    const fold = foldAll([
      { type: "response_start", id: "r1", model: "m" },
      { type: "choice_start", choice: 1, role: "assistant" },
      { type: "choice_start", choice: 0, role: "assistant" },
      { type: "part_start", choice: 0, part: 0, value: { type: "text", content: "He" } },
      { type: "part_start", choice: 1, part: 0, value: { type: "reasoning", content: "" } },
      { type: "part_delta", choice: 0, part: 0, text: "llo" },
      { type: "part_delta", choice: 1, part: 0, text: "hm" },
      { type: "choice_end", choice: 0, finishReason: { unified: "stop", raw: "stop" } },
      { type: "response_end" },
    ]);
    expect(fold.result()).toEqual({
      id: "r1",
      model: "m",
      choices: [
        {
          index: 0,
          message: { role: "assistant", parts: [{ type: "text", content: "Hello" }] },
          finishReason: { unified: "stop", raw: "stop" },
        },
        { index: 1, message: { role: "assistant", parts: [{ type: "reasoning", content: "hm" }] } },
      ],
    });
    expect(fold.ended).toBe(true);
    expect(fold.outputCharacters).toBe(7);
  });

  it.each([
    { deltas: ['{"a"', ":1}"], start: undefined, expected: { a: 1 } },
    { deltas: [], start: undefined, expected: {} },
    { deltas: [""], start: undefined, expected: {} },
    { deltas: ['{"a":'], start: undefined, expected: '{"a":' },
    { deltas: ['{"b":2}'], start: {}, expected: { b: 2 } },
    { deltas: [], start: { c: 3 }, expected: { c: 3 } },
    { deltas: ["4", "2"], start: "", expected: "42" },
  ])("gives the arguments $expected for deltas $deltas after a start with $start", ({ deltas, start, expected }) => {
    const fold = foldAll([
      {
        type: "part_start",
        choice: 0,
        part: 0,
        value: { type: "tool_call", id: "c", name: "f", ...(start === undefined ? {} : { arguments: start }) },
      },
      ...deltas.map((text): StreamEvent => ({ type: "part_delta", choice: 0, part: 0, text })),
    ]);
    expect(fold.result().choices[0]?.message.parts).toEqual([
      { type: "tool_call", id: "c", name: "f", arguments: expected },
    ]);
  });

  it("keeps no text and no extensions without keepContent, but counts and keeps kinds, names and ids", () => {
    const secret = "s3cret words";
    const fold = foldAll(
      [
        { type: "response_start", id: "r", extensions: { d: { citations: [secret] } } },
        {
          type: "part_start",
          choice: 0,
          part: 0,
          value: { type: "text", content: secret, extensions: { d: { secret } } },
        },
        { type: "part_delta", choice: 0, part: 0, text: secret },
        { type: "part_extend", choice: 0, part: 0, extensions: { d: { secret } } },
        {
          type: "part_start",
          choice: 0,
          part: 1,
          value: { type: "tool_call", id: "c", name: "f", arguments: { secret } },
        },
        { type: "part_delta", choice: 0, part: 1, text: secret },
        { type: "part_start", choice: 0, part: 2, value: { type: "blob", modality: "audio", content: secret } },
        {
          type: "part_start",
          choice: 0,
          part: 3,
          value: { type: "tool_call_response", response: secret },
        },
        { type: "message_extend", choice: 0, extensions: { d: { secret } } },
        { type: "choice_extend", choice: 0, extensions: { d: { secret } } },
      ],
      false,
    );
    const result = fold.result();
    expect(JSON.stringify(result)).not.toContain("s3cret");
    expect(result.choices[0]?.message.parts).toEqual([
      { type: "text", content: "" },
      { type: "tool_call", id: "c", name: "f" },
      { type: "blob", modality: "audio", content: "" },
      { type: "generic", generic_type: "tool_call_response" },
    ]);
    expect(fold.outputCharacters).toBe(secret.length * 3 + JSON.stringify({ secret }).length);
  });

  it("merges extensions without writing to what the events brought", () => {
    const first = { d: { list: [1], object: { a: 1 } } };
    const value = { type: "text" as const, content: "", extensions: { d: { list: [0] } } };
    const fold = foldAll([
      { type: "part_start", choice: 0, part: 0, value },
      { type: "part_extend", choice: 0, part: 0, extensions: first },
      { type: "part_extend", choice: 0, part: 0, extensions: { d: { list: [2], object: { b: null }, word: "x" } } },
      { type: "part_extend", choice: 0, part: 0, extensions: { d: { object: { a: null }, word: "y" } } },
    ]);
    expect(fold.result().choices[0]?.message.parts[0]?.extensions).toEqual({
      d: { list: [0, 1, 2], object: { a: 1, b: null }, word: "y" },
    });
    expect(first).toEqual({ d: { list: [1], object: { a: 1 } } });
    expect(value.extensions).toEqual({ d: { list: [0] } });
  });

  it("lets no member of a provider's JSON reach Object.prototype", () => {
    const hostile = JSON.parse('{"d":{"__proto__":{"polluted":true}}}') as Record<string, Record<string, unknown>>;
    foldAll([
      { type: "choice_extend", choice: 0, extensions: hostile },
      { type: "choice_extend", choice: 0, extensions: hostile },
    ]).result();
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  it("states the last usage, the error and how many events were unrecognized", () => {
    const fold = foldAll([
      { type: "usage", usage: { inputTokens: 1 } },
      { type: "usage", usage: { inputTokens: 1, outputTokens: 2 } },
      { type: "unrecognized", name: "x" },
      { type: "error", error: { message: "no" } },
      { type: "keepalive" },
    ]);
    expect(fold.usage).toEqual({ inputTokens: 1, outputTokens: 2 });
    expect(fold.error).toEqual({ message: "no" });
    expect(fold.unrecognizedEvents).toBe(1);
    expect(fold.ended).toBe(false);
  });

  it("puts parts in the order of their numbers, whatever order they come in", () => {
    const fold = createFold({ keepContent: true });
    for (const part of [4, 1, 3, 0, 1, 4]) fold.push({ type: "part_delta", choice: 2, part, text: String(part) });
    fold.push({ type: "part_delta", choice: 0, part: 0, text: "first" });
    const texts = fold
      .result()
      .choices.map(({ message }) => message.parts.map((part) => "content" in part && part.content));
    expect(texts).toEqual([["first"], ["0", "11", "3", "44"]]);
  });

  it("survives deltas for parts that never started", () => {
    const fold = foldAll([{ type: "part_delta", choice: 3, part: 7, text: "x" }]);
    expect(fold.result().choices).toEqual([
      { index: 3, message: { role: "assistant", parts: [{ type: "text", content: "x" }] } },
    ]);
  });
});

describe("parseArguments", () => {
  it("gives {} for blanks and the text itself for what is no JSON", () => {
    expect(parseArguments(" \n")).toEqual({});
    expect(parseArguments("[1]")).toEqual([1]);
    expect(parseArguments("{oops")).toBe("{oops");
  });
});
