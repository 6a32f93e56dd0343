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
// Upper case: Google's status words (google/rpc/code.proto, read 2026-11-21).
const overloadWords = new Set(["overloaded_error", "server_overloaded", "overloaded", "UNAVAILABLE"]);
const rateWords = new Set(["rate_limit_error", "rate_limit_exceeded", "rate_limit_reached", "RESOURCE_EXHAUSTED"]);

// Anthropic has no code of its own for a prompt that is too long (wire.md §1.15; message seen in recorded traffic).
const anthropicContext = /^(prompt is too long|input length and `max_tokens` exceed)/;
// Nor has Google: INVALID_ARGUMENT is every bad request (google-gemini/gemini-cli#4118, #6678).
const googleContext = /^The input token count( \(\d+\))? exceeds the maximum number of tokens/;

// AWS's exceptions, told by a header or a stream's message (API reference of the Bedrock runtime, read 2026-11-21). A full quota
// has a 400, a model that broke a 424, one that is not loaded yet a 429.
const awsWords: ReadonlyMap<string, ErrorCode> = new Map([
  ["ServiceQuotaExceededException", "upstream_quota_exhausted"],
  ["ThrottlingException", "upstream_rate_limited"],
  ["ServiceUnavailableException", "upstream_overloaded"],
  ["ModelNotReadyException", "upstream_overloaded"],
  ["ModelErrorException", "upstream_server_error"],
  ["ModelStreamErrorException", "upstream_server_error"],
  ["ModelTimeoutException", "upstream_server_error"],
  ["InternalServerException", "upstream_server_error"],
  ["ValidationException", "upstream_rejected"],
  ["AccessDeniedException", "upstream_rejected"],
  ["ResourceNotFoundException", "upstream_rejected"],
]);
// Nor has Bedrock a word for it: ValidationException is every bad request (Nova recorded; Claude: continuedev/continue#6005).
const awsContext =
  /^(The model returned the following errors: )?(Input Tokens Exceeded|Input is too long|prompt is too long)/;

/** The code of an answer with status ≥ 300, or of an error that came inside a 200 (`status` is then 200). */
export function classifyAnswer(status: number, error: ProviderError | undefined): ErrorCode {
  const words = [error?.code, error?.type].filter((word) => word !== undefined);
  const has = (set: Set<string>): boolean => words.some((word) => set.has(word));
  if (has(quotaWords) || status === 402) return "upstream_quota_exhausted";
  const message = error?.message ?? "";
  if (has(contextWords) || anthropicContext.test(message) || googleContext.test(message)) return "context_length";
  if (awsContext.test(message)) return "context_length";
  if (has(filterWords)) return "content_filtered";
  const aws = error?.type === undefined ? undefined : awsWords.get(error.type);
  if (aws !== undefined) return aws;
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
