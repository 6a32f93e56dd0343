// Room telemetry: what the proxy sees of it. Spans start live, because propagation and sampling need their ids;
// everything else is told once, by the closed ExchangeRecord. Nothing here ever throws into the request path or waits on an exporter.

import type { CaptureMode } from "../options.ts";
import type { AttemptGroup, ExchangeRecord, WireAttempt } from "../record/index.ts";
import type { BreakerReading } from "./breakers.ts";
import type { PolicyNotice, PolicyState } from "./policy.ts";

/** Header values of the request that carry trace context; absent when the header was. */
export interface InboundContext {
  traceparent?: string;
  tracestate?: string;
  /** Wins over the options'. */
  capture?: CaptureMode;
}

/** The live spans of one exchange. */
export interface ExchangeTrace {
  readonly traceId: string;
  /** Value of the `traceresponse` header (W3C trace context level 2 draft). */
  readonly traceresponse: string;
  openGroup(group: AttemptGroup): void;
  /** Starts the wire attempt's span; gives the `traceparent` and `tracestate` that name it as parent. */
  openAttempt(group: AttemptGroup, attempt: WireAttempt): { traceparent: string; tracestate?: string };
}

export interface Telemetry {
  open(record: ExchangeRecord, context: InboundContext): ExchangeTrace;
  /**
   * Reports one model call inside an exchange that is none itself (a response on a WebSocket): its span, metrics and events, at once;
   * nothing of it is kept. `call` is the exchange as that call saw it, with its operation and `group` as its only group.
   */
  reportCall(call: ExchangeRecord, group: AttemptGroup, trace: ExchangeTrace): void;
  /** Ends every span of the trace and records metrics and events; call it exactly once per `open`. */
  close(record: ExchangeRecord, trace: ExchangeTrace): void;
  /** Reports what happened to the policy, as a log event. */
  reportPolicy(notice: PolicyNotice): void;
  /** Counts a look at the policy's source; `outcome` is low-cardinality. */
  countPolicyReload(outcome: string): void;
  /** Asked before each collection of metrics; call it once. */
  watchPolicy(read: () => PolicyState): void;
  /** Asked before each collection of metrics; call it once. */
  watchBreakers(read: () => Iterable<BreakerReading>): void;
  /** Prometheus text exposition of all metrics, in the collector's naming. */
  exposition(): Promise<string>;
  /** Produced, exported, dropped and queued, by signal, since start. */
  accounting(): TelemetryAccounting;
  /** Exports what is queued, then stops. Resolves within `timeoutMs` also when the collector does not answer. */
  shutdown(timeoutMs: number): Promise<void>;
}

export interface SignalAccounting {
  produced: number;
  exported: number;
  dropped: number;
  queued: number;
}

export interface TelemetryAccounting {
  traces: SignalAccounting;
  logs: SignalAccounting;
  metrics: SignalAccounting;
}
