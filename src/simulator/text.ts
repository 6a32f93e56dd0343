// Simulator: seeded chance, and the plausible text that comes of it. The same seed gives the same text.

/** Seeded chance. */
export interface Random {
  /** In [0, 1). */
  next: () => number;
  /** A whole number in [0, below). */
  below: (below: number) => number;
  pick: <T>(from: readonly [T, ...T[]]) => T;
  /** Letters and digits. */
  letters: (count: number) => string;
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** FNV-1a: 32 bits, for seeds and lookups; not for anything an adversary chooses. */
export function hashText(text: string, from = 0x811c9dc5): number {
  let hash = from;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** Chance from a 32-bit seed (mulberry32). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    next,
    below,
    pick: (from) => from[below(from.length)] ?? from[0],
    letters: (count) => Array.from({ length: count }, () => alphabet[below(alphabet.length)]).join(""),
  };
}

/** About four characters a token; 0 only for no text. */
export function countTokens(text: string): number {
  return Math.ceil(text.length / 4);
}

/** Text in the pieces a stream delivers: a word with the space before it. Joined they are the text. */
export function splitWords(text: string): string[] {
  return text.match(/\s*\S+|\s+$/g) ?? [];
}

const subjects = [
  "The sidecar",
  "A small proxy",
  "Every request",
  "The café's lighthouse",
  "A patient collector",
  "The naïve retry",
  "This trace",
  "Our budget",
] as const;
const verbs = [
  "carries",
  "measures",
  "remembers",
  "forwards",
  "quietly counts",
  "explains",
  "keeps",
  "follows",
] as const;
const objects = [
  "each token",
  "the slow path",
  "a stream of words",
  "what it was told",
  "the last chunk →",
  "its own footsteps",
  "the cost in cents",
  "every span 🙂",
] as const;
const endings = [
  "before the harbour wakes",
  "without losing a byte",
  "one frame at a time",
  "and nothing else",
  "until the budget ends",
  "as the tide allows",
  "in plain English",
  "while nobody is watching",
] as const;

const writeSentence = (random: Random): string =>
  `${random.pick(subjects)} ${random.pick(verbs)} ${random.pick(objects)} ${random.pick(endings)}.`;

/** Two to five sentences, or about as many words as the prompt asks for (“in 300 words”; 5,000 at most). */
export function writeText(random: Random, prompt: string): string {
  const asked = /\b(\d{1,4}) words\b/i.exec(prompt)?.[1];
  if (asked === undefined) return Array.from({ length: 2 + random.below(4) }, () => writeSentence(random)).join(" ");
  const words: string[] = [];
  const limit = Math.min(Number(asked), 5000);
  while (words.length < limit) words.push(...writeSentence(random).split(" "));
  return words.slice(0, limit).join(" ");
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A value that a JSON Schema would accept, as far as this small reader understands it. */
export function writeJsonValue(random: Random, schema: unknown, depth = 0): unknown {
  if (!isObject(schema) || depth > 6) return "tide";
  if (Array.isArray(schema["enum"]) && schema["enum"].length > 0)
    return schema["enum"][random.below(schema["enum"].length)];
  if ("const" in schema) return schema["const"];
  const variants = schema["anyOf"] ?? schema["oneOf"];
  if (Array.isArray(variants)) return writeJsonValue(random, variants[0], depth + 1);
  const type: unknown = Array.isArray(schema["type"]) ? schema["type"][0] : schema["type"];
  switch (type) {
    case "integer":
    case "number":
      return (typeof schema["minimum"] === "number" ? schema["minimum"] : 0) + random.below(10);
    case "boolean":
      return random.next() < 0.5;
    case "null":
      return null;
    case "array":
      return [writeJsonValue(random, schema["items"], depth + 1)];
    case "string":
      return random.pick(["Cape Town", "Zürich", "harbour", "tide table", "lighthouse"]);
    default: {
      const properties = isObject(schema["properties"]) ? schema["properties"] : {};
      return Object.fromEntries(
        Object.entries(properties).map(([name, value]) => [name, writeJsonValue(random, value, depth + 1)]),
      );
    }
  }
}
