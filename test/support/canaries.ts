// Secrets and sentences that a test plants, and the search for them in every form in which they could leak.
// A canary is found raw, percent-encoded, as hex, and inside base64 whatever stands before it.
import { createSeededRandom } from "./random.ts";

export interface Canary {
  name: string;
  /** What is planted. */
  value: string;
  /** What to look for: any of them is a hit. Searches ignore case, but for base64. */
  traces: { text: string; exact: boolean }[];
}

/** Distinct secrets, the same for the same seed. A hit is also half of one, so that a shortened secret is found too. */
export function createSecrets<Name extends string>(names: readonly Name[], seed: number): Record<Name, Canary> {
  const random = createSeededRandom(seed);
  const token = (): string => Array.from({ length: 24 }, () => Math.floor(random() * 16).toString(16)).join("");
  const made = names.map((name): [Name, Canary] => {
    const secret = token();
    const value = `test-key-${secret}`;
    return [name, { name, value, traces: listTraces([secret.slice(0, 12), secret.slice(12)], secret) }];
  });
  return Object.fromEntries(made) as Record<Name, Canary>;
}

/** A sentence around one invented word; the word alone is a hit. */
export function createSentence(word: string): Canary {
  return { name: word, value: `and then the ${word} came by`, traces: listTraces([word], word) };
}

function listTraces(plain: string[], whole: string): Canary["traces"] {
  const hex = Buffer.from(whole).toString("hex");
  const percent = hex.replaceAll(/../g, "%$&");
  const exact = [0, 1, 2].flatMap((before) => {
    // The first characters depend on what stands before, the last ones on what follows.
    const padded = Buffer.from(" ".repeat(before) + whole);
    return (["base64", "base64url"] as const).map((coding) =>
      padded.toString(coding).slice(before === 0 ? 0 : before + 1, -4),
    );
  });
  return [
    ...[...plain, percent, hex].map((text) => ({ text: text.toLowerCase(), exact: false })),
    ...exact.map((text) => ({ text, exact: true })),
  ];
}

/** Names of the canaries that are in the text. */
export function findCanaries(canaries: readonly Canary[], text: string | Buffer): string[] {
  const exact = typeof text === "string" ? text : text.toString("latin1");
  const folded = exact.toLowerCase();
  const isIn = (trace: Canary["traces"][number]): boolean => (trace.exact ? exact : folded).includes(trace.text);
  return canaries.filter(({ traces }) => traces.some(isIn)).map(({ name }) => name);
}
