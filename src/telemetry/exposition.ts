// Room telemetry: all metrics as Prometheus text, format 0.0.4.
// Invariant: names and labels are the ones that the collector's Prometheus exporter gives the same metrics, so that one dashboard
// serves both (its scope labels left out, which no query needs). Rules: prometheus/otlptranslator, UnderscoreEscapingWithSuffixes, read 2026-11-21.

import type { Attributes } from "@opentelemetry/api";
import {
  DataPointType,
  MetricReader,
  type MetricData,
  type MetricProducer,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";

/** Content type of the exposition. */
export const expositionContentType = "text/plain; version=0.0.4; charset=utf-8";

/** Reads when asked; nothing is pushed and nothing is kept. */
export class PullReader extends MetricReader {
  constructor(producer: MetricProducer) {
    super({ metricProducers: [producer] });
  }

  async exposition(): Promise<string> {
    const { resourceMetrics } = await this.collect();
    return formatExposition(resourceMetrics);
  }

  protected override async onShutdown(): Promise<void> {}

  protected override async onForceFlush(): Promise<void> {}
}

const unitWords: Record<string, string> = {
  d: "days",
  h: "hours",
  min: "minutes",
  s: "seconds",
  ms: "milliseconds",
  us: "microseconds",
  ns: "nanoseconds",
  By: "bytes",
  KiBy: "kibibytes",
  MiBy: "mebibytes",
  "%": "percent",
};

/** Writes one collection; metrics in the order they come. */
function formatExposition({ resource, scopeMetrics }: ResourceMetrics): string {
  const lines: string[] = [];
  for (const { metrics } of scopeMetrics) for (const metric of metrics) writeMetric(lines, metric);
  lines.push("# HELP target_info Target metadata", "# TYPE target_info gauge");
  lines.push(`target_info${labels(resource.attributes)} 1`);
  return `${lines.join("\n")}\n`;
}

/** Name of a metric in Prometheus, without `_bucket`, `_sum` and `_count`. */
export function toPrometheusName(name: string, unit: string, type: "counter" | "gauge" | "histogram"): string {
  const words = name.split(/[^a-zA-Z0-9]+/).filter((word) => word !== "");
  const unitWord = unit.startsWith("{")
    ? ""
    : (unitWords[unit] ?? (unit === "1" ? "" : unit.replace(/[^a-zA-Z0-9]+/g, "_")));
  if (unitWord !== "" && !words.includes(unitWord)) words.push(unitWord);
  if (type === "gauge" && unit === "1" && !words.includes("ratio")) words.push("ratio");
  // `total` always comes last, also when the name has the word already.
  if (type === "counter") return [...words.filter((word) => word !== "total"), "total"].join("_");
  return words.join("_");
}

function writeMetric(lines: string[], metric: MetricData): void {
  const { descriptor } = metric;
  if (metric.dataPointType === DataPointType.EXPONENTIAL_HISTOGRAM) return;
  const isCounter = metric.dataPointType === DataPointType.SUM && metric.isMonotonic;
  const type = metric.dataPointType === DataPointType.HISTOGRAM ? "histogram" : isCounter ? "counter" : "gauge";
  const name = toPrometheusName(descriptor.name, descriptor.unit, type);
  lines.push(`# HELP ${name} ${escapeHelp(descriptor.description)}`, `# TYPE ${name} ${type}`);
  if (metric.dataPointType !== DataPointType.HISTOGRAM) {
    for (const { attributes, value } of metric.dataPoints) {
      lines.push(`${name}${labels(attributes)} ${formatGoFloat(value)}`);
    }
    return;
  }
  for (const { attributes, value } of metric.dataPoints) {
    let cumulative = 0;
    value.buckets.counts.forEach((count, index) => {
      cumulative += count;
      const bound = value.buckets.boundaries[index];
      const le = bound === undefined ? "+Inf" : formatGoFloat(bound);
      lines.push(`${name}_bucket${labels(attributes, le)} ${cumulative}`);
    });
    lines.push(`${name}_sum${labels(attributes)} ${formatGoFloat(value.sum ?? 0)}`);
    lines.push(`${name}_count${labels(attributes)} ${value.count}`);
  }
}

function labels(attributes: Attributes, le?: string): string {
  const pairs = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${toLabelName(name)}="${escapeLabel(toText(value))}"`);
  if (le !== undefined) pairs.push(`le="${le}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function toLabelName(name: string): string {
  return name.replace(/[^a-zA-Z0-9_]+/g, "_");
}

function toText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

function escapeHelp(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

/** As Go prints a float ('g', shortest): the collector's `le` values are strings, and 1048576 reads `1.048576e+06` there. */
export function formatGoFloat(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const [mantissa = "0", exponentText = "0"] = value.toExponential().split("e");
  const exponent = Number(exponentText);
  if (exponent >= -4 && exponent < 6) return String(value);
  return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}
