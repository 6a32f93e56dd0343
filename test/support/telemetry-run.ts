// Test support: telemetry with exporters in memory, and one way to play an exchange through it as the proxy does.
import { InMemoryLogRecordExporter, type ReadableLogRecord } from "@opentelemetry/sdk-logs";
import { AggregationTemporality, InMemoryMetricExporter, type MetricData } from "@opentelemetry/sdk-metrics";
import { InMemorySpanExporter, type ReadableSpan } from "@opentelemetry/sdk-trace";

import { systemClock } from "../../src/clock.ts";
import { optionsSchema, type OptionsInput } from "../../src/options.ts";
import type { ExchangeRecord } from "../../src/record/index.ts";
import {
  createTelemetry,
  type InboundContext,
  type Telemetry,
  type TelemetrySettings,
} from "../../src/telemetry/index.ts";

export interface TelemetryRun {
  telemetry: Telemetry;
  warnings: string[];
  /** Flushes all signals; ends the telemetry. */
  finish(): Promise<{ spans: ReadableSpan[]; logs: ReadableLogRecord[]; metrics: MetricData[] }>;
}

/** Options of the telemetry room with the defaults filled in. */
export function telemetryOptions(input: OptionsInput["telemetry"] = {}): TelemetrySettings["options"] {
  return optionsSchema.parse({ telemetry: input }).telemetry;
}

/** Telemetry into memory. Every model is known but those whose name starts with `unknown`. */
export function startTelemetry(
  input: OptionsInput["telemetry"] = {},
  environment: Record<string, string> = {},
  changes: Partial<TelemetrySettings> = {},
): TelemetryRun {
  const warnings: string[] = [];
  const spans = new KeptSpans();
  const logs = new KeptLogs();
  const metrics = new KeptMetrics(AggregationTemporality.CUMULATIVE);
  const telemetry = createTelemetry({
    options: telemetryOptions(input),
    environment,
    clock: systemClock,
    isKnownModel: (_provider, model) => !model.startsWith("unknown"),
    version: "0.0.0-test",
    exporters: { spans, logs, metrics },
    log: { warn: (_fields, message) => warnings.push(message) },
    ...changes,
  });
  return {
    telemetry,
    warnings,
    async finish() {
      await telemetry.shutdown(2000);
      return {
        spans: spans.getFinishedSpans(),
        logs: logs.getFinishedLogRecords(),
        metrics: metrics.getMetrics().flatMap((one) => one.scopeMetrics.flatMap((scoped) => scoped.metrics)),
      };
    },
  };
}

/** Opens and closes one exchange with all its groups and attempts. */
export function reportExchange(telemetry: Telemetry, record: ExchangeRecord, context: InboundContext = {}): string[] {
  const trace = telemetry.open(record, context);
  const parents: string[] = [];
  for (const group of record.groups) {
    if (record.operation?.name !== undefined) trace.openGroup(group);
    for (const attempt of group.attempts) parents.push(trace.openAttempt(group, attempt).traceparent);
  }
  telemetry.close(record, trace);
  return parents;
}

// The SDK's exporters forget everything at shutdown, which is when the tests look.
class KeptSpans extends InMemorySpanExporter {
  override async shutdown(): Promise<void> {}
}
class KeptLogs extends InMemoryLogRecordExporter {
  override async shutdown(): Promise<void> {}
}
class KeptMetrics extends InMemoryMetricExporter {
  override async shutdown(): Promise<void> {}
}
