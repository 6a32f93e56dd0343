// Test support: reads OTLP protobuf by field tables taken from the published .proto files (opentelemetry-proto 1.7), so that the
// exporter's bytes are read by something that shares no code with it. Unknown fields are skipped.

type Kind =
  | "string"
  | "bytes"
  | "hex"
  | "varint"
  | "sint"
  | "bool"
  | "fixed64"
  | "sfixed64"
  | "double"
  | "fixed32"
  | "packed64"
  | "packedDouble";

interface Field {
  name: string;
  kind?: Kind;
  message?: () => Table;
  repeated?: boolean;
}

type Table = Record<number, Field>;

export type Decoded = { [key: string]: unknown };

const field = (name: string, kind: Kind): Field => ({ name, kind });
const one = (name: string, message: () => Table): Field => ({ name, message });
const many = (name: string, message: () => Table): Field => ({ name, message, repeated: true });

const anyValue: Table = {
  1: field("stringValue", "string"),
  2: field("boolValue", "bool"),
  3: field("intValue", "varint"),
  4: field("doubleValue", "double"),
  5: one("arrayValue", () => ({ 1: many("values", () => anyValue) })),
  6: one("kvlistValue", () => ({ 1: many("values", () => keyValue) })),
  7: field("bytesValue", "bytes"),
};
const keyValue: Table = { 1: field("key", "string"), 2: one("value", () => anyValue) };
const resource: Table = { 1: many("attributes", () => keyValue) };
const scope: Table = { 1: field("name", "string"), 2: field("version", "string") };
const attributes = (): Field => many("attributes", () => keyValue);
const event: Table = { 1: field("timeUnixNano", "fixed64"), 2: field("name", "string"), 3: attributes() };
const link: Table = { 1: field("traceId", "hex"), 2: field("spanId", "hex"), 4: attributes() };
const span: Table = {
  1: field("traceId", "hex"),
  2: field("spanId", "hex"),
  3: field("traceState", "string"),
  4: field("parentSpanId", "hex"),
  5: field("name", "string"),
  6: field("kind", "varint"),
  7: field("startTimeUnixNano", "fixed64"),
  8: field("endTimeUnixNano", "fixed64"),
  9: attributes(),
  11: many("events", () => event),
  13: many("links", () => link),
  15: one("status", () => ({ 2: field("message", "string"), 3: field("code", "varint") })),
};
const logRecord: Table = {
  1: field("timeUnixNano", "fixed64"),
  2: field("severityNumber", "varint"),
  3: field("severityText", "string"),
  5: one("body", () => anyValue),
  6: attributes(),
  9: field("traceId", "hex"),
  10: field("spanId", "hex"),
  12: field("eventName", "string"),
};
const numberPoint: Table = {
  2: field("startTimeUnixNano", "fixed64"),
  3: field("timeUnixNano", "fixed64"),
  4: field("asDouble", "double"),
  6: field("asInt", "sfixed64"),
  7: attributes(),
};
const histogramPoint: Table = {
  2: field("startTimeUnixNano", "fixed64"),
  3: field("timeUnixNano", "fixed64"),
  4: field("count", "fixed64"),
  5: field("sum", "double"),
  6: field("bucketCounts", "packed64"),
  7: field("explicitBounds", "packedDouble"),
  9: attributes(),
};
const metric: Table = {
  1: field("name", "string"),
  2: field("description", "string"),
  3: field("unit", "string"),
  5: one("gauge", () => ({ 1: many("dataPoints", () => numberPoint) })),
  7: one("sum", () => ({
    1: many("dataPoints", () => numberPoint),
    2: field("aggregationTemporality", "varint"),
    3: field("isMonotonic", "bool"),
  })),
  9: one("histogram", () => ({
    1: many("dataPoints", () => histogramPoint),
    2: field("aggregationTemporality", "varint"),
  })),
};

const inScope = (name: string, items: () => Table): Table => ({
  1: one("scope", () => scope),
  2: many(name, items),
  3: field("schemaUrl", "string"),
});
const request = (outer: string, middle: string, inner: string, items: () => Table): Table => ({
  1: many(outer, () => ({ 1: one("resource", () => resource), 2: many(middle, () => inScope(inner, items)) })),
});

const requests = {
  traces: request("resourceSpans", "scopeSpans", "spans", () => span),
  logs: request("resourceLogs", "scopeLogs", "logRecords", () => logRecord),
  metrics: request("resourceMetrics", "scopeMetrics", "metrics", () => metric),
};

/** Decodes one export request into the shape that OTLP/JSON has. */
export function readExportRequest(signal: keyof typeof requests, bytes: Buffer): Decoded {
  return readMessage(requests[signal], bytes);
}

function readMessage(table: Table, bytes: Buffer): Decoded {
  const result: Decoded = {};
  let position = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[position];
      if (byte === undefined) throw new Error("protobuf: varint ends early");
      position += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (position < bytes.length) {
    const tag = Number(varint());
    const wire = tag & 7;
    const known = table[tag >>> 3];
    let value: unknown;
    if (wire === 0) value = readVarint(varint(), known?.kind);
    else if (wire === 1) {
      value = known?.kind === "double" ? bytes.readDoubleLE(position) : String(bytes.readBigInt64LE(position));
      position += 8;
    } else if (wire === 5) {
      value = bytes.readUInt32LE(position);
      position += 4;
    } else if (wire === 2) {
      const length = Number(varint());
      if (position + length > bytes.length) throw new Error("protobuf: field ends early");
      value = readBytes(bytes.subarray(position, position + length), known);
      position += length;
    } else throw new Error(`protobuf: wire type ${wire}`);
    if (known === undefined) continue;
    if (known.repeated === true) result[known.name] = [...((result[known.name] as unknown[] | undefined) ?? []), value];
    else result[known.name] = value;
  }
  return result;
}

function readVarint(value: bigint, kind: Kind | undefined): unknown {
  if (kind === "bool") return value !== 0n;
  return Number(BigInt.asIntN(64, value));
}

function readBytes(bytes: Buffer, known: Field | undefined): unknown {
  if (known?.message !== undefined) return readMessage(known.message(), bytes);
  const words = Array.from({ length: Math.floor(bytes.length / 8) }, (_, index) => index * 8);
  switch (known?.kind) {
    case "hex":
      return bytes.toString("hex");
    case "packed64":
      return words.map((offset) => String(bytes.readBigUInt64LE(offset)));
    case "packedDouble":
      return words.map((offset) => bytes.readDoubleLE(offset));
    case "bytes":
      return bytes.toString("base64");
    default:
      return bytes.toString("utf8");
  }
}
