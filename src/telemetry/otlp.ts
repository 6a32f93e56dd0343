// Room telemetry: spans and log records as OTLP protobuf, in place of the SDK's serializer, which walks every value twice, character by
// character, and was a sixth of Outrider's CPU time. They become bytes as soon as they are queued: kept as objects until the next export
// they all reach the old generation (both measured 2026-11-21). Transport, retries and answers stay the SDK's.
// Invariant: the bytes are the SDK's, to the last one (test/unit/telemetry/otlp.test.ts compares them).
// Source: opentelemetry-proto 1.x, trace/v1 and logs/v1 (read 2026-11-21).

import type { SpanContext } from "@opentelemetry/api";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import type { ReadableLogRecord } from "@opentelemetry/sdk-logs";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";

import type { BoundedBatch } from "./batch.ts";
import { DirectLogRecord } from "./direct-log.ts";
import { DirectSpan } from "./direct-span.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";

type Origin = Pick<ReadableSpan, "resource" | "instrumentationScope">;

/** A span or log record as the bytes of its message: a range of a page that many share, as a buffer of its own costs more than it holds. */
export interface Encoded extends Origin {
  page: Buffer;
  start: number;
  end: number;
}

/** What the SDK's OTLP exporters have in a private field (sdk 0.301.0). */
interface Delegate {
  _serializer: { serializeRequest(items: Encoded[]): Uint8Array; deserializeResponse(bytes: Uint8Array): unknown };
}

/** Puts items into a batch in the form that its exporter takes. */
export interface Intake<Item> {
  /** `bytes`: approximate size of the item in memory. */
  add(item: Item, bytes: number): void;
  flush(): Promise<void>;
}

/** What holds the bytes of a queued item. */
const bytesPerItem = 256;

/** The way to a batch of spans; an OTLP/protobuf exporter is switched to encoded ones. Spans and log records may share the writer. */
export function createSpanIntake(
  exporter: object,
  batch: BoundedBatch<ReadableSpan | Encoded>,
  writer: ProtobufWriter,
): Intake<ReadableSpan> {
  const encoded = exporter instanceof OTLPTraceExporter && takeEncoded(exporter);
  return encoded ? createEncodingIntake(batch, writer, writeSpan) : batch;
}

/** The same for log records. */
export function createLogIntake(
  exporter: object,
  batch: BoundedBatch<ReadableLogRecord | Encoded>,
  writer: ProtobufWriter,
): Intake<ReadableLogRecord> {
  const encoded = exporter instanceof OTLPLogExporter && takeEncoded(exporter);
  return encoded ? createEncodingIntake(batch, writer, writeLogRecord) : batch;
}

function createEncodingIntake<Item extends Origin>(
  batch: BoundedBatch<Item | Encoded>,
  writer: ProtobufWriter,
  write: (to: ProtobufWriter, item: Item) => void,
): Intake<Item> {
  return {
    add(item) {
      write(writer, item);
      const { page, start, end } = writer.takeRange();
      const { resource, instrumentationScope } = item;
      batch.add({ page, start, end, resource, instrumentationScope }, end - start + bytesPerItem);
    },
    flush: () => batch.flush(),
  };
}

/** False, and nothing changed, where the exporter is built otherwise than expected. */
function takeEncoded(exporter: object): boolean {
  const delegate: unknown = Reflect.get(exporter, "_delegate");
  if (!isDelegate(delegate)) return false;
  const theirs = delegate._serializer;
  const writer = new ProtobufWriter();
  delegate._serializer = {
    serializeRequest: (items) => writeRequest(writer, items),
    deserializeResponse: (bytes) => theirs.deserializeResponse(bytes),
  };
  return true;
}

function isDelegate(candidate: unknown): candidate is Delegate {
  if (typeof candidate !== "object" || candidate === null) return false;
  const serializer: unknown = Reflect.get(candidate, "_serializer");
  return typeof serializer === "object" && serializer !== null && "serializeRequest" in serializer;
}

/** Requests for traces and for logs differ in the innermost message alone. */
function writeRequest(to: ProtobufWriter, items: readonly Encoded[]): Uint8Array {
  for (const [resource, ofResource] of groupBy(items, (item) => item.resource)) {
    const byResource = to.open(1);
    const resourceMessage = to.open(1);
    to.attributes(1, resource.attributes);
    to.uint(2, 0);
    to.close(resourceMessage);
    for (const [scope, ofScope] of groupBy(ofResource, (item) => item.instrumentationScope)) {
      const byScope = to.open(2);
      const scopeMessage = to.open(1);
      to.string(1, scope.name);
      if (scope.version) to.string(2, scope.version);
      to.close(scopeMessage);
      for (const { page, start, end } of ofScope) to.range(2, page, start, end);
      if (scope.schemaUrl) to.string(3, scope.schemaUrl);
      to.close(byScope);
    }
    if (resource.schemaUrl) to.string(3, resource.schemaUrl);
    to.close(byResource);
  }
  return to.take();
}

function groupBy<Key>(items: readonly Encoded[], keyOf: (item: Encoded) => Key): Map<Key, Encoded[]> {
  const groups = new Map<Key, Encoded[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

function writeSpan(to: ProtobufWriter, span: ReadableSpan): void {
  const context = span.spanContext();
  writeIds(to, context);
  const parent = span.parentSpanContext;
  if (parent?.spanId) to.hex(4, parent.spanId);
  to.string(5, span.name);
  to.uint(6, span.kind + 1);
  to.time(7, span.startTime);
  to.time(8, span.endTime);
  to.attributes(9, span instanceof DirectSpan ? span.values : span.attributes);
  to.uint(10, span.droppedAttributesCount);
  for (const event of span.events) {
    const message = to.open(11);
    to.time(1, event.time);
    to.string(2, event.name);
    if (event.attributes !== undefined) to.attributes(3, event.attributes);
    to.uint(4, event.droppedAttributesCount ?? 0);
    to.close(message);
  }
  to.uint(12, span.droppedEventsCount);
  for (const link of span.links) {
    const message = to.open(13);
    writeIds(to, link.context);
    if (link.attributes !== undefined) to.attributes(4, link.attributes);
    to.uint(5, link.droppedAttributesCount ?? 0);
    to.fixed32(6, flagsOf(link.context, link.context.isRemote));
    to.close(message);
  }
  to.uint(14, span.droppedLinksCount);
  const status = to.open(15);
  if (span.status.message) to.string(2, span.status.message);
  to.uint(3, span.status.code);
  to.close(status);
  to.fixed32(16, flagsOf(context, parent?.isRemote));
}

function writeIds(to: ProtobufWriter, { traceId, spanId, traceState }: SpanContext): void {
  to.hex(1, traceId);
  to.hex(2, spanId);
  const state = traceState?.serialize();
  if (state) to.string(3, state);
}

/** Trace flags, bit 8: it is known whether the parent is remote, bit 9: it is. */
function flagsOf({ traceFlags }: SpanContext, isRemote: boolean | undefined): number {
  return (traceFlags & 0xff) | 0x100 | (isRemote === true ? 0x200 : 0);
}

function writeLogRecord(to: ProtobufWriter, record: ReadableLogRecord): void {
  const { severityNumber, severityText, spanContext, eventName } = record;
  to.time(1, record.hrTime);
  if (severityNumber) to.uint(2, severityNumber);
  if (severityText) to.string(3, severityText);
  if (record.body !== undefined) to.value(5, record.body);
  to.attributes(6, record instanceof DirectLogRecord ? record.values : record.attributes);
  to.uint(7, record.droppedAttributesCount);
  if (spanContext !== undefined) {
    if (spanContext.traceFlags) to.fixed32(8, spanContext.traceFlags);
    to.hex(9, spanContext.traceId);
    to.hex(10, spanContext.spanId);
  }
  to.time(11, record.hrTimeObserved);
  if (eventName) to.string(12, eventName);
}
