import { logs, metrics, propagation, trace, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import { describe, expect, test } from "vitest";

import type { ExchangeRecord } from "../../../src/record/index.ts";
import { buildAttempt, buildGroup, buildRecord } from "../../support/exchange-record.ts";
import { buildRichExchange } from "../../support/rich-exchange.ts";
import { reportExchange, startTelemetry } from "../../support/telemetry-run.ts";

const caller = { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", tracestate: "a=b" };
const chat = { kind: "chat", name: "chat", route: "/v1/chat/completions" };

async function report(
  record: ExchangeRecord,
  environment: Record<string, string> = {},
  context = {},
): Promise<ReadableSpan[]> {
  const { telemetry, finish } = startTelemetry({}, environment);
  reportExchange(telemetry, record, context);
  return (await finish()).spans;
}

function find(spans: ReadableSpan[], name: string): ReadableSpan {
  const found = spans.filter((span) => span.name === name);
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} spans called ${name}`);
  return found[0];
}

const idOf = (span: ReadableSpan): string => span.spanContext().spanId;
const milliseconds = ([seconds, nanos]: [number, number]): number => seconds * 1000 + nanos / 1e6;

describe("the span tree", () => {
  test("hangs groups under SERVER, attempts under their group, and links a fallback to what it replaced", async () => {
    const { telemetry, finish } = startTelemetry();
    const parents = reportExchange(telemetry, buildRichExchange(), caller);
    const { spans } = await finish();
    const server = find(spans, "POST /v1/chat/completions");
    const first = find(spans, "chat gpt-4o");
    const second = find(spans, "chat claude-sonnet-4-5");
    const attempts = spans.filter((span) => span.name === "POST");

    expect(spans).toHaveLength(6);
    expect(server.kind).toBe(SpanKind.SERVER);
    expect(server.parentSpanContext?.spanId).toBe("00f067aa0ba902b7");
    expect(new Set(spans.map((span) => span.spanContext().traceId))).toEqual(
      new Set(["4bf92f3577b34da6a3ce929d0e0e4736"]),
    );
    expect([first, second].map((span) => [span.kind, span.parentSpanContext?.spanId])).toEqual([
      [SpanKind.CLIENT, idOf(server)],
      [SpanKind.CLIENT, idOf(server)],
    ]);
    expect(attempts.map((span) => span.parentSpanContext?.spanId)).toEqual([idOf(first), idOf(first), idOf(second)]);
    expect(first.links).toEqual([]);
    expect(second.links.map((link) => link.context.spanId)).toEqual([idOf(first)]);
    expect(parents).toEqual(attempts.map((span) => `00-${span.spanContext().traceId}-${idOf(span)}-01`));
    expect(attempts[0]?.spanContext().traceState?.serialize()).toBe("a=b");
  });

  test("hangs attempts directly under SERVER when the operation is no model call", async () => {
    const record = buildRecord({ operation: { kind: "count_tokens", route: "/v1/messages/count_tokens" } });
    const spans = await report(record);
    expect(spans.map((span) => span.name).sort()).toEqual(["POST", "POST /v1/chat/completions"]);
    expect(find(spans, "POST").parentSpanContext?.spanId).toBe(idOf(find(spans, "POST /v1/chat/completions")));
  });

  test("starts a root without a caller, and never uses a method that HTTP does not know as a name", async () => {
    const http = { ...buildRecord().http, method: "BREW" };
    const [server] = (await report(buildRecord({ http, groups: [] }))).slice(-1);
    expect(server?.parentSpanContext).toBeUndefined();
    expect(server?.name).toBe("HTTP /v1/chat/completions");
    expect(server?.attributes).toMatchObject({
      "http.request.method": "_OTHER",
      "http.request.method_original": "BREW",
    });
  });

  test("takes start and end from the record", async () => {
    const record = buildRichExchange();
    const spans = await report(record);
    for (const [name, startedAtMs, durationMs] of [
      ["POST /v1/chat/completions", record.startedAtMs, 2000],
      ["chat gpt-4o", record.startedAtMs + 1, 700],
      ["chat claude-sonnet-4-5", record.startedAtMs + 750, 1200],
    ] as const) {
      const span = find(spans, name);
      expect(milliseconds(span.startTime)).toBeCloseTo(startedAtMs, 2);
      expect(milliseconds(span.duration)).toBeCloseTo(durationMs, 2);
      expect(milliseconds(span.endTime)).toBeCloseTo(startedAtMs + durationMs, 2);
    }
  });
});

describe("ending", () => {
  test("ends each span once, however often close is called", async () => {
    const { telemetry, finish } = startTelemetry();
    const record = buildRichExchange();
    const live = telemetry.open(record, {});
    for (const group of record.groups) for (const attempt of group.attempts) live.openAttempt(group, attempt);
    telemetry.close(record, live);
    telemetry.close(record, live);
    const { spans, metrics: points, logs: records } = await finish();
    expect(spans).toHaveLength(6);
    expect(new Set(spans.map(idOf)).size).toBe(6);
    expect(records.filter(({ eventName }) => eventName === "gen_ai.client.inference.operation.details")).toHaveLength(
      2,
    );
    const duration = points.find(({ descriptor }) => descriptor.name === "http.server.request.duration");
    expect(duration?.dataPoints[0]?.value).toMatchObject({ count: 1 });
    const active = points.find(({ descriptor }) => descriptor.name === "http.server.active_requests");
    expect(active?.dataPoints.map(({ value }) => value)).toEqual([0]);
  });

  test("ends a group and an attempt that never said when they ended, with the exchange", async () => {
    const attempt = buildAttempt();
    const group = buildGroup({ attempts: [attempt] });
    delete attempt.durationMs;
    delete group.durationMs;
    const record = buildRecord({
      operation: chat,
      groups: [group],
      startedAtMs: group.startedAtMs,
      end: "client_aborted",
    });
    const spans = await report(record);
    expect(spans).toHaveLength(3);
    for (const span of spans) expect(milliseconds(span.endTime)).toBeCloseTo(record.startedAtMs + 101.23456, 2);
  });
});

describe("attributes", () => {
  test("tell the whole exchange", async () => {
    const spans = await report(buildRichExchange());
    expect(find(spans, "POST /v1/chat/completions").attributes).toMatchInlineSnapshot(`
      {
        "client.address": "127.0.0.1",
        "client.port": 51000,
        "http.request.body.size": 1000,
        "http.request.method": "POST",
        "http.response.body.size": 4000,
        "http.response.status_code": 200,
        "http.route": "/v1/chat/completions",
        "network.peer.address": "127.0.0.1",
        "network.peer.port": 51000,
        "network.protocol.version": "1.1",
        "outrider.app": "checkout",
        "outrider.attempt.count": 3,
        "outrider.cost.currency": "USD",
        "outrider.cost.status": "alias",
        "outrider.cost.total": 0.001234567,
        "outrider.dialect": "openai-chat",
        "outrider.overhead.total": 0.0012,
        "outrider.policy.version": "42",
        "outrider.provider": "openai",
        "outrider.relay.mode": "splice",
        "outrider.request.id": "00000000000000000000000000000000",
        "outrider.request.unread": "corrupt",
        "outrider.routing.skipped": [
          "groq/llama-3;reason=breaker_open",
        ],
        "outrider.session.id": "s-1",
        "outrider.stream.end": "complete",
        "outrider.tag.feature": "search",
        "outrider.usage.input_tokens": 100,
        "outrider.usage.output_tokens": 50,
        "outrider.user.id": "u-1",
        "outrider.websocket.close_code": 1000,
        "outrider.websocket.closed_by": "client",
        "outrider.websocket.responses": 2,
        "outrider.websocket.unread_messages": 1,
        "server.address": "127.0.0.1",
        "server.port": 4141,
        "url.path": "/v1/chat/completions",
        "url.query": "api-version=1",
        "url.scheme": "http",
        "user_agent.original": "test-client/1",
      }
    `);
    expect(find(spans, "chat claude-sonnet-4-5").attributes).toMatchInlineSnapshot(`
      {
        "gen_ai.conversation.compacted": true,
        "gen_ai.conversation.id": "conv_1",
        "gen_ai.embeddings.dimension.count": 256,
        "gen_ai.operation.name": "chat",
        "gen_ai.output.type": "json",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.choice.count": 2,
        "gen_ai.request.encoding_formats": [
          "float",
        ],
        "gen_ai.request.frequency_penalty": 0.1,
        "gen_ai.request.max_tokens": 500,
        "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.request.presence_penalty": 0.2,
        "gen_ai.request.previous_response.id": "resp_0",
        "gen_ai.request.reasoning.level": "low",
        "gen_ai.request.seed": 7,
        "gen_ai.request.stop_sequences": [
          "END",
        ],
        "gen_ai.request.stream": true,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_k": 40,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.response.finish_reasons": [
          "stop",
          "error",
        ],
        "gen_ai.response.id": "msg_1",
        "gen_ai.response.model": "claude-sonnet-4-5-20250929",
        "gen_ai.response.time_to_first_chunk": 0.15,
        "gen_ai.usage.audio.cache_read.input_tokens": 4,
        "gen_ai.usage.audio.input_tokens": 10,
        "gen_ai.usage.audio.output_tokens": 2,
        "gen_ai.usage.cache_read.input_tokens": 40,
        "gen_ai.usage.cache_write.input_tokens": 10,
        "gen_ai.usage.image.cache_read.input_tokens": 6,
        "gen_ai.usage.image.input_tokens": 30,
        "gen_ai.usage.image.output_tokens": 3,
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 50,
        "gen_ai.usage.reasoning.output_tokens": 20,
        "gen_ai.usage.text.cache_read.input_tokens": 30,
        "gen_ai.usage.text.input_tokens": 60,
        "gen_ai.usage.text.output_tokens": 45,
        "openai.api.type": "chat_completions",
        "openai.request.service_tier": "flex",
        "openai.response.service_tier": "flex",
        "openai.response.system_fingerprint": "fp_1",
        "outrider.attempt.reason": "fallback",
        "outrider.cost.currency": "USD",
        "outrider.cost.model": "claude-sonnet-4-5",
        "outrider.cost.status": "alias",
        "outrider.cost.total": 0.001234567,
        "outrider.fallback.from": "openai/gpt-4o",
        "outrider.fallback.outcome": "success",
        "outrider.fallback.reason": "upstream_rate_limited",
        "outrider.fallback.to": "anthropic/claude-sonnet-4-5",
        "outrider.finish_reasons.raw": [
          "end_turn",
        ],
        "outrider.observer.failed": true,
        "outrider.stream.unrecognized_events": 2,
        "outrider.usage.source": "provider",
        "server.address": "api.anthropic.com",
        "server.port": 443,
      }
    `);
    expect(spans.filter((span) => span.name === "POST")[1]?.attributes).toMatchInlineSnapshot(`
      {
        "error.type": "upstream_rate_limited",
        "http.request.body.size": 100,
        "http.request.method": "POST",
        "http.request.resend_count": 1,
        "http.response.body.size": 200,
        "http.response.status_code": 429,
        "outrider.attempt.reason": "retry",
        "outrider.retry.delay": 0.2,
        "server.address": "api.openai.com",
        "server.port": 443,
        "url.full": "https://api.openai.com/v1/chat/completions",
      }
    `);
  });

  test("leave out what is not known, and never tell a missing price as 0", async () => {
    const group = buildGroup({ cost: { status: "missing" }, usageSource: "missing" });
    delete group.usage;
    const spans = await report(buildRecord({ operation: chat, groups: [group] }));
    for (const name of ["chat gpt-4o", "POST /v1/chat/completions"]) {
      const { attributes } = find(spans, name);
      expect(attributes["outrider.cost.status"]).toBe("missing");
      expect(Object.keys(attributes)).not.toContain("outrider.cost.total");
      expect(Object.keys(attributes).filter((key) => key.includes("tokens"))).toEqual([]);
      expect(Object.values(attributes)).not.toContain(undefined);
    }
  });

  test("name the port of an Azure endpoint only when it is not 443", async () => {
    const azure = { providerName: "azure.ai.openai", provider: "azure" };
    const spans = await report(
      buildRecord({
        operation: chat,
        groups: [
          buildGroup({ ...azure, requestModel: "a" }),
          buildGroup({ ...azure, requestModel: "b", serverPort: 8443 }),
        ],
      }),
    );
    expect(find(spans, "chat a").attributes).not.toHaveProperty(["server.port"]);
    expect(find(spans, "chat b").attributes).toHaveProperty(["server.port"], 8443);
  });

  test("add gen_ai.system only when old names are asked for", async () => {
    const record = buildRecord({ operation: chat });
    expect(find(await report(record), "chat gpt-4o").attributes).not.toHaveProperty(["gen_ai.system"]);
    const legacy = await report(record, { OUTRIDER_SEMCONV: "legacy" });
    expect(find(legacy, "chat gpt-4o").attributes).toHaveProperty(["gen_ai.system"], "openai");
  });
});

describe("status", () => {
  const withStatus = (
    statusCode: number,
    failure?: ExchangeRecord["failure"],
    end: ExchangeRecord["end"] = "error",
  ): ExchangeRecord =>
    buildRecord({
      http: { ...buildRecord().http, statusCode },
      groups: [],
      end,
      ...(failure === undefined ? {} : { failure }),
    });

  test.each<[string, ExchangeRecord, string | undefined, SpanStatusCode]>([
    ["a success", withStatus(200, undefined, "complete"), undefined, SpanStatusCode.UNSET],
    [
      "a provider's 404 passed on",
      withStatus(404, { code: "upstream_rejected", source: "provider", message: "m" }),
      undefined,
      SpanStatusCode.UNSET,
    ],
    [
      "a provider's 503 passed on",
      withStatus(503, { code: "upstream_overloaded", source: "provider", message: "m" }),
      "upstream_overloaded",
      SpanStatusCode.ERROR,
    ],
    ["a 500 nobody explains", withStatus(500), "500", SpanStatusCode.ERROR],
    [
      "Outrider's own 413",
      withStatus(413, { code: "request_too_large", source: "client", message: "m" }),
      "request_too_large",
      SpanStatusCode.UNSET,
    ],
    [
      "Outrider's own 503",
      withStatus(503, { code: "overloaded", source: "sidecar", message: "m" }),
      "overloaded",
      SpanStatusCode.ERROR,
    ],
    [
      "a stream that broke off",
      withStatus(200, { code: "stream_truncated", source: "provider", message: "m" }, "truncated"),
      "stream_truncated",
      SpanStatusCode.ERROR,
    ],
    [
      "a client that left",
      withStatus(200, { code: "client_disconnected", source: "client", message: "m" }, "client_aborted"),
      undefined,
      SpanStatusCode.UNSET,
    ],
  ])("of SERVER for %s", async (_what, record, errorType, status) => {
    const [server] = await report(record);
    expect(server?.attributes["error.type"]).toBe(errorType);
    expect(server?.status.code).toBe(status);
    if (record.failure !== undefined) expect(server?.attributes["outrider.error.code"]).toBe(record.failure.code);
  });

  test("of groups and attempts is ERROR with error.type exactly when they failed", async () => {
    const spans = await report(buildRichExchange());
    for (const span of spans.filter((one) => one.kind === SpanKind.CLIENT)) {
      expect(span.status.code === SpanStatusCode.ERROR, span.name).toBe("error.type" in span.attributes);
    }
    expect(
      spans.filter((span) => span.status.code === SpanStatusCode.ERROR).map((span) => span.attributes["error.type"]),
    ).toEqual(["upstream_overloaded", "upstream_rate_limited", "upstream_rate_limited"]);
    expect(spans.some((span) => span.status.code === SpanStatusCode.OK)).toBe(false);
  });

  test("of an attempt with a status of 400 and no failure is the status", async () => {
    const spans = await report(
      buildRecord({ groups: [buildGroup({ attempts: [buildAttempt({ statusCode: 418 })] })] }),
    );
    const attempt = spans.find((span) => span.attributes["http.response.status_code"] === 418);
    expect(attempt?.attributes["error.type"]).toBe("418");
    expect(attempt?.status.code).toBe(SpanStatusCode.ERROR);
  });
});

describe("sampling and switches", () => {
  test("export no span of a caller that is not sampled, but all metrics and log events", async () => {
    const { telemetry, finish } = startTelemetry();
    const parents = reportExchange(telemetry, buildRichExchange(), {
      traceparent: caller.traceparent.replace(/01$/, "00"),
    });
    expect(parents.every((parent) => parent.endsWith("-00"))).toBe(true);
    const { spans, logs: records, metrics: points } = await finish();
    expect(spans).toEqual([]);
    expect(telemetry.accounting().traces.produced).toBe(0);
    expect(records.length).toBeGreaterThan(0);
    expect(points.length).toBeGreaterThan(10);
  });

  test.each([
    [{ OTEL_TRACES_SAMPLER: "always_off" }, 0],
    [{ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" }, 0],
    [{ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "1" }, 6],
    [{ OTEL_TRACES_SAMPLER: "parentbased_always_off" }, 6],
  ])("follow %o for a sampled caller", async (environment, count) => {
    expect(await report(buildRichExchange(), environment, caller)).toHaveLength(count);
  });

  test("pass the caller's context through untouched when the SDK is disabled", async () => {
    const { telemetry } = startTelemetry({}, { OTEL_SDK_DISABLED: "true" });
    const record = buildRichExchange();
    const live = telemetry.open(record, caller);
    const [group] = record.groups;
    if (group?.attempts[0] === undefined) throw new Error("no attempt");
    expect(live.openAttempt(group, group.attempts[0])).toEqual(caller);
    telemetry.close(record, live);
    expect(telemetry.accounting().traces.produced).toBe(0);
    await telemetry.shutdown(10);
  });

  test("give traceresponse that names the SERVER span", async () => {
    const { telemetry, finish } = startTelemetry();
    const record = buildRecord();
    const live = telemetry.open(record, caller);
    telemetry.close(record, live);
    const { spans } = await finish();
    const server = find(spans, "POST /v1/chat/completions");
    expect(live.traceresponse).toBe(`00-${live.traceId}-${idOf(server)}-01`);
  });

  test("register nothing for the whole process, also twice", async () => {
    const before = [
      trace.getTracerProvider(),
      metrics.getMeterProvider(),
      logs.getLoggerProvider(),
      propagation.fields(),
    ];
    const first = startTelemetry();
    const second = startTelemetry();
    expect([
      trace.getTracerProvider(),
      metrics.getMeterProvider(),
      logs.getLoggerProvider(),
      propagation.fields(),
    ]).toEqual(before);
    expect(Object.keys(trace)).not.toContain("setGlobalTracerProvider");
    expect(trace.getTracer("other").startSpan("other").isRecording()).toBe(false);
    reportExchange(first.telemetry, buildRecord());
    expect((await second.finish()).spans).toEqual([]);
    expect((await first.finish()).spans).toHaveLength(2);
  });
});
