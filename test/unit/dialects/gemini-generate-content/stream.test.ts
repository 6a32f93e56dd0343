import { describe, expect, it } from "vitest";
import { createFold, type StreamEvent } from "../../../../src/canonical/index.ts";
import type { Frame, Operation } from "../../../../src/dialects/dialect.ts";
import { createSseDecoder } from "../../../../src/dialects/framing/sse.ts";
import { geminiGenerateContent } from "../../../../src/dialects/gemini-generate-content/index.ts";
import { readRepeated } from "../../../support/repeated-frame.ts";
import { decodeEvents, foldEvents } from "../../../support/stream-decoding.ts";

type Wire = Record<string, unknown>;

function find(): Operation {
  const operation = geminiGenerateContent.match("POST", "/v1beta/models/m:streamGenerateContent");
  if (operation === undefined) throw new Error("no such call");
  return operation;
}

const bag = (facts: Wire) => ({ extensions: { "gemini-generate-content": facts } });
const decodeText = (text: string): StreamEvent[] =>
  decodeEvents(geminiGenerateContent.eventDecoder(find()), [Buffer.from(text)]);
const decode = (...chunks: unknown[]): StreamEvent[] =>
  decodeText(chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\r\n\r\n`).join(""));
const chunk = (parts: unknown[], facts: Wire = {}) => ({
  candidates: [{ content: { role: "model", parts }, ...facts }],
});
const partsOf = (...chunks: unknown[]) => foldEvents(decode(...chunks)).choices[0]?.message.parts;

describe("a stream", () => {
  it("tells its parts as they come, and its end when the wire ends", () => {
    const usageMetadata = { promptTokenCount: 2, candidatesTokenCount: 3 };
    expect(
      decode(
        { ...chunk([{ text: "a" }]), responseId: "r", modelVersion: "v" },
        { ...chunk([{ text: "b" }], { finishReason: "STOP" }), responseId: "r", modelVersion: "v", usageMetadata },
      ),
    ).toEqual([
      { type: "response_start", id: "r", model: "v" },
      { type: "choice_start", choice: 0, role: "assistant" },
      { type: "part_start", choice: 0, part: 0, value: { type: "text", content: "a" } },
      { type: "part_delta", choice: 0, part: 0, text: "b" },
      { type: "usage", usage: { inputTokens: 2, outputTokens: 3, raw: usageMetadata } },
      { type: "part_end", choice: 0, part: 0 },
      { type: "choice_end", choice: 0, finishReason: { unified: "stop", raw: "STOP" } },
      { type: "response_end" },
    ]);
  });

  it("that breaks off has no end", () => {
    const events = decode(chunk([{ text: "a" }]));
    expect(events.map(({ type }) => type)).toEqual(["response_start", "choice_start", "part_start", "part_end"]);
    const two = decode(chunk([{ text: "a" }], { finishReason: "STOP" }), { candidates: [{ index: 1, content: {} }] });
    expect(two.map(({ type }) => type)).not.toContain("response_end");
    expect(decode().map(({ type }) => type)).toEqual([]);
  });

  it("joins texts of one kind across chunks, not inside one", () => {
    const thought = (text: string) => ({ text, thought: true });
    expect(
      partsOf(chunk([thought("a")]), chunk([thought("b"), { text: "c" }]), chunk([{ text: "d" }, { text: "e" }])),
    ).toEqual([
      { type: "reasoning", content: "ab" },
      { type: "text", content: "cd" },
      { type: "text", content: "e" },
    ]);
  });

  it("gives a signature to the text that it comes with or after, and never two to one part", () => {
    const signed = (text: string, thoughtSignature: string) => ({ text, thoughtSignature });
    expect(partsOf(chunk([signed("a", "1")]), chunk([{ text: "b" }]), chunk([signed("", "2")]))).toEqual([
      { type: "text", content: "ab", ...bag({ thoughtSignature: "1" }) },
      { type: "text", content: "", ...bag({ thoughtSignature: "2" }) },
    ]);
    expect(partsOf(chunk([{ text: "a" }]), chunk([signed("", "1")]))).toEqual([
      { type: "text", content: "a", ...bag({ thoughtSignature: "1" }) },
    ]);
  });

  it("with a call ends as a tool call, also when the reason comes in a chunk of its own, or before the call", () => {
    const call = { functionCall: { id: "1", name: "f", args: { a: 1 } } };
    const stop = { finishReason: "STOP" };
    for (const chunks of [
      [chunk([call], stop)],
      [chunk([call]), chunk([{ text: "" }], stop)],
      [chunk([{ text: "x" }], stop), chunk([call])],
    ]) {
      const { choices } = foldEvents(decode(...chunks));
      expect(choices[0]?.finishReason).toEqual({ unified: "tool_call", raw: "STOP" });
      expect(choices[0]?.message.parts).toContainEqual({ type: "tool_call", id: "1", name: "f", arguments: { a: 1 } });
    }
    const cut = foldEvents(decode(chunk([call]), chunk([], { finishReason: "MAX_TOKENS" })));
    expect(cut.choices[0]?.finishReason).toEqual({ unified: "length", raw: "MAX_TOKENS" });
  });

  it("counts the last finish reason where every chunk has one", () => {
    const events = decode(chunk([{ text: "a" }], { finishReason: "STOP" }), chunk([], { finishReason: "RECITATION" }));
    expect(events.filter(({ type }) => type === "choice_end")).toEqual([
      { type: "choice_end", choice: 0, finishReason: { unified: "content_filter", raw: "RECITATION" } },
    ]);
  });

  it("keeps its candidates apart", () => {
    const { choices } = foldEvents(
      decode(
        { candidates: [{ content: { parts: [{ text: "a" }] } }, { index: 1, content: { parts: [{ text: "x" }] } }] },
        { candidates: [{ index: 1, content: { parts: [{ text: "y" }] }, finishReason: "MAX_TOKENS" }] },
        { candidates: [{ content: { parts: [{ text: "b" }] }, finishReason: "STOP" }] },
      ),
    );
    expect(choices.map(({ message, finishReason }) => [message.parts, finishReason?.unified])).toEqual([
      [[{ type: "text", content: "ab" }], "stop"],
      [[{ type: "text", content: "xy" }], "length"],
    ]);
  });

  it("restates facts: the last ones count, only log probabilities are added up", () => {
    const grounding = (...webSearchQueries: string[]) => ({ groundingMetadata: { webSearchQueries } });
    const logprobs = (token: string) => ({ logprobsResult: { chosenCandidates: [{ token }] } });
    const { choices, extensions } = foldEvents(
      decode(
        { ...chunk([{ text: "a" }], { ...grounding("q"), ...logprobs("a"), safetyRatings: [1] }), createTime: "t" },
        { ...chunk([{ text: "b" }], { groundingMetadata: {}, ...logprobs("b"), safetyRatings: [1] }), createTime: "t" },
        chunk([], { ...grounding("q", "r"), finishReason: "STOP" }),
      ),
    );
    expect(choices[0]?.extensions).toEqual(
      bag({
        logprobsResult: { chosenCandidates: [{ token: "a" }, { token: "b" }] },
        groundingMetadata: { webSearchQueries: ["q", "r"] },
        safetyRatings: [1],
      }).extensions,
    );
    expect(extensions).toEqual(bag({ createTime: "t" }).extensions);
  });

  it("restates its usage: field by field the last one counts, and what is not new is not told again", () => {
    const first = { trafficType: "ON_DEMAND" };
    const second = { promptTokenCount: 2, thoughtsTokenCount: 5 };
    const last = { promptTokenCount: 2, candidatesTokenCount: 3, serviceTier: "flex" };
    const events = decode(...[first, second, second, last].map((usageMetadata) => ({ ...chunk([]), usageMetadata })));
    expect(events.flatMap((event) => (event.type === "usage" ? [event.usage.raw] : []))).toEqual([
      first,
      { ...first, ...second },
      { ...first, ...second, ...last },
    ]);
    expect(foldEvents(events)).toMatchObject({
      usage: { inputTokens: 2, outputTokens: 8, reasoningTokens: 5 },
      serviceTier: "flex",
    });
  });

  it("to a refused prompt is one empty choice, filtered, and whole", () => {
    const promptFeedback = { blockReason: "SAFETY" };
    const events = decode({ promptFeedback, usageMetadata: { promptTokenCount: 2 } });
    expect(events.at(-1)).toEqual({ type: "response_end" });
    expect(foldEvents(events)).toMatchObject({
      choices: [{ message: { parts: [] }, finishReason: { unified: "content_filter", raw: "SAFETY" } }],
      ...bag({ promptFeedback }),
    });
  });

  it.each([
    ["an event", (error: Wire) => `data: ${JSON.stringify({ error })}\r\n\r\n`],
    ["an event with an array", (error: Wire) => `data: ${JSON.stringify([{ error }])}\n\n`],
    ["bare JSON over many lines", (error: Wire) => JSON.stringify({ error }, undefined, 2)],
    ["a bare array", (error: Wire) => `${JSON.stringify([{ error }], undefined, 2)}\n`],
  ])("fails by %s, and has no end then", (_how, write) => {
    const begun = `data: ${JSON.stringify(chunk([{ text: "a" }], { finishReason: "STOP" }))}\r\n\r\n`;
    const events = decodeText(begun + write({ code: 503, message: "full", status: "UNAVAILABLE" }));
    expect(events.filter(({ type }) => type === "error")).toEqual([
      {
        type: "error",
        error: { type: "UNAVAILABLE", message: "full", ...bag({ error: { code: 503 } }) },
      },
    ]);
    expect(events.map(({ type }) => type)).not.toContain("response_end");
  });

  it.each(["data: [DONE]\n\n", "data: {}\n\n", "data: 3\n\n", 'data: {"a":', "event: x\n\n", "data: null\n\n"])(
    "counts %j as unrecognized",
    (text) => {
      expect(decodeText(text)).toEqual([{ type: "unrecognized", name: "chunk" }]);
    },
  );

  it("takes comments for keep-alives", () => {
    expect(decodeText(": hi\n\n")).toEqual([{ type: "keepalive" }]);
  });

  it("of wrong types never throws", () => {
    const odd: unknown[] = [
      null,
      3,
      "x",
      true,
      [],
      {},
      [null],
      [[[]]],
      { __proto__: 1 },
      { functionCall: { willContinue: true } },
    ];
    const decoder = geminiGenerateContent.eventDecoder(find());
    let events = 0;
    for (const value of odd) {
      for (const shape of [
        { candidates: value },
        { candidates: [value] },
        { candidates: [{ content: value }] },
        { candidates: [{ content: { parts: value } }] },
        {
          candidates: [
            { content: { parts: [value, { functionCall: value }, { text: value }, { inlineData: value }] } },
          ],
        },
        { candidates: [{ finishReason: value, index: value, logprobsResult: value, groundingMetadata: value }] },
        { usageMetadata: value, promptFeedback: value, responseId: value, modelVersion: value },
        { error: value },
      ]) {
        const frame: Frame = { data: JSON.stringify(shape), raw: Buffer.alloc(0) };
        events += decoder.push(frame).length;
      }
    }
    expect(events + decoder.end().length).toBeGreaterThan(odd.length);
  });
});

describe("a call whose arguments come in pieces", () => {
  const piece = (functionCall: Wire, beside: Wire = {}) => chunk([{ functionCall, ...beside }]);
  const more = (jsonPath: string, value: Wire) => piece({ partialArgs: [{ jsonPath, ...value }], willContinue: true });

  it("is one call with all of them", () => {
    expect(
      partsOf(
        piece({ name: "f", id: "1", willContinue: true }, { thoughtSignature: "s" }),
        more("$.text", { stringValue: "Hel", willContinue: true }),
        more("$.text", { stringValue: "lo" }),
        more("$.list[0].deep", { numberValue: 1.5 }),
        more("$.list[1]", { boolValue: false }),
        more("$['any name']", { nullValue: null }),
        more("$.constructor.name", { stringValue: "x" }),
        piece({}),
        chunk([{ text: "done" }], { finishReason: "STOP" }),
      ),
    ).toEqual([
      {
        type: "tool_call",
        id: "1",
        name: "f",
        arguments: { text: "Hello", list: [{ deep: 1.5 }, false], "any name": null, constructor: { name: "x" } },
        ...bag({ thoughtSignature: "s" }),
      },
      { type: "text", content: "done" },
    ]);
  });

  it("ends where the next call begins, or the stream ends", () => {
    const events = decode(
      piece({ name: "f", willContinue: true }),
      more("$.a", { stringValue: "1" }),
      piece({ name: "g", willContinue: true }),
      chunk([], { finishReason: "STOP" }),
    );
    const { choices } = foldEvents(events);
    expect(choices[0]?.message.parts).toEqual([
      { type: "tool_call", name: "f", arguments: { a: "1" } },
      { type: "tool_call", name: "g", arguments: {} },
    ]);
    expect(choices[0]?.finishReason?.unified).toBe("tool_call");
    expect(events.filter(({ type }) => type === "part_end")).toHaveLength(2);
  });

  it("keeps a piece that would put a value into another one", () => {
    const wrong = ["$.a.b", "$.a[0]", "$.list.b", "$.list[2]", "$.none.b"];
    const [part] =
      partsOf(
        piece({ name: "f", willContinue: true }),
        more("$.a", { stringValue: "x" }),
        more("$.none", { nullValue: null }),
        more("$.list[0]", { numberValue: 1 }),
        ...wrong.map((jsonPath) => more(jsonPath, { numberValue: 2 })),
      ) ?? [];
    expect(part).toEqual({
      type: "tool_call",
      name: "f",
      arguments: { a: "x", none: null, list: [1] },
      ...bag({ partialArgs: wrong.map((jsonPath) => ({ jsonPath, numberValue: 2 })) }),
    });
  });

  it.each([
    "a",
    "$",
    "$.",
    "$[0]",
    "$.a[99999]",
    "$.a[0][1]",
    "$.__proto__.x",
    "$.a..b",
    3,
    undefined,
    `$${".a".repeat(100)}`,
  ])("keeps the piece at %j, which it cannot place", (jsonPath) => {
    const partialArgs = [{ ...(jsonPath === undefined ? {} : { jsonPath }), stringValue: "x" }];
    const [part] = partsOf(piece({ name: "f", willContinue: true }), piece({ partialArgs, willContinue: true })) ?? [];
    expect(part).toEqual({ type: "tool_call", name: "f", arguments: {}, ...bag({ partialArgs }) });
    expect(({} as Wire)["x"]).toBeUndefined();
  });
});

describe("a stream cut anywhere", () => {
  it("gives the same events", () => {
    const text = [chunk([{ text: "Grüße 😀" }]), chunk([{ functionCall: { name: "f" } }], { finishReason: "STOP" })]
      .map((item) => `data: ${JSON.stringify(item)}\r\n\r\n`)
      .join("");
    const bytes = Buffer.from(text);
    const whole = decodeText(text);
    for (let at = 1; at < bytes.length; at++) {
      const frames = createSseDecoder();
      const decoder = geminiGenerateContent.eventDecoder(find());
      const events = [frames.push(bytes.subarray(0, at)), frames.push(bytes.subarray(at)), frames.end()]
        .flat()
        .flatMap((frame) => decoder.push(frame));
      expect([...events, ...decoder.end()], `cut at ${at}`).toEqual(whole);
    }
  });
});

describe("a stream of whose content nothing is kept", () => {
  const usage = (candidatesTokenCount: number, more: Wire = {}) => ({
    usageMetadata: { promptTokenCount: 2, candidatesTokenCount, totalTokenCount: candidatesTokenCount + 2, ...more },
  });
  const read = (chunks: readonly unknown[]) => {
    const decoder = geminiGenerateContent.eventDecoder(find(), "facts");
    let repeated = 0;
    const events = chunks.flatMap((item) => {
      const data = JSON.stringify(item);
      const raw = Buffer.from(`data: ${data}\r\n\r\n`);
      const told = readRepeated(decoder, raw);
      if (told !== undefined) repeated += 1;
      return told ?? decoder.push({ data, raw });
    });
    return { events: [...events, ...decoder.end()], repeated };
  };

  it.each([
    {
      name: "a call between texts",
      parts: [{ text: "a" }, { functionCall: { id: "", name: "f", args: { a: 1 } } }, { text: "b" }],
    },
    {
      name: "a call without a name, with a text, in snake case",
      parts: [
        { functionCall: {} },
        { text: "a", functionCall: { name: "f" } },
        { function_call: { name: "g", args: [] } },
      ],
    },
    {
      name: "a call in pieces, broken off",
      parts: [
        { functionCall: { name: "f", willContinue: true } },
        { functionCall: { name: "g" } },
        { functionCall: { partialArgs: [{ jsonPath: "$.a", numberValue: 1 }], willContinue: true } },
      ],
    },
  ])("folds to the same as with all of it: $name", ({ parts }) => {
    const [facts, whole] = (["facts", "whole"] as const).map((detail) => {
      const decoder = geminiGenerateContent.eventDecoder(find(), detail);
      const fold = createFold({ keepContent: false });
      const candidates = [1, 0].map((index) => ({ index, content: { parts }, finishReason: "STOP" }));
      const data = JSON.stringify({ candidates });
      for (const event of [...decoder.push({ data, raw: Buffer.from(data) }), ...decoder.end()]) fold.push(event);
      return { ...fold, response: fold.result() };
    });
    expect(facts).toEqual(whole);
    expect(facts?.response.choices).toHaveLength(2);
  });

  it("tells the last counts, also of chunks that repeat the one before, once and before its end", () => {
    const chunks = ["a", "b", "c", "d", "e"].map((text, index) => ({ ...chunk([{ text }]), ...usage(index) }));
    const { events, repeated } = read([...chunks, { ...chunk([{ text: "f" }]), ...usage(9) }]);
    expect(repeated).toBe(4);
    expect(events.filter(({ type }) => type === "usage")).toEqual([
      { type: "usage", usage: { inputTokens: 2, outputTokens: 9, raw: usage(9).usageMetadata } },
    ]);
    const texts = events.flatMap((event) => (event.type === "part_delta" ? [event.text] : []));
    expect(texts.join("")).toBe("bcdef");
  });

  it("keeps what an earlier chunk alone stated", () => {
    const { events } = read([
      { ...chunk([{ text: "a" }]), ...usage(1, { thoughtsTokenCount: 4, serviceTier: "flex" }) },
      { ...chunk([{ text: "b" }]), ...usage(2, { thoughtsTokenCount: null }) },
    ]);
    expect(foldEvents(events)).toMatchObject({
      serviceTier: "flex",
      usage: { outputTokens: 6, reasoningTokens: 4 },
    });
  });

  it("begins a part with every further signature, also where the chunks are alike", () => {
    const signed = chunk([{ text: "c", thoughtSignature: "s" }]);
    const { events, repeated } = read([chunk([{ text: "a" }]), chunk([{ text: "b" }]), signed, signed, signed]);
    expect(repeated).toBe(0);
    const parts = foldEvents(events).choices[0]?.message.parts;
    expect(parts?.map((part) => "content" in part && part.content)).toEqual(["abc", "c", "c"]);
  });

  it("has the refused prompt's reason", () => {
    const { events } = read([{ promptFeedback: { blockReason: "SAFETY" } }]);
    expect(foldEvents(events).choices).toEqual([
      {
        index: 0,
        message: { role: "assistant", parts: [] },
        finishReason: { unified: "content_filter", raw: "SAFETY" },
      },
    ]);
  });
});
