// Reads what the collector's file exporter wrote: OTLP/JSON, one export a line, as plain spans, log records and data points.
// A line may be half written while it is read: the unfinished last one is left for the next reading.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export type AttributeValue = string | number | boolean | AttributeValue[] | { [key: string]: AttributeValue };
export type Attributes = Record<string, AttributeValue>;

export interface CollectedSpan {
  traceId: string;
  spanId: string;
  /** Absent on a root. */
  parentSpanId?: string;
  name: string;
  kind: "internal" | "server" | "client";
  attributes: Attributes;
  events: { name: string; attributes: Attributes }[];
  status: "unset" | "ok" | "error";
  startNs: bigint;
  endNs: bigint;
  resource: Attributes;
  scopeName: string;
  schemaUrl: string;
}

export interface CollectedLog {
  traceId: string;
  spanId: string;
  eventName: string;
  severityText: string;
  attributes: Attributes;
}

export interface CollectedMetric {
  name: string;
  unit: string;
  kind: "sum" | "gauge" | "histogram";
  points: { attributes: Attributes; value: number }[];
}

interface WireValue {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: string;
  doubleValue?: number;
  arrayValue?: { values?: WireValue[] };
  kvlistValue?: { values?: WireAttribute[] };
}
interface WireAttribute {
  key: string;
  value: WireValue;
}
interface WireSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind?: number;
  attributes?: WireAttribute[];
  events?: { name: string; attributes?: WireAttribute[] }[];
  status?: { code?: number };
  startTimeUnixNano: string;
  endTimeUnixNano: string;
}
interface WireLog {
  traceId?: string;
  spanId?: string;
  eventName?: string;
  severityText?: string;
  attributes?: WireAttribute[];
}
interface WirePoint {
  attributes?: WireAttribute[];
  asInt?: string;
  asDouble?: number;
  count?: string;
}
interface WireMetric {
  name: string;
  unit?: string;
  sum?: { dataPoints: WirePoint[] };
  gauge?: { dataPoints: WirePoint[] };
  histogram?: { dataPoints: WirePoint[] };
}
interface Resource {
  attributes?: WireAttribute[];
}

/** All spans so far, in the order of their export. */
export function readSpans(outDir: string): CollectedSpan[] {
  interface Line {
    resourceSpans: {
      resource?: Resource;
      scopeSpans: { scope?: { name?: string }; schemaUrl?: string; spans: WireSpan[] }[];
    }[];
  }
  return readLines<Line>(outDir, "traces").flatMap(({ resourceSpans }) =>
    resourceSpans.flatMap(({ resource, scopeSpans }) =>
      scopeSpans.flatMap(({ scope, schemaUrl = "", spans }) =>
        spans.map((span) => ({
          traceId: span.traceId,
          spanId: span.spanId,
          ...(span.parentSpanId ? { parentSpanId: span.parentSpanId } : {}),
          name: span.name,
          kind: span.kind === 2 ? ("server" as const) : span.kind === 3 ? ("client" as const) : ("internal" as const),
          attributes: readAttributes(span.attributes),
          events: (span.events ?? []).map((event) => ({
            name: event.name,
            attributes: readAttributes(event.attributes),
          })),
          status: (["unset", "ok", "error"] as const)[span.status?.code ?? 0] ?? "unset",
          startNs: BigInt(span.startTimeUnixNano),
          endNs: BigInt(span.endTimeUnixNano),
          resource: readAttributes(resource?.attributes),
          scopeName: scope?.name ?? "",
          schemaUrl,
        })),
      ),
    ),
  );
}

/** All log records so far. */
export function readLogs(outDir: string): CollectedLog[] {
  interface Line {
    resourceLogs: { scopeLogs: { logRecords: WireLog[] }[] }[];
  }
  return readLines<Line>(outDir, "logs").flatMap(({ resourceLogs }) =>
    resourceLogs.flatMap(({ scopeLogs }) =>
      scopeLogs.flatMap(({ logRecords }) =>
        logRecords.map(({ traceId = "", spanId = "", eventName = "", severityText = "", attributes }) => ({
          traceId,
          spanId,
          eventName,
          severityText,
          attributes: readAttributes(attributes),
        })),
      ),
    ),
  );
}

/** The metrics of the last export that was written whole; of a histogram the number of its values. */
export function readLatestMetrics(outDir: string): CollectedMetric[] {
  interface Line {
    resourceMetrics: { scopeMetrics: { metrics: WireMetric[] }[] }[];
  }
  const last = readLines<Line>(outDir, "metrics").at(-1);
  if (last === undefined) return [];
  return last.resourceMetrics.flatMap(({ scopeMetrics }) =>
    scopeMetrics.flatMap(({ metrics }) =>
      metrics.map(({ name, unit = "", sum, gauge, histogram }) => ({
        name,
        unit,
        kind: sum !== undefined ? ("sum" as const) : gauge !== undefined ? ("gauge" as const) : ("histogram" as const),
        points:
          (sum ?? gauge ?? histogram)?.dataPoints.map((point) => ({
            attributes: readAttributes(point.attributes),
            value: Number(point.asInt ?? point.asDouble ?? point.count ?? 0),
          })) ?? [],
      })),
    ),
  );
}

/** Waits until `read` gives something else than undefined; `what` is named when it does not. */
export async function waitFor<Result>(
  what: string,
  read: () => Promise<Result | undefined> | Result | undefined,
  timeoutMs = 20_000,
): Promise<Result> {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    const result = await read();
    if (result !== undefined) return result;
    if (Date.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(100);
  }
}

/** One exchange's spans, found in a trace. */
export interface ExchangeTree {
  server: CollectedSpan;
  /** Model-call spans under the server span, in order. */
  groups: { span: CollectedSpan; attempts: CollectedSpan[] }[];
}

/**
 * Waits for the one exchange of a trace and takes its spans apart by their parent ids.
 * Throws when a span of the trace is left over, or when the trace holds two exchanges.
 */
export async function waitForTree(outDir: string, traceId: string, timeoutMs?: number): Promise<ExchangeTree> {
  const spans = await waitFor(
    `the spans of trace ${traceId}`,
    () => {
      const found = readSpans(outDir).filter((span) => span.traceId === traceId);
      const ids = new Set(found.map(({ spanId }) => spanId));
      const whole = found.every(({ kind, parentSpanId }) => kind === "server" || ids.has(parentSpanId ?? ""));
      return whole && found.some(({ kind }) => kind === "server") ? found : undefined;
    },
    timeoutMs,
  );
  const [server, ...others] = spans.filter(({ kind }) => kind === "server");
  if (server === undefined || others.length > 0)
    throw new Error(`trace ${traceId} has ${others.length + 1} server spans`);
  const childrenOf = (parent: CollectedSpan) =>
    spans
      .filter(({ parentSpanId }) => parentSpanId === parent.spanId)
      .sort((a, b) => (a.startNs < b.startNs ? -1 : a.startNs > b.startNs ? 1 : 0));
  const groups = childrenOf(server).map((span) => ({ span, attempts: childrenOf(span) }));
  const placed = 1 + groups.reduce((sum, { attempts }) => sum + 1 + attempts.length, 0);
  if (placed !== spans.length) throw new Error(`trace ${traceId}: ${spans.length - placed} spans are nobody's child`);
  return { server, groups };
}

function readLines<Line>(outDir: string, signal: "traces" | "metrics" | "logs"): Line[] {
  let text: string;
  try {
    text = readFileSync(join(outDir, `${signal}.jsonl`), "utf8");
  } catch {
    return []; // the collector creates the file when it starts the exporter
  }
  const lines = text.split("\n");
  lines.pop();
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Line);
}

function readAttributes(attributes: WireAttribute[] = []): Attributes {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, readValue(value)]));
}

function readValue(value: WireValue): AttributeValue {
  if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(readValue);
  if (value.kvlistValue !== undefined) return readAttributes(value.kvlistValue.values);
  if (value.intValue !== undefined) return Number(value.intValue);
  return value.stringValue ?? value.boolValue ?? value.doubleValue ?? "";
}
