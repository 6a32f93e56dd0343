// Room telemetry: what is told of the policy itself, beside exchanges: its version and age, every look at its source, every event.
// Invariant: versions are labels of one series at a time; reasons are in log events alone.

import { type Attributes, SeverityNumber } from "@opentelemetry/api";

import { emitLog, type LogOrigin } from "./direct-log.ts";
import type { ExchangeMetrics } from "./metrics.ts";
import type { MetricStore } from "./metric-store.ts";
import { events, own } from "./semconv.ts";

/** One thing that happened to the policy. `version` is the one in force; `reason` holds no content of a document. */
export interface PolicyNotice {
  type: "applied" | "rejected" | "stale" | "rolled_back" | "unsaved";
  version: string;
  /** Of the document or candidate that is not in force. */
  refusedVersion?: string;
  /** Low-cardinality. */
  outcome?: string;
  reason?: string;
}

/** The policy in force, as the metrics show it. */
export interface PolicyState {
  version: string;
  /** `options`, `network`, `disk` or `file`. */
  source: string;
  /** Since its source last confirmed it; absent without a source. */
  ageSeconds?: number | undefined;
}

const eventByType = {
  applied: { eventName: events.policyApplied, severityNumber: SeverityNumber.INFO, severityText: "INFO" },
  rejected: { eventName: events.policyRejected, severityNumber: SeverityNumber.WARN, severityText: "WARN" },
  stale: { eventName: events.policyStale, severityNumber: SeverityNumber.WARN, severityText: "WARN" },
  rolled_back: { eventName: events.policyRolledBack, severityNumber: SeverityNumber.ERROR, severityText: "ERROR" },
  unsaved: { eventName: events.policyUnsaved, severityNumber: SeverityNumber.WARN, severityText: "WARN" },
} as const satisfies Record<PolicyNotice["type"], object>;

/** Emits the log event of a notice. */
export function emitPolicyNotice(origin: LogOrigin, notice: PolicyNotice, epochMs: number): void {
  const { type, version, refusedVersion, outcome, reason } = notice;
  const attributes: Attributes = { [own.policyVersion]: version };
  if (refusedVersion !== undefined) attributes[own.policyRefusedVersion] = refusedVersion;
  if (outcome !== undefined) attributes[own.policyOutcome] = outcome;
  if (reason !== undefined) attributes[own.policyReason] = reason;
  const values = new Map(Object.entries(attributes));
  emitLog(origin, { ...eventByType[type], epochMs, spanContext: undefined, values });
}

/** Sets the policy's metrics before each collection. */
export function mirrorPolicy(
  store: MetricStore,
  { policyInfo, policyAge }: ExchangeMetrics["instruments"],
  read: () => PolicyState,
): void {
  let shown = "";
  store.onCollect(() => {
    const { version, source, ageSeconds } = read();
    // Only the policy in force has a series: a past one at 0 would stay for the life of the process.
    policyAge.clear();
    if (ageSeconds !== undefined) policyAge.series({ [own.policySource]: source }).set(ageSeconds);
    if (shown === `${source} ${version}`) return;
    shown = `${source} ${version}`;
    policyInfo.clear();
    policyInfo.series({ [own.policyVersion]: version, [own.policySource]: source }).set(1);
  });
}
