// Room proxy: what Outrider itself puts on an answer: its response headers, and its own errors in the client's dialect.
// Invariant: the same headers on every dialect, success and error; no header holds a secret, content or an address.

import type { Loss } from "../canonical/index.ts";
import type { Dialect } from "../dialects/index.ts";
import type { SidecarError } from "../errors.ts";
import type { AttemptGroup, Cost, ExchangeRecord } from "../record/index.ts";
import type { Responder } from "./wire.ts";

const maxLossesInHeader = 20;

/** `x-outrider-*` and `traceresponse` of this answer, as a flat list; `group` is the one that answers. */
export function answerHeaders(
  record: ExchangeRecord,
  traceresponse: string,
  group = record.served ?? record.groups.at(-1),
): string[] {
  const headers = ["x-outrider-request-id", record.id, "traceresponse", traceresponse];
  if (group !== undefined) {
    headers.push("x-outrider-served-by", formatTarget(group.provider, group.requestModel));
    let attempts = 0;
    for (const { attempts: sent } of record.groups) attempts += sent.length;
    headers.push("x-outrider-attempts", String(attempts));
  }
  const fallbacks = formatFallbacks(record.groups);
  if (fallbacks !== "") headers.push("x-outrider-fallback", fallbacks);
  if (record.losses.length > 0) headers.push("x-outrider-loss", formatLosses(record.losses));
  if (record.policyVersion !== undefined) headers.push("x-outrider-policy", record.policyVersion);
  return headers;
}

/** `a/m->b/n;reason=code, b/n->c/o;reason=code`; empty where nothing was replaced. */
function formatFallbacks(groups: readonly AttemptGroup[]): string {
  const shown: string[] = [];
  for (const { replaces, provider, requestModel } of groups) {
    if (replaces === undefined) continue;
    const [from, to] = [formatTarget(replaces.provider, replaces.model), formatTarget(provider, requestModel)];
    shown.push(`${from}->${to};reason=${replaces.reason}`);
  }
  return shown.join(", ");
}

function formatTarget(provider: string, model: string | undefined): string {
  return headerSafe(model === undefined ? provider : `${provider}/${model}`);
}

/** Value of `x-outrider-cost`. */
export function formatCost(cost: Cost): string {
  if (cost.nanoUsd === undefined) return `unknown;status=${cost.status}`;
  return `${(cost.nanoUsd / 1e9).toFixed(9)};currency=USD;status=${cost.status}`;
}

/** Value of `x-outrider-error`. */
export function formatError(failure: { code: string; source: string }): string {
  return `${failure.code};source=${failure.source}`;
}

/** Writes Outrider's own error in the client's dialect, or plainly where the path told none. */
export function answerError(
  respond: Responder,
  error: SidecarError,
  record: ExchangeRecord,
  dialect: Dialect | undefined,
  traceresponse: string,
): { status: number; bytes: number } {
  const body = Buffer.from(JSON.stringify(dialect?.encodeError(error, record.id) ?? plainError(error, record.id)));
  const headers = [
    "content-type",
    "application/json",
    "content-length",
    String(body.length),
    ...answerHeaders(record, traceresponse),
    "x-outrider-error",
    formatError(error),
  ];
  // The OpenAI and Anthropic SDKs obey this before any rule of their own (wire.md §6.1).
  if (!error.retryable) headers.push("x-should-retry", "false");
  respond.head(error.httpStatus, headers, false);
  respond.end(body);
  return { status: error.httpStatus, bytes: body.length };
}

function plainError(error: SidecarError, requestId: string): Record<string, unknown> {
  return { error: { type: error.source, code: error.code, message: error.message }, request_id: requestId };
}

function formatLosses(losses: Loss[]): string {
  const shown = losses.slice(0, maxLossesInHeader).map(
    // The pointer to the whole body is empty.
    ({ pointer, reason }) => `${pointer === "" ? "(body)" : headerSafe(pointer)};${reason}`,
  );
  if (losses.length > shown.length) shown.push(`more=${losses.length - shown.length}`);
  return shown.join(", ");
}

/** A client's model name or pointer may hold anything; a header value may not. */
function headerSafe(value: string): string {
  return value.replace(/[^\x21-\x7e]/g, "_").slice(0, 256);
}
