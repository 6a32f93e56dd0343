// Room telemetry: what the options and the standard OTEL_* variables amount to.
// Invariant: a value that makes no sense gives a warning and the default, never a refusal to start (OpenTelemetry specification,
// "Environment variables", read 2026-11-21). The environment is read here and nowhere else, but for TLS files and compression, which the exporters read.

import type { CaptureMode, Options } from "../options.ts";
import type { Temporality } from "./metric-store.ts";

export type Environment = Record<string, string | undefined>;
export type Signal = "traces" | "metrics" | "logs";
export type Protocol = "http/protobuf" | "http/json";

/** Where one signal goes. */
export interface Destination {
  exporter: "otlp" | "console" | "none";
  protocol: Protocol;
  url: string;
  headers: Record<string, string>;
  timeoutMs: number;
}

export type SamplerName =
  | "always_on"
  | "always_off"
  | "traceidratio"
  | "parentbased_always_on"
  | "parentbased_always_off"
  | "parentbased_traceidratio";

export interface QueueOptions {
  scheduleDelayMs: number;
  maxQueueItems: number;
  maxBatchItems: number;
  exportTimeoutMs: number;
}

/** Which names of the GenAI metrics are emitted; `legacy` replaces, `both` adds. */
export type SemconvMode = "current" | "legacy" | "both";

export interface TelemetryOptions {
  disabled: boolean;
  destinations: Record<Signal, Destination>;
  sampler: { name: SamplerName; ratio: number };
  spanQueue: QueueOptions;
  logQueue: QueueOptions;
  metricIntervalMs: number;
  metricTimeoutMs: number;
  temporality: Temporality;
  /** Longest string value of an attribute; Infinity when there is no limit. */
  maxSpanValueLength: number;
  maxLogValueLength: number;
  resourceAttributes: Record<string, string>;
  app: string | undefined;
  semconv: SemconvMode;
  capture: CaptureMode;
  captureMaxCharacters: number;
  /** One line each, for the operator. */
  warnings: string[];
}

const samplerNames: readonly SamplerName[] = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
];

/** Reads all settings of this room. */
export function readTelemetryOptions(
  options: Options["telemetry"],
  environment: Environment,
  app?: string,
): TelemetryOptions {
  const read = new EnvironmentReader(environment);
  const metricIntervalMs = read.positive("OTEL_METRIC_EXPORT_INTERVAL", 60_000);
  const anyValueLength = read.positive("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", Infinity);
  return {
    disabled: isDisabled(read),
    destinations: {
      traces: readDestination(read, "traces"),
      metrics: readDestination(read, "metrics"),
      logs: readDestination(read, "logs"),
    },
    sampler: readSampler(read),
    spanQueue: readQueue(read, "OTEL_BSP"),
    logQueue: readQueue(read, "OTEL_BLRP"),
    metricIntervalMs,
    metricTimeoutMs: Math.min(metricIntervalMs, read.positive("OTEL_METRIC_EXPORT_TIMEOUT", 30_000)),
    temporality:
      read.oneOf(
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        ["cumulative", "delta", "lowmemory"],
        "cumulative",
      ) === "cumulative"
        ? "cumulative"
        : "delta",
    maxSpanValueLength: read.positive("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", anyValueLength),
    maxLogValueLength: read.positive("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", anyValueLength),
    resourceAttributes: read.pairs("OTEL_RESOURCE_ATTRIBUTES"),
    app: app ?? read.text("OTEL_SERVICE_NAME"),
    semconv: read.oneOf("OUTRIDER_SEMCONV", ["current", "legacy", "both"], "current"),
    capture: options.capture,
    captureMaxCharacters: options.captureMaxCharacters,
    warnings: read.warnings,
  };
}

/** Where each signal really goes: with the defaults that took the place of values that make no sense. All `none` when the SDK is disabled. */
export function readDestinations(environment: Environment): Record<Signal, Destination> {
  const read = new EnvironmentReader(environment);
  const disabled = isDisabled(read);
  const destination = (signal: Signal): Destination => ({
    ...readDestination(read, signal),
    ...(disabled ? { exporter: "none" as const } : {}),
  });
  return { traces: destination("traces"), metrics: destination("metrics"), logs: destination("logs") };
}

function isDisabled(read: EnvironmentReader): boolean {
  return read.text("OTEL_SDK_DISABLED")?.toLowerCase() === "true";
}

function readDestination(read: EnvironmentReader, signal: Signal): Destination {
  const upper = signal.toUpperCase();
  const own = read.text(`OTEL_EXPORTER_OTLP_${upper}_ENDPOINT`);
  const base = read.text("OTEL_EXPORTER_OTLP_ENDPOINT") ?? "http://localhost:4318";
  const url = own ?? `${base.replace(/\/+$/, "")}/v1/${signal}`;
  const usable = URL.canParse(url) && /^https?:/.test(url);
  if (!usable)
    read.warnings.push(`telemetry: endpoint of ${signal} is no http or https URL; using http://localhost:4318`);
  return {
    exporter: read.oneOf(`OTEL_${upper}_EXPORTER`, ["otlp", "console", "none"], "otlp"),
    protocol: readProtocol(read, upper),
    url: usable ? url : `http://localhost:4318/v1/${signal}`,
    headers: { ...read.pairs("OTEL_EXPORTER_OTLP_HEADERS"), ...read.pairs(`OTEL_EXPORTER_OTLP_${upper}_HEADERS`) },
    timeoutMs: read.positive(
      `OTEL_EXPORTER_OTLP_${upper}_TIMEOUT`,
      read.positive("OTEL_EXPORTER_OTLP_TIMEOUT", 10_000),
    ),
  };
}

function readProtocol(read: EnvironmentReader, upper: string): Protocol {
  const name = `OTEL_EXPORTER_OTLP_${upper}_PROTOCOL`;
  const used = read.text(name) === undefined ? "OTEL_EXPORTER_OTLP_PROTOCOL" : name;
  const value = read.text(used);
  if (value === "grpc") {
    read.warn(`${used}=grpc is not supported; using http/protobuf (most collectors take it on port 4318)`);
    return "http/protobuf";
  }
  return read.oneOf(used, ["http/protobuf", "http/json"], "http/protobuf");
}

function readSampler(read: EnvironmentReader): TelemetryOptions["sampler"] {
  const ratio = read.text("OTEL_TRACES_SAMPLER_ARG");
  const parsed = Number(ratio ?? 1);
  const valid = parsed >= 0 && parsed <= 1;
  if (!valid) read.warn(`OTEL_TRACES_SAMPLER_ARG expects a number from 0 to 1, found ${ratio}; using 1`);
  return { name: read.oneOf("OTEL_TRACES_SAMPLER", samplerNames, "parentbased_always_on"), ratio: valid ? parsed : 1 };
}

function readQueue(read: EnvironmentReader, prefix: "OTEL_BSP" | "OTEL_BLRP"): QueueOptions {
  const maxQueueItems = read.positive(`${prefix}_MAX_QUEUE_SIZE`, 16_384);
  return {
    scheduleDelayMs: read.positive(`${prefix}_SCHEDULE_DELAY`, 1000),
    maxQueueItems,
    maxBatchItems: Math.min(maxQueueItems, read.positive(`${prefix}_MAX_EXPORT_BATCH_SIZE`, 2048)),
    exportTimeoutMs: read.positive(`${prefix}_EXPORT_TIMEOUT`, 30_000),
  };
}

/** Reads single variables and collects what was wrong with them. */
class EnvironmentReader {
  readonly warnings: string[] = [];
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  warn(message: string): void {
    const line = `telemetry: ${message}`;
    if (!this.warnings.includes(line)) this.warnings.push(line);
  }

  /** An empty variable counts as unset, as the specification says. */
  text(name: string): string | undefined {
    const value = this.#environment[name]?.trim();
    return value === "" ? undefined : value;
  }

  oneOf<const Word extends string>(name: string, words: readonly Word[], fallback: Word): Word {
    const value = this.text(name)?.toLowerCase();
    if (value === undefined) return fallback;
    for (const word of words) if (word === value) return word;
    this.warn(`${name} expects one of ${words.join(", ")}, found ${value}; using ${fallback}`);
    return fallback;
  }

  positive(name: string, fallback: number): number {
    const value = this.text(name);
    if (value === undefined) return fallback;
    const parsed = Number(value);
    if (Number.isFinite(parsed) && parsed >= 1 && parsed <= 2_147_483_647) return Math.trunc(parsed);
    this.warn(`${name} expects a number greater than 0, found ${value}; using ${fallback}`);
    return fallback;
  }

  /** `key=value,key=value` with percent-encoded values. The warning never shows a value: headers hold credentials. */
  pairs(name: string): Record<string, string> {
    const result: Record<string, string> = {};
    for (const pair of this.text(name)?.split(",") ?? []) {
      const split = pair.indexOf("=");
      const key = pair.slice(0, Math.max(0, split)).trim();
      if (key === "") {
        if (pair.trim() !== "")
          this.warn(`${name} expects key=value pairs, separated by commas; one entry was left out`);
        continue;
      }
      const value = pair.slice(split + 1).trim();
      try {
        result[key] = decodeURIComponent(value);
      } catch {
        result[key] = value;
      }
    }
    return result;
  }
}
