// Room canonical: token usage as the conventions count it.
// Invariant: totals include their subsets (cached tokens are part of input, reasoning tokens part of output);
// a field that the provider did not state is absent, never 0.

/** All counts are whole tokens ≥ 0. */
export interface Usage {
  /** Whole input: uncached + cache reads + cache writes. */
  inputTokens?: number;
  /** Whole output: visible + reasoning. */
  outputTokens?: number;
  cacheReadTokens?: number;
  cacheWriteTokens?: number;
  /** Split of `cacheWriteTokens` by time to live where the provider states it (priced apart). */
  cacheWrite5mTokens?: number;
  cacheWrite1hTokens?: number;
  reasoningTokens?: number;
  /** Split by modality where the provider states it; subsets of the totals. */
  inputTextTokens?: number;
  inputAudioTokens?: number;
  inputImageTokens?: number;
  cacheReadAudioTokens?: number;
  cacheReadImageTokens?: number;
  cacheReadTextTokens?: number;
  outputTextTokens?: number;
  outputAudioTokens?: number;
  outputImageTokens?: number;
  inputVideoTokens?: number;
  outputVideoTokens?: number;
  /** Billed requests of server-side tools, not tokens. */
  webSearchRequests?: number;
  /** Units that some calls are billed by instead of tokens: reranked searches, seconds of audio (not always whole), characters spoken, images made. */
  searchUnits?: number;
  inputAudioSeconds?: number;
  inputCharacters?: number;
  outputImages?: number;
  /** What compacting the context took, where the provider bills it and leaves it out of the counts above (Anthropic's beta); counts alone. */
  compaction?: Usage;
  /** The provider's own usage object, merged over a stream's events (a later non-null value wins), for records and tests. */
  raw?: Record<string, unknown>;
}

/** The counts of a `Usage`. */
export type UsageCount = Exclude<keyof Usage, "compaction" | "raw">;

/** Where the counts come from: the provider's words, Outrider's own estimate, or nowhere. */
export type UsageSource = "provider" | "estimated" | "missing";

/** Merge raw usage objects of one stream field by field; a later non-null value wins, nested objects likewise. */
export function mergeRawUsage(
  earlier: Record<string, unknown> | undefined,
  later: Record<string, unknown>,
): Record<string, unknown> {
  if (earlier === undefined) return later;
  const merged: Record<string, unknown> = { ...earlier };
  for (const key in later) {
    const value = later[key];
    if (value === null || value === undefined) continue;
    const before = merged[key];
    merged[key] = isObject(before) && isObject(value) ? mergeRawUsage(before, value) : value;
  }
  return merged;
}

/** Whether merging `later` over `earlier` would change it. */
export function changesRawUsage(earlier: Record<string, unknown>, later: Record<string, unknown>): boolean {
  for (const key of Object.keys(later)) {
    const [before, value] = [earlier[key], later[key]];
    if (value === null || value === undefined || value === before) continue;
    if (isObject(before) && isObject(value) ? changesRawUsage(before, value) : !isSameList(before, value)) return true;
  }
  return false;
}

function isSameList(one: unknown, other: unknown): boolean {
  return Array.isArray(one) && Array.isArray(other) && JSON.stringify(one) === JSON.stringify(other);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
