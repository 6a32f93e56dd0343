// The one table of everything that can go wrong, and the one class that carries it.
// `code` is low-cardinality: it is `error.type` in telemetry and the word in `x-outrider-error`.
// docs/errors.md lists the same codes; a test holds the two together.

export type ErrorSource = "client" | "policy" | "provider" | "sidecar";

interface ErrorRow {
  source: ErrorSource;
  /** Status of the answer Outrider itself writes; 0 where no answer can be written. */
  httpStatus: number;
  /** Whether the same request may succeed if sent again. */
  retryable: boolean;
}

const client = (httpStatus: number): ErrorRow => ({ source: "client", httpStatus, retryable: false });
const policy = (httpStatus: number, retryable = false): ErrorRow => ({ source: "policy", httpStatus, retryable });
const provider = (httpStatus: number, retryable: boolean): ErrorRow => ({ source: "provider", httpStatus, retryable });
const sidecar = (httpStatus: number): ErrorRow => ({ source: "sidecar", httpStatus, retryable: true });

export const errorTable = {
  origin_refused: client(403),
  host_refused: client(421),
  method_not_allowed: client(405),
  request_timeout: client(408),
  expectation_failed: client(417),
  headers_too_large: client(431),
  request_malformed: client(400),
  request_too_large: client(413),
  request_lossy: client(422),
  operation_unsupported: client(404),
  key_invalid: client(401),
  client_disconnected: client(0),
  superseded: { source: "sidecar", httpStatus: 0, retryable: false },
  model_denied: policy(403),
  policy_unavailable: policy(503, true),
  budget_exhausted: policy(429),
  budget_store_unavailable: policy(503, true),
  rate_limited_local: policy(429, true),
  guardrail_blocked: policy(403),
  guardrail_failed: policy(503, true),
  price_unknown: policy(403),
  upstream_unreachable: provider(502, true),
  upstream_dns: provider(502, true),
  upstream_tls: provider(502, false),
  upstream_connect_timeout: provider(504, true),
  upstream_first_byte_timeout: provider(504, true),
  upstream_first_token_timeout: provider(504, true),
  stream_idle: provider(504, true),
  deadline_exceeded: provider(504, true),
  upstream_rate_limited: provider(429, true),
  upstream_quota_exhausted: provider(429, false),
  upstream_overloaded: provider(503, true),
  upstream_server_error: provider(502, true),
  upstream_rejected: provider(400, false),
  context_length: provider(400, false),
  content_filtered: provider(400, false),
  upstream_auth: provider(502, false),
  upstream_invalid: provider(502, true),
  upstream_redirect: provider(502, false),
  upstream_too_large: provider(502, false),
  stream_truncated: provider(502, true),
  draining: sidecar(503),
  overloaded: sidecar(503),
  internal: sidecar(500),
} satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

export interface SidecarErrorOptions {
  cause?: unknown;
  /** Overrides the table's status, for a provider's own 4xx or 5xx. */
  httpStatus?: number;
  /** Facts for the answer's body and the log; never content, never a secret. */
  details?: Record<string, string | number | boolean>;
}

/** Any failure of an exchange. Its message is written for the person who reads the client's error. */
export class SidecarError extends Error {
  readonly code: ErrorCode;
  readonly source: ErrorSource;
  readonly httpStatus: number;
  readonly retryable: boolean;
  readonly details: Record<string, string | number | boolean>;

  constructor(code: ErrorCode, message: string, options: SidecarErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    const row: ErrorRow = errorTable[code];
    this.name = "SidecarError";
    this.code = code;
    this.source = row.source;
    this.httpStatus = options.httpStatus ?? row.httpStatus;
    this.retryable = row.retryable;
    this.details = options.details ?? {};
  }
}
