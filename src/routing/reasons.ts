// Room routing: the words a policy has for what went wrong at a target, and which error means which.
// Invariant: an error without a word here is never answered by another model; its cause would be the same or would be hidden.

import type { ErrorCode } from "../errors.ts";

/** Every word that `when` of a fallback may hold. */
export const fallbackReasons = [
  "rate_limited",
  "overloaded",
  "timeout",
  "unreachable",
  "server_error",
  "context_length",
  "content_filtered",
  "quota_exhausted",
  "budget_exhausted",
] as const;

export type FallbackReason = (typeof fallbackReasons)[number];

interface Meaning {
  reason: FallbackReason;
  /** Whether the same request may succeed at the same target a moment later. */
  isTransient: boolean;
}

const transient = (reason: FallbackReason): Meaning => ({ reason, isTransient: true });
const lasting = (reason: FallbackReason): Meaning => ({ reason, isTransient: false });

// Absent on purpose: what is wrong with the request (upstream_rejected), with the configuration (upstream_auth, upstream_redirect)
// or with this process; and deadline_exceeded, after which no time is left for anything.
const meanings: { readonly [Code in ErrorCode]?: Meaning } = {
  upstream_rate_limited: transient("rate_limited"),
  upstream_overloaded: transient("overloaded"),
  upstream_connect_timeout: transient("timeout"),
  upstream_first_byte_timeout: transient("timeout"),
  upstream_first_token_timeout: transient("timeout"),
  stream_idle: transient("timeout"),
  upstream_unreachable: transient("unreachable"),
  upstream_dns: transient("unreachable"),
  upstream_tls: lasting("unreachable"),
  upstream_server_error: transient("server_error"),
  stream_truncated: transient("server_error"),
  upstream_invalid: lasting("server_error"),
  context_length: lasting("context_length"),
  content_filtered: lasting("content_filtered"),
  upstream_quota_exhausted: lasting("quota_exhausted"),
  budget_exhausted: lasting("budget_exhausted"),
};

/** What a policy calls this failure; undefined: no fallback is for it. */
export function reasonOf(code: ErrorCode): FallbackReason | undefined {
  return meanings[code]?.reason;
}

/** Whether a second send to the same target makes sense. */
export function isTransient(code: ErrorCode): boolean {
  return meanings[code]?.isTransient ?? false;
}

/** What a fallback without `when` is for: the target could not serve now. Anything lasting or dear must be named. */
export const defaultWhen: ReadonlySet<FallbackReason> = new Set([
  "rate_limited",
  "overloaded",
  "timeout",
  "unreachable",
  "server_error",
]);

/** For which failures the next of several equal targets is tried: all but those that would meet it there too. */
export const siblingReasons: ReadonlySet<FallbackReason> = new Set([...defaultWhen, "quota_exhausted"]);

/** What an ended attempt says of its target's health. */
export type Verdict = "success" | "failure" | "unknown";

const answeredCodes: ReadonlySet<ErrorCode> = new Set([
  "upstream_rejected",
  "upstream_auth",
  "upstream_redirect",
  "upstream_too_large",
  "context_length",
  "content_filtered",
]);

const unhealthyReasons: ReadonlySet<FallbackReason> = new Set(["overloaded", "timeout", "unreachable", "server_error"]);

/**
 * For the breaker. A refusal is an answer, so a success; limits and quotas are told by cooldowns; what the client, the policy or this
 * process ended says nothing.
 */
export function judgeOutcome(code: ErrorCode | undefined): Verdict {
  if (code === undefined || answeredCodes.has(code)) return "success";
  const reason = reasonOf(code);
  return reason !== undefined && unhealthyReasons.has(reason) ? "failure" : "unknown";
}
