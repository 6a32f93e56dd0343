// Room dialects, bedrock-converse: usage objects as canonical counts. Shared with bedrock-invoke, whose Nova says the same.
// Invariant: counts are the provider's own, never corrected.

import type { Usage } from "../../canonical/index.ts";
import { compact, isJsonObject, type JsonObject } from "../json/fields.ts";

/**
 * Decodes one usage object. `inputTokens` leaves the cache out (recorded: 22 beside a cache write of 2492), so both cache
 * counts are added to it. Nova's own invoke answers spell the cache counts `…TokenCount` only (recorded). `cacheDetails`
 * splits the writes by time to live. `raw` is the object itself.
 */
export function decodeUsage(raw: JsonObject): Usage {
  const uncached = readCount(raw["inputTokens"]);
  const cacheRead = readCount(raw["cacheReadInputTokens"]) ?? readCount(raw["cacheReadInputTokenCount"]);
  const cacheWrite5m = sumWrites(raw["cacheDetails"], "5m");
  const cacheWrite1h = sumWrites(raw["cacheDetails"], "1h");
  const cacheWrite =
    readCount(raw["cacheWriteInputTokens"]) ??
    readCount(raw["cacheWriteInputTokenCount"]) ??
    (cacheWrite5m === undefined && cacheWrite1h === undefined ? undefined : (cacheWrite5m ?? 0) + (cacheWrite1h ?? 0));
  return compact<Usage>({
    // Without the uncached count the whole is not known, whatever the cache says.
    inputTokens: uncached === undefined ? undefined : uncached + (cacheRead ?? 0) + (cacheWrite ?? 0),
    outputTokens: readCount(raw["outputTokens"]),
    cacheReadTokens: cacheRead,
    cacheWriteTokens: cacheWrite,
    cacheWrite5mTokens: cacheWrite5m,
    cacheWrite1hTokens: cacheWrite1h,
    raw,
  });
}

/** A whole number ≥ 0; undefined for anything else, null included. */
export function readCount(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** What was written for this time to live; undefined when no entry names it. */
function sumWrites(details: unknown, ttl: string): number | undefined {
  if (!Array.isArray(details)) return undefined;
  let sum: number | undefined;
  for (const entry of details as unknown[]) {
    if (!isJsonObject(entry) || entry["ttl"] !== ttl) continue;
    const count = readCount(entry["inputTokens"]);
    if (count !== undefined) sum = (sum ?? 0) + count;
  }
  return sum;
}
