// Room telemetry: puts the room together. Invariant: nothing here throws into the request path or makes it wait.

import type { Clock } from "../clock.ts";
import type { CaptureMode, Options } from "../options.ts";
import type { AttemptGroup, ExchangeRecord } from "../record/index.ts";
import { BoundedBatch, type BatchSettings, type DropReason } from "./batch.ts";
import { type BreakerReading, mirrorBreakers } from "./breakers.ts";
import { createDataPointExporter } from "./data-point-exporter.ts";
import type { LogOrigin } from "./direct-log.ts";
import { DirectTracer } from "./direct-span.ts";
import { emitEvents } from "./events.ts";
import { PullReader } from "./exposition.ts";
import { ExchangeMetrics } from "./metrics.ts";
import { MetricStore, type Series } from "./metric-store.ts";
import { emitPolicyNotice, mirrorPolicy, type PolicyNotice, type PolicyState } from "./policy.ts";
import { createLogIntake, createSpanIntake, type Encoded, type Intake } from "./otlp.ts";
import {
  readTelemetryOptions,
  type Environment,
  type QueueOptions,
  type Signal,
  type TelemetryOptions,
} from "./options.ts";
import { createLogProcessor, createSpanProcessor } from "./processors.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";
import {
  createExporters,
  createResource,
  createSampler,
  startSdk,
  watchPartialSuccess,
  type Exporters,
  type RunningSdk,
} from "./sdk.ts";
import { attr, own, scope } from "./semconv.ts";
import { LiveExchange, UntracedExchange, type SpanSettings } from "./span.ts";
import type { ExchangeTrace, InboundContext, SignalAccounting, Telemetry } from "./telemetry.ts";
import { PeriodicExportingMetricReader, type IMetricReader } from "@opentelemetry/sdk-metrics";
import type { ReadableLogRecord } from "@opentelemetry/sdk-logs";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";

export interface TelemetrySettings {
  options: Options["telemetry"];
  /** Name of the service beside Outrider; default `OTEL_SERVICE_NAME`. */
  app?: string | undefined;
  /** Standard OTEL_* variables and OUTRIDER_SEMCONV; read once. */
  environment: Environment;
  clock: Clock;
  /** Whether a model's name may be a metric label; `provider` is Outrider's id. */
  isKnownModel(provider: string, model: string): boolean;
  version: string;
  /** `service.instance.id`, unless OTEL_RESOURCE_ATTRIBUTES has one; default: a random one. */
  instanceId?: string;
  /** Where to send instead of where the environment says; owned and closed by the telemetry. */
  exporters?: Exporters;
  /** Hears about wrong variables at once and about failed exports at most once a minute; default: one line to stderr. */
  log?: { warn(fields: Record<string, unknown>, message: string): void };
}

/** Approximate bytes of spans, and of log records, that may wait for a slow collector. */
const maxQueueBytes = 16 * 1024 * 1024;
const maxExports = 3;
const retryDelayMs = 1000;
const warningIntervalMs = 60_000;

type Warn = (message: string, fields?: Record<string, unknown>) => void;

const nothing: SignalAccounting = { produced: 0, exported: 0, dropped: 0, queued: 0 };

/** Starts telemetry; the caller owns it and calls `shutdown`. */
export function createTelemetry(settings: TelemetrySettings): Telemetry {
  const options = readTelemetryOptions(settings.options, settings.environment, settings.app);
  const log = settings.log ?? { warn: (_fields, message) => process.stderr.write(`${message}\n`) };
  const warn = (message: string, fields: Record<string, unknown> = {}): void => log.warn(fields, message);
  for (const warning of options.warnings) warn(warning);
  return options.disabled ? createDisabledTelemetry() : new RunningTelemetry(options, settings, warn);
}

/** `OTEL_SDK_DISABLED=true`: trace context still passes through. */
function createDisabledTelemetry(): Telemetry {
  return {
    open: (_record, context) => new UntracedExchange(context),
    reportCall: () => undefined,
    close: () => undefined,
    reportPolicy: () => undefined,
    countPolicyReload: () => undefined,
    watchPolicy: () => undefined,
    watchBreakers: () => undefined,
    exposition: async () => "",
    accounting: () => ({ traces: nothing, logs: nothing, metrics: nothing }),
    shutdown: async () => undefined,
  };
}

class RunningTelemetry implements Telemetry {
  readonly #metrics: ExchangeMetrics;
  readonly #store: MetricStore;
  readonly #isKnownModel: TelemetrySettings["isKnownModel"];
  readonly #spanSettings: Record<CaptureMode, SpanSettings>;
  readonly #capture: CaptureMode;
  readonly #spans: BoundedBatch<ReadableSpan | Encoded> | undefined;
  readonly #logs: BoundedBatch<ReadableLogRecord | Encoded> | undefined;
  readonly #dataPoints: ReturnType<typeof createDataPointExporter> | undefined;
  readonly #pull: PullReader;
  readonly #sdk: RunningSdk;
  /** Absent when traces are not exported. */
  readonly #tracer: DirectTracer | undefined;
  /** Absent when logs are not exported. */
  readonly #logOrigin: LogOrigin | undefined;
  readonly #clock: Clock;
  readonly #warn: Warn;
  #lastWarningMs = -Infinity;
  #closing: Promise<void> | undefined;

  constructor(options: TelemetryOptions, settings: TelemetrySettings, warn: Warn) {
    const { clock, version } = settings;
    this.#clock = clock;
    this.#warn = warn;
    const legacy = options.semconv !== "current";
    const { captureMaxCharacters } = options;
    this.#capture = options.capture;
    this.#spanSettings = {
      none: { legacy, captureMaxCharacters, captureOnSpans: false, captureOnEvents: false },
      span: { legacy, captureMaxCharacters, captureOnSpans: true, captureOnEvents: false },
      event: { legacy, captureMaxCharacters, captureOnSpans: false, captureOnEvents: true },
      both: { legacy, captureMaxCharacters, captureOnSpans: true, captureOnEvents: true },
    };
    const store = new MetricStore({ ...scope, version }, () => clock.epochMs());
    this.#store = store;
    this.#isKnownModel = (provider, model) => settings.isKnownModel(provider, model);
    this.#metrics = new ExchangeMetrics(store, {
      semconv: options.semconv,
      isKnownModel: this.#isKnownModel,
    });
    const exporters = settings.exporters ?? createExporters(options);
    const resource = createResource(options, version, settings.instanceId);
    const writer = new ProtobufWriter();
    let spans: Intake<ReadableSpan> | undefined;
    if (exporters.spans !== undefined) {
      this.#spans = this.#createBatch("traces", exporters.spans, options.spanQueue);
      spans = createSpanIntake(exporters.spans, this.#spans, writer);
    }
    let logs: Intake<ReadableLogRecord> | undefined;
    if (exporters.logs !== undefined) {
      this.#logs = this.#createBatch("logs", exporters.logs, options.logQueue);
      logs = createLogIntake(exporters.logs, this.#logs, writer);
    }
    const readers: IMetricReader[] = [];
    if (exporters.metrics !== undefined) {
      const dataPoints = createDataPointExporter(exporters.metrics, this.#hooks("metrics"));
      watchPartialSuccess(exporters.metrics, (items) => dataPoints.refuse(items));
      this.#dataPoints = dataPoints;
      readers.push(
        new PeriodicExportingMetricReader({
          exporter: dataPoints.exporter,
          exportIntervalMillis: options.metricIntervalMs,
          exportTimeoutMillis: options.metricTimeoutMs,
          metricProducers: [store.producer(resource, options.temporality)],
        }),
      );
    }
    this.#pull = new PullReader(store.producer(resource, "cumulative"));
    this.#reportQueues(store);
    const sampler = createSampler(options.sampler);
    this.#sdk = startSdk({
      resource,
      sampler,
      spanProcessor: spans && createSpanProcessor(spans),
      logRecordProcessor: logs && createLogProcessor(logs),
      metricReaders: [this.#pull, ...readers],
    });
    const shared = { resource, scope: { ...scope, version } };
    const { maxSpanValueLength, maxLogValueLength } = options;
    if (spans !== undefined) {
      const onEnd = spans.add.bind(spans);
      this.#tracer = new DirectTracer({ ...shared, sampler, maxValueLength: maxSpanValueLength, onEnd });
    }
    if (logs !== undefined) {
      this.#logOrigin = { ...shared, maxValueLength: maxLogValueLength, onEmit: logs.add.bind(logs) };
    }
  }

  open(record: ExchangeRecord, context: InboundContext): ExchangeTrace {
    this.#metrics.open(record);
    const settings = this.#spanSettings[context.capture ?? this.#capture];
    if (this.#tracer === undefined) return new UntracedExchange(context, settings);
    return new LiveExchange(this.#tracer, record, context, settings);
  }

  reportCall(call: ExchangeRecord, group: AttemptGroup, exchangeTrace: ExchangeTrace): void {
    try {
      const known = exchangeTrace instanceof LiveExchange || exchangeTrace instanceof UntracedExchange;
      const closed = known ? exchangeTrace.reportCall(call, group) : undefined;
      if (!known || closed === undefined) return;
      this.#metrics.recordCall(call, group);
      if (this.#logOrigin !== undefined) emitEvents(this.#logOrigin, call, exchangeTrace.spanContext, [closed]);
    } catch (error) {
      this.#warnSometimes(`a model call could not be reported: ${error instanceof Error ? error.message : "unknown"}`);
    }
  }

  close(record: ExchangeRecord, exchangeTrace: ExchangeTrace): void {
    try {
      const known = exchangeTrace instanceof LiveExchange || exchangeTrace instanceof UntracedExchange;
      const groups = known ? exchangeTrace.end(record) : undefined;
      if (!known || groups === undefined) return;
      this.#metrics.close(record);
      if (this.#logOrigin !== undefined) emitEvents(this.#logOrigin, record, exchangeTrace.spanContext, groups);
    } catch (error) {
      this.#warnSometimes(`an exchange could not be reported: ${error instanceof Error ? error.message : "unknown"}`);
    }
  }

  reportPolicy(notice: PolicyNotice): void {
    if (this.#logOrigin !== undefined) emitPolicyNotice(this.#logOrigin, notice, this.#clock.epochMs());
  }

  countPolicyReload(outcome: string): void {
    this.#metrics.instruments.policyReloads.series({ [own.policyOutcome]: outcome }).add(1);
  }

  watchPolicy(read: () => PolicyState): void {
    mirrorPolicy(this.#store, this.#metrics.instruments, read);
  }

  watchBreakers(read: () => Iterable<BreakerReading>): void {
    mirrorBreakers(this.#store, this.#metrics.instruments, this.#isKnownModel, read);
  }

  exposition(): Promise<string> {
    // After shutdown the reader refuses; a scrape that comes that late gets an empty page.
    return this.#pull.exposition().catch(() => "");
  }

  accounting(): ReturnType<Telemetry["accounting"]> {
    return {
      traces: this.#spans?.accounting() ?? nothing,
      logs: this.#logs?.accounting() ?? nothing,
      metrics: this.#dataPoints?.accounting() ?? nothing,
    };
  }

  shutdown(timeoutMs: number): Promise<void> {
    return (this.#closing ??= this.#shutdown(timeoutMs));
  }

  async #shutdown(timeoutMs: number): Promise<void> {
    // Spans and records first: their drops are themselves a metric. A tenth is left for the metrics.
    const endMs = this.#clock.nowMs() + timeoutMs;
    await Promise.all([this.#spans?.shutdown(timeoutMs * 0.9), this.#logs?.shutdown(timeoutMs * 0.9)]);
    const deadline = Promise.withResolvers<void>();
    const timer = setTimeout(deadline.resolve, Math.max(1, endMs - this.#clock.nowMs()));
    await Promise.race([this.#sdk.shutdown().catch(() => undefined), deadline.promise]);
    this.#dataPoints?.abandon();
    clearTimeout(timer);
  }

  #createBatch<Item extends ReadableSpan | ReadableLogRecord | Encoded>(
    signal: Signal,
    exporter: ConstructorParameters<typeof BoundedBatch<Item>>[0],
    queue: QueueOptions,
  ): BoundedBatch<Item> {
    const settings: BatchSettings = { ...queue, maxQueueBytes, maxExports, retryDelayMs };
    const batch = new BoundedBatch<Item>(exporter, settings, this.#hooks(signal));
    watchPartialSuccess(exporter, (items) => batch.refuse(items));
    return batch;
  }

  #hooks(signal: Signal): { onDrop(reason: DropReason, items: number): void; onFailure(message: string): void } {
    return {
      onDrop: (reason, items) => {
        const attributes = { [own.telemetrySignal]: signal, [own.telemetryReason]: reason };
        this.#metrics.instruments.telemetryDropped.series(attributes).add(items);
      },
      onFailure: (message) => this.#warnSometimes(`${signal} were not delivered: ${message}`),
    };
  }

  #warnSometimes(message: string): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#lastWarningMs < warningIntervalMs) return;
    this.#lastWarningMs = nowMs;
    const { traces, logs, metrics } = this.accounting();
    const dropped = { spans: traces.dropped, logRecords: logs.dropped, dataPoints: metrics.dropped };
    this.#warn(`telemetry: ${message}`, { dropped });
  }

  /** The queues' state under the names of the SDK's own conventions. */
  #reportQueues(store: MetricStore): void {
    const { sdkSpanQueueSize, sdkSpanQueueCapacity, sdkLogQueueSize, sdkLogQueueCapacity } = this.#metrics.instruments;
    const component = (type: string): Record<string, string> => ({
      [attr.otelComponentName]: `${type}/0`,
      [attr.otelComponentType]: type,
    });
    const spans = component("batching_span_processor");
    const logs = component("batching_log_processor");
    this.#mirror(store, this.#spans, sdkSpanQueueSize.series(spans), sdkSpanQueueCapacity.series(spans));
    this.#mirror(store, this.#logs, sdkLogQueueSize.series(logs), sdkLogQueueCapacity.series(logs));
  }

  #mirror<Item>(store: MetricStore, batch: BoundedBatch<Item> | undefined, size: Series, capacity: Series): void {
    if (batch === undefined) return;
    capacity.set(batch.capacity);
    store.onCollect(() => size.set(batch.accounting().queued));
  }
}
