import { createTraceState, SeverityNumber, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { ReadableLogRecord } from "@opentelemetry/sdk-logs";
import { AlwaysOnSampler, type ReadableSpan } from "@opentelemetry/sdk-trace";
import { describe, expect, it } from "vitest";
import type { AttributeMap } from "../../../src/telemetry/attributes.ts";
import { BoundedBatch, type ItemExporter } from "../../../src/telemetry/batch.ts";
import { DirectLogRecord } from "../../../src/telemetry/direct-log.ts";
import { DirectSpan } from "../../../src/telemetry/direct-span.ts";
import { ProtobufWriter } from "../../../src/telemetry/protobuf-writer.ts";
import { createLogIntake, createSpanIntake, type Encoded, type Intake } from "../../../src/telemetry/otlp.ts";

type Serialize = (items: unknown[]) => Uint8Array;

/** The serializer inside an exporter, bound; before and after the replacement it is another one. */
function serializerOf(exporter: object): Serialize {
  const delegate = Reflect.get(exporter, "_delegate") as { _serializer: { serializeRequest: Serialize } };
  const serializer = delegate._serializer;
  return (items) => serializer.serializeRequest(items);
}

const resource = resourceFromAttributes({ "service.name": "outrider", "process.pid": 7 });
const scope = { name: "outrider", version: "0.1.0", schemaUrl: "https://opentelemetry.io/schemas/1.38.0" };

const attributes = {
  plain: "text",
  empty: "",
  "not ascii": "Grüße, 世界 🛰",
  "lone surrogate": "a\ud800b",
  "63 characters": "x".repeat(63),
  "64 characters": "x".repeat(64),
  "127 characters": "x".repeat(127),
  "128 characters": "x".repeat(128),
  long: "é".repeat(20_000),
  zero: 0,
  small: 127,
  wide: 128,
  "more than 32 bits": 2 ** 40 + 3,
  "2^53": 2 ** 53,
  "2^62": 2 ** 62,
  "2^63": 2 ** 63,
  negative: -1,
  "very negative": -(2 ** 40) - 3,
  "smallest integer": -(2 ** 63),
  fraction: 0.1,
  "not a number": Number.NaN,
  infinite: Number.POSITIVE_INFINITY,
  yes: true,
  no: false,
  texts: ["a", "", "ß"],
  numbers: [1, 2.5, -3],
  none: [],
};

const content = {
  ...attributes,
  messages: [{ role: "user", parts: [{ type: "text", content: "hi" }] }],
  bytes: new Uint8Array([0, 255]),
};

function buildSpan(change: Partial<ReadableSpan> = {}): ReadableSpan {
  const context = { traceId: "0123456789abcdef0123456789abcdef", spanId: "fedcba9876543210", traceFlags: 1 };
  return {
    name: "POST /v1/chat/completions",
    kind: SpanKind.SERVER,
    spanContext: () => context,
    startTime: [1_795_236_000, 123_456_789],
    endTime: [1_795_236_001, 999_999_999],
    status: { code: SpanStatusCode.UNSET },
    attributes,
    links: [],
    events: [],
    duration: [1, 0],
    ended: true,
    resource,
    instrumentationScope: scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
    ...change,
  };
}

function buildLogRecord(change: Partial<ReadableLogRecord> = {}): ReadableLogRecord {
  return {
    hrTime: [1_795_236_000, 1],
    hrTimeObserved: [0, 0],
    severityNumber: SeverityNumber.WARN,
    severityText: "WARN",
    eventName: "outrider.loss",
    spanContext: { traceId: "f".repeat(32), spanId: "1".repeat(16), traceFlags: 1 },
    resource,
    instrumentationScope: scope,
    attributes: content,
    droppedAttributesCount: 0,
    ...change,
  };
}

const parent = { traceId: "f".repeat(32), spanId: "a".repeat(16), traceFlags: 0, isRemote: true };
const linked = { ...parent, isRemote: false, traceState: createTraceState("a=1,b=2") };

/** A span as Outrider itself makes them, its attributes in a map. */
function buildDirectSpan(): DirectSpan {
  const start = {
    name: "chat gpt-4o",
    kind: SpanKind.CLIENT,
    startMs: 1_795_236_000_123.456,
    values: new Map<string, unknown>(Object.entries(attributes)),
  };
  const tracer = { resource, scope, sampler: new AlwaysOnSampler(), maxValueLength: Infinity, onEnd: () => {} };
  const span = new DirectSpan(tracer, start, { ...linked, isRemote: false }, parent);
  span.addEvent("outrider.loss", { a: 1 }, 1_795_236_000_124);
  span.fail("no");
  span.end(1_795_236_000_125.5);
  return span;
}

function buildDirectLogRecord(
  values: AttributeMap = new Map<string, unknown>(Object.entries(content)),
): DirectLogRecord {
  const origin = { resource, scope, maxValueLength: Infinity, onEmit: () => {} };
  return new DirectLogRecord(origin, {
    eventName: "gen_ai.client.inference.operation.details",
    severityNumber: SeverityNumber.DEBUG,
    severityText: "DEBUG",
    epochMs: 1_795_236_000_123.456,
    spanContext: parent,
    values,
  });
}

const spans: [string, ReadableSpan[]][] = [
  ["Outrider's own", [buildDirectSpan(), buildSpan(), buildDirectSpan()]],
  ["one without a parent", [buildSpan()]],
  ["no attributes", [buildSpan({ attributes: {} })]],
  ["content on the span", [buildSpan({ attributes: content as unknown as ReadableSpan["attributes"] })]],
  [
    "a remote parent and an error",
    [buildSpan({ parentSpanContext: parent, status: { code: SpanStatusCode.ERROR, message: "no" } })],
  ],
  ["trace state", [buildSpan({ spanContext: () => ({ ...linked }) })]],
  [
    "events, some of them dropped",
    [
      buildSpan({
        events: [
          { name: "loss", time: [3, 4], attributes: { a: 1 } },
          { name: "bare", time: [5, 6] },
        ],
        droppedEventsCount: 300,
      }),
    ],
  ],
  ["links", [buildSpan({ links: [{ context: linked, attributes: { reason: "fallback" } }, { context: parent }] })]],
  ["many", Array.from({ length: 700 }, (_, index) => buildSpan({ name: `span ${index}` }))],
  ["other scopes among them", [buildSpan(), buildSpan({ instrumentationScope: { name: "other" } })]],
];

const records: [string, ReadableLogRecord[]][] = [
  ["Outrider's own", [buildDirectLogRecord(), buildLogRecord()]],
  ["one", [buildLogRecord()]],
  ["no span", [{ ...buildLogRecord(), spanContext: undefined } as unknown as ReadableLogRecord]],
  ["a body and an unsampled span", [buildLogRecord({ body: { text: "hi" }, spanContext: parent })]],
  ["many", Array.from({ length: 300 }, () => buildLogRecord())],
];

/** What reaches the exporter's transport for these items, by way of the batch. */
async function sendThrough<Item>(
  exporter: OTLPTraceExporter | OTLPLogExporter,
  createIntake: (exporter: object, batch: BoundedBatch<Item>, writer: ProtobufWriter) => Intake<Item>,
  items: Item[],
  writer = new ProtobufWriter(),
): Promise<{ ours: Uint8Array[]; intake: Intake<Item>; batch: BoundedBatch<Item> }> {
  const batch = new BoundedBatch<Item>(exporter as unknown as ItemExporter<Item>, settings, {
    onDrop: () => {},
    onFailure: () => {},
  });
  const intake = createIntake(exporter, batch, writer);
  const ours: Uint8Array[] = [];
  const transport = {
    send: async (bytes: Uint8Array) => {
      ours.push(bytes);
      return { status: "success" };
    },
    shutdown: () => {},
  };
  Reflect.set(Reflect.get(exporter, "_delegate") as object, "_transport", transport);
  for (const item of items) intake.add(item, 1);
  await intake.flush();
  return { ours, intake, batch };
}

const settings = {
  maxQueueItems: 1000,
  maxQueueBytes: 64 * 1024 * 1024,
  maxBatchItems: 1000,
  scheduleDelayMs: 60_000,
  exportTimeoutMs: 1000,
  maxExports: 1,
  retryDelayMs: 1,
};

describe("OTLP bytes", () => {
  it.each(spans)("writes spans exactly as the SDK does: %s", async (_name, items) => {
    const exporter = new OTLPTraceExporter({ url: "http://127.0.0.1:1/" });
    const theirs = serializerOf(exporter);
    const { ours, intake, batch } = await sendThrough(exporter, createSpanIntake, items);
    expect(ours).toHaveLength(1);
    expect(Buffer.from(ours[0] ?? []).equals(Buffer.from(theirs(items)))).toBe(true);
    expect(batch.accounting()).toEqual({ produced: items.length, exported: items.length, dropped: 0, queued: 0 });
    // A second request starts afresh.
    for (const item of items) intake.add(item, 1);
    await intake.flush();
    expect(Buffer.from(ours[1] ?? []).equals(Buffer.from(ours[0] ?? []))).toBe(true);
  });

  it.each(records)("writes log records exactly as the SDK does: %s", async (_name, items) => {
    const exporter = new OTLPLogExporter({ url: "http://127.0.0.1:1/" });
    const theirs = serializerOf(exporter);
    const { ours } = await sendThrough(exporter, createLogIntake, items);
    expect(ours).toHaveLength(1);
    expect(Buffer.from(ours[0] ?? []).equals(Buffer.from(theirs(items)))).toBe(true);
  });

  it("writes a record that shares its span's attributes as the SDK does, also after they grew", async () => {
    const writer = new ProtobufWriter();
    const span = buildDirectSpan();
    await sendThrough(new OTLPTraceExporter({ url: "http://127.0.0.1:1/" }), createSpanIntake, [span], writer);
    const exporter = new OTLPLogExporter({ url: "http://127.0.0.1:1/" });
    const theirs = serializerOf(exporter);
    const sharing = [buildDirectLogRecord(span.values), buildDirectLogRecord(span.values)];
    const { ours, intake } = await sendThrough(exporter, createLogIntake, sharing, writer);
    expect(Buffer.from(ours[0] ?? []).equals(Buffer.from(theirs(sharing)))).toBe(true);
    span.values.set("later", 1);
    for (const item of sharing) intake.add(item, 1);
    await intake.flush();
    expect(Buffer.from(ours[1] ?? []).equals(Buffer.from(theirs(sharing)))).toBe(true);
  });

  it("counts the bytes that wait, and drops what goes beyond the queue's share of memory", () => {
    const exporter = new OTLPTraceExporter({ url: "http://127.0.0.1:1/" });
    const batch = new BoundedBatch<ReadableSpan | Encoded>(
      exporter as unknown as ItemExporter<ReadableSpan | Encoded>,
      { ...settings, maxQueueBytes: 100_000 },
      { onDrop: () => {}, onFailure: () => {} },
    );
    const intake = createSpanIntake(exporter, batch, new ProtobufWriter());
    // Each has an attribute of 40,000 bytes.
    for (let index = 0; index < 5; index++) intake.add(buildSpan(), 1);
    expect(batch.accounting()).toMatchObject({ produced: 5, dropped: 3 });
  });

  it("leaves items as they are for an exporter of another kind", () => {
    const batch = new BoundedBatch<ReadableSpan | Encoded>({ export: () => {}, shutdown: async () => {} }, settings, {
      onDrop: () => {},
      onFailure: () => {},
    });
    expect(createSpanIntake({}, batch, new ProtobufWriter())).toBe(batch);
    const altered = new OTLPTraceExporter({ url: "http://127.0.0.1:1/" });
    Reflect.set(altered, "_delegate", {});
    expect(createSpanIntake(altered, batch, new ProtobufWriter())).toBe(batch);
  });
});
