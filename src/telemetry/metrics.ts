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
import { LabelCache, type Instrument, LabelSet, type MetricStore } from "./metric-store.ts";
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

  constructor(store: MetricStore, settings: MetricSettings) {
    const define = (key: MetricKey): Instrument => store.define(metricDefinitions[key]);
    // Object.fromEntries loses the keys' type; the list is the table's own.
    this.instruments = Object.fromEntries(
      (Object.keys(metricDefinitions) as MetricKey[]).map((key) => [key, define(key)]),
    ) as Record<MetricKey, Instrument>;
    this.#settings = settings;
  }

  open(record: ExchangeRecord): void {
    this.#active(record).of(this.instruments.activeRequests).add(1);
  }

  /** One model call of an exchange that goes on. */
  recordCall(call: ExchangeRecord, group: AttemptGroup): void {
    const operation = call.operation?.name;
    if (operation !== undefined) this.#recordGroup(call, operation, group);
  }

  close(record: ExchangeRecord): void {
    this.#active(record).of(this.instruments.activeRequests).add(-1);
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
      this.#one(this.instruments.streamsEnded, `stream|${end}`, () => ({ [own.streamEnd]: end }));
    }
  }

  #one(instrument: Instrument, key: string, create: () => Attributes): void {
    this.#labels.get(key, create).of(instrument).add(1);
  }

  #active(record: ExchangeRecord): LabelSet {
    const method = boundMethod(record.http.method);
    return this.#labels.get(`active|${method}`, () => ({ [attr.httpRequestMethod]: method, [attr.urlScheme]: "http" }));
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
    this.#labels
      .get(`overhead|${phase}`, () => ({ [own.overheadPhase]: phase }))
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
      const call: Attributes = { [attr.operationName]: operation, [attr.providerName]: group.providerName };
      if (requestModel !== undefined) call[attr.requestModel] = requestModel;
      const cost = { ...call };
      if (responseModel !== undefined) call[attr.responseModel] = responseModel;
      call[attr.serverAddress] = group.serverAddress;
      call[attr.serverPort] = group.serverPort;
      labels = new CallLabels(call, cost);
      this.#calls.set(key, labels);
    }
    const { semconv } = this.#settings;
    const duration = (group.durationMs ?? 0) / 1000;
    const ended = group.failure === undefined ? labels.plain : labels.with(attr.errorType, group.failure.code);
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
    const legacy = labels.with(legacyAttr.system, group.providerName);
    if (group.timeToFirstChunkMs !== undefined) {
      legacy.of(this.instruments.legacyTimeToFirstChunk).record(group.timeToFirstChunkMs / 1000);
    }
    for (const gapMs of group.chunkGapsMs ?? []) {
      legacy.of(this.instruments.legacyTimePerOutputChunk).record(gapMs / 1000);
    }
    const { inputTokens, outputTokens } = group.usage ?? {};
    const { legacyTokenUsage } = this.instruments;
    if (inputTokens !== undefined) {
      labels.legacyTokens(group.providerName, "input").of(legacyTokenUsage).record(inputTokens);
    }
    if (outputTokens !== undefined) {
      labels.legacyTokens(group.providerName, "output").of(legacyTokenUsage).record(outputTokens);
    }
  }

  #recordSpend(labels: CallLabels, group: AttemptGroup): void {
    const { providerName, usageSource, cost } = group;
    this.#one(this.instruments.usageRecords, `usage|${providerName}|${usageSource}`, () => ({
      [attr.providerName]: providerName,
      [own.usageSource]: usageSource,
    }));
    if (cost === undefined) return;
    this.#one(this.instruments.costLookups, `lookup|${providerName}|${cost.status}`, () => ({
      [attr.providerName]: providerName,
      [own.costOutcome]: cost.status,
    }));
    if (cost.nanoUsd !== undefined) labels.cost(cost.status).of(this.instruments.cost).add(cost.nanoUsd);
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
  readonly #cost: Attributes;
  readonly #more = new Map<string, LabelSet>();

  constructor(call: Attributes, cost: Attributes) {
    this.plain = new LabelSet(call);
    this.#cost = cost;
  }

  /** The call's labels and one more; its values come from short lists. */
  with(label: string, value: string): LabelSet {
    const key = `${label}=${value}`;
    let set = this.#more.get(key);
    if (set === undefined) {
      set = new LabelSet({ ...this.plain.attributes, [label]: value });
      this.#more.set(key, set);
    }
    return set;
  }

  cost(status: string): LabelSet {
    let set = this.#more.get(status);
    if (set === undefined) this.#more.set(status, (set = new LabelSet({ ...this.#cost, [own.costStatus]: status })));
    return set;
  }

  legacyTokens(system: string, type: "input" | "output"): LabelSet {
    let set = this.#more.get(type);
    if (set === undefined) {
      const more = { [legacyAttr.system]: system, [legacyAttr.tokenType]: type };
      this.#more.set(type, (set = new LabelSet({ ...this.plain.attributes, ...more })));
    }
    return set;
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
    labels.with(attr.tokenModality, modality).of(instrument).add(tokens);
  };
  if (text === undefined && image === undefined && audio === undefined) return count("unknown", total);
  if (image !== undefined && image > 0) count("image", image);
  if (audio !== undefined && audio > 0) count("audio", audio);
  // What the provider leaves unnamed beside images and audio is text.
  count("text", Math.max(0, total - (image ?? 0) - (audio ?? 0)));
}
