// Room telemetry: sets up the OpenTelemetry SDK and hands out its providers.
// Invariant: nothing stays registered globally, so that two sidecars, or an application's own SDK, live in one process; no instrumentation.

import { context, logs, metrics, trace } from "@opentelemetry/api";
import { OTLPLogExporter as JsonLogExporter } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPLogExporter as ProtobufLogExporter } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPMetricExporter as JsonMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPMetricExporter as ProtobufMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPTraceExporter as JsonTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { defaultResource, resourceFromAttributes, type Resource } from "@opentelemetry/resources";
import { ConsoleLogRecordExporter, type LogRecordExporter, type LogRecordProcessor } from "@opentelemetry/sdk-logs";
import { ConsoleMetricExporter, type IMetricReader, type PushMetricExporter } from "@opentelemetry/sdk-metrics";
import { NodeSDK } from "@opentelemetry/sdk-node";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ConsoleSpanExporter,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  type Sampler,
  type SpanExporter,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace";

import type { Destination, TelemetryOptions } from "./options.ts";
import { attr, own, scope } from "./semconv.ts";

/** The exporters of one telemetry instance; a signal without one is not produced for export. */
export interface Exporters {
  spans?: SpanExporter;
  metrics?: PushMetricExporter;
  logs?: LogRecordExporter;
}

/** Builds the exporters that the options name. */
export function createExporters({ destinations }: TelemetryOptions): Exporters {
  const exporters: Exporters = {};
  const { traces, metrics: metricsTo, logs: logsTo } = destinations;
  if (traces.exporter === "console") exporters.spans = new ConsoleSpanExporter();
  if (traces.exporter === "otlp") {
    const Exporter = traces.protocol === "http/json" ? JsonTraceExporter : ProtobufTraceExporter;
    exporters.spans = new Exporter(exporterConfig(traces));
  }
  if (metricsTo.exporter === "console") exporters.metrics = new ConsoleMetricExporter();
  if (metricsTo.exporter === "otlp") {
    const Exporter = metricsTo.protocol === "http/json" ? JsonMetricExporter : ProtobufMetricExporter;
    exporters.metrics = new Exporter(exporterConfig(metricsTo));
  }
  if (logsTo.exporter === "console") exporters.logs = new ConsoleLogRecordExporter();
  if (logsTo.exporter === "otlp") {
    const Exporter = logsTo.protocol === "http/json" ? JsonLogExporter : ProtobufLogExporter;
    exporters.logs = new Exporter(exporterConfig(logsTo));
  }
  return exporters;
}

function exporterConfig({ url, headers, timeoutMs }: Destination): {
  url: string;
  headers: Record<string, string>;
  timeoutMillis: number;
} {
  return { url, headers, timeoutMillis: timeoutMs };
}

/**
 * Tells how many items the receiver refused in a partial success. The SDK only prints them, so its response handler is replaced,
 * which is a private field (sdk 0.301.0): where it is not found, refused items count as exported.
 */
export function watchPartialSuccess(exporter: object, onRefused: (items: number) => void): boolean {
  const delegate: unknown = Reflect.get(exporter, "_delegate");
  if (typeof delegate !== "object" || delegate === null || !Reflect.has(delegate, "_responseHandler")) return false;
  const responseHandler = {
    handleResponse(response: { partialSuccess?: Record<string, unknown> | null } | undefined): void {
      const { rejectedSpans, rejectedLogRecords, rejectedDataPoints } = response?.partialSuccess ?? {};
      const refused = Number(rejectedSpans ?? rejectedLogRecords ?? rejectedDataPoints ?? 0);
      if (refused > 0) onRefused(refused);
    },
  };
  return Reflect.set(delegate, "_responseHandler", responseHandler);
}

/** Who is speaking: the sidecar itself; the application beside it is `outrider.app`. */
export function createResource(
  options: TelemetryOptions,
  version: string,
  instanceId: string = crypto.randomUUID(),
): Resource {
  return defaultResource().merge(
    resourceFromAttributes({
      [attr.serviceName]: scope.name,
      [attr.serviceVersion]: version,
      [attr.serviceInstanceId]: instanceId,
      ...(options.app === undefined ? {} : { [own.app]: options.app }),
      ...options.resourceAttributes,
    }),
  );
}

/** The sampler that OTEL_TRACES_SAMPLER names. */
export function createSampler({ name, ratio }: TelemetryOptions["sampler"]): Sampler {
  const root =
    name === "always_off" || name === "parentbased_always_off"
      ? new AlwaysOffSampler()
      : name === "traceidratio" || name === "parentbased_traceidratio"
        ? new TraceIdRatioBasedSampler(ratio)
        : new AlwaysOnSampler();
  return name.startsWith("parentbased_") ? new ParentBasedSampler({ root }) : root;
}

/** Stops what `startSdk` started; whoever calls it sets a deadline. */
export interface RunningSdk {
  shutdown(): Promise<void>;
}

export interface SdkParts {
  resource: Resource;
  sampler: Sampler;
  spanProcessor: SpanProcessor | undefined;
  logRecordProcessor: LogRecordProcessor | undefined;
  metricReaders: IMetricReader[];
}

/** Starts the SDK with these parts. */
export function startSdk(parts: SdkParts): RunningSdk {
  const sdk = new NodeSDK({
    autoDetectResources: false,
    resource: parts.resource,
    instrumentations: [],
    textMapPropagator: null,
    sampler: parts.sampler,
    spanProcessors: parts.spanProcessor === undefined ? [] : [parts.spanProcessor],
    logRecordProcessors: parts.logRecordProcessor === undefined ? [] : [parts.logRecordProcessor],
    metricReaders: parts.metricReaders,
  });
  withoutRegistration(() => sdk.start());
  return sdk;
}

/** NodeSDK registers what it starts for the whole process; for the length of one synchronous call the API's setters do nothing. */
function withoutRegistration(start: () => void): void {
  const setters: [object, string][] = [
    [trace, "setGlobalTracerProvider"],
    [metrics, "setGlobalMeterProvider"],
    [logs, "setGlobalLoggerProvider"],
    [context, "setGlobalContextManager"],
  ];
  for (const [api, name] of setters) Reflect.set(api, name, () => false);
  try {
    start();
  } finally {
    // The setters live on the prototype; what shadows them goes away.
    for (const [api, name] of setters) Reflect.deleteProperty(api, name);
  }
}
