// Room telemetry: a metric exporter that counts what passes through it.
// Invariant: data points produced = exported + dropped + queued (in flight). A data point that was not delivered is counted as
// dropped although a cumulative total arrives again with the next one.

import type { PushMetricExporter, ResourceMetrics } from "@opentelemetry/sdk-metrics";

import type { DropReason } from "./batch.ts";
import type { SignalAccounting } from "./telemetry.ts";

export interface DataPointExporter {
  exporter: PushMetricExporter;
  accounting(): SignalAccounting;
  /** Told by the exporter's response while an export is in flight. */
  refuse(items: number): void;
  /** Gives up on what is in flight: counted as dropped at shutdown. */
  abandon(): void;
}

/** Wraps an exporter, which the metric reader owns and closes. */
export function createDataPointExporter(
  inner: PushMetricExporter,
  hooks: { onDrop(reason: DropReason, items: number): void; onFailure(message: string): void },
): DataPointExporter {
  const totals: SignalAccounting = { produced: 0, exported: 0, dropped: 0, queued: 0 };
  let refused = 0;
  let abandoned = false;
  const drop = (reason: DropReason, items: number): void => {
    totals.dropped += items;
    hooks.onDrop(reason, items);
  };
  const exporter: PushMetricExporter = {
    export(metrics, done) {
      const items = countDataPoints(metrics);
      totals.produced += items;
      totals.queued += items;
      refused = 0;
      inner.export(metrics, (result) => {
        if (!abandoned) {
          totals.queued -= items;
          if (result.code === 0) {
            const kept = Math.min(refused, items);
            totals.exported += items - kept;
            if (kept > 0) drop("rejected", kept);
          } else {
            drop("export_failed", items);
            hooks.onFailure(describe(result.error));
          }
        }
        done(result);
      });
    },
    forceFlush: () => inner.forceFlush(),
    shutdown: () => inner.shutdown(),
  };
  // Temporality is the store's business; the reader asks for it only for instruments of the SDK's own.
  if (inner.selectAggregationTemporality !== undefined) {
    exporter.selectAggregationTemporality = (type) => inner.selectAggregationTemporality?.(type) ?? 1;
  }
  return {
    exporter,
    accounting: () => ({ ...totals }),
    refuse: (items) => {
      refused += items;
    },
    abandon: () => {
      abandoned = true;
      const left = totals.queued;
      totals.queued = 0;
      if (left > 0) drop("shutdown", left);
    },
  };
}

function describe(error: Error | undefined): string {
  if (error === undefined) return "export failed";
  return error.message === "" ? String(Reflect.get(error, "code") ?? "export failed") : error.message;
}

function countDataPoints({ scopeMetrics }: ResourceMetrics): number {
  let items = 0;
  for (const { metrics } of scopeMetrics) for (const { dataPoints } of metrics) items += dataPoints.length;
  return items;
}
