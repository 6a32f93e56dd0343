// Room telemetry: the metrics of a closed exchange.
// Invariant: labels are bounded. Model names come from clients, so one that the price catalogue does not know becomes `other` here
// (the true name is on the span); methods and error types come from short lists.

import type { Attributes } from "@opentelemetry/api";

import type { AttemptGroup, ExchangeRecord, Replaced, WireAttempt } from "../record/index.ts";
import {
  attemptErrorType,
  boundMethod,
  inferenceOperations,
  routeOf,
  serverErrorType,
  formatTarget,
} from "./attributes.ts";
import { LabelCache, LabelFamily, type Instrument, LabelSet, type MetricStore, type Series } from "./metric-store.ts";
import type { SemconvMode } from "./options.ts";
import { attr, legacyAttr, metricDefinitions, own, type MetricKey } from "./semconv.ts";

export interface MetricSettings {
  semconv: SemconvMode;
  /** Whether a model's name may be a label; `provider` is Outrider's id. Asked for each call, so it must be cheap. */
  isKnownModel(provider: string, model: string): boolean;
}

/** Name of a model that may not be a label. */
export const otherModel = "other";
const maxCalls = 2000;

type Modality = "text" | "image" | "audio" | "unknown";

/** Records exchanges into a store; owns the instruments and the caches of their label sets. */
export class ExchangeMetrics {
  readonly instruments: Record<MetricKey, Instrument>;
  readonly #settings: MetricSettings;
  readonly #labels = new LabelCache();
  readonly #calls = new Map<string, CallLabels>();
  readonly #phases = new LabelFamily({}, own.overheadPhase);
  readonly #streamEnds = new LabelFamily({}, own.streamEnd);

  constructor(store: MetricStore, settings: MetricSettings) {
    const define = (key: MetricKey): Instrument => store.define(metricDefinitions[key]);
    // Object.fromEntries loses the keys' type; the list is the table's own.
    this.instruments = Object.fromEntries(
      (Object.keys(metricDefinitions) as MetricKey[]).map((key) => [key, define(key)]),
    ) as Record<MetricKey, Instrument>;
    this.#settings = settings;
  }

  open(record: ExchangeRecord): void {
    this.#active(record).add(1);
  }

  /** One model call of an exchange that goes on. */
  recordCall(call: ExchangeRecord, group: AttemptGroup): void {
    const operation = call.operation?.name;
    if (operation !== undefined) this.#recordGroup(call, operation, group);
  }

  close(record: ExchangeRecord): void {
    this.#active(record).add(-1);
    this.#recordServer(record);
    const operation = record.operation?.name;
    for (const group of record.groups) {
      for (const attempt of group.attempts) this.#recordAttempt(group, attempt);
      if (operation === undefined) continue;
      this.#recordGroup(record, operation, group);
      if (group.replaces !== undefined) this.#recordFallback(group.replaces, group);
    }
    for (const { reason, severity } of record.losses) {
      this.#one(this.instruments.losses, `loss|${reason}|${severity}`, () => ({
        [own.lossReason]: reason,
        [own.lossSeverity]: severity,
      }));
    }
    const { end } = record;
    if (record.stream && end !== undefined) {
      this.#streamEnds.with(end).of(this.instruments.streamsEnded).add(1);
    }
  }

  #one(instrument: Instrument, key: string, create: () => Attributes): void {
    this.#labels.get(key, create).of(instrument).add(1);
  }

  #active({ http }: ExchangeRecord): Series {
    const method = boundMethod(http.method);
    return this.#labels
      .get(method, () => ({ [attr.httpRequestMethod]: method, [attr.urlScheme]: "http" }))
      .of(this.instruments.activeRequests);
  }

  #recordServer(record: ExchangeRecord): void {
    const { http, overheadMs } = record;
    const method = boundMethod(http.method);
    const errorType = serverErrorType(record);
    const route = routeOf(record);
    const key = `server|${method}|${route}|${http.statusCode}|${http.protocolVersion}|${errorType}`;
    this.#labels
      .get(key, () => ({
        [attr.httpRequestMethod]: method,
        [attr.urlScheme]: "http",
        ...(route === undefined ? {} : { [attr.httpRoute]: route }),
        ...(http.statusCode === undefined ? {} : { [attr.httpStatusCode]: http.statusCode }),
        [attr.networkProtocolVersion]: http.protocolVersion,
        ...(errorType === undefined ? {} : { [attr.errorType]: errorType }),
      }))
      .of(this.instruments.serverDuration)
      .record((record.durationMs ?? 0) / 1000);
    if (overheadMs === undefined) return;
    this.#overhead("request", overheadMs.request);
    if (overheadMs.firstByte !== undefined) this.#overhead("first_byte", overheadMs.firstByte);
    this.#overhead("total", overheadMs.total);
  }

  #overhead(phase: string, durationMs: number): void {
    this.#phases
      .with(phase)
      .of(this.instruments.overhead)
      .record(durationMs / 1000);
  }

  #recordAttempt(group: AttemptGroup, attempt: WireAttempt): void {
    const errorType = attemptErrorType(attempt);
    const method = boundMethod(attempt.method);
    const { statusCode, serverAddress, serverPort, reason } = attempt;
    this.#labels
      .get(`client|${method}|${serverAddress}|${serverPort}|${statusCode}|${errorType}`, () => ({
        [attr.httpRequestMethod]: method,
        [attr.serverAddress]: serverAddress,
        [attr.serverPort]: serverPort,
        ...(statusCode === undefined ? {} : { [attr.httpStatusCode]: statusCode }),
        ...(errorType === undefined ? {} : { [attr.errorType]: errorType }),
      }))
      .of(this.instruments.clientDuration)
      .record((attempt.durationMs ?? 0) / 1000);
    this.#one(this.instruments.attempts, `attempt|${group.providerName}|${reason}|${errorType}`, () => ({
      [attr.providerName]: group.providerName,
      [own.attemptReason]: reason,
      ...(errorType === undefined ? {} : { [attr.errorType]: errorType }),
    }));
  }

  #recordGroup(record: ExchangeRecord, operation: string, group: AttemptGroup): void {
    const inference = inferenceOperations.has(operation);
    const requestModel = this.#boundModel(group.provider, group.requestModel);
    const responseModel = this.#boundModel(group.provider, group.response?.model);
    const key = `call|${operation}|${group.providerName}|${requestModel}|${responseModel}|${group.serverAddress}|${group.serverPort}`;
    let labels = this.#calls.get(key);
    if (labels === undefined) {
      if (this.#calls.size >= maxCalls) this.#calls.clear();
      const provider: Attributes = { [attr.providerName]: group.providerName };
      const asked: Attributes = { [attr.operationName]: operation, ...provider };
      if (requestModel !== undefined) asked[attr.requestModel] = requestModel;
      const call: Attributes = { ...asked };
      if (responseModel !== undefined) call[attr.responseModel] = responseModel;
      call[attr.serverAddress] = group.serverAddress;
      call[attr.serverPort] = group.serverPort;
      labels = new CallLabels(provider, asked, call);
      this.#calls.set(key, labels);
    }
    const { semconv } = this.#settings;
    const duration = (group.durationMs ?? 0) / 1000;
    const ended = group.failure === undefined ? labels.plain : labels.errors.with(group.failure.code);
    if (inference && semconv !== "legacy") ended.of(this.instruments.inferenceDuration).record(duration);
    if (!inference || semconv !== "current") ended.of(this.instruments.operationDuration).record(duration);
    if (inference) {
      if (semconv !== "legacy") this.#recordInference(labels, group);
      if (semconv !== "current") this.#recordLegacy(labels, group);
    }
    this.#recordSpend(labels, group);
  }

  #recordInference(labels: CallLabels, group: AttemptGroup): void {
    const { instruments } = this;
    if (group.timeToFirstChunkMs !== undefined) {
      labels.plain.of(instruments.timeToFirstChunk).record(group.timeToFirstChunkMs / 1000);
    }
    if (group.chunkGapsMs !== undefined && group.chunkGapsMs.length > 0) {
      const series = labels.plain.of(instruments.timePerOutputChunk);
      for (const gapMs of group.chunkGapsMs) series.record(gapMs / 1000);
    }
    const { usage } = group;
    if (usage === undefined) return;
    if (usage.inputTokens !== undefined) labels.plain.of(instruments.operationInput).record(usage.inputTokens);
    if (usage.outputTokens !== undefined) labels.plain.of(instruments.operationOutput).record(usage.outputTokens);
    countByModality(labels, instruments.usageInput, usage.inputTokens, {
      text: usage.inputTextTokens,
      image: usage.inputImageTokens,
      audio: usage.inputAudioTokens,
    });
    countByModality(labels, instruments.usageOutput, usage.outputTokens, {
      text: usage.outputTextTokens,
      image: usage.outputImageTokens,
      audio: usage.outputAudioTokens,
    });
    countByModality(labels, instruments.usageCacheRead, usage.cacheReadTokens, {
      text: usage.cacheReadTextTokens,
      image: usage.cacheReadImageTokens,
      audio: usage.cacheReadAudioTokens,
    });
    countByModality(labels, instruments.usageCacheWrite, usage.cacheWriteTokens, {});
    countByModality(labels, instruments.usageReasoning, usage.reasoningTokens, {});
  }

  /** The names of the conventions before September 2026, as their migration guide maps them. */
  #recordLegacy(labels: CallLabels, group: AttemptGroup): void {
    const { legacy } = labels;
    if (group.timeToFirstChunkMs !== undefined) {
      legacy.of(this.instruments.legacyTimeToFirstChunk).record(group.timeToFirstChunkMs / 1000);
    }
    for (const gapMs of group.chunkGapsMs ?? []) {
      legacy.of(this.instruments.legacyTimePerOutputChunk).record(gapMs / 1000);
    }
    const { inputTokens, outputTokens } = group.usage ?? {};
    const { legacyTokenUsage } = this.instruments;
    if (inputTokens !== undefined) {
      labels.legacyTokens.with("input").of(legacyTokenUsage).record(inputTokens);
    }
    if (outputTokens !== undefined) {
      labels.legacyTokens.with("output").of(legacyTokenUsage).record(outputTokens);
    }
  }

  #recordSpend(labels: CallLabels, group: AttemptGroup): void {
    const { usageSource, cost } = group;
    labels.sources.with(usageSource).of(this.instruments.usageRecords).add(1);
    if (cost === undefined) return;
    labels.lookups.with(cost.status).of(this.instruments.costLookups).add(1);
    if (cost.nanoUsd !== undefined) labels.costs.with(cost.status).of(this.instruments.cost).add(cost.nanoUsd);
  }

  #recordFallback(replaced: Replaced, group: AttemptGroup): void {
    const from = formatTarget(replaced.provider, this.#boundModel(replaced.provider, replaced.model));
    const to = formatTarget(group.provider, this.#boundModel(group.provider, group.requestModel));
    const { reason } = replaced;
    const outcome = group.failure === undefined ? "success" : "failure";
    this.#one(this.instruments.fallbacks, `fallback|${from}|${to}|${reason}|${outcome}`, () => ({
      [own.fallbackFrom]: from,
      [own.fallbackTo]: to,
      [own.fallbackReason]: reason,
      [own.fallbackOutcome]: outcome,
    }));
  }

  #boundModel(provider: string, model: string | undefined): string | undefined {
    if (model === undefined) return undefined;
    return this.#settings.isKnownModel(provider, model) ? model : otherModel;
  }
}

/** The label sets of one kind of call, so that a call needs one look-up by its long key. */
class CallLabels {
  readonly plain: LabelSet;
  readonly errors: LabelFamily;
  readonly modalities: LabelFamily;
  readonly costs: LabelFamily;
  readonly sources: LabelFamily;
  readonly lookups: LabelFamily;
  readonly legacy: LabelSet;
  readonly legacyTokens: LabelFamily;

  /** Labels of the provider alone, of what was asked of it, and of the whole call. */
  constructor(provider: Attributes, asked: Attributes, call: Attributes) {
    const legacy = { ...call, [legacyAttr.system]: provider[attr.providerName] };
    this.plain = new LabelSet(call);
    this.errors = new LabelFamily(call, attr.errorType);
    this.modalities = new LabelFamily(call, attr.tokenModality);
    this.costs = new LabelFamily(asked, own.costStatus);
    this.sources = new LabelFamily(provider, own.usageSource);
    this.lookups = new LabelFamily(provider, own.costOutcome);
    this.legacy = new LabelSet(legacy);
    this.legacyTokens = new LabelFamily(legacy, legacyAttr.tokenType);
  }
}

function countByModality(
  labels: CallLabels,
  instrument: Instrument,
  total: number | undefined,
  { text, image, audio }: { text?: number | undefined; image?: number | undefined; audio?: number | undefined },
): void {
  if (total === undefined) return;
  const count = (modality: Modality, tokens: number): void => {
    labels.modalities.with(modality).of(instrument).add(tokens);
  };
  if (text === undefined && image === undefined && audio === undefined) return count("unknown", total);
  if (image !== undefined && image > 0) count("image", image);
  if (audio !== undefined && audio > 0) count("audio", audio);
  // What the provider leaves unnamed beside images and audio is text.
  count("text", Math.max(0, total - (image ?? 0) - (audio ?? 0)));
}
