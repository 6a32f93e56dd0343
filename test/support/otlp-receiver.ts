// Test support: a loopback OTLP/HTTP receiver for http/json and http/protobuf that gives spans, metrics and log records as plain
// objects, and can be told to fail. It keeps what it accepted; what it refused it only counts.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";

import { readExportRequest } from "./protobuf-reader.ts";

export type ReceiverSignal = "traces" | "metrics" | "logs";

export interface ReceivedSpan {
  name: string;
  kind: number;
  traceId: string;
  spanId: string;
  parentSpanId: string;
  startMs: number;
  endMs: number;
  /** 0 unset, 1 ok, 2 error. */
  statusCode: number;
  statusMessage: string;
  attributes: Record<string, unknown>;
  events: { name: string; attributes: Record<string, unknown> }[];
  links: { traceId: string; spanId: string }[];
  resource: Record<string, unknown>;
  scope: { name: string; version: string; schemaUrl: string };
}

export interface ReceivedLog {
  eventName: string;
  severityNumber: number;
  attributes: Record<string, unknown>;
  traceId: string;
  spanId: string;
}

export interface ReceivedPoint {
  attributes: Record<string, unknown>;
  /** Sums and gauges. */
  value?: number;
  /** Histograms. */
  count?: number;
  sum?: number;
  bucketCounts?: number[];
  bounds?: number[];
}

export interface ReceivedMetric {
  name: string;
  unit: string;
  type: "sum" | "gauge" | "histogram";
  isMonotonic: boolean;
  /** 1 delta, 2 cumulative. */
  temporality: number;
  points: ReceivedPoint[];
}

/** What the receiver does with a request instead of accepting it. */
export type ReceiverFault =
  | { type: "status"; status: number; retryAfterSeconds?: number }
  /** Accepts after the delay. */
  | { type: "slow"; delayMs: number }
  | { type: "hang" }
  | { type: "reset" }
  /** Accepts all but so many items, by partial success. */
  | { type: "partial"; rejected: number }
  /** Answers 200 with so many bytes of nonsense. */
  | { type: "huge"; bytes: number };

export interface OtlpReceiver {
  readonly url: string;
  readonly spans: ReceivedSpan[];
  readonly logs: ReceivedLog[];
  /** Of the latest export that held them, by name. */
  readonly metrics: Map<string, ReceivedMetric>;
  readonly requests: { signal: ReceiverSignal; contentType: string; headers: IncomingMessage["headers"] }[];
  /** Every body as it came, for searches. */
  readonly bodies: Buffer[];
  /** For all requests from now on; undefined accepts again. `only` limits it to one signal. */
  setFault(fault: ReceiverFault | undefined, only?: ReceiverSignal): void;
  close(): Promise<void>;
}

type Json = Record<string, unknown>;

/** Starts a receiver on a free loopback port; the caller closes it. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  let fault: ReceiverFault | undefined;
  let only: ReceiverSignal | undefined;
  const received = {
    spans: [] as ReceivedSpan[],
    logs: [] as ReceivedLog[],
    metrics: new Map<string, ReceivedMetric>(),
  };
  const requests: OtlpReceiver["requests"] = [];
  const bodies: Buffer[] = [];

  const accept = (signal: ReceiverSignal, document: Json): void => {
    if (signal === "traces") received.spans.push(...readSpans(document));
    if (signal === "logs") received.logs.push(...readLogs(document));
    if (signal === "metrics") for (const metric of readMetrics(document)) received.metrics.set(metric.name, metric);
  };

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("error", () => undefined);
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const signal = signalOf(request.url ?? "");
      if (signal === undefined || request.method !== "POST") return void response.writeHead(404).end();
      const contentType = request.headers["content-type"] ?? "";
      const raw = Buffer.concat(chunks);
      const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(raw) : raw;
      requests.push({ signal, contentType, headers: request.headers });
      bodies.push(body);
      const document = contentType.includes("protobuf")
        ? readExportRequest(signal, body)
        : (JSON.parse(body.toString("utf8")) as Json);
      const active = only === undefined || only === signal ? fault : undefined;
      const answer = (): void => succeed(response, contentType, signal, 0);
      switch (active?.type) {
        case undefined:
          accept(signal, document);
          return answer();
        case "status": {
          const retryAfter = active.retryAfterSeconds;
          const headers = retryAfter === undefined ? {} : { "retry-after": String(retryAfter) };
          return void response.writeHead(active.status, headers).end();
        }
        case "slow":
          return void setTimeout(() => {
            accept(signal, document);
            answer();
          }, active.delayMs);
        case "hang":
          return;
        case "reset":
          return void request.socket.destroy();
        case "partial":
          return succeed(response, contentType, signal, active.rejected);
        case "huge":
          response.writeHead(200, { "content-type": contentType });
          return void response.end(Buffer.alloc(active.bytes, 0x20));
      }
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    ...received,
    requests,
    bodies,
    setFault(next, signal) {
      fault = next;
      only = signal;
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

function signalOf(url: string): ReceiverSignal | undefined {
  const match = /^\/v1\/(traces|metrics|logs)$/.exec(url);
  return match?.[1] as ReceiverSignal | undefined;
}

const rejectedNames = { traces: "rejectedSpans", metrics: "rejectedDataPoints", logs: "rejectedLogRecords" };

function succeed(response: ServerResponse, contentType: string, signal: ReceiverSignal, rejected: number): void {
  response.writeHead(200, { "content-type": contentType });
  if (rejected === 0) return void response.end(contentType.includes("json") ? "{}" : undefined);
  if (contentType.includes("json")) {
    return void response.end(JSON.stringify({ partialSuccess: { [rejectedNames[signal]]: String(rejected) } }));
  }
  // ExportTraceServiceResponse { partial_success (1): { rejected (1): varint } }, for counts below 128.
  response.end(Buffer.from([0x0a, 0x02, 0x08, rejected]));
}

function list(value: unknown, key: string): Json[] {
  return ((value as Json | undefined)?.[key] as Json[] | undefined) ?? [];
}

function readValue(value: Json | undefined): unknown {
  if (value === undefined) return undefined;
  if ("intValue" in value) return Number(value["intValue"]);
  if ("arrayValue" in value) return list(value["arrayValue"], "values").map(readValue);
  if ("kvlistValue" in value) return readAttributes(list(value["kvlistValue"], "values"));
  return value["stringValue"] ?? value["boolValue"] ?? value["doubleValue"] ?? value["bytesValue"];
}

function readAttributes(pairs: Json[]): Record<string, unknown> {
  return Object.fromEntries(pairs.map((pair) => [pair["key"], readValue(pair["value"] as Json | undefined)]));
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function milliseconds(nanos: unknown): number {
  return Number(BigInt(String(nanos ?? 0)) / 1000n) / 1000;
}

function readSpans(document: Json): ReceivedSpan[] {
  return list(document, "resourceSpans").flatMap((group) =>
    list(group, "scopeSpans").flatMap((scoped) =>
      list(scoped, "spans").map((span) => ({
        name: text(span["name"]),
        kind: Number(span["kind"]),
        traceId: text(span["traceId"]),
        spanId: text(span["spanId"]),
        parentSpanId: text(span["parentSpanId"]),
        startMs: milliseconds(span["startTimeUnixNano"]),
        endMs: milliseconds(span["endTimeUnixNano"]),
        statusCode: Number((span["status"] as Json | undefined)?.["code"] ?? 0),
        statusMessage: text((span["status"] as Json | undefined)?.["message"]),
        attributes: readAttributes(list(span, "attributes")),
        events: list(span, "events").map((event) => ({
          name: text(event["name"]),
          attributes: readAttributes(list(event, "attributes")),
        })),
        links: list(span, "links").map((link) => ({ traceId: text(link["traceId"]), spanId: text(link["spanId"]) })),
        resource: readAttributes(list(group["resource"], "attributes")),
        scope: {
          name: text((scoped["scope"] as Json | undefined)?.["name"]),
          version: text((scoped["scope"] as Json | undefined)?.["version"]),
          schemaUrl: text(scoped["schemaUrl"]),
        },
      })),
    ),
  );
}

function readLogs(document: Json): ReceivedLog[] {
  return list(document, "resourceLogs").flatMap((group) =>
    list(group, "scopeLogs").flatMap((scoped) =>
      list(scoped, "logRecords").map((record) => ({
        eventName: text(record["eventName"]),
        severityNumber: Number(record["severityNumber"]),
        attributes: readAttributes(list(record, "attributes")),
        traceId: text(record["traceId"]),
        spanId: text(record["spanId"]),
      })),
    ),
  );
}

function readMetrics(document: Json): ReceivedMetric[] {
  return list(document, "resourceMetrics").flatMap((group) =>
    list(group, "scopeMetrics").flatMap((scoped) => list(scoped, "metrics").map(readMetric)),
  );
}

function readMetric(metric: Json): ReceivedMetric {
  const type = "histogram" in metric ? "histogram" : "gauge" in metric ? "gauge" : "sum";
  const content = metric[type] as Json;
  return {
    name: text(metric["name"]),
    unit: text(metric["unit"]),
    type,
    isMonotonic: content["isMonotonic"] === true,
    temporality: Number(content["aggregationTemporality"] ?? 0),
    points: list(content, "dataPoints").map((point) => readPoint(type, point)),
  };
}

function readPoint(type: ReceivedMetric["type"], point: Json): ReceivedPoint {
  const attributes = readAttributes(list(point, "attributes"));
  if (type !== "histogram") return { attributes, value: Number(point["asDouble"] ?? point["asInt"]) };
  return {
    attributes,
    count: Number(point["count"]),
    sum: Number(point["sum"]),
    bucketCounts: ((point["bucketCounts"] as unknown[] | undefined) ?? []).map(Number),
    bounds: ((point["explicitBounds"] as unknown[] | undefined) ?? []).map(Number),
  };
}
