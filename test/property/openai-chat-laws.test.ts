// Laws 1, 2 and 5 of DESIGN §5 for openai-chat, over generated answers and arbitrary bytes. Rerun with OUTRIDER_SEED.
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openaiChat } from "../../src/dialects/openai-chat/index.ts";
import { createStreamDecoder } from "../../src/dialects/openai-chat/stream.ts";
import { createSseDecoder } from "../../src/dialects/framing/sse.ts";
import { cutAt, decodeEvents, decodeFrames, foldEvents } from "../support/stream-decoding.ts";

type Json = Record<string, unknown>;

const seed = Number(process.env["OUTRIDER_SEED"] ?? Date.now() % 2 ** 31);
console.log(`OUTRIDER_SEED=${seed}`);
const runs = (numRuns: number) => ({ seed, numRuns });

const chat = openaiChat.match("POST", "/v1/chat/completions");
if (chat === undefined) throw new Error("no operation");
const operation = chat;

/** A text and how the stream cuts it up. */
interface Cut {
  text: string;
  pieces: string[];
}

const cut: fc.Arbitrary<Cut> = fc
  .array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 5 })
  .map((pieces) => ({ text: pieces.join(""), pieces }));

/** JSON arguments, or what is none, cut into pieces of 3 characters. */
const argumentText = fc.oneof(
  fc
    .dictionary(fc.constantFrom("a", "b", "ключ"), fc.oneof(fc.integer(), fc.string()))
    .map((value) => JSON.stringify(value)),
  fc.constantFrom("", '{"a":', "not json", "[1,2]", "7"),
);
const inPieces = (text: string): string[] => text.match(/.{1,3}/gsu) ?? [];

interface Call {
  id: string;
  custom: boolean;
  name: string;
  text: string;
  signature: string | undefined;
}

const toolCall: fc.Arbitrary<Call> = fc.record({
  id: fc.uuid(),
  custom: fc.boolean(),
  name: fc.constantFrom("get_weather", "f", "search-web"),
  text: argumentText,
  signature: fc.option(fc.constant("sig=="), { nil: undefined }),
});

interface Answer {
  reasoningKey: "reasoning" | "reasoning_content";
  reasoning: Cut | undefined;
  hasDetails: boolean;
  content: Cut | undefined;
  refusal: Cut | undefined;
  annotations: number[];
  tokens: string[];
  calls: Call[];
  finishReason: string | null;
}

const optionalCut = fc.option(cut, { nil: undefined });
const answer: fc.Arbitrary<Answer> = fc.record({
  reasoningKey: fc.constantFrom("reasoning" as const, "reasoning_content" as const),
  reasoning: optionalCut,
  hasDetails: fc.boolean(),
  content: optionalCut,
  refusal: optionalCut,
  annotations: fc.array(fc.nat(), { maxLength: 3 }),
  tokens: fc.array(fc.string(), { maxLength: 3 }),
  calls: fc.array(toolCall, { maxLength: 3 }),
  finishReason: fc.constantFrom("stop", "length", "tool_calls", "content_filter", "eos", null),
});

const head = fc.record(
  {
    id: fc.string({ minLength: 1 }),
    created: fc.nat(),
    model: fc.string({ minLength: 1 }),
    service_tier: fc.constantFrom("default", "flex"),
    system_fingerprint: fc.string({ minLength: 1 }),
    citations: fc.array(fc.webUrl(), { maxLength: 2 }),
  },
  { requiredKeys: ["id", "model"] },
);

const usage = fc.record(
  {
    prompt_tokens: fc.nat(),
    completion_tokens: fc.nat(),
    total_tokens: fc.nat(),
    prompt_tokens_details: fc.record({ cached_tokens: fc.nat() }),
    completion_tokens_details: fc.record({ reasoning_tokens: fc.nat() }),
  },
  { requiredKeys: ["prompt_tokens"] },
);

const details = (text: string): Json[] => [{ type: "reasoning.text", text, index: 0, format: "f" }];
const callKind = ({ custom }: Call) => (custom ? "custom" : "function");
const textKey = ({ custom }: Call) => (custom ? "input" : "arguments");
const signed = ({ signature }: Call): Json => (signature === undefined ? {} : { extra_content: { signature } });

function wholeChoice(index: number, one: Answer): Json {
  return {
    index,
    message: {
      role: "assistant",
      content: one.content?.text ?? null,
      ...(one.reasoning === undefined ? {} : { [one.reasoningKey]: one.reasoning.text }),
      ...(one.reasoning !== undefined && one.hasDetails ? { reasoning_details: details(one.reasoning.text) } : {}),
      refusal: one.refusal?.text ?? null,
      ...(one.annotations.length === 0 ? {} : { annotations: one.annotations }),
      ...(one.calls.length === 0
        ? {}
        : {
            tool_calls: one.calls.map((call) => ({
              id: call.id,
              type: callKind(call),
              [callKind(call)]: { name: call.name, [textKey(call)]: call.text },
              ...signed(call),
            })),
          }),
    },
    logprobs: one.tokens.length === 0 ? null : { content: one.tokens.map((token) => ({ token })) },
    finish_reason: one.finishReason,
  };
}

/** The choice's deltas in wire order: the kinds one after the other, the pieces of its tool calls interleaved. */
function choiceDeltas(index: number, one: Answer): Json[] {
  const chunk = (delta: Json, more: Json = {}): Json => ({
    index,
    delta,
    logprobs: null,
    finish_reason: null,
    ...more,
  });
  const chunks = [chunk({ role: "assistant", content: "" })];
  for (const piece of one.reasoning?.pieces ?? []) {
    chunks.push(chunk({ [one.reasoningKey]: piece, ...(one.hasDetails ? { reasoning_details: details(piece) } : {}) }));
  }
  for (const piece of one.content?.pieces ?? []) chunks.push(chunk({ content: piece }));
  for (const piece of one.refusal?.pieces ?? []) chunks.push(chunk({ refusal: piece }));
  for (const annotation of one.annotations) chunks.push(chunk({ annotations: [annotation] }));
  for (const token of one.tokens) chunks.push(chunk({}, { logprobs: { content: [{ token }] } }));
  const starts = one.calls.map((call, position) =>
    chunk({
      tool_calls: [
        {
          index: position,
          id: call.id,
          type: callKind(call),
          [callKind(call)]: { name: call.name, [textKey(call)]: "" },
          ...signed(call),
        },
      ],
    }),
  );
  const texts = one.calls.map((call) => inPieces(call.text));
  const rounds = Math.max(0, ...texts.map((pieces) => pieces.length));
  const fragments = Array.from({ length: rounds }, (_, round) =>
    one.calls.flatMap((call, position) => {
      const piece = texts[position]?.[round];
      return piece === undefined
        ? []
        : [chunk({ tool_calls: [{ index: position, [callKind(call)]: { [textKey(call)]: piece } }] })];
    }),
  ).flat();
  chunks.push(...starts, ...fragments, chunk({}, { finish_reason: one.finishReason }));
  return chunks;
}

/** Chunks of several choices, one of each in turn. */
function interleave(lists: Json[][]): Json[] {
  const longest = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, position) =>
    lists.flatMap((list) => list.slice(position, position + 1)),
  ).flat();
}

const lineEnd = fc.constantFrom("\n", "\r\n");

function streamText(facts: Json, answers: Answer[], used: Json | undefined, usageAlone: boolean, eol: string): string {
  const choices = interleave(answers.map((one, index) => choiceDeltas(index, one)));
  const chunks: Json[] = choices.map((choice) => ({
    ...facts,
    object: "chat.completion.chunk",
    choices: [choice],
    usage: null,
  }));
  const last = chunks.at(-1);
  if (used !== undefined && !usageAlone && last !== undefined) last["usage"] = used;
  if (used !== undefined && usageAlone) chunks.push({ ...facts, choices: [], usage: used });
  return [...chunks.map((chunk) => JSON.stringify(chunk)), "[DONE]"]
    .map((data) => `data: ${data}${eol}${eol}`)
    .join("");
}

describe("laws of openai-chat", () => {
  it("law 1: any chunking of the bytes gives the same events", () => {
    fc.assert(
      fc.property(
        head,
        fc.array(answer, { minLength: 1, maxLength: 2 }),
        lineEnd,
        fc.array(fc.nat(), { maxLength: 40 }),
        (facts, answers, eol, cuts) => {
          const bytes = Buffer.from(`: hi${eol}${eol}${streamText(facts, answers, undefined, false, eol)}`);
          const offsets = cuts.map((offset) => offset % bytes.length);
          expect(decodeEvents(createStreamDecoder(), cutAt(bytes, offsets))).toEqual(
            decodeEvents(createStreamDecoder(), [bytes]),
          );
        },
      ),
      runs(300),
    );
  });

  it("law 1 for framing: any bytes at all, in any chunks, give the same frames and lose none", () => {
    const bits = fc.constantFrom("\n", "\r", "data: x", "data", "event: y", ": c", "\uFEFF", "é😀", "id:1", "\u0000");
    fc.assert(
      fc.property(fc.array(bits, { maxLength: 30 }), fc.array(fc.nat(), { maxLength: 10 }), (texts, cuts) => {
        const bytes = Buffer.from(texts.join(""));
        const whole = decodeFrames([bytes]);
        const offsets = bytes.length === 0 ? [] : cuts.map((offset) => offset % bytes.length);
        expect(decodeFrames(cutAt(bytes, offsets))).toEqual(whole);
        expect(Buffer.concat(whole.map((frame) => frame.raw)).equals(bytes)).toBe(true);
      }),
      runs(1000),
    );
  });

  it("law 2: folding a stream gives what decoding its whole twin gives", () => {
    fc.assert(
      fc.property(
        head,
        fc.array(answer, { minLength: 1, maxLength: 3 }),
        fc.option(usage, { nil: undefined }),
        fc.boolean(),
        lineEnd,
        (facts, answers, used, usageAlone, eol) => {
          const whole = openaiChat.decodeResponse(
            {
              ...facts,
              object: "chat.completion",
              choices: answers.map((one, index) => wholeChoice(index, one)),
              ...(used === undefined ? {} : { usage: used }),
            },
            operation,
          );
          const bytes = Buffer.from(streamText(facts, answers, used, usageAlone, eol));
          expect(foldEvents(decodeEvents(createStreamDecoder(), [bytes]))).toEqual(whole);
        },
      ),
      runs(500),
    );
  });

  it("law 5: nothing a server sends makes the decoder throw", () => {
    const word = fc.constantFrom(
      "choices",
      "delta",
      "message",
      "content",
      "tool_calls",
      "function",
      "usage",
      "error",
      "index",
      "id",
      "logprobs",
      "x_groq",
      "reasoning_details",
      "audio",
      "text",
    );
    const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 6 },
        fc.constantFrom<unknown>(null, "", "x", 0, -1, true, "stop"),
        fc.array(tie("tree"), { maxLength: 3 }),
        fc.dictionary(word, tie("tree"), { maxKeys: 5 }),
      ),
    }));
    const line = fc.oneof(
      tree.map((value) => JSON.stringify(value)),
      fc.string(),
      fc.constantFrom("[DONE]", "{", ""),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
        const bytes = Buffer.from(lines.map((data) => `data: ${data}\n\n`).join(""));
        const events = decodeEvents(createStreamDecoder(), [bytes]);
        expect(() => foldEvents(events)).not.toThrow();
      }),
      runs(1000),
    );
    fc.assert(
      fc.property(tree, (value) => {
        const body = (typeof value === "object" && value !== null && !Array.isArray(value) ? value : {}) as Json;
        openaiChat.decodeResponse(body, operation);
        openaiChat.decodeRequest(body, operation);
        openaiChat.decodeError(value);
      }),
      runs(1000),
    );
  });

  it("law 5: an overflowing stream stops and never throws", () => {
    const decoder = createSseDecoder({ maxEventBytes: 64 });
    for (let count = 0; count < 100; count++) decoder.push(Buffer.alloc(10, "x"));
    expect(decoder.overflowed).toBe(true);
  });
});
