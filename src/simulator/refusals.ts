// Simulator: errors as OpenAI and Anthropic word them, one row a kind. Messages follow recorded traffic where there is some.

import type { Answer, Call } from "./call.ts";
import type { Fault } from "./models.ts";

/** Whose words an answer uses. */
export type WireName = "openai" | "anthropic";

interface Row {
  openai: { status: number; type: string; code?: string; message: string };
  anthropic: { status: number; type: string; message: string };
  headers?: Record<string, string>;
}

const retryHints = { "retry-after": "1", "retry-after-ms": "1000", "x-should-retry": "true" };

const rows = {
  "429": {
    openai: {
      status: 429,
      type: "requests",
      code: "rate_limit_exceeded",
      message:
        "Rate limit reached for $MODEL in organization org-simulated on requests per min (RPM): Limit 500, Used 500, Requested 1. Please try again in 1s.",
    },
    anthropic: {
      status: 429,
      type: "rate_limit_error",
      message: "This request would exceed your organization's rate limit of 50 requests per minute.",
    },
    headers: retryHints,
  },
  quota: {
    openai: {
      status: 429,
      type: "insufficient_quota",
      code: "insufficient_quota",
      message: "You exceeded your current quota, please check your plan and billing details.",
    },
    anthropic: {
      status: 402,
      type: "billing_error",
      message:
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
    },
    headers: { "x-should-retry": "false" },
  },
  auth: {
    openai: {
      status: 401,
      type: "invalid_request_error",
      code: "invalid_api_key",
      message: "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys.",
    },
    anthropic: { status: 401, type: "authentication_error", message: "invalid x-api-key" },
    headers: { "x-should-retry": "false" },
  },
  overloaded: {
    openai: {
      status: 503,
      type: "server_error",
      message: "That model is currently overloaded with other requests. You can retry your request.",
    },
    anthropic: { status: 529, type: "overloaded_error", message: "Overloaded" },
    headers: { "x-should-retry": "true" },
  },
  "500": {
    openai: {
      status: 500,
      type: "server_error",
      message: "The server had an error while processing your request. Sorry about that!",
    },
    anthropic: { status: 500, type: "api_error", message: "Internal server error" },
  },
  "not-found": {
    openai: {
      status: 404,
      type: "invalid_request_error",
      code: "model_not_found",
      message: "The model `$MODEL` does not exist or you do not have access to it.",
    },
    anthropic: { status: 404, type: "not_found_error", message: "model: $MODEL" },
  },
  "context-length": {
    openai: {
      status: 400,
      type: "invalid_request_error",
      code: "context_length_exceeded",
      message:
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 131072 tokens. Please reduce the length of the messages.",
    },
    anthropic: {
      status: 400,
      type: "invalid_request_error",
      message: "prompt is too long: 215000 tokens > 200000 maximum",
    },
  },
  badJson: {
    openai: {
      status: 400,
      type: "invalid_request_error",
      message:
        "We could not parse the JSON body of your request. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.",
    },
    anthropic: { status: 400, type: "invalid_request_error", message: "The request body is not valid JSON." },
  },
  badField: {
    openai: {
      status: 400,
      type: "invalid_request_error",
      code: "missing_required_parameter",
      message: "Missing required parameter: '$FIELD'.",
    },
    anthropic: { status: 400, type: "invalid_request_error", message: "$FIELD: Field required" },
  },
  tooLarge: {
    openai: { status: 413, type: "invalid_request_error", message: "Request body too large." },
    anthropic: { status: 413, type: "request_too_large", message: "Request exceeds the maximum size" },
  },
  unknownPath: {
    openai: {
      status: 404,
      type: "invalid_request_error",
      code: "unknown_url",
      message: "Unknown request URL: $FIELD. Please check the URL for typos.",
    },
    anthropic: { status: 404, type: "not_found_error", message: "Not Found" },
  },
  followed: {
    openai: {
      status: 410,
      type: "invalid_request_error",
      message: "A redirect was followed that should not have been.",
    },
    anthropic: {
      status: 410,
      type: "invalid_request_error",
      message: "A redirect was followed that should not have been.",
    },
  },
} satisfies Record<string, Row>;

/** Why a request is refused: a fault, or something wrong with the request. */
export type RefusalKind = keyof typeof rows;

/** Whether a fault is simply an error answer, whatever was asked. */
export const isRefusal = (fault: Fault): fault is Fault & RefusalKind => fault in rows;

/** The error object of a provider, as it also stands inside its streams. */
export function refusalBody(
  wire: WireName,
  kind: RefusalKind,
  facts: { model?: string; field?: string; requestId: string },
): object {
  const row = rows[kind];
  const message = row[wire].message.replace("$MODEL", facts.model ?? "").replace("$FIELD", facts.field ?? "");
  if (wire === "anthropic")
    return { type: "error", error: { type: row.anthropic.type, message }, request_id: facts.requestId };
  const code = "code" in row.openai ? row.openai.code : null;
  return { error: { message, type: row.openai.type, param: kind === "badField" ? (facts.field ?? null) : null, code } };
}

/** The whole error answer of a provider. */
export function refuse(
  wire: WireName,
  kind: RefusalKind,
  facts: { model?: string; field?: string; requestId: string },
): Answer {
  const row: Row = rows[kind];
  const body = refusalBody(wire, kind, facts);
  return {
    status: row[wire].status,
    headers: { "content-type": "application/json", ...row.headers },
    body: { kind: "whole", text: wire === "openai" ? `${JSON.stringify(body, null, 4)}\n` : JSON.stringify(body) },
  };
}

/** The refusal of a request that lacks a field. */
export const refuseField = (wire: WireName, call: Call, field: string): Answer =>
  refuse(wire, "badField", { field, requestId: call.requestId });
