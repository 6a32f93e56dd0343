// Room proxy: what a provider's answer means: its HTTP status and error body as one of Outrider's error codes.
// Invariant: pure; reads words the provider's API documents (wire.md §1.15), never the prose of a message, except where the API has no word.

import type { ProviderError } from "../canonical/index.ts";
import type { ErrorCode } from "../errors.ts";

const quotaWords = new Set(["insufficient_quota", "billing_error", "billing_hard_limit_reached"]);
const contextWords = new Set([
  "context_length_exceeded",
  "request_too_large",
  "string_above_max_length",
  "exceed_context_size_error",
]);
const filterWords = new Set(["content_filter", "content_policy_violation", "moderation_blocked"]);
const overloadWords = new Set(["overloaded_error", "server_overloaded", "overloaded"]);
const rateWords = new Set(["rate_limit_error", "rate_limit_exceeded", "rate_limit_reached"]);

// Anthropic has no code of its own for a prompt that is too long (wire.md §1.15; message seen in recorded traffic).
const anthropicContext = /^(prompt is too long|input length and `max_tokens` exceed)/;

/** The code of an answer with status ≥ 300, or of an error that came inside a 200 (`status` is then 200). */
export function classifyAnswer(status: number, error: ProviderError | undefined): ErrorCode {
  const words = [error?.code, error?.type].filter((word) => word !== undefined);
  const has = (set: Set<string>): boolean => words.some((word) => set.has(word));
  if (has(quotaWords) || status === 402) return "upstream_quota_exhausted";
  if (has(contextWords) || anthropicContext.test(error?.message ?? "")) return "context_length";
  if (has(filterWords)) return "content_filtered";
  if (has(overloadWords) || status === 503 || status === 529) return "upstream_overloaded";
  if (status === 429 || (status < 300 && has(rateWords))) return "upstream_rate_limited";
  if (status >= 300 && status < 400) return "upstream_redirect";
  if (status >= 400 && status < 500) return "upstream_rejected";
  return "upstream_server_error";
}

/** Media type of a content-type value, lower case, without parameters; empty when there is none. */
export function mediaTypeOf(contentType: string | undefined): string {
  if (contentType === undefined) return "";
  const cut = contentType.indexOf(";");
  return (cut === -1 ? contentType : contentType.slice(0, cut)).trim().toLowerCase();
}

/** Whether this media type is JSON's. Some servers send no type at all. */
export function isJsonMediaType(mediaType: string): boolean {
  return mediaType === "" || mediaType === "application/json" || mediaType.endsWith("+json");
}
