// The OpenTelemetry Collector, with the configuration that users get and the tests' own laid over it.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureComponents } from "../../../scripts/components.mjs";
import { findFreePorts } from "../ports.ts";
import { answersOk, startChild } from "./child.ts";
import type { RunningComponent } from "./child.ts";

const collectorDir = fileURLToPath(new URL("../../../collector/", import.meta.url));

export interface CollectorOptions {
  /** Where traces.jsonl, metrics.jsonl and logs.jsonl are written (one OTLP/JSON export a line); created when missing. */
  outDir: string;
  /** OTLP/gRPC port of a Jaeger that also gets the traces (`otlpGrpcPort` of startJaeger). */
  jaegerOtlpPort?: number;
  /** Base URL of a Prometheus that also gets the metrics, over its OTLP receiver (`url` of startPrometheus). */
  prometheusUrl?: string;
  /** host:port for OTLP over HTTP, to come back where one that ended had been; default: a free port. */
  otlpHttpAddress?: string;
}

export interface Collector extends RunningComponent {
  /** Base URL for OTLP over HTTP: what OTEL_EXPORTER_OTLP_ENDPOINT takes. */
  otlpHttpUrl: string;
  /** host:port for OTLP over gRPC. */
  otlpGrpcAddress: string;
  /** host:port of the Prometheus exporter, as a scrape target. */
  prometheusTarget: string;
}

/** Starts the collector with collector/config.yaml and, over it, config.test.yaml. */
export async function startCollector(options: CollectorOptions): Promise<Collector> {
  const { outDir, jaegerOtlpPort, prometheusUrl, otlpHttpAddress } = options;
  const { otelcol } = (await ensureComponents(["otelcol"])).otelcol;
  const [grpc, freeHttp, prometheus, health] = await findFreeAddresses();
  const http = otlpHttpAddress ?? freeHttp;
  mkdirSync(outDir, { recursive: true });
  const traceExporters = ["file/traces", ...(jaegerOtlpPort ? ["otlp_grpc/jaeger"] : [])];
  const metricExporters = ["file/metrics", "prometheus", ...(prometheusUrl ? ["otlp_http/prometheus"] : [])];
  const child = await startChild({
    name: "otelcol",
    command: otelcol,
    args: ["--config", join(collectorDir, "config.yaml"), "--config", join(collectorDir, "config.test.yaml")],
    env: {
      OTELCOL_OUT: outDir,
      OTELCOL_OTLP_GRPC: grpc,
      OTELCOL_OTLP_HTTP: http,
      OTELCOL_PROMETHEUS: prometheus,
      OTELCOL_HEALTH: health,
      OTELCOL_TRACE_EXPORTERS: JSON.stringify(traceExporters),
      OTELCOL_METRIC_EXPORTERS: JSON.stringify(metricExporters),
      ...(jaegerOtlpPort ? { JAEGER_OTLP_GRPC: `127.0.0.1:${jaegerOtlpPort}` } : {}),
      ...(prometheusUrl ? { PROMETHEUS_OTLP: `${prometheusUrl}/api/v1/otlp` } : {}),
    },
    isReady: () => answersOk(`http://${health}/`),
  });
  return { ...child, otlpHttpUrl: `http://${http}`, otlpGrpcAddress: grpc, prometheusTarget: prometheus };
}

async function findFreeAddresses(): Promise<[string, string, string, string]> {
  const [a, b, c, d] = await findFreePorts(4);
  return [`127.0.0.1:${a}`, `127.0.0.1:${b}`, `127.0.0.1:${c}`, `127.0.0.1:${d}`];
}
