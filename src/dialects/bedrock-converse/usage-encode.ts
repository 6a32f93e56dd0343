// Room dialects, bedrock-converse: canonical counts as Converse's usage object.
// Invariant: the counts that the wire requires are always there; others only where the provider counted.

import type { Usage } from "../../canonical/index.ts";
import { type JsonObject, optional } from "../json/fields.ts";

/**
 * `inputTokens` leaves the cache out, `totalTokens` does not (recorded). What is not
 * known counts as 0: applications read the required counts unasked, and boto3 1.44 raises for one that is missing.
 */
export function encodeUsage(usage: Usage = {}): JsonObject {
  const { inputTokens = 0, outputTokens = 0 } = usage;
  const { cacheReadTokens, cacheWriteTokens, cacheWrite5mTokens, cacheWrite1hTokens } = usage;
  const cached = (cacheReadTokens ?? 0) + (cacheWriteTokens ?? 0);
  const details = [
    ...(cacheWrite5mTokens === undefined ? [] : [{ ttl: "5m", inputTokens: cacheWrite5mTokens }]),
    ...(cacheWrite1hTokens === undefined ? [] : [{ ttl: "1h", inputTokens: cacheWrite1hTokens }]),
  ];
  return {
    inputTokens: Math.max(0, inputTokens - cached),
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    ...optional("cacheReadInputTokens", cacheReadTokens),
    ...optional("cacheWriteInputTokens", cacheWriteTokens),
    ...(details.length === 0 ? {} : { cacheDetails: details }),
  };
}

/** What the wire requires beside the usage, and nobody here has measured. */
export const unmeasured: JsonObject = { latencyMs: 0 };
