// Arbitrary conversations in nobody's words: what test/support/generated-requests.ts writes as each dialect's request.
// Odd on purpose: blanks, unknown members, ids and names that some providers refuse, arguments that are no objects.
import * as fc from "fast-check";

export type Json = Record<string, unknown>;

export type Item =
  | { type: "text"; text: string }
  | { type: "data"; mimeType: "image/png" | "image/jpeg"; base64: string }
  | { type: "url"; url: string };

export interface Call {
  id: string;
  name: string;
  /** Wire text; an object, unless the dialect can say otherwise and `isOdd`. */
  text: string;
  isOdd: boolean;
  result: string;
  isError: boolean;
}

export type Turn =
  | { role: "user"; items: Item[] }
  | { role: "assistant"; reasoning: string | undefined; text: string | undefined; calls: Call[] };

/** Where a member stands that no dialect knows. */
export type Level = "body" | "message" | "part" | "tool" | "call" | "result" | "settings";

export interface Talk {
  system: string[];
  turns: Turn[];
  tools: { name: string; description: string | undefined; city: string }[];
  toolChoice: "auto" | "none" | "required" | "tool" | undefined;
  settings: {
    temperature?: number;
    topP?: number;
    topK?: number;
    seed?: number;
    frequencyPenalty?: number;
    presencePenalty?: number;
    maxTokens?: number;
    stop?: string[];
  };
  format: "text" | "json" | "schema" | undefined;
  reasoning: "low" | "high" | "budget" | "off" | undefined;
  stream: boolean;
  /** A single text is written as a text where the dialect takes that as well as a list. */
  isShort: boolean;
  extras: Level[];
}

const graphemes = fc.string({ unit: "grapheme", minLength: 1, maxLength: 10 });
const marked = fc.nat().map((number) => `note-${number} é😀`);

/** Texts as people send them; the marked ones can be told from all others. */
const text = fc.oneof(
  { weight: 4, arbitrary: marked },
  { weight: 2, arbitrary: graphemes },
  { weight: 1, arbitrary: fc.constantFrom("", " ", "\n\t", '{"a":1}', "\u0000", "</s>", "data: x\n\n") },
);

const item: fc.Arbitrary<Item> = fc.oneof(
  { weight: 4, arbitrary: text.map((said): Item => ({ type: "text", text: said })) },
  {
    weight: 1,
    arbitrary: fc
      .record({
        mimeType: fc.constantFrom("image/png" as const, "image/jpeg" as const),
        bytes: fc.uint8Array({ minLength: 6, maxLength: 12 }),
      })
      .map(({ mimeType, bytes }): Item => ({
        type: "data",
        mimeType,
        base64: Buffer.from(bytes).toString("base64"),
      })),
  },
  {
    weight: 1,
    arbitrary: fc.nat().map((number): Item => ({ type: "url", url: `https://pictures.test/${number}.png` })),
  },
);

const toolNames = ["get_weather", "f-1", "search.web", "weather_lookup"];

/** As text, so that keys which are special in JavaScript are plain members. */
const objectText = fc
  .uniqueArray(
    fc.tuple(
      fc.constantFrom("city", "b", "ключ", "__proto__", "a/b~c", "constructor"),
      fc.oneof(
        fc.integer(),
        text,
        fc.boolean(),
        fc.constant(null),
        fc.array(fc.integer(), { maxLength: 2 }),
        fc.constant({ deep: [{}] }),
      ),
    ),
    { maxLength: 3, selector: ([key]) => key },
  )
  .map((members) => `{${members.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`);

const call: fc.Arbitrary<Omit<Call, "id">> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      name: fc.constantFrom(...toolNames),
      text: objectText,
      isOdd: fc.constant(false),
      result: fc.oneof(text, objectText),
      isError: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      name: fc.constantFrom(...toolNames),
      text: fc.constantFrom("", '{"a":', "not json", "[1,2]", "7"),
      isOdd: fc.constant(true),
      result: text,
      isError: fc.boolean(),
    }),
  },
);

const turn: fc.Arbitrary<Turn> = fc.oneof(
  fc.record({ role: fc.constant("user" as const), items: fc.array(item, { minLength: 1, maxLength: 3 }) }),
  fc.record({
    role: fc.constant("assistant" as const),
    reasoning: fc.option(marked, { nil: undefined, freq: 2 }),
    text: fc.option(text, { nil: undefined }),
    calls: fc.array(
      call.map((one): Call => ({ ...one, id: "" })),
      { maxLength: 3 },
    ),
  }),
);

/** Digits of their own, so that no other value is taken for it. */
const fraction = fc.integer({ min: 1, max: 1999 }).map((number) => number / 1000);

const idForms = [
  (number: number) => `call_${number}`,
  (number: number) => `call:${number}/é`,
  (number: number) => `${"long".repeat(20)}${number}`,
];

export const talk: fc.Arbitrary<Talk> = fc
  .record({
    system: fc.array(text, { maxLength: 2 }),
    opening: fc.array(item, { minLength: 1, maxLength: 2 }),
    turns: fc.array(turn, { maxLength: 4 }),
    tools: fc.uniqueArray(
      fc.record({
        name: fc.constantFrom(...toolNames),
        description: fc.option(marked, { nil: undefined }),
        city: marked,
      }),
      { maxLength: 3, selector: ({ name }) => name },
    ),
    toolChoice: fc.constantFrom("auto" as const, "none" as const, "required" as const, "tool" as const, undefined),
    settings: fc.record(
      {
        temperature: fraction,
        topP: fraction.map((number) => number / 2),
        topK: fc.integer({ min: 1, max: 999 }),
        seed: fc.nat(),
        frequencyPenalty: fraction,
        presencePenalty: fraction,
        maxTokens: fc.integer({ min: 1, max: 4000 }),
        stop: fc.array(fc.oneof(marked, fc.constant("\n")), { maxLength: 6 }),
      },
      { requiredKeys: [] },
    ),
    format: fc.constantFrom("text" as const, "json" as const, "schema" as const, undefined, undefined),
    reasoning: fc.constantFrom(
      "low" as const,
      "high" as const,
      "budget" as const,
      "off" as const,
      undefined,
      undefined,
    ),
    stream: fc.boolean(),
    isShort: fc.boolean(),
    extras: fc.subarray<Level>(["body", "message", "part", "tool", "call", "result", "settings"]),
    idForm: fc.constantFrom(...idForms),
  })
  .map(({ opening, turns, toolChoice, idForm, ...rest }): Talk => {
    let count = 0;
    const numbered = turns.map((one): Turn =>
      one.role === "user" ? one : { ...one, calls: one.calls.map((made) => ({ ...made, id: idForm(++count) })) },
    );
    return {
      ...rest,
      toolChoice: rest.tools.length === 0 ? undefined : toolChoice,
      turns: [{ role: "user", items: opening }, ...numbered],
    };
  });

/** The node, with a member that nobody knows where the talk wants one at its level. */
export function extend({ extras }: Talk, level: Level, node: Json): Json {
  if (!extras.includes(level)) return node;
  return { ...node, [`x_${level}`]: { note: `extra-${level}`, deep: [{ more: `deeper-${level}` }] } };
}
