// Room telemetry: log records in the SDK's readable form, built without its logger (see direct-span.ts for why).
// Invariant: a record adopts its map of attributes; nothing writes to it afterwards.

import type { HrTime, SeverityNumber, SpanContext } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type { ReadableLogRecord } from "@opentelemetry/sdk-logs";

import type { AttributeMap } from "./attributes.ts";
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
  /** Adopted by the record. */
  values: AttributeMap;
  /** Characters of captured content in the attributes. */
  contentCharacters?: number;
}

/** Heap per queued record with some 25 attributes, rounded up. */
const bytesPerRecord = 2048;

/** One log record. */
export class DirectLogRecord implements ReadableLogRecord {
  readonly hrTime: HrTime;
  readonly hrTimeObserved: HrTime;
  readonly severityNumber: SeverityNumber;
  readonly severityText: string;
  readonly eventName: string;
  readonly spanContext?: SpanContext;
  readonly resource: Resource;
  readonly instrumentationScope: ReadableLogRecord["instrumentationScope"];
  readonly values: AttributeMap;
  readonly droppedAttributesCount = 0;

  constructor(origin: LogOrigin, event: LogEvent) {
    this.hrTime = toHrTime(event.epochMs);
    this.hrTimeObserved = this.hrTime;
    this.severityNumber = event.severityNumber;
    this.severityText = event.severityText;
    this.eventName = event.eventName;
    if (event.spanContext !== undefined) this.spanContext = event.spanContext;
    this.resource = origin.resource;
    this.instrumentationScope = origin.scope;
    this.values = event.values;
  }

  /** A copy in the SDK's form, for exporters other than OTLP/protobuf. */
  get attributes(): ReadableLogRecord["attributes"] {
    return Object.fromEntries(this.values);
  }
}

/** Hands one event to the queue. */
export function emitLog(origin: LogOrigin, event: LogEvent): void {
  const { maxValueLength } = origin;
  // The map may be a span's too, which has its own limit.
  const values = maxValueLength === Infinity ? event.values : new Map(event.values);
  if (values !== event.values) cutValues(values, maxValueLength);
  origin.onEmit(
    new DirectLogRecord(origin, values === event.values ? event : { ...event, values }),
    bytesPerRecord + (event.contentCharacters ?? 0),
  );
}
