// What writing a generated conversation takes in any dialect: schemas, data URLs, and members that are left out.
// Knows nothing of Outrider's encoders.
import type { Call, Item, Json, Turn } from "./generated-talk.ts";

const isAbsent = (value: unknown): boolean =>
  value === undefined || (typeof value === "object" && value !== null && Object.keys(value).length === 0);

/** Without what is undefined. */
export function filled(members: Json): Json {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

/** Without what is undefined or empty. */
export function nonEmpty(members: Json): Json {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => !isAbsent(value)));
}

/** JSON of a text. */
export const parse = (text: string): unknown => JSON.parse(text) as unknown;

/** Schema of a tool that takes a city. */
export const schemaOf = (city: string): Json => ({
  type: "object",
  properties: { city: { type: "string", description: city } },
  required: ["city"],
});

/** Schema of an answer. */
export const answerSchema: Json = {
  type: "object",
  properties: { verdict: { type: "string", description: "verdict-words" } },
  required: ["verdict"],
  additionalProperties: false,
};

/** An image in its address. */
export const dataUrl = ({ mimeType, base64 }: Extract<Item, { type: "data" }>): string =>
  `data:${mimeType};base64,${base64}`;

/** Calls that a dialect whose arguments are objects can say. */
export const plainCalls = ({ calls }: Extract<Turn, { role: "assistant" }>): Call[] =>
  calls.filter(({ isOdd }) => !isOdd);
