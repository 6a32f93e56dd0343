// Room dialects, bedrock-converse: usage objects as canonical counts. Shared with bedrock-invoke, whose Nova says the same.
// Invariant: counts are the provider's own, never corrected.

import type { Usage } from "../../canonical/index.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";

/**
 * Decodes one usage object. `inputTokens` leaves the cache out (recorded: 22 beside a cache write of 2492), so both cache
 * counts are added to it. Nova's own invoke answers spell the cache counts `…TokenCount` only (recorded). `cacheDetails`
 * splits the writes by time to live. `raw` is the object itself.
 */
export function decodeUsage(raw: JsonObject): Usage {
  const input = readCount(raw["inputTokens"]);
  const output = readCount(raw["outputTokens"]);
  const cacheRead = readCount(raw["cacheReadInputTokens"]) ?? readCount(raw["cacheReadInputTokenCount"]);
  const stated = readCount(raw["cacheWriteInputTokens"]) ?? readCount(raw["cacheWriteInputTokenCount"]);
  const { minutes, hour } = sumWrites(raw["cacheDetails"]);
  const isSplit = minutes !== undefined || hour !== undefined;
  const cacheWrite = stated ?? (isSplit ? (minutes ?? 0) + (hour ?? 0) : undefined);
  const usage = sumCounts({ input, output, cacheRead, cacheWrite }, raw);
  if (minutes !== undefined) usage.cacheWrite5mTokens = minutes;
  if (hour !== undefined) usage.cacheWrite1hTokens = hour;
  return usage;
}

/** Amazon's counts, in whole tokens; undefined: not stated. */
export interface Counts {
  /** Outside the cache. */
  input: number | undefined;
  output: number | undefined;
  cacheRead?: number | undefined;
  cacheWrite?: number | undefined;
}

/** The usage that these counts are: input with both cache counts. */
export function sumCounts({ input, output, cacheRead, cacheWrite }: Counts, raw: JsonObject): Usage {
  const usage: Usage = {};
  // Without the uncached count the whole is not known, whatever the cache says.
  if (input !== undefined) usage.inputTokens = input + (cacheRead ?? 0) + (cacheWrite ?? 0);
  if (output !== undefined) usage.outputTokens = output;
  if (cacheRead !== undefined) usage.cacheReadTokens = cacheRead;
  if (cacheWrite !== undefined) usage.cacheWriteTokens = cacheWrite;
  usage.raw = raw;
  return usage;
}

/** A whole number ≥ 0; undefined for anything else, null included. */
export function readCount(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** What was written for each time to live that the entries name: five minutes, an hour. */
function sumWrites(details: unknown): { minutes: number | undefined; hour: number | undefined } {
  let minutes: number | undefined;
  let hour: number | undefined;
  for (const entry of Array.isArray(details) ? (details as unknown[]) : []) {
    const count = isJsonObject(entry) ? readCount(entry["inputTokens"]) : undefined;
    if (!isJsonObject(entry) || count === undefined) continue;
    if (entry["ttl"] === "5m") minutes = (minutes ?? 0) + count;
    if (entry["ttl"] === "1h") hour = (hour ?? 0) + count;
  }
  return { minutes, hour };
}
