// Room dialects, anthropic-messages: usage objects as canonical counts.
// Invariant: counts are what the top level states (DESIGN §3), never corrected; of the `iterations`
// what is billed beside it (compaction) stands apart.

import type { Usage, UsageCount } from "../../canonical/index.ts";
import { isJsonObject, type JsonObject, readCount } from "../json/fields.ts";

/**
 * Decodes one usage object, or several of one stream merged. `input_tokens` leaves the cache out, so both cache counts
 * are added to it (BerriAI/litellm#9812); `output_tokens` includes thinking. `raw` is the object itself.
 */
export function decodeUsage(raw: JsonObject): Usage {
  const uncached = readCount(raw, "input_tokens");
  const cacheRead = readCount(raw, "cache_read_input_tokens");
  const cacheWrite5m = readCount(raw["cache_creation"], "ephemeral_5m_input_tokens");
  const cacheWrite1h = readCount(raw["cache_creation"], "ephemeral_1h_input_tokens");
  const cacheWrite = readCount(raw, "cache_creation_input_tokens") ?? addCounts(cacheWrite5m, cacheWrite1h);
  const outputTokens = readCount(raw, "output_tokens");
  const reasoningTokens = readCount(raw["output_tokens_details"], "thinking_tokens");
  const webSearchRequests = readCount(raw["server_tool_use"], "web_search_requests");
  const compaction = readCompaction(raw["iterations"]);
  const usage: Usage = { raw };
  // Without the uncached count the whole is not known, whatever the cache says.
  if (uncached !== undefined) usage.inputTokens = uncached + (cacheRead ?? 0) + (cacheWrite ?? 0);
  if (outputTokens !== undefined) usage.outputTokens = outputTokens;
  if (cacheRead !== undefined) usage.cacheReadTokens = cacheRead;
  if (cacheWrite !== undefined) usage.cacheWriteTokens = cacheWrite;
  if (cacheWrite5m !== undefined) usage.cacheWrite5mTokens = cacheWrite5m;
  if (cacheWrite1h !== undefined) usage.cacheWrite1hTokens = cacheWrite1h;
  if (reasoningTokens !== undefined) usage.reasoningTokens = reasoningTokens;
  if (webSearchRequests !== undefined) usage.webSearchRequests = webSearchRequests;
  if (compaction !== undefined) usage.compaction = compaction;
  return usage;
}

/** The top level leaves compaction out of its counts, but it is billed (convert-anthropic-usage of vercel/ai). Iterations of other models are not. */
function readCompaction(iterations: unknown): Usage | undefined {
  if (!Array.isArray(iterations)) return undefined;
  const runs = iterations.filter(isJsonObject).filter(({ type }) => type === "compaction");
  let sum: Usage | undefined;
  for (const run of runs) {
    const { raw: _raw, compaction: _none, ...counts } = decodeUsage(run);
    sum ??= {};
    for (const name in counts) {
      const count = name as UsageCount;
      sum[count] = (sum[count] ?? 0) + (counts[count] ?? 0);
    }
  }
  return sum;
}

/** The tier that answered: Anthropic says it in the usage; MiniMax's copy of the API, in the message (recorded). */
export function readServiceTier(message: JsonObject): string | undefined {
  const { usage, service_tier: ownTier } = message;
  const tier = isJsonObject(usage) && typeof usage["service_tier"] === "string" ? usage["service_tier"] : ownTier;
  return typeof tier === "string" ? tier : undefined;
}

function addCounts(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0);
}
