import { describe, expect, it } from "vitest";
import type { AnswerDetail } from "../../../../src/dialects/dialect.ts";
import { notRepeated } from "../../../../src/dialects/framing/repetition.ts";
import { createStreamDecoder } from "../../../../src/dialects/openai-chat/stream.ts";
import { readRepeated } from "../../../support/repeated-frame.ts";

type Json = Record<string, unknown>;

const delta = (members: Json, more: Json = {}): Json => ({ id: "c", choices: [{ index: 0, delta: members, ...more }] });
const detail = (text: string): Json => ({ type: "reasoning.text", index: 0, text });
const piece = (call: Json): Json => delta({ tool_calls: [{ index: 0, function: call }] });
const toRaw = (chunk: Json): Buffer => Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`);

/** How many of the chunks were told from their bytes; the events are compared with those of a decoder that parses each. */
function countRepeated(chunks: readonly Json[], kind: AnswerDetail): number {
  const [short, long] = [createStreamDecoder(kind), createStreamDecoder(kind)];
  let repeated = 0;
  for (const chunk of chunks) {
    const frame = { data: JSON.stringify(chunk), raw: toRaw(chunk) };
    const told = readRepeated(short, frame.raw);
    if (told !== undefined) repeated += 1;
    expect(told ?? short.push(frame)).toEqual(long.push(frame));
  }
  expect(short.end()).toEqual(long.end());
  return repeated;
}

describe("chunks told from their bytes", () => {
  it.each<{ name: string; chunks: Json[]; whole: number; facts: number }>([
    {
      name: "texts from the one on that opens the part",
      chunks: ["a", "b", "", "c"].map((content) => delta({ content })),
      whole: 3,
      facts: 3,
    },
    {
      name: "seconds that pass, the last of which counts",
      chunks: [1, 2, 30].map((created) => ({ ...delta({ content: "a" }), created })),
      whole: 2,
      facts: 2,
    },
    {
      name: "seconds before the text, also where one has more digits",
      chunks: [9, 10, 11, 11, 10].map((created) => ({ created, ...delta({ content: "a" }) })),
      whole: 3,
      facts: 3,
    },
    {
      name: "seconds that are no whole number are no slot",
      chunks: [1.5, 1.5, 2.5].map((created) => ({ ...delta({ content: "a" }), created })),
      whole: 1,
      facts: 1,
    },
    {
      name: "chunks that say nothing, until one does",
      chunks: [
        delta({}),
        delta({}),
        delta({}),
        delta({}),
        delta({}, { finish_reason: "stop" }),
        delta({ content: "a" }),
      ],
      whole: 2,
      facts: 2,
    },
    {
      name: "arguments before the call's name are held, not lost",
      chunks: [piece({ arguments: "1" }), piece({ arguments: "1" }), piece({ arguments: "1" }), piece({ name: "f" })],
      whole: 0,
      facts: 0,
    },
    {
      name: "reasoning with its details beside it",
      chunks: ["a", "b", "", "c"].map((text) => delta({ reasoning: text, reasoning_details: [detail(text)] })),
      whole: 0,
      facts: 3,
    },
    {
      name: "details that speak alone",
      chunks: ["a", "b", "", "c"].map((text) => delta({ reasoning: "", reasoning_details: [detail(text)] })),
      whole: 0,
      facts: 3,
    },
    {
      name: "details that would begin to speak beside a text",
      chunks: ["", "", "b"].map((text) => delta({ content: "a", reasoning_details: [detail(text)] })),
      whole: 0,
      facts: 0,
    },
    {
      name: "details without text",
      chunks: [1, 1, 1].map(() => delta({ reasoning_details: [{ type: "reasoning.encrypted", index: 0, data: "x" }] })),
      whole: 0,
      facts: 0,
    },
    {
      name: "a list of one text",
      chunks: ["a", "b", "text"].map((text) => delta({ content: [{ type: "text", text }] })),
      whole: 2,
      facts: 2,
    },
    {
      name: "a list of one thought, whose first is extended",
      chunks: ["a", "b", "c"].map((text) =>
        delta({ content: [{ type: "thinking", thinking: [{ type: "text", text }] }] }),
      ),
      whole: 1,
      facts: 2,
    },
    {
      name: "legacy completions",
      chunks: ["a", "b", "", "c"].map((text) => ({ choices: [{ index: 0, text }] })),
      whole: 3,
      facts: 3,
    },
    {
      name: "a text and a whole message so far",
      chunks: ["a", "a", "ab"].map((content) => ({ choices: [{ index: 0, text: "a", message: { content } }] })),
      whole: 0,
      facts: 0,
    },
    {
      name: "a text beside the delta that it repeats, and the token's number",
      chunks: [1, 2, 3].map((token) => delta({ token_id: token, content: `${token}` }, { text: `${token}` })),
      whole: 0,
      facts: 2,
    },
    {
      name: "a text that is the member's own name",
      chunks: ["content", "b", "content"].map((content) => delta({ content })),
      whole: 2,
      facts: 2,
    },
    {
      name: "refusals",
      chunks: ["a", "b", "c"].map((refusal) => delta({ refusal })),
      whole: 2,
      facts: 2,
    },
    {
      name: "reasoning under two names",
      chunks: [
        delta({ reasoning_content: "a", reasoning: "a" }),
        delta({ reasoning_content: "", reasoning: "b" }),
        delta({ reasoning_content: "", reasoning: "c" }),
      ],
      whole: 1,
      facts: 1,
    },
    {
      name: "reasoning and a text in one",
      chunks: ["a", "b", "c"].map((text) => delta({ reasoning: text, content: text })),
      whole: 0,
      facts: 0,
    },
    {
      name: "probabilities",
      chunks: [1, 1, 1].map(() => delta({ content: "a" }, { logprobs: { refusal: null } })),
      whole: 0,
      facts: 2,
    },
  ])("$name", ({ chunks, whole, facts }) => {
    expect({ whole: countRepeated(chunks, "whole"), facts: countRepeated(chunks, "facts") }).toEqual({ whole, facts });
  });

  it("keeps the last second of those that passed", () => {
    const decoder = createStreamDecoder();
    for (const created of [1, 2]) {
      const chunk = { ...delta({ content: "a" }), created };
      const raw = toRaw(chunk);
      if (readRepeated(decoder, raw) === undefined) decoder.push({ data: JSON.stringify(chunk), raw });
    }
    expect(decoder.end()).toContainEqual({
      type: "response_start",
      id: "c",
      extensions: { "openai-chat": { created: 2 } },
    });
  });

  it("takes no name with a blank behind it for the only one", () => {
    const decoder = createStreamDecoder();
    const toFrame = (first: string) => {
      const data = `{"choices":[{"index":0,"delta":{"content":"${first}","content" :"a"}}]}`;
      return { data, raw: Buffer.from(`data: ${data}\n\n`) };
    };
    decoder.push(toFrame("a"));
    expect(readRepeated(decoder, toFrame("b").raw)).toBeUndefined();
  });

  it("are those of the same bytes, blanks included, where a steady second is all that may differ", () => {
    const toSilent = (created: number, model: string): Buffer =>
      toRaw({ id: "c", created, model, choices: [{ index: 0, delta: {}, finish_reason: null }] });
    const decoder = createStreamDecoder("facts");
    const first = toSilent(1, "m");
    const parse = (): unknown => decoder.push({ data: first.toString().slice("data: ".length).trim(), raw: first });
    // The first one opens the answer and is no model.
    parse();
    parse();
    expect(decoder.pushRepeated(first)).toBe(0);
    expect(decoder.pushRepeated(Buffer.concat([first, Buffer.from("  ")]))).toBe(notRepeated);
    parse();
    expect(decoder.pushRepeated(toSilent(2, "m  "))).toBe(notRepeated);
  });
});
