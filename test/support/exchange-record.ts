// Exchange records for tests: a plain successful chat, and whatever a test changes about it.
import type { AttemptGroup, ExchangeRecord, WireAttempt } from "../../src/record/index.ts";

/** One wire attempt that was answered 200. */
export function buildAttempt(changes: Partial<WireAttempt> = {}): WireAttempt {
  return {
    reason: "first",
    resendCount: 0,
    method: "POST",
    url: "https://api.openai.com/v1/chat/completions",
    serverAddress: "api.openai.com",
    serverPort: 443,
    startedAtMs: Date.UTC(2026, 10, 21),
    durationMs: 100,
    statusCode: 200,
    requestBytes: 100,
    responseBytes: 200,
    ...changes,
  };
}

/** One attempt group at OpenAI. */
export function buildGroup(changes: Partial<AttemptGroup> = {}): AttemptGroup {
  return {
    reason: "first",
    provider: "openai",
    providerName: "openai",
    requestModel: "gpt-4o",
    serverAddress: "api.openai.com",
    serverPort: 443,
    startedAtMs: Date.UTC(2026, 10, 21),
    durationMs: 100,
    attempts: [buildAttempt()],
    usageSource: "provider",
    usage: { inputTokens: 10, outputTokens: 5 },
    cost: { status: "exact", nanoUsd: 75_000 },
    response: { model: "gpt-4o-2024-08-06", choices: [] },
    unrecognizedEvents: 0,
    observerFailed: false,
    ...changes,
  };
}

/** A closed exchange. */
export function buildRecord(changes: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return {
    id: "0".repeat(32),
    startedAtMs: Date.UTC(2026, 10, 21, 4, 30),
    durationMs: 101.23456,
    http: {
      method: "POST",
      path: "/v1/chat/completions",
      route: "/v1/chat/completions",
      protocolVersion: "1.1",
      statusCode: 200,
      requestBytes: 100,
      responseBytes: 200,
    },
    tags: {},
    stream: false,
    groups: [buildGroup()],
    losses: [],
    end: "complete",
    ...changes,
  };
}
