// Room telemetry: every attribute, metric and event name, once.
// Invariant: what is not listed here is never emitted. Standard names agree with the GenAI conventions (main, 2026-10-09) and core
// v1.44.0; `outrider.*` names are described in docs/telemetry.md. A contract test holds all three together.

/** Instrumentation scope of everything Outrider emits. No GenAI release exists yet, so the schema URL is the development one. */
export const scope = {
  name: "outrider",
  schemaUrl: "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev",
} as const;

/** Attribute names of the OpenTelemetry conventions. */
export const attr = {
  clientAddress: "client.address",
  clientPort: "client.port",
  errorType: "error.type",
  httpRequestBodySize: "http.request.body.size",
  httpRequestMethod: "http.request.method",
  httpRequestMethodOriginal: "http.request.method_original",
  httpResendCount: "http.request.resend_count",
  httpResponseBodySize: "http.response.body.size",
  httpStatusCode: "http.response.status_code",
  httpRoute: "http.route",
  networkPeerAddress: "network.peer.address",
  networkPeerPort: "network.peer.port",
  networkProtocolVersion: "network.protocol.version",
  serverAddress: "server.address",
  serverPort: "server.port",
  urlFull: "url.full",
  urlPath: "url.path",
  urlQuery: "url.query",
  urlScheme: "url.scheme",
  userAgent: "user_agent.original",

  serviceName: "service.name",
  serviceVersion: "service.version",
  serviceInstanceId: "service.instance.id",

  operationName: "gen_ai.operation.name",
  providerName: "gen_ai.provider.name",
  requestModel: "gen_ai.request.model",
  conversationId: "gen_ai.conversation.id",
  conversationCompacted: "gen_ai.conversation.compacted",
  outputType: "gen_ai.output.type",
  choiceCount: "gen_ai.request.choice.count",
  seed: "gen_ai.request.seed",
  topK: "gen_ai.request.top_k",
  stream: "gen_ai.request.stream",
  maxTokens: "gen_ai.request.max_tokens",
  temperature: "gen_ai.request.temperature",
  topP: "gen_ai.request.top_p",
  frequencyPenalty: "gen_ai.request.frequency_penalty",
  presencePenalty: "gen_ai.request.presence_penalty",
  stopSequences: "gen_ai.request.stop_sequences",
  previousResponseId: "gen_ai.request.previous_response.id",
  reasoningLevel: "gen_ai.request.reasoning.level",
  encodingFormats: "gen_ai.request.encoding_formats",
  embeddingsDimensionCount: "gen_ai.embeddings.dimension.count",
  responseId: "gen_ai.response.id",
  responseModel: "gen_ai.response.model",
  finishReasons: "gen_ai.response.finish_reasons",
  timeToFirstChunk: "gen_ai.response.time_to_first_chunk",
  usageInput: "gen_ai.usage.input_tokens",
  usageOutput: "gen_ai.usage.output_tokens",
  usageCacheRead: "gen_ai.usage.cache_read.input_tokens",
  usageCacheWrite: "gen_ai.usage.cache_write.input_tokens",
  usageReasoning: "gen_ai.usage.reasoning.output_tokens",
  usageTextInput: "gen_ai.usage.text.input_tokens",
  usageTextOutput: "gen_ai.usage.text.output_tokens",
  usageTextCacheRead: "gen_ai.usage.text.cache_read.input_tokens",
  usageImageInput: "gen_ai.usage.image.input_tokens",
  usageImageOutput: "gen_ai.usage.image.output_tokens",
  usageImageCacheRead: "gen_ai.usage.image.cache_read.input_tokens",
  usageAudioInput: "gen_ai.usage.audio.input_tokens",
  usageAudioOutput: "gen_ai.usage.audio.output_tokens",
  usageAudioCacheRead: "gen_ai.usage.audio.cache_read.input_tokens",
  tokenModality: "gen_ai.token.modality",
  inputMessages: "gen_ai.input.messages",
  outputMessages: "gen_ai.output.messages",
  systemInstructions: "gen_ai.system_instructions",
  toolDefinitions: "gen_ai.tool.definitions",

  openaiApiType: "openai.api.type",
  openaiRequestServiceTier: "openai.request.service_tier",
  openaiResponseServiceTier: "openai.response.service_tier",
  openaiSystemFingerprint: "openai.response.system_fingerprint",

  otelComponentName: "otel.component.name",
  otelComponentType: "otel.component.type",
} as const;

/** Outrider's own attribute names. `tag` is a prefix: `outrider.tag.<key>`. */
export const own = {
  app: "outrider.app",
  attemptCount: "outrider.attempt.count",
  attemptReason: "outrider.attempt.reason",
  attemptTimeToFirstByte: "outrider.attempt.time_to_first_byte",
  captureTruncated: "outrider.capture.truncated",
  costCurrency: "outrider.cost.currency",
  costModel: "outrider.cost.model",
  costOutcome: "outrider.cost.outcome",
  costStatus: "outrider.cost.status",
  costTotal: "outrider.cost.total",
  dialect: "outrider.dialect",
  errorCode: "outrider.error.code",
  fallbackFrom: "outrider.fallback.from",
  fallbackOutcome: "outrider.fallback.outcome",
  fallbackReason: "outrider.fallback.reason",
  fallbackTo: "outrider.fallback.to",
  finishReasonsRaw: "outrider.finish_reasons.raw",
  lossDetail: "outrider.loss.detail",
  lossPointer: "outrider.loss.pointer",
  lossReason: "outrider.loss.reason",
  lossSeverity: "outrider.loss.severity",
  observerFailed: "outrider.observer.failed",
  overheadPhase: "outrider.overhead.phase",
  overheadTotal: "outrider.overhead.total",
  policyOutcome: "outrider.policy.outcome",
  policyReason: "outrider.policy.reason",
  policyRefusedVersion: "outrider.policy.refused_version",
  policySource: "outrider.policy.source",
  policyVersion: "outrider.policy.version",
  provider: "outrider.provider",
  providerErrorCode: "outrider.provider_error.code",
  providerErrorType: "outrider.provider_error.type",
  relayMode: "outrider.relay.mode",
  requestId: "outrider.request.id",
  requestUnread: "outrider.request.unread",
  retryDelay: "outrider.retry.delay",
  sessionId: "outrider.session.id",
  routingSkipped: "outrider.routing.skipped",
  streamEnd: "outrider.stream.end",
  streamUnrecognizedEvents: "outrider.stream.unrecognized_events",
  tag: "outrider.tag",
  telemetryReason: "outrider.telemetry.reason",
  telemetrySignal: "outrider.telemetry.signal",
  upstreamRequestId: "outrider.upstream.request_id",
  usageInput: "outrider.usage.input_tokens",
  usageOutput: "outrider.usage.output_tokens",
  usageSource: "outrider.usage.source",
  userId: "outrider.user.id",
  webSocketCloseCode: "outrider.websocket.close_code",
  webSocketClosedBy: "outrider.websocket.closed_by",
  webSocketResponses: "outrider.websocket.responses",
  webSocketUnreadMessages: "outrider.websocket.unread_messages",
} as const;

/** Names that the conventions have given up and older dashboards still ask for (`OUTRIDER_SEMCONV`). */
export const legacyAttr = { system: "gen_ai.system", tokenType: "gen_ai.token.type" } as const;

/** Log events; the value of `event_name`. `outrider.loss` is also a span event. */
export const events = {
  inferenceDetails: "gen_ai.client.inference.operation.details",
  fallback: "outrider.fallback",
  loss: "outrider.loss",
  policyApplied: "outrider.policy.applied",
  policyRejected: "outrider.policy.rejected",
  policyRolledBack: "outrider.policy.rolled_back",
  policyStale: "outrider.policy.stale",
  policyUnsaved: "outrider.policy.unsaved",
  priceUnknown: "outrider.price.unknown",
} as const;

export type MetricKind = "counter" | "updowncounter" | "histogram";

/** One metric. `labels` are all it may carry; `scale` turns the stored integer into the unit (nano-dollars into dollars). */
export interface MetricDefinition {
  readonly name: string;
  readonly kind: MetricKind;
  readonly unit: string;
  readonly description: string;
  readonly valueType: "int" | "double";
  readonly labels: readonly string[];
  readonly boundaries?: readonly number[];
  readonly scale?: number;
}

/** The conventions' 0.01·2^k s, k = 0…13, and two more: model calls last up to five minutes. */
const inferenceSeconds = Array.from({ length: 16 }, (_, k) => Math.round(2 ** k) / 100);
/** 4^k, k = 0…13. */
const tokenCounts = Array.from({ length: 14 }, (_, k) => 4 ** k);
/** The conventions' list ends at 10 s, too short for model calls. */
const httpSeconds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 120, 300];
const overheadSeconds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5];

const callLabels = [
  attr.operationName,
  attr.providerName,
  attr.requestModel,
  attr.responseModel,
  attr.serverAddress,
  attr.serverPort,
] as const;
const failingCallLabels = [...callLabels, attr.errorType] as const;
const modelLabels = [attr.operationName, attr.providerName, attr.requestModel] as const;
const componentLabels = [attr.otelComponentName, attr.otelComponentType] as const;

type Rest = Pick<MetricDefinition, "description" | "labels"> & Partial<MetricDefinition>;
const seconds = (name: string, boundaries: number[], rest: Rest): MetricDefinition => ({
  name,
  kind: "histogram",
  unit: "s",
  valueType: "double",
  boundaries,
  ...rest,
});
const tokens = (name: string, description: string): MetricDefinition => ({
  name,
  kind: "counter",
  unit: "{token}",
  valueType: "int",
  description,
  labels: [...callLabels, attr.tokenModality],
});
const tokenSizes = (name: string, rest: Rest): MetricDefinition => ({
  name,
  kind: "histogram",
  unit: "{token}",
  valueType: "int",
  boundaries: tokenCounts,
  ...rest,
});
const count = (name: string, unit: string, description: string, labels: readonly string[]): MetricDefinition => ({
  name,
  kind: "counter",
  unit,
  valueType: "int",
  description,
  labels,
});
const level = (name: string, unit: string, description: string, labels: readonly string[]): MetricDefinition => ({
  ...count(name, unit, description, labels),
  kind: "updowncounter",
});

/** Every metric Outrider emits. */
export const metricDefinitions = {
  inferenceDuration: seconds("gen_ai.client.inference.duration", inferenceSeconds, {
    description: "Duration of a model call, retries included",
    labels: failingCallLabels,
  }),
  timeToFirstChunk: seconds("gen_ai.client.inference.time_to_first_chunk", inferenceSeconds, {
    description: "Time from sending a streamed model call to its first chunk",
    labels: callLabels,
  }),
  timePerOutputChunk: seconds("gen_ai.client.inference.time_per_output_chunk", inferenceSeconds, {
    description: "Time between successive output chunks of a streamed model call",
    labels: callLabels,
  }),
  usageInput: tokens("gen_ai.client.inference.usage.input_tokens", "Input tokens used, cached ones included"),
  usageOutput: tokens("gen_ai.client.inference.usage.output_tokens", "Output tokens used, reasoning included"),
  usageCacheRead: tokens(
    "gen_ai.client.inference.usage.cache_read.input_tokens",
    "Input tokens read from the provider's cache",
  ),
  usageCacheWrite: tokens(
    "gen_ai.client.inference.usage.cache_write.input_tokens",
    "Input tokens written to the provider's cache",
  ),
  usageReasoning: tokens("gen_ai.client.inference.usage.reasoning.output_tokens", "Output tokens spent on reasoning"),
  operationInput: tokenSizes("gen_ai.client.inference.operation.input_tokens", {
    description: "Input tokens of one model call",
    labels: callLabels,
  }),
  operationOutput: tokenSizes("gen_ai.client.inference.operation.output_tokens", {
    description: "Output tokens of one model call",
    labels: callLabels,
  }),
  operationDuration: seconds("gen_ai.client.operation.duration", inferenceSeconds, {
    description: "Duration of an operation that is no inference, such as embeddings",
    labels: failingCallLabels,
  }),
  serverDuration: seconds("http.server.request.duration", httpSeconds, {
    description: "Duration of requests to Outrider",
    labels: [
      attr.httpRequestMethod,
      attr.urlScheme,
      attr.httpRoute,
      attr.httpStatusCode,
      attr.networkProtocolVersion,
      attr.errorType,
    ],
  }),
  clientDuration: seconds("http.client.request.duration", httpSeconds, {
    description: "Duration of Outrider's requests to providers, one per wire attempt",
    labels: [attr.httpRequestMethod, attr.serverAddress, attr.serverPort, attr.httpStatusCode, attr.errorType],
  }),
  activeRequests: level("http.server.active_requests", "{request}", "Requests in flight", [
    attr.httpRequestMethod,
    attr.urlScheme,
  ]),

  cost: {
    name: "outrider.cost",
    kind: "counter",
    unit: "USD",
    valueType: "double",
    scale: 1e-9,
    description: "Cost of model calls whose price is known",
    labels: [...modelLabels, own.costStatus],
  } satisfies MetricDefinition,
  costLookups: count("outrider.cost.lookups", "{lookup}", "Price look-ups by what they found", [
    attr.providerName,
    own.costOutcome,
  ]),
  usageRecords: count("outrider.usage.records", "{record}", "Model calls by where their usage comes from", [
    attr.providerName,
    own.usageSource,
  ]),
  attempts: count("outrider.attempts", "{attempt}", "Wire attempts at providers", [
    attr.providerName,
    own.attemptReason,
    attr.errorType,
  ]),
  fallbacks: count("outrider.fallbacks", "{fallback}", "Fallbacks from one model to another", [
    own.fallbackFrom,
    own.fallbackTo,
    own.fallbackReason,
    own.fallbackOutcome,
  ]),
  losses: count("outrider.losses", "{loss}", "Request fields that did not arrive as they were sent", [
    own.lossReason,
    own.lossSeverity,
  ]),
  overhead: seconds("outrider.request.overhead", overheadSeconds, {
    description: "Outrider's own time: total minus the time spent waiting on others",
    labels: [own.overheadPhase],
  }),
  streamsEnded: count("outrider.streams.ended", "{stream}", "Streamed exchanges by how they ended", [own.streamEnd]),
  policyAge: {
    ...level("outrider.policy.age", "s", "Time since the source last confirmed the policy in force", [
      own.policySource,
    ]),
    valueType: "double",
  },
  policyInfo: level("outrider.policy.info", "{policy}", "The policy in force, 1", [
    own.policyVersion,
    own.policySource,
  ]),
  policyReloads: count("outrider.policy.reloads", "{look}", "Looks at the policy's source by what they led to", [
    own.policyOutcome,
  ]),
  breakerState: level("outrider.breaker.state", "{state}", "Breakers of targets: 0 closed, 1 half open, 2 open", [
    own.provider,
    attr.requestModel,
  ]),
  telemetryDropped: count("outrider.telemetry.dropped", "{item}", "Spans, log records and data points not delivered", [
    own.telemetrySignal,
    own.telemetryReason,
  ]),

  sdkSpanQueueSize: level(
    "otel.sdk.processor.span.queue.size",
    "{span}",
    "Spans waiting to be exported",
    componentLabels,
  ),
  sdkSpanQueueCapacity: level(
    "otel.sdk.processor.span.queue.capacity",
    "{span}",
    "Spans that may wait",
    componentLabels,
  ),
  sdkLogQueueSize: level(
    "otel.sdk.processor.log.queue.size",
    "{log_record}",
    "Log records waiting to be exported",
    componentLabels,
  ),
  sdkLogQueueCapacity: level(
    "otel.sdk.processor.log.queue.capacity",
    "{log_record}",
    "Log records that may wait",
    componentLabels,
  ),

  legacyTokenUsage: tokenSizes("gen_ai.client.token.usage", {
    description: "Tokens of one model call (old name)",
    labels: [...callLabels, legacyAttr.system, legacyAttr.tokenType],
  }),
  legacyTimeToFirstChunk: seconds("gen_ai.client.operation.time_to_first_chunk", inferenceSeconds, {
    description: "Time to the first chunk of a streamed model call (old name)",
    labels: [...callLabels, legacyAttr.system],
  }),
  legacyTimePerOutputChunk: seconds("gen_ai.client.operation.time_per_output_chunk", inferenceSeconds, {
    description: "Time between successive output chunks (old name)",
    labels: [...callLabels, legacyAttr.system],
  }),
} satisfies Record<string, MetricDefinition>;

export type MetricKey = keyof typeof metricDefinitions;
