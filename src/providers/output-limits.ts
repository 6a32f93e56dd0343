// Room providers: the largest output of models, for wires that must be told one (Anthropic's Messages).
// Invariant: never more than the provider takes; a model nobody knows gets what every one of them takes.

/** As Anthropic publishes them (general knowledge, not verified); the longest match counts. */
const limits: readonly [prefix: string, tokens: number][] = [
  ["claude-3-", 4096],
  ["claude-3-5-", 8192],
  ["claude-3-7-", 64_000],
  ["claude-opus-4", 32_000],
  ["claude-opus-4-5", 64_000],
  ["claude-sonnet-4", 64_000],
  ["claude-haiku-4", 64_000],
];

const smallest = 4096;

/** Tokens; `model` as the provider names it, also with a region and vendor before it (`eu.anthropic.claude-…`). */
export function findOutputLimit(model: string): number {
  const name = model.slice(Math.max(model.indexOf("claude-"), 0));
  let found = { length: 0, tokens: smallest };
  for (const [prefix, tokens] of limits) {
    if (name.startsWith(prefix) && prefix.length > found.length) found = { length: prefix.length, tokens };
  }
  return found.tokens;
}
