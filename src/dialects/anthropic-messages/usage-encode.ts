// Room dialects, anthropic-messages: canonical counts as the usage object of this API.
// Invariant: the numbers that the SDKs read are always there; the uncached input is the whole less both cache counts.

import type { Usage } from "../../canonical/index.ts";
import type { JsonObject } from "../json/fields.ts";

/** Nothing known counts as 0, because the SDKs add these numbers up (BerriAI/litellm#24176). */
export function encodeUsage(usage: Usage | undefined, serviceTier: string | undefined): JsonObject {
  const { inputTokens = 0, outputTokens = 0, cacheReadTokens = 0, cacheWriteTokens = 0 } = usage ?? {};
  const { cacheWrite5mTokens, cacheWrite1hTokens, reasoningTokens, webSearchRequests } = usage ?? {};
  const isSplit = cacheWrite5mTokens !== undefined || cacheWrite1hTokens !== undefined;
  return {
    input_tokens: Math.max(0, inputTokens - cacheReadTokens - cacheWriteTokens),
    cache_creation_input_tokens: cacheWriteTokens,
    cache_read_input_tokens: cacheReadTokens,
    ...(isSplit
      ? {
          cache_creation: {
            ephemeral_5m_input_tokens: cacheWrite5mTokens ?? 0,
            ephemeral_1h_input_tokens: cacheWrite1hTokens ?? 0,
          },
        }
      : {}),
    output_tokens: outputTokens,
    ...(reasoningTokens === undefined ? {} : { output_tokens_details: { thinking_tokens: reasoningTokens } }),
    ...(webSearchRequests === undefined ? {} : { server_tool_use: { web_search_requests: webSearchRequests } }),
    ...(serviceTier === undefined ? {} : { service_tier: serviceTier }),
  };
}

const tiers: ReadonlySet<string> = new Set(["standard", "priority", "batch"]);

/** The tier in this API's words; undefined for one that it has no word for. OpenAI's `default` is the standard one. */
export function encodeTier(serviceTier: string | undefined): string | undefined {
  if (serviceTier === "default") return "standard";
  return serviceTier !== undefined && tiers.has(serviceTier) ? serviceTier : undefined;
}
