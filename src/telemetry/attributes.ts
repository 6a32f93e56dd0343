// Room telemetry: span attributes from the exchange record, for the three kinds of span.
// Invariant: pure; an attribute whose fact is absent is absent. `…Start` holds what is known when the span starts (sampling sees it),
// `…End` the rest. Never content: that is content.ts, and only when the operator turned capture on.

import type { Attributes } from "@opentelemetry/api";

import type { InferenceRequest, InferenceResponse, Usage } from "../canonical/index.ts";
import type {
  AttemptGroup,
  Cost,
  CostStatus,
  ExchangeRecord,
  Replaced,
  WebSocketFacts,
  WireAttempt,
} from "../record/index.ts";
import { attr, legacyAttr, own } from "./semconv.ts";

/**
 * Attributes while they are gathered. A Map, because an object that grows by computed names past a dozen becomes a dictionary in V8,
 * which takes eight times as long to build and to read (measured 2026-11-21).
 */
export type AttributeMap = Map<string, unknown>;

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

export function writeServerStart(to: AttributeMap, record: ExchangeRecord): void {
  const { http } = record;
  const method = boundMethod(http.method);
  to.set(attr.httpRequestMethod, method);
  if (method === "_OTHER") to.set(attr.httpRequestMethodOriginal, http.method);
  to.set(attr.urlScheme, "http");
  to.set(attr.urlPath, http.path);
  if (http.query !== undefined) to.set(attr.urlQuery, http.query);
  const route = routeOf(record);
  if (route !== undefined) to.set(attr.httpRoute, route);
  if (http.host !== undefined) writeHost(to, http.host);
  if (http.userAgent !== undefined) to.set(attr.userAgent, http.userAgent);
  if (http.clientAddress !== undefined) {
    to.set(attr.clientAddress, http.clientAddress);
    to.set(attr.networkPeerAddress, http.clientAddress);
  }
  if (http.clientPort !== undefined) {
    to.set(attr.clientPort, http.clientPort);
    to.set(attr.networkPeerPort, http.clientPort);
  }
  to.set(attr.networkProtocolVersion, http.protocolVersion);
  to.set(own.requestId, record.id);
}

function writeHost(to: AttributeMap, host: string): void {
  const colon = host.endsWith("]") ? -1 : host.lastIndexOf(":");
  const port = colon === -1 ? NaN : Number(host.slice(colon + 1));
  to.set(attr.serverAddress, Number.isInteger(port) ? host.slice(0, colon) : host);
  if (Number.isInteger(port)) to.set(attr.serverPort, port);
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

export function writeServerEnd(to: AttributeMap, record: ExchangeRecord): void {
  const { http, failure } = record;
  const route = routeOf(record);
  if (route !== undefined) to.set(attr.httpRoute, route);
  if (http.statusCode !== undefined) to.set(attr.httpStatusCode, http.statusCode);
  to.set(attr.httpRequestBodySize, http.requestBytes);
  to.set(attr.httpResponseBodySize, http.responseBytes);
  const errorType = serverErrorType(record);
  if (errorType !== undefined) to.set(attr.errorType, errorType);
  if (failure !== undefined) to.set(own.errorCode, failure.code);
  if (record.app !== undefined) to.set(own.app, record.app);
  if (record.session !== undefined) to.set(own.sessionId, record.session);
  if (record.user !== undefined) to.set(own.userId, record.user);
  for (const key in record.tags) to.set(`${own.tag}.${key}`, record.tags[key]);
  if (record.dialect !== undefined) to.set(own.dialect, record.dialect);
  if (record.provider !== undefined) to.set(own.provider, record.provider);
  if (record.relayMode !== undefined) to.set(own.relayMode, record.relayMode);
  if (record.requestUnread !== undefined) to.set(own.requestUnread, record.requestUnread);
  if (record.policyVersion !== undefined) to.set(own.policyVersion, record.policyVersion);
  if (record.skippedTargets !== undefined) {
    to.set(
      own.routingSkipped,
      record.skippedTargets.map(({ target, why }) => `${target};reason=${why}`),
    );
  }
  if (record.overheadMs !== undefined) to.set(own.overheadTotal, record.overheadMs.total / 1000);
  if (record.stream && record.end !== undefined) to.set(own.streamEnd, record.end);
  if (record.webSocket !== undefined) writeWebSocket(to, record.webSocket);
  writeTotals(to, record.groups);
}

function writeWebSocket(to: AttributeMap, session: WebSocketFacts): void {
  if (session.closeCode !== undefined) to.set(own.webSocketCloseCode, session.closeCode);
  if (session.closedBy !== undefined) to.set(own.webSocketClosedBy, session.closedBy);
  to.set(own.webSocketResponses, session.responses);
  if (session.unreadMessages > 0) to.set(own.webSocketUnreadMessages, session.unreadMessages);
}

const costOrder: readonly CostStatus[] = ["exact", "alias", "assumed", "missing"];

/** Totals over all groups: a cost that is not known is left out of the sum, and the status says so. */
function writeTotals(to: AttributeMap, groups: AttemptGroup[]): void {
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
  to.set(own.attemptCount, attempts);
  if (input !== undefined) to.set(own.usageInput, input);
  if (output !== undefined) to.set(own.usageOutput, output);
  if (status !== undefined) writeCost(to, nanoUsd === undefined ? { status } : { status, nanoUsd });
}

function writeCost(to: AttributeMap, cost: Cost): void {
  to.set(own.costStatus, cost.status);
  if (cost.pricedModel !== undefined) to.set(own.costModel, cost.pricedModel);
  if (cost.nanoUsd === undefined) return;
  to.set(own.costTotal, cost.nanoUsd / 1e9);
  to.set(own.costCurrency, "USD");
}

/** Whether old attribute names go out beside the current ones. */
export interface AttributeOptions {
  legacy: boolean;
}

export function writeGroupStart(
  to: AttributeMap,
  operation: string,
  group: AttemptGroup,
  options: AttributeOptions,
): void {
  to.set(attr.operationName, operation);
  to.set(attr.providerName, group.providerName);
  if (options.legacy) to.set(legacyAttr.system, group.providerName);
  if (group.requestModel !== undefined) to.set(attr.requestModel, group.requestModel);
  to.set(attr.serverAddress, group.serverAddress);
  // The Azure conventions name the port only when it is not 443.
  if (group.serverPort !== 443 || !group.providerName.startsWith("azure.")) to.set(attr.serverPort, group.serverPort);
  to.set(own.attemptReason, group.reason);
}

export function writeGroupEnd(to: AttributeMap, record: ExchangeRecord, group: AttemptGroup): void {
  if (group.failure !== undefined) to.set(attr.errorType, group.failure.code);
  if (record.request !== undefined) writeRequest(to, record.request);
  // The splice may have turned streaming on for us only in policy; what the client asked is what counts.
  if (record.stream) to.set(attr.stream, true);
  if (group.response !== undefined) writeResponse(to, group.response);
  if (group.usage !== undefined) writeUsage(to, group.usage);
  if (group.timeToFirstChunkMs !== undefined) to.set(attr.timeToFirstChunk, group.timeToFirstChunkMs / 1000);
  if (record.dialect === "openai-chat") writeOpenAi(to, record, group);
  to.set(own.usageSource, group.usageSource);
  if (group.cost !== undefined) writeCost(to, group.cost);
  if (group.providerError?.type !== undefined) to.set(own.providerErrorType, group.providerError.type);
  if (group.providerError?.code !== undefined) to.set(own.providerErrorCode, group.providerError.code);
  if (group.unrecognizedEvents > 0) to.set(own.streamUnrecognizedEvents, group.unrecognizedEvents);
  if (group.observerFailed) to.set(own.observerFailed, true);
}

function writeRequest(to: AttributeMap, request: InferenceRequest): void {
  const { outputFormat, choiceCount, embedding } = request;
  if (request.conversationId !== undefined) to.set(attr.conversationId, request.conversationId);
  if (outputFormat !== undefined) to.set(attr.outputType, outputFormat.type === "text" ? "text" : "json");
  if (choiceCount !== undefined && choiceCount !== 1) to.set(attr.choiceCount, choiceCount);
  if (request.seed !== undefined) to.set(attr.seed, request.seed);
  if (request.topK !== undefined) to.set(attr.topK, request.topK);
  if (request.maxOutputTokens !== undefined) to.set(attr.maxTokens, request.maxOutputTokens);
  if (request.temperature !== undefined) to.set(attr.temperature, request.temperature);
  if (request.topP !== undefined) to.set(attr.topP, request.topP);
  if (request.frequencyPenalty !== undefined) to.set(attr.frequencyPenalty, request.frequencyPenalty);
  if (request.presencePenalty !== undefined) to.set(attr.presencePenalty, request.presencePenalty);
  if (request.stopSequences !== undefined) to.set(attr.stopSequences, request.stopSequences);
  if (request.previousResponseId !== undefined) to.set(attr.previousResponseId, request.previousResponseId);
  if (request.reasoning?.effort !== undefined) to.set(attr.reasoningLevel, request.reasoning.effort);
  if (embedding?.encodingFormats !== undefined) to.set(attr.encodingFormats, embedding.encodingFormats);
  if (embedding?.dimensions !== undefined) to.set(attr.embeddingsDimensionCount, embedding.dimensions);
}

function writeResponse(to: AttributeMap, response: InferenceResponse): void {
  if (response.id !== undefined) to.set(attr.responseId, response.id);
  if (response.model !== undefined) to.set(attr.responseModel, response.model);
  if (response.embeddingDimensions !== undefined) to.set(attr.embeddingsDimensionCount, response.embeddingDimensions);
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
  to.set(attr.finishReasons, unified);
  if (raw.length > 0) to.set(own.finishReasonsRaw, raw);
  if (compacted) to.set(attr.conversationCompacted, true);
}

function writeOpenAi(to: AttributeMap, record: ExchangeRecord, group: AttemptGroup): void {
  const tier = record.request?.serviceTier;
  if (record.operation?.name === "chat") to.set(attr.openaiApiType, "chat_completions");
  if (tier !== undefined && tier !== "auto") to.set(attr.openaiRequestServiceTier, tier);
  if (group.response?.serviceTier !== undefined) to.set(attr.openaiResponseServiceTier, group.response.serviceTier);
  if (group.response?.systemFingerprint !== undefined) {
    to.set(attr.openaiSystemFingerprint, group.response.systemFingerprint);
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

function writeUsage(to: AttributeMap, usage: Usage): void {
  for (const [field, name] of usageAttributes) {
    const tokens = usage[field];
    if (tokens !== undefined) to.set(name, tokens);
  }
}

export function writeAttemptStart(to: AttributeMap, attempt: WireAttempt): void {
  const method = boundMethod(attempt.method);
  to.set(attr.httpRequestMethod, method);
  if (method === "_OTHER") to.set(attr.httpRequestMethodOriginal, attempt.method);
  to.set(attr.urlFull, attempt.url);
  to.set(attr.serverAddress, attempt.serverAddress);
  to.set(attr.serverPort, attempt.serverPort);
  if (attempt.resendCount > 0) to.set(attr.httpResendCount, attempt.resendCount);
  to.set(own.attemptReason, attempt.reason);
  if (attempt.retryDelayMs !== undefined) to.set(own.retryDelay, attempt.retryDelayMs / 1000);
}

/** `error.type` of a wire attempt: its failure's code, else its status from 400 on. */
export function attemptErrorType({ statusCode, failure }: WireAttempt): string | undefined {
  if (failure !== undefined) return failure.code;
  return statusCode !== undefined && statusCode >= 400 ? String(statusCode) : undefined;
}

export function writeAttemptEnd(to: AttributeMap, attempt: WireAttempt): void {
  if (attempt.statusCode !== undefined) to.set(attr.httpStatusCode, attempt.statusCode);
  const errorType = attemptErrorType(attempt);
  if (errorType !== undefined) to.set(attr.errorType, errorType);
  to.set(attr.httpRequestBodySize, attempt.requestBytes);
  to.set(attr.httpResponseBodySize, attempt.responseBytes);
  if (attempt.firstByteMs !== undefined) to.set(own.attemptTimeToFirstByte, attempt.firstByteMs / 1000);
  if (attempt.upstreamRequestId !== undefined) to.set(own.upstreamRequestId, attempt.upstreamRequestId);
}

/** Operations that the conventions call inference. */
export const inferenceOperations: ReadonlySet<string> = new Set(["chat", "text_completion", "generate_content"]);

/** `provider/model`, as fallbacks name a target. */
export function formatTarget(provider: string, model: string | undefined): string {
  return model === undefined ? provider : `${provider}/${model}`;
}

/** What replaced what, why, and whether it helped. */
export function fallbackAttributes(replaced: Replaced, group: AttemptGroup): Attributes {
  return {
    [own.fallbackFrom]: formatTarget(replaced.provider, replaced.model),
    [own.fallbackTo]: formatTarget(group.provider, group.requestModel),
    [own.fallbackReason]: replaced.reason,
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
