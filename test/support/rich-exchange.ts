// Test support: exchanges that have every fact telemetry can tell, and a sentence that must never leak.
import type { AttemptGroup, ExchangeRecord } from "../../src/record/index.ts";
import { buildAttempt, buildGroup, buildRecord } from "./exchange-record.ts";

/** Planted wherever content may be. */
export const plantedSentence = "the violet giraffe keeps its password under the third flowerpot";

const startedAtMs = Date.UTC(2026, 10, 21, 4, 30);

/** A streamed chat: a first group that failed over two attempts, then a fallback that answered. */
export function buildRichExchange(changes: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return buildRecord({
    startedAtMs,
    durationMs: 2000,
    app: "checkout",
    session: "s-1",
    user: "u-1",
    tags: { feature: "search" },
    provider: "openai",
    dialect: "openai-chat",
    relayMode: "splice",
    policyVersion: "42",
    skippedTargets: [{ target: "groq/llama-3", why: "breaker_open" }],
    requestUnread: "corrupt",
    operation: { kind: "chat", name: "chat", route: "/v1/chat/completions" },
    stream: true,
    webSocket: { closeCode: 1000, closedBy: "client", responses: 2, unreadMessages: 1 },
    http: {
      method: "POST",
      path: "/v1/chat/completions",
      query: "api-version=1",
      route: "/v1/chat/completions",
      host: "127.0.0.1:4141",
      protocolVersion: "1.1",
      userAgent: "test-client/1",
      clientAddress: "127.0.0.1",
      clientPort: 51_000,
      statusCode: 200,
      requestBytes: 1000,
      responseBytes: 4000,
    },
    request: {
      model: "gpt-4o",
      stream: true,
      systemInstructions: [{ type: "text", content: plantedSentence }],
      messages: [
        {
          role: "user",
          parts: [
            { type: "text", content: plantedSentence, extensions: { "openai-chat": { cache: plantedSentence } } },
          ],
        },
        {
          role: "assistant",
          parts: [
            { type: "reasoning", content: plantedSentence },
            { type: "tool_call", id: "call_1", name: "look_up", arguments: { note: plantedSentence } },
          ],
        },
        { role: "tool", parts: [{ type: "tool_call_response", id: "call_1", response: plantedSentence }] },
        {
          role: "user",
          parts: [
            { type: "blob", modality: "image", mime_type: "image/png", content: "aGVsbG8=" },
            { type: "uri", modality: "image", uri: "https://example.com/a.png" },
            { type: "file", modality: "document", file_id: "file-1" },
            { type: "generic", generic_type: "novelty" },
          ],
        },
      ],
      tools: [{ type: "function", name: "look_up", description: plantedSentence, parameters: { type: "object" } }],
      maxOutputTokens: 500,
      temperature: 0.5,
      topP: 0.9,
      topK: 40,
      seed: 7,
      frequencyPenalty: 0.1,
      presencePenalty: 0.2,
      stopSequences: ["END"],
      choiceCount: 2,
      outputFormat: { type: "json" },
      reasoning: { effort: "low" },
      serviceTier: "flex",
      previousResponseId: "resp_0",
      conversationId: "conv_1",
      embedding: { dimensions: 256, encodingFormats: ["float"] },
    },
    groups: [
      withoutAnswer({
        startedAtMs: startedAtMs + 1,
        durationMs: 700,
        attempts: [
          buildAttempt({
            startedAtMs: startedAtMs + 1,
            statusCode: 503,
            failure: { code: "upstream_overloaded", source: "provider", message: "the provider is overloaded" },
            firstByteMs: 90,
            upstreamRequestId: "req_1",
          }),
          buildAttempt({
            startedAtMs: startedAtMs + 301,
            reason: "retry",
            resendCount: 1,
            retryDelayMs: 200,
            statusCode: 429,
            failure: {
              code: "upstream_rate_limited",
              source: "provider",
              message: "the provider says: too many requests",
            },
          }),
        ],
        failure: { code: "upstream_rate_limited", source: "provider", message: "the provider says: too many requests" },
        providerError: { type: "rate_limit_error", code: "rate_limit_exceeded", message: plantedSentence },
        usageSource: "missing",
      }),
      buildGroup({
        reason: "fallback",
        replaces: { provider: "openai", model: "gpt-4o", reason: "upstream_rate_limited" },
        provider: "anthropic",
        providerName: "anthropic",
        requestModel: "claude-sonnet-4-5",
        serverAddress: "api.anthropic.com",
        startedAtMs: startedAtMs + 750,
        durationMs: 1200,
        attempts: [
          buildAttempt({ startedAtMs: startedAtMs + 751, reason: "fallback", serverAddress: "api.anthropic.com" }),
        ],
        response: {
          id: "msg_1",
          model: "claude-sonnet-4-5-20250929",
          choices: [
            {
              index: 0,
              message: {
                role: "assistant",
                parts: [
                  { type: "text", content: plantedSentence },
                  { type: "compaction", content: plantedSentence },
                ],
              },
              finishReason: { unified: "stop", raw: "end_turn" },
            },
            { index: 1, message: { role: "assistant", parts: [] } },
          ],
          serviceTier: "flex",
          systemFingerprint: "fp_1",
          embeddingDimensions: 256,
        },
        usage: {
          inputTokens: 100,
          outputTokens: 50,
          cacheReadTokens: 40,
          cacheWriteTokens: 10,
          reasoningTokens: 20,
          inputTextTokens: 60,
          inputImageTokens: 30,
          inputAudioTokens: 10,
          outputTextTokens: 45,
          outputImageTokens: 3,
          outputAudioTokens: 2,
          cacheReadTextTokens: 30,
          cacheReadImageTokens: 6,
          cacheReadAudioTokens: 4,
        },
        cost: { status: "alias", nanoUsd: 1_234_567, pricedModel: "claude-sonnet-4-5" },
        timeToFirstChunkMs: 150,
        chunkGapsMs: [10, 20, 30],
        unrecognizedEvents: 2,
        observerFailed: true,
      }),
    ],
    losses: [
      { pointer: "/stream_options/include_usage", reason: "injected", severity: "tuning", detail: "asked for usage" },
    ],
    end: "complete",
    overheadMs: { request: 0.4, firstByte: 0.6, total: 1.2 },
    ...changes,
  });
}

function withoutAnswer(changes: Partial<AttemptGroup>): AttemptGroup {
  const group = buildGroup(changes);
  delete group.usage;
  delete group.cost;
  delete group.response;
  return group;
}
