// Room telemetry: span attributes from the exchange record, for the three kinds of span.
// Invariant: pure; an attribute whose fact is absent is absent. `…Start` holds what is known when the span starts (sampling sees it),
// `…End` the rest. Never content: that is content.ts, and only when the operator turned capture on.

import type { Attributes } from "@opentelemetry/api";

import type { InferenceRequest, InferenceResponse, Usage } from "../canonical/index.ts";
import type { AttemptGroup, Cost, CostStatus, ExchangeRecord, WireAttempt } from "../record/index.ts";
import { attr, legacyAttr, own } from "./semconv.ts";

const knownMethods = new Set(["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "QUERY"]);

/** `http.request.method`: a method that HTTP does not know becomes `_OTHER`. */
export function boundMethod(method: string): string {
  return knownMethods.has(method) ? method : "_OTHER";
}

/** `{method} {route}`; the method alone when no route matched. */
export function serverSpanName(record: ExchangeRecord): string {
  const method = knownMethods.has(record.http.method) ? record.http.method : "HTTP";
  const route = routeOf(record);
  return route === undefined ? method : `${method} ${route}`;
}

export function routeOf(record: ExchangeRecord): string | undefined {
  return record.http.route ?? record.operation?.route;
}

export function writeServerStart(to: Attributes, record: ExchangeRecord): void {
  const { http } = record;
  const method = boundMethod(http.method);
  to[attr.httpRequestMethod] = method;
  if (method === "_OTHER") to[attr.httpRequestMethodOriginal] = http.method;
  to[attr.urlScheme] = "http";
  to[attr.urlPath] = http.path;
  if (http.query !== undefined) to[attr.urlQuery] = http.query;
  const route = routeOf(record);
  if (route !== undefined) to[attr.httpRoute] = route;
  if (http.host !== undefined) writeHost(to, http.host);
  if (http.userAgent !== undefined) to[attr.userAgent] = http.userAgent;
  if (http.clientAddress !== undefined) {
    to[attr.clientAddress] = http.clientAddress;
    to[attr.networkPeerAddress] = http.clientAddress;
  }
  if (http.clientPort !== undefined) {
    to[attr.clientPort] = http.clientPort;
    to[attr.networkPeerPort] = http.clientPort;
  }
  to[attr.networkProtocolVersion] = http.protocolVersion;
  to[own.requestId] = record.id;
}

function writeHost(to: Attributes, host: string): void {
  const colon = host.endsWith("]") ? -1 : host.lastIndexOf(":");
  const port = colon === -1 ? NaN : Number(host.slice(colon + 1));
  to[attr.serverAddress] = Number.isInteger(port) ? host.slice(0, colon) : host;
  if (Number.isInteger(port)) to[attr.serverPort] = port;
}

/**
 * `error.type` of a SERVER span: for 5xx, for Outrider's own refusals, and for an answer that broke off after its head was out.
 * A client that left is no error of the server.
 */
export function serverErrorType({ http, failure, end }: ExchangeRecord): string | undefined {
  const status = http.statusCode;
  if (status !== undefined && status >= 500) return failure?.code ?? String(status);
  if (failure === undefined) return end === "truncated" ? "stream_truncated" : undefined;
  if (failure.code === "client_disconnected") return undefined;
  if (failure.source !== "provider") return failure.code;
  return end === "truncated" || status === undefined || status < 400 ? failure.code : undefined;
}

/** Whether the SERVER span has status ERROR (HTTP conventions: 4xx stays unset on the server side). */
export function serverFailed(record: ExchangeRecord): boolean {
  const status = record.http.statusCode;
  return serverErrorType(record) !== undefined && !(status !== undefined && status >= 400 && status < 500);
}

export function writeServerEnd(to: Attributes, record: ExchangeRecord): void {
  const { http, failure } = record;
  const route = routeOf(record);
  if (route !== undefined) to[attr.httpRoute] = route;
  if (http.statusCode !== undefined) to[attr.httpStatusCode] = http.statusCode;
  to[attr.httpRequestBodySize] = http.requestBytes;
  to[attr.httpResponseBodySize] = http.responseBytes;
  const errorType = serverErrorType(record);
  if (errorType !== undefined) to[attr.errorType] = errorType;
  if (failure !== undefined) to[own.errorCode] = failure.code;
  if (record.app !== undefined) to[own.app] = record.app;
  if (record.session !== undefined) to[own.sessionId] = record.session;
  if (record.user !== undefined) to[own.userId] = record.user;
  for (const key in record.tags) to[`${own.tag}.${key}`] = record.tags[key];
  if (record.dialect !== undefined) to[own.dialect] = record.dialect;
  if (record.provider !== undefined) to[own.provider] = record.provider;
  if (record.relayMode !== undefined) to[own.relayMode] = record.relayMode;
  if (record.policyVersion !== undefined) to[own.policyVersion] = record.policyVersion;
  if (record.overheadMs !== undefined) to[own.overheadTotal] = record.overheadMs.total / 1000;
  if (record.stream && record.end !== undefined) to[own.streamEnd] = record.end;
  writeTotals(to, record.groups);
}

const costOrder: readonly CostStatus[] = ["exact", "alias", "assumed", "missing"];

/** Totals over all groups: a cost that is not known is left out of the sum, and the status says so. */
function writeTotals(to: Attributes, groups: AttemptGroup[]): void {
  let attempts = 0;
  let input: number | undefined;
  let output: number | undefined;
  let nanoUsd: number | undefined;
  let status: CostStatus | undefined;
  for (const group of groups) {
    attempts += group.attempts.length;
    if (group.usage?.inputTokens !== undefined) input = (input ?? 0) + group.usage.inputTokens;
    if (group.usage?.outputTokens !== undefined) output = (output ?? 0) + group.usage.outputTokens;
    if (group.cost === undefined) continue;
    if (group.cost.nanoUsd !== undefined) nanoUsd = (nanoUsd ?? 0) + group.cost.nanoUsd;
    if (status === undefined || costOrder.indexOf(group.cost.status) > costOrder.indexOf(status)) {
      status = group.cost.status;
    }
  }
  to[own.attemptCount] = attempts;
  if (input !== undefined) to[own.usageInput] = input;
  if (output !== undefined) to[own.usageOutput] = output;
  if (status !== undefined) writeCost(to, nanoUsd === undefined ? { status } : { status, nanoUsd });
}

function writeCost(to: Attributes, cost: Cost): void {
  to[own.costStatus] = cost.status;
  if (cost.pricedModel !== undefined) to[own.costModel] = cost.pricedModel;
  if (cost.nanoUsd === undefined) return;
  to[own.costTotal] = cost.nanoUsd / 1e9;
  to[own.costCurrency] = "USD";
}

/** Whether old attribute names go out beside the current ones. */
export interface AttributeOptions {
  legacy: boolean;
}

export function writeGroupStart(
  to: Attributes,
  operation: string,
  group: AttemptGroup,
  options: AttributeOptions,
): void {
  to[attr.operationName] = operation;
  to[attr.providerName] = group.providerName;
  if (options.legacy) to[legacyAttr.system] = group.providerName;
  if (group.requestModel !== undefined) to[attr.requestModel] = group.requestModel;
  to[attr.serverAddress] = group.serverAddress;
  // The Azure conventions name the port only when it is not 443.
  if (group.serverPort !== 443 || !group.providerName.startsWith("azure.")) to[attr.serverPort] = group.serverPort;
  to[own.attemptReason] = group.reason;
}

export function writeGroupEnd(to: Attributes, record: ExchangeRecord, group: AttemptGroup): void {
  if (group.failure !== undefined) to[attr.errorType] = group.failure.code;
  if (record.request !== undefined) writeRequest(to, record.request);
  // The splice may have turned streaming on for us only in policy; what the client asked is what counts.
  if (record.stream) to[attr.stream] = true;
  if (group.response !== undefined) writeResponse(to, group.response);
  if (group.usage !== undefined) writeUsage(to, group.usage);
  if (group.timeToFirstChunkMs !== undefined) to[attr.timeToFirstChunk] = group.timeToFirstChunkMs / 1000;
  if (record.dialect === "openai-chat") writeOpenAi(to, record, group);
  to[own.usageSource] = group.usageSource;
  if (group.cost !== undefined) writeCost(to, group.cost);
  if (group.providerError?.type !== undefined) to[own.providerErrorType] = group.providerError.type;
  if (group.providerError?.code !== undefined) to[own.providerErrorCode] = group.providerError.code;
  if (group.unrecognizedEvents > 0) to[own.streamUnrecognizedEvents] = group.unrecognizedEvents;
  if (group.observerFailed) to[own.observerFailed] = true;
}

function writeRequest(to: Attributes, request: InferenceRequest): void {
  const { outputFormat, choiceCount, embedding } = request;
  if (request.conversationId !== undefined) to[attr.conversationId] = request.conversationId;
  if (outputFormat !== undefined) to[attr.outputType] = outputFormat.type === "text" ? "text" : "json";
  if (choiceCount !== undefined && choiceCount !== 1) to[attr.choiceCount] = choiceCount;
  if (request.seed !== undefined) to[attr.seed] = request.seed;
  if (request.topK !== undefined) to[attr.topK] = request.topK;
  if (request.maxOutputTokens !== undefined) to[attr.maxTokens] = request.maxOutputTokens;
  if (request.temperature !== undefined) to[attr.temperature] = request.temperature;
  if (request.topP !== undefined) to[attr.topP] = request.topP;
  if (request.frequencyPenalty !== undefined) to[attr.frequencyPenalty] = request.frequencyPenalty;
  if (request.presencePenalty !== undefined) to[attr.presencePenalty] = request.presencePenalty;
  if (request.stopSequences !== undefined) to[attr.stopSequences] = request.stopSequences;
  if (request.previousResponseId !== undefined) to[attr.previousResponseId] = request.previousResponseId;
  if (request.reasoning?.effort !== undefined) to[attr.reasoningLevel] = request.reasoning.effort;
  if (embedding?.encodingFormats !== undefined) to[attr.encodingFormats] = embedding.encodingFormats;
  if (embedding?.dimensions !== undefined) to[attr.embeddingsDimensionCount] = embedding.dimensions;
}

function writeResponse(to: Attributes, response: InferenceResponse): void {
  if (response.id !== undefined) to[attr.responseId] = response.id;
  if (response.model !== undefined) to[attr.responseModel] = response.model;
  if (response.embeddingDimensions !== undefined) to[attr.embeddingsDimensionCount] = response.embeddingDimensions;
  if (response.choices.length === 0) return;
  const unified: string[] = [];
  const raw: string[] = [];
  let compacted = false;
  for (const choice of response.choices) {
    // The conventions want one reason per choice, and `error` where the answer ended without one.
    unified.push(choice.finishReason?.unified ?? "error");
    if (choice.finishReason?.raw !== undefined) raw.push(choice.finishReason.raw);
    compacted ||= choice.message.parts.some((part) => part.type === "compaction");
  }
  to[attr.finishReasons] = unified;
  if (raw.length > 0) to[own.finishReasonsRaw] = raw;
  if (compacted) to[attr.conversationCompacted] = true;
}

function writeOpenAi(to: Attributes, record: ExchangeRecord, group: AttemptGroup): void {
  const tier = record.request?.serviceTier;
  if (record.operation?.name === "chat") to[attr.openaiApiType] = "chat_completions";
  if (tier !== undefined && tier !== "auto") to[attr.openaiRequestServiceTier] = tier;
  if (group.response?.serviceTier !== undefined) to[attr.openaiResponseServiceTier] = group.response.serviceTier;
  if (group.response?.systemFingerprint !== undefined) {
    to[attr.openaiSystemFingerprint] = group.response.systemFingerprint;
  }
}

const usageAttributes = [
  ["inputTokens", attr.usageInput],
  ["outputTokens", attr.usageOutput],
  ["cacheReadTokens", attr.usageCacheRead],
  ["cacheWriteTokens", attr.usageCacheWrite],
  ["reasoningTokens", attr.usageReasoning],
  ["inputTextTokens", attr.usageTextInput],
  ["outputTextTokens", attr.usageTextOutput],
  ["cacheReadTextTokens", attr.usageTextCacheRead],
  ["inputImageTokens", attr.usageImageInput],
  ["outputImageTokens", attr.usageImageOutput],
  ["cacheReadImageTokens", attr.usageImageCacheRead],
  ["inputAudioTokens", attr.usageAudioInput],
  ["outputAudioTokens", attr.usageAudioOutput],
  ["cacheReadAudioTokens", attr.usageAudioCacheRead],
] as const;

function writeUsage(to: Attributes, usage: Usage): void {
  for (const [field, name] of usageAttributes) {
    const tokens = usage[field];
    if (tokens !== undefined) to[name] = tokens;
  }
}

export function writeAttemptStart(to: Attributes, attempt: WireAttempt): void {
  const method = boundMethod(attempt.method);
  to[attr.httpRequestMethod] = method;
  if (method === "_OTHER") to[attr.httpRequestMethodOriginal] = attempt.method;
  to[attr.urlFull] = attempt.url;
  to[attr.serverAddress] = attempt.serverAddress;
  to[attr.serverPort] = attempt.serverPort;
  if (attempt.resendCount > 0) to[attr.httpResendCount] = attempt.resendCount;
  to[own.attemptReason] = attempt.reason;
  if (attempt.retryDelayMs !== undefined) to[own.retryDelay] = attempt.retryDelayMs / 1000;
}

/** `error.type` of a wire attempt: any failure, and any status of 400 or above. */
export function attemptErrorType({ statusCode, failure }: WireAttempt): string | undefined {
  if (failure !== undefined) return failure.code;
  return statusCode !== undefined && statusCode >= 400 ? String(statusCode) : undefined;
}

export function writeAttemptEnd(to: Attributes, attempt: WireAttempt): void {
  if (attempt.statusCode !== undefined) to[attr.httpStatusCode] = attempt.statusCode;
  const errorType = attemptErrorType(attempt);
  if (errorType !== undefined) to[attr.errorType] = errorType;
  to[attr.httpRequestBodySize] = attempt.requestBytes;
  to[attr.httpResponseBodySize] = attempt.responseBytes;
  if (attempt.firstByteMs !== undefined) to[own.attemptTimeToFirstByte] = attempt.firstByteMs / 1000;
  if (attempt.upstreamRequestId !== undefined) to[own.upstreamRequestId] = attempt.upstreamRequestId;
}

/** Operations that the conventions call inference. */
export const inferenceOperations: ReadonlySet<string> = new Set(["chat", "text_completion", "generate_content"]);

/** `provider/model` of a group, as fallbacks name it. */
export function targetOf(group: AttemptGroup, model = group.requestModel): string {
  return model === undefined ? group.provider : `${group.provider}/${model}`;
}

/** What replaced what, why, and whether it helped. */
export function fallbackAttributes(before: AttemptGroup, group: AttemptGroup): Attributes {
  return {
    [own.fallbackFrom]: targetOf(before),
    [own.fallbackTo]: targetOf(group),
    [own.fallbackReason]: before.failure?.code ?? "unknown",
    [own.fallbackOutcome]: group.failure === undefined ? "success" : "failure",
  };
}

/** One loss as attributes, for the span event and the log event alike. */
export function lossAttributes(loss: ExchangeRecord["losses"][number]): Attributes {
  return {
    [own.lossPointer]: loss.pointer,
    [own.lossReason]: loss.reason,
    [own.lossSeverity]: loss.severity,
    [own.lossDetail]: loss.detail,
  };
}
