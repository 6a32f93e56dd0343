// Answers of embeddings without their numbers: the same JSON but for long lists of numbers, and the same facts. Generated JSON has strings full of
// brackets, quotes and escapes, and comes broken too. Rerun with OUTRIDER_SEED.
import { isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";
import { type Dialect, elideVectors, findDialect, matchDialect, type Operation } from "../../src/dialects/index.ts";
import type { Observation } from "../../src/proxy/observer.ts";
import { observeAnswer } from "../support/answer-observer.ts";
import { createRandom, type Random } from "../support/random.ts";
import { loadRecordings, responseBytes } from "../support/recordings.ts";

const seed = Number(process.env["OUTRIDER_SEED"] ?? Date.now() % 2 ** 31);
console.log(`OUTRIDER_SEED=${seed}`);
const cases = 1500;

/** JSON as text; undefined where it is none. */
function parse(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** How many lists of numbers were left out; undefined where anything else differs. */
function countElided(whole: unknown, elided: unknown): number | undefined {
  let count = 0;
  const agrees = (one: unknown, other: unknown): boolean => {
    if (Array.isArray(one) && !Array.isArray(other)) {
      const isList = one.length > 0 && one.every((item) => typeof item === "number");
      const isLength = other === null || isDeepStrictEqual(other, { numbers: one.length });
      count += 1;
      return isList && isLength;
    }
    if (typeof one !== "object" || one === null || typeof other !== "object" || other === null) {
      return Object.is(one, other);
    }
    const [ones, others] = [Object.entries(one), Object.entries(other)];
    return (
      ones.length === others.length &&
      ones.every(([key, value], index) => key === others[index]?.[0] && agrees(value, others[index][1]))
    );
  };
  return agrees(whole, elided) ? count : undefined;
}

/** A vector in a text; it may follow a quote that ends nothing. */
const quoted = `[${"1,".repeat(60)}1]`;

const characters = [
  "[",
  "]",
  "{",
  "}",
  '\\"',
  "\\\\",
  "\\n",
  "\\u005b",
  "\\u0022",
  ",",
  ":",
  "1",
  "0.5",
  "é",
  "😀",
  "a",
  "null",
  quoted,
  quoted,
];
const numbers = ["0", "-1", "0.25", "-3.5e-7", "1E+3", "12345678"];
const others = ["null", "true", "false", '"["', '"8"', '"]"', "{}", "[]", "[1]"];
const blanks = ["", "", "", " ", "\n", "\r\n\t "];

/** What may come into the text where it is no list. */
const scraps = ['"', "\\", "[", "]", "{", "}", ",", ":", "1", "-", " ", "null", "[1,2]", '"a"'];

/** The text in pieces, lists of numbers alone in theirs. */
function generate(random: Random): string[] {
  const pieces: string[] = [];
  const list = (length: number, items: () => string): string[] => Array.from({ length }, items);
  const blank = (): string => random.pick(blanks);
  const string = (): string => `"${list(random.integer(5), () => random.pick(characters)).join("")}"`;
  // V8 13.6 may parse a name `\n` as the name `\` that an earlier object had in the same place; so names here have no backslash.
  const name = (): string => string().replaceAll("\\\\", "");
  const value = (depth: number): void => {
    const kind = random.integer(depth > 4 ? 4 : 7);
    if (kind === 0) pieces.push(string());
    else if (kind === 1) pieces.push(random.pick([...numbers, ...others]));
    else if (kind < 4) {
      const gap = `,${blank()}`;
      const items = list(random.integer(60), () => random.pick(numbers));
      pieces.push("", `[${blank()}${items.join(gap)}${blank()}]`);
      if (items.length > 0 && random.integer(4) === 0) {
        items[random.integer(items.length)] = random.pick(others);
        pieces.splice(-2, 2, `[${items.join(gap)}]`);
      }
    } else if (kind === 4) {
      pieces.push("[");
      for (let left = random.integer(4); left >= 0; left -= 1) {
        value(depth + 1);
        pieces.push(left === 0 ? "]" : `${blank()},${blank()}`);
      }
    } else {
      pieces.push(`{${blank()}`);
      for (let left = random.integer(4); left >= 0; left -= 1) {
        pieces.push(`${random.pick(['"embedding"', '"values"', name()])}${blank()}:${blank()}`);
        value(depth + 1);
        pieces.push(left === 0 ? `${blank()}}` : `,${blank()}`);
      }
    }
  };
  pieces.push("{");
  for (const name of ["a", "b", "c"]) {
    pieces.push(`${name === "a" ? "" : ","}"${name}":`);
    value(0);
  }
  pieces.push("}");
  return pieces;
}

/** One change to a piece that is no list. */
function damage(pieces: readonly string[], random: Random): string {
  const damaged = [...pieces];
  const at = random.integer(damaged.length);
  const piece = damaged[at] ?? "";
  if (!piece.startsWith("[") || piece.length === 1) {
    const from = random.integer(piece.length + 1);
    damaged[at] = piece.slice(0, from) + random.pick([...scraps, ""]) + piece.slice(from + random.integer(2));
  }
  return damaged.join("");
}

describe("an answer without its numbers", () => {
  it("is the same JSON but for long lists of numbers", () => {
    const random = createRandom(seed);
    let elided = 0;
    for (let index = 0; index < cases; index += 1) {
      const text = generate(random).join("");
      const count = countElided(JSON.parse(text), JSON.parse(elideVectors(text)));
      expect(count, text).toBeDefined();
      elided += count ?? 0;
    }
    expect(elided).toBeGreaterThan(cases / 2);
  });

  it("is no JSON where the answer is none, and the same where a change left it whole", () => {
    const random = createRandom(seed + 1);
    const found = { whole: 0, broken: 0 };
    for (let index = 0; index < cases; index += 1) {
      const text = damage(generate(random), random);
      const [whole, elided] = [parse(text), parse(elideVectors(text))];
      found[whole === undefined ? "broken" : "whole"] += 1;
      expect(elided === undefined, text).toBe(whole === undefined);
      if (whole !== undefined) expect(countElided(whole.value, elided?.value), text).toBeDefined();
    }
    expect(Math.min(found.whole, found.broken)).toBeGreaterThan(cases / 10);
  });

  it("is no JSON where the answer breaks off", () => {
    const text = JSON.stringify({
      texts: ["[1"],
      data: [{ embedding: vector(40) }, { embedding: vector(40) }],
      usage: {},
    });
    for (let length = 0; length < text.length; length += 1) {
      expect(parse(elideVectors(text.slice(0, length))), text.slice(0, length)).toBeUndefined();
    }
  });

  it.each([["NaN"], ["Infinity"], ["null"], ["true"], ["false"], ["{}"]])(
    "keeps a list that has %s among its numbers",
    (word) => {
      const text = `{"a":[${vector(40).join(",")},${word}]}`;
      expect(elideVectors(text)).toBe(text);
    },
  );

  it("keeps an answer that is one list, a short list and a long one of blanks", () => {
    for (const text of [JSON.stringify(vector(400)), '{"a":[1,2,3]}', `{"a":[${" ".repeat(400)}]}`]) {
      expect(elideVectors(text)).toBe(text);
    }
  });

  it("counts the first list of each member", () => {
    const long = vector(70);
    const text = JSON.stringify({
      e: { binary: [vector(60), vector(60)], float: [long, long] },
      image: vector(80),
      float: long,
    });
    expect(JSON.parse(elideVectors(text))).toEqual({
      e: { binary: [{ numbers: 60 }, null], float: [{ numbers: 70 }, null] },
      image: { numbers: 80 },
      float: { numbers: 70 },
    });
  });
});

function vector(length: number): number[] {
  return Array.from({ length }, (_, index) => 0.125 + index);
}

interface Answer {
  id: string;
  dialect: Dialect;
  operation: Operation;
  bytes: Buffer;
}

async function observe({ dialect, operation, bytes }: Answer, keepContent: boolean): Promise<unknown> {
  const observer = observeAnswer({ dialect, operation, framing: undefined }, { keepContent, isAwaited: false });
  observer.observeChunk(bytes, 0);
  const observation: Observation = await observer.finish();
  const { extensions: _dropped, ...facts } = observation.response ?? { choices: [] };
  return { ...observation, response: facts };
}

const folders = [
  "azure-openai",
  "bedrock-invoke",
  "cohere-v1",
  "cohere-v2",
  "gemini",
  "mistral",
  "ollama",
  "openai-embeddings",
];

const recorded: Answer[] = loadRecordings(...folders).flatMap((recording) => {
  const { pathname } = new URL(recording.request.url);
  const found = matchDialect("POST", pathname) ?? matchDialect("POST", pathname.slice(pathname.indexOf("/v1")));
  if (found?.operation.name !== "embeddings" || recording.response.status !== 200) return [];
  return [{ ...found, id: recording.id, bytes: responseBytes(recording) }];
});

function answerOf(id: Parameters<typeof findDialect>[0], path: string, body: unknown): Answer {
  const dialect = findDialect(id);
  const operation = dialect.match("POST", path);
  if (operation === undefined) throw new Error(`no call at ${path}`);
  return {
    id: `${id} ${JSON.stringify(body).slice(0, 60)}`,
    dialect,
    operation,
    bytes: Buffer.from(JSON.stringify(body)),
  };
}

const titan = "/model/amazon.titan-embed-text-v2:0/invoke";
const vertex = "/v1/projects/p/locations/l/publishers/google/models/multimodalembedding@001:predict";
const shapes: Answer[] = [
  answerOf("embeddings", "/v1/embeddings", { data: [{ embedding: vector(64) }, { embedding: vector(64) }] }),
  answerOf("embeddings", "/v1/embeddings", { data: [{ embedding: vector(2) }] }),
  answerOf("embeddings", "/v1/embeddings", { data: [vector(64)] }),
  answerOf("embeddings", "/v1/embeddings", [vector(64)]),
  answerOf("embeddings", "/v1/embeddings", vector(64)),
  answerOf("ollama-chat", "/api/embeddings", { embedding: vector(64) }),
  answerOf("ollama-chat", "/api/embeddings", { embedding: [] }),
  answerOf("ollama-chat", "/api/embed", { embeddings: [vector(64), vector(64)] }),
  answerOf("ollama-chat", "/api/embed", { embeddings: vector(64) }),
  answerOf("cohere-chat", "/v1/embed", { texts: ["[1,2]"], embeddings: [vector(64), vector(64)] }),
  answerOf("cohere-chat", "/v2/embed", { embeddings: { ubinary: [vector(48)], uint8: [vector(384), vector(384)] } }),
  answerOf("cohere-chat", "/v2/embed", { embeddings: vector(64) }),
  answerOf("bedrock-invoke", titan, { embedding: vector(64), embeddingsByType: { binary: vector(64) } }),
  answerOf("bedrock-invoke", titan, { embeddingsByType: { binary: vector(64) }, inputTextTokenCount: 3 }),
  answerOf("bedrock-invoke", titan, { embeddings: { int8: [vector(64), vector(64)], binary: [vector(40)] } }),
  answerOf("bedrock-invoke", titan, { embeddings: [{ embeddingType: "TEXT", embedding: vector(64) }] }),
  answerOf("bedrock-invoke", titan, { embeddings: [vector(2), vector(2)] }),
  answerOf("gemini-generate-content", vertex, {
    predictions: [{ imageEmbedding: vector(64), textEmbedding: vector(64) }],
  }),
  answerOf("gemini-generate-content", vertex, {
    predictions: [1, 2].map(() => ({ embeddings: { values: vector(64), statistics: { token_count: 4 } } })),
  }),
  answerOf("gemini-generate-content", "/v1beta/models/m:embedContent", { embedding: { values: vector(64) } }),
  answerOf("gemini-generate-content", "/v1beta/models/m:embedContent", { embedding: { values: "none" } }),
];

describe("embeddings that nobody keeps", () => {
  it.each(shapes)("state the same facts: $id", async (answer) => {
    expect(await observe(answer, false)).toEqual(await observe(answer, true));
  });

  it("state the same facts in every recording, where vectors are left out too", async () => {
    let elided = 0;
    for (const answer of recorded) {
      expect(await observe(answer, false), answer.id).toEqual(await observe(answer, true));
      const text = answer.bytes.toString();
      const count = countElided(JSON.parse(text), JSON.parse(elideVectors(text)));
      expect(count, answer.id).toBeDefined();
      elided += count ?? 0;
    }
    expect(recorded.length).toBeGreaterThan(40);
    expect(elided).toBeGreaterThan(recorded.length / 2);
  });
});
