// Room dialects, bedrock-converse: canonical counts as Converse's usage object.
// Invariant: what the provider did not count is not made up.

import type { Usage } from "../../canonical/index.ts";
import { type JsonObject, optional } from "../json/fields.ts";

/** `inputTokens` leaves the cache out, `totalTokens` does not (recorded). */
export function encodeUsage(usage: Usage): JsonObject {
  const { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, cacheWrite5mTokens, cacheWrite1hTokens } =
    usage;
  const cached = (cacheReadTokens ?? 0) + (cacheWriteTokens ?? 0);
  const isWhole = inputTokens !== undefined && outputTokens !== undefined;
  const details = [
    ...(cacheWrite5mTokens === undefined ? [] : [{ ttl: "5m", inputTokens: cacheWrite5mTokens }]),
    ...(cacheWrite1hTokens === undefined ? [] : [{ ttl: "1h", inputTokens: cacheWrite1hTokens }]),
  ];
  return {
    ...optional("inputTokens", inputTokens === undefined ? undefined : Math.max(0, inputTokens - cached)),
    ...optional("outputTokens", outputTokens),
    ...optional("totalTokens", isWhole ? inputTokens + outputTokens : undefined),
    ...optional("cacheReadInputTokens", cacheReadTokens),
    ...optional("cacheWriteInputTokens", cacheWriteTokens),
    ...(details.length === 0 ? {} : { cacheDetails: details }),
  };
}

/** What the wire requires beside the usage, and nobody here has measured. */
export const unmeasured: JsonObject = { latencyMs: 0 };
