// Room dialects, cohere-chat: usage objects as canonical counts.
// Invariant: `tokens` is what the model used and wins over `billed_units`, which is what is charged and often far less
// (recorded: 12 of 212); calls that state no `tokens` (generate, embed) are counted by `billed_units`.

import type { Usage } from "../../canonical/index.ts";
import { compact, isJsonObject, type JsonObject, readCount } from "../json/fields.ts";

/**
 * Decodes `usage` of v2, or what v1 and embed say of it in `meta`. Cached and reasoning tokens are inside the totals;
 * image tokens stand beside `input_tokens` (recorded: 34 of text and 259 of an image), so that the input is both.
 */
export function decodeUsage(raw: JsonObject): Usage {
  const counts = isJsonObject(raw["tokens"]) ? raw["tokens"] : raw["billed_units"];
  const text = readCount(counts, "input_tokens");
  const image = readCount(counts, "image_tokens");
  return compact<Usage>({
    inputTokens: text === undefined && image === undefined ? undefined : (text ?? 0) + (image ?? 0),
    outputTokens: readCount(counts, "output_tokens"),
    cacheReadTokens: readCount(raw, "cached_tokens"),
    reasoningTokens: readCount(counts, "reasoning_tokens"),
    inputImageTokens: image,
    searchUnits: readCount(raw["billed_units"], "search_units"),
    raw,
  });
}

const metaUsageMembers = ["billed_units", "tokens", "cached_tokens"] as const;

/** Parts `meta` into the usage it states and the rest (API version, warnings); either undefined when there is none. */
export function splitMeta(meta: JsonObject): { usage: Usage | undefined; rest: JsonObject | undefined } {
  const stated: JsonObject = {};
  const rest: JsonObject = { ...meta };
  for (const key of metaUsageMembers) {
    if (!Object.hasOwn(meta, key)) continue;
    stated[key] = meta[key];
    delete rest[key];
  }
  return {
    usage: Object.keys(stated).length === 0 ? undefined : decodeUsage(stated),
    rest: Object.keys(rest).length === 0 ? undefined : rest,
  };
}
