// Room record: every fact of one exchange. The proxy writes it, telemetry and inspect read it; nothing else passes between them.
// Invariant: one record per exchange, closed once. Times named *Ms are milliseconds; `…AtMs` are wall-clock (epoch), fractional.

import type {
  InferenceRequest,
  InferenceResponse,
  Loss,
  ProviderError,
  Usage,
  UsageSource,
} from "../canonical/index.ts";
import type { ErrorCode, ErrorSource } from "../errors.ts";

/** How an exchange ended. */
export type ExchangeEnd = "complete" | "error" | "truncated" | "client_aborted";

export type AttemptReason = "first" | "retry" | "fallback" | "hedge";

export type CostStatus = "exact" | "alias" | "assumed" | "missing";

/** What one attempt group cost. `nanoUsd` is absent when the status is `missing`: an unknown price is never 0. */
export interface Cost {
  status: CostStatus;
  /** Whole nano-dollars. */
  nanoUsd?: number;
  /** The catalogue's id of the model that was priced. */
  pricedModel?: string;
}

/** A failure as telemetry tells it. */
export interface Failure {
  code: ErrorCode;
  source: ErrorSource;
  /** For people; never content, never a secret. */
  message: string;
}

/** One HTTP request on the wire to a provider. */
export interface WireAttempt {
  reason: AttemptReason;
  /** 0 for the first send of the group, 1 … for each resend. */
  resendCount: number;
  method: string;
  /** Without credentials: query values outside an allow-list read `REDACTED`. */
  url: string;
  serverAddress: string;
  serverPort: number;
  startedAtMs: number;
  /** Set when the attempt ends. */
  durationMs?: number;
  /** From start to the response head; absent when none came. */
  firstByteMs?: number;
  statusCode?: number;
  failure?: Failure;
  requestBytes: number;
  responseBytes: number;
  /** The provider's own request id header. */
  upstreamRequestId?: string;
  /** How long the sidecar waited before this resend. */
  retryDelayMs?: number;
}

/** The target that a group stands in for. */
export interface Replaced {
  provider: string;
  model?: string;
  /** Error code of its last attempt; why it was passed over, where it had none. */
  reason: string;
}

/** All wire attempts at one provider and model: what the conventions call the inference client span. */
export interface AttemptGroup {
  reason: AttemptReason;
  /** Set for a fallback. */
  replaces?: Replaced;
  /** Outrider's provider id, e.g. `openai`. */
  provider: string;
  /** `gen_ai.provider.name`. */
  providerName: string;
  /** Model asked of this provider. */
  requestModel?: string;
  serverAddress: string;
  serverPort: number;
  startedAtMs: number;
  durationMs?: number;
  attempts: WireAttempt[];
  response?: InferenceResponse;
  /** The provider's error body or in-stream error, decoded. */
  providerError?: ProviderError;
  failure?: Failure;
  usage?: Usage;
  usageSource: UsageSource;
  cost?: Cost;
  /** Streams only: from the send to the first chunk of the body. */
  timeToFirstChunkMs?: number;
  /** Streams only: milliseconds between successive output chunks, in order, after the first. */
  chunkGapsMs?: number[];
  /** Number of stream events the decoder did not know. */
  unrecognizedEvents: number;
  /** The observer failed; the client's bytes were not touched. */
  observerFailed: boolean;
}

export interface ExchangeHttp {
  method: string;
  /** Path only, as the client wrote it. */
  path: string;
  /** Query string without `?`, values outside an allow-list redacted; absent when there is none. */
  query?: string;
  route?: string;
  host?: string;
  protocolVersion: string;
  userAgent?: string;
  clientAddress?: string;
  clientPort?: number;
  /** Absent when no answer was written. */
  statusCode?: number;
  requestBytes: number;
  responseBytes: number;
}

/** What a WebSocket session adds. Its responses are reported one by one; `groups` holds the session with their sums. */
export interface WebSocketFacts {
  /** Of the first close frame; absent when the connection ended without one. */
  closeCode?: number;
  /** Who sent it. */
  closedBy?: "client" | "provider" | "outrider";
  /** Model calls that were reported. */
  responses: number;
  /** Messages that passed without being read: too large, too many at once, or not decompressed. */
  unreadMessages: number;
}

/** Why a call's body passed without being read: a content coding unknown or stacked, not what it says it is, or too large inside. */
export type RequestUnread = "unknown_coding" | "corrupt" | "too_large";

export interface ExchangeRecord {
  /** `x-outrider-request-id`: 32 hex digits. */
  id: string;
  traceId?: string;
  startedAtMs: number;
  durationMs?: number;
  http: ExchangeHttp;
  app?: string;
  tags: Record<string, string>;
  session?: string;
  user?: string;
  /** Absent when the path is no known operation (tunnel, 404). */
  dialect?: string;
  operation?: { kind: string; name?: string; route: string };
  /** The provider the client addressed. */
  provider?: string;
  relayMode?: "passthrough" | "splice" | "translate" | "tunnel";
  /** Set once a provider switched to WebSocket. */
  webSocket?: WebSocketFacts;
  request?: InferenceRequest;
  requestUnread?: RequestUnread;
  stream: boolean;
  groups: AttemptGroup[];
  /** Whose answer or error the client has, where policy had several to choose from; else the last one's. */
  served?: AttemptGroup;
  /** Targets that policy has for the call and that were not tried, each with a word for why. */
  skippedTargets?: { target: string; why: string }[];
  losses: Loss[];
  end?: ExchangeEnd;
  failure?: Failure;
  policyVersion?: string;
  /** Outrider's own time, by phase: total minus the union of the intervals spent waiting on others. */
  overheadMs?: { request: number; firstByte?: number; total: number };
}
