// Room dialects, openai-responses: usage objects as canonical counts.
// Invariant: counts are the provider's own, never corrected; what is stated nowhere stays absent.

import type { Usage } from "../../canonical/index.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { decodeUsage as decodeSharedUsage, toCount } from "../openai-chat/usage.ts";

/**
 * Decodes the usage of one response: `input_tokens` includes cache reads and writes, `output_tokens` includes reasoning.
 * Searches stand beside it, in `tool_usage` (OpenAI), or within (xAI, recorded). Tokens of an image model
 * (`tool_usage.image_gen`) are that model's, in no total: they stay in the response's extensions.
 */
export function decodeUsage(raw: JsonObject, toolUsage: unknown): Usage {
  const usage = decodeSharedUsage(raw);
  const webSearch =
    toCount(memberOf(memberOf(toolUsage, "web_search"), "num_requests")) ??
    toCount(memberOf(raw["server_side_tool_usage_details"], "web_search_calls"));
  if (webSearch !== undefined) usage.webSearchRequests = webSearch;
  return usage;
}

function memberOf(value: unknown, key: string): unknown {
  return isJsonObject(value) ? value[key] : undefined;
}
