// Room telemetry: span objects in the SDK's readable form, built without its tracer.
// Three spans through the SDK's tracer cost about 45 µs of a request and a log record 30 µs, most of it checking and copying attributes
// that come from this room's own tables (measured 2026-11-21). Sampler, ids, resource, exporters and wire form stay the SDK's.
// Invariant: a span adopts its map of attributes; it may be written to until `end`, which works once.

import {
  SpanStatusCode,
  TraceFlags,
  trace,
  ROOT_CONTEXT,
  type Attributes,
  type HrTime,
  type Link,
  type SpanContext,
  type SpanKind,
  type SpanStatus,
} from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import {
  RandomIdGenerator,
  SamplingDecision,
  type IdGenerator,
  type ReadableSpan,
  type Sampler,
  type TimedEvent,
} from "@opentelemetry/sdk-trace";

import type { AttributeMap } from "./attributes.ts";

/** What all spans of one telemetry instance share. */
export interface SpanOrigin {
  resource: Resource;
  scope: ReadableSpan["instrumentationScope"];
  sampler: Sampler;
  /** Longest string value; Infinity when the operator set no limit. */
  maxValueLength: number;
  /** Takes ended spans that are sampled; `bytes` is their approximate size in memory. */
  onEnd(span: ReadableSpan, bytes: number): void;
}

export interface SpanStart {
  name: string;
  kind: SpanKind;
  /** Epoch milliseconds, fractional. */
  startMs: number;
  /** Adopted by the span. */
  values: AttributeMap;
  links?: Link[];
}

/** The SDK's default limit of events on one span. */
const maxEvents = 128;
/** Heap per queued span with some 25 attributes, rounded up (measured 2026-11-21). */
const bytesPerSpan = 2048;
const unset: SpanStatus = Object.freeze({ code: SpanStatusCode.UNSET });
const noLinks: Link[] = [];
// None of the samplers that OTEL_TRACES_SAMPLER can name looks at them.
const noAttributes: Attributes = {};

/** Starts spans. One per telemetry instance. */
export class DirectTracer {
  readonly origin: SpanOrigin;
  readonly #ids: IdGenerator = new RandomIdGenerator();

  constructor(origin: SpanOrigin) {
    this.origin = origin;
  }

  /** The first span of an exchange. The sampler is asked here only: for each of its kinds a child would be told the same. */
  startRoot(start: SpanStart, caller: SpanContext | undefined): DirectSpan {
    const traceId = caller?.traceId ?? this.#ids.generateTraceId();
    const context = caller === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, caller);
    const { decision, traceState = caller?.traceState } = this.origin.sampler.shouldSample(
      context,
      traceId,
      start.name,
      start.kind,
      noAttributes,
      noLinks,
    );
    const traceFlags = decision === SamplingDecision.RECORD_AND_SAMPLED ? TraceFlags.SAMPLED : TraceFlags.NONE;
    const spanContext: SpanContext = { traceId, spanId: this.#ids.generateSpanId(), traceFlags };
    if (traceState !== undefined) spanContext.traceState = traceState;
    return new DirectSpan(this.origin, start, spanContext, caller);
  }

  startChild(start: SpanStart, parent: SpanContext): DirectSpan {
    const { traceId, traceFlags, traceState } = parent;
    const spanContext: SpanContext = { traceId, spanId: this.#ids.generateSpanId(), traceFlags };
    if (traceState !== undefined) spanContext.traceState = traceState;
    return new DirectSpan(this.origin, start, spanContext, parent);
  }
}

/** One span, live until `end`. */
export class DirectSpan implements ReadableSpan {
  name: string;
  readonly kind: SpanKind;
  readonly context: SpanContext;
  readonly parentSpanContext: SpanContext;
  readonly values: AttributeMap;
  readonly links: Link[];
  readonly events: TimedEvent[] = [];
  readonly startTime: HrTime;
  endTime: HrTime = [0, 0];
  duration: HrTime = [0, 0];
  status: SpanStatus = unset;
  ended = false;
  /** Approximate size in memory: what a span of this room takes, plus what was added for long strings. */
  bytes = bytesPerSpan;
  readonly droppedAttributesCount = 0;
  droppedEventsCount = 0;
  readonly droppedLinksCount = 0;
  readonly resource: Resource;
  readonly instrumentationScope: ReadableSpan["instrumentationScope"];
  readonly #origin: SpanOrigin;
  readonly #startMs: number;

  constructor(origin: SpanOrigin, start: SpanStart, context: SpanContext, parent: SpanContext | undefined) {
    this.name = start.name;
    this.kind = start.kind;
    this.context = context;
    // A root has no parent; the SDK's type has the field optional, its serializers test for undefined.
    this.parentSpanContext = parent as SpanContext;
    this.values = start.values;
    this.links = start.links ?? noLinks;
    this.startTime = toHrTime(start.startMs);
    this.resource = origin.resource;
    this.instrumentationScope = origin.scope;
    this.#origin = origin;
    this.#startMs = start.startMs;
  }

  /** A copy in the SDK's form, for exporters other than OTLP/protobuf. */
  get attributes(): Attributes {
    return Object.fromEntries(this.values);
  }

  spanContext(): SpanContext {
    return this.context;
  }

  addEvent(name: string, attributes: Attributes, epochMs: number): void {
    if (this.events.length >= maxEvents) {
      this.droppedEventsCount += 1;
      return;
    }
    this.events.push({ name, attributes, time: toHrTime(epochMs), droppedAttributesCount: 0 });
  }

  fail(message: string | undefined): void {
    this.status = message === undefined ? { code: SpanStatusCode.ERROR } : { code: SpanStatusCode.ERROR, message };
  }

  /** An end before the start counts as the start. */
  end(epochMs: number): void {
    if (this.ended) return;
    this.ended = true;
    if ((this.context.traceFlags & TraceFlags.SAMPLED) === 0) return;
    const endMs = Math.max(epochMs, this.#startMs);
    this.endTime = toHrTime(endMs);
    this.duration = toHrTime(endMs - this.#startMs);
    const { maxValueLength } = this.#origin;
    if (maxValueLength !== Infinity) cutValues(this.values, maxValueLength);
    this.#origin.onEnd(this, this.bytes);
  }
}

/** Milliseconds as the SDK's pair of seconds and nanoseconds. */
export function toHrTime(epochMs: number): HrTime {
  const seconds = Math.trunc(epochMs / 1000);
  const nanoseconds = Math.round((epochMs - seconds * 1000) * 1e6);
  return nanoseconds < 1e9 ? [seconds, nanoseconds] : [seconds + 1, 0];
}

/** Shortens string values in place, nested ones too (OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT). */
export function cutValues(values: AttributeMap, maxLength: number): void {
  for (const [key, value] of values) values.set(key, cutValue(value, maxLength));
}

/** Values may be shared with the record, so what holds others is copied. */
function cutValue(value: unknown, maxLength: number): unknown {
  if (typeof value === "string") return value.slice(0, maxLength);
  if (Array.isArray(value)) return value.map((item: unknown) => cutValue(item, maxLength));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, cutValue(item, maxLength)]));
}
