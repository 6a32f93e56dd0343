// Room telemetry: log records in the SDK's readable form, built without its logger (see direct-span.ts for why).
// Invariant: a record adopts its attributes object; nothing writes to it afterwards.

import type { Attributes, HrTime, SeverityNumber, SpanContext } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type { ReadableLogRecord } from "@opentelemetry/sdk-logs";

import { cutValues, toHrTime } from "./direct-span.ts";

/** What all log records of one telemetry instance share. */
export interface LogOrigin {
  resource: Resource;
  scope: ReadableLogRecord["instrumentationScope"];
  maxValueLength: number;
  /** `bytes` is the approximate size in memory. */
  onEmit(record: ReadableLogRecord, bytes: number): void;
}

export interface LogEvent {
  eventName: string;
  severityNumber: SeverityNumber;
  severityText: string;
  /** Epoch milliseconds, fractional. */
  epochMs: number;
  spanContext: SpanContext | undefined;
  attributes: Attributes;
  /** Characters of captured content in the attributes. */
  contentCharacters?: number;
}

/** Heap per queued record with some 25 attributes, rounded up. */
const bytesPerRecord = 2048;

/** Hands one event to the queue. */
export function emitLog(origin: LogOrigin, event: LogEvent): void {
  const hrTime: HrTime = toHrTime(event.epochMs);
  if (origin.maxValueLength !== Infinity) cutValues(event.attributes, origin.maxValueLength);
  const record: ReadableLogRecord = {
    hrTime,
    hrTimeObserved: hrTime,
    severityNumber: event.severityNumber,
    severityText: event.severityText,
    eventName: event.eventName,
    resource: origin.resource,
    instrumentationScope: origin.scope,
    attributes: event.attributes,
    droppedAttributesCount: 0,
    ...(event.spanContext === undefined ? {} : { spanContext: event.spanContext }),
  };
  origin.onEmit(record, bytesPerRecord + (event.contentCharacters ?? 0));
}
