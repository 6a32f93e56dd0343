// Room telemetry: the SDK's processor interfaces over a bounded batch, for spans and records that the SDK's own tracer and logger made.
// They are what NodeSDK is started with; the exchange's own spans and events enter the same batch directly (direct-span.ts).
// Invariant: what was sampled out is neither queued nor counted as produced.

import { TraceFlags } from "@opentelemetry/api";
import type { LogRecordProcessor, ReadableLogRecord } from "@opentelemetry/sdk-logs";
import type { ReadableSpan, SpanProcessor } from "@opentelemetry/sdk-trace";

import type { Intake } from "./otlp.ts";

/** Feeds ended spans to the batch, which the caller owns and shuts down. */
export function createSpanProcessor(batch: Intake<ReadableSpan>): SpanProcessor {
  return {
    onStart: () => undefined,
    onEnd: (span) => {
      if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) !== 0) batch.add(span, sizeOfRecord(span));
    },
    forceFlush: () => batch.flush(),
    shutdown: async () => undefined,
  };
}

/** Feeds log records to the batch, which the caller owns and shuts down. */
export function createLogProcessor(batch: Intake<ReadableLogRecord>): LogRecordProcessor {
  return {
    onEmit: (record) => batch.add(record, sizeOfRecord(record)),
    forceFlush: () => batch.flush(),
    shutdown: async () => undefined,
  };
}

const bytesPerRecord = 512;
const bytesPerAttribute = 48;

/** Approximate bytes of a span or log record in memory; exact where it matters, in long strings. */
function sizeOfRecord({ attributes }: { attributes: Record<string, unknown> }): number {
  let bytes = bytesPerRecord;
  for (const name in attributes) {
    const value = attributes[name];
    bytes += bytesPerAttribute;
    if (typeof value === "string") bytes += value.length;
    else if (typeof value === "object" && value !== null) bytes += sizeOfValue(value);
  }
  return bytes;
}

function sizeOfValue(value: object): number {
  let bytes = 16;
  for (const part of Object.values(value)) {
    bytes += 16;
    if (typeof part === "string") bytes += part.length;
    else if (typeof part === "object" && part !== null) bytes += sizeOfValue(part);
  }
  return bytes;
}
