import type { Histogram, MetricData } from "@opentelemetry/sdk-metrics";
import { describe, expect, test } from "vitest";

import type { ExchangeRecord } from "../../../src/record/index.ts";
import type { BreakerReading } from "../../../src/telemetry/breakers.ts";
import { MetricStore } from "../../../src/telemetry/metric-store.ts";
import { metricDefinitions, scope } from "../../../src/telemetry/semconv.ts";
import { emptyResource } from "@opentelemetry/resources";
import { buildAttempt, buildGroup, buildRecord } from "../../support/exchange-record.ts";
import { buildRichExchange } from "../../support/rich-exchange.ts";
import { reportExchange, startTelemetry } from "../../support/telemetry-run.ts";

const chat = { kind: "chat", name: "chat", route: "/v1/chat/completions" };

async function report(
  records: ExchangeRecord[],
  environment: Record<string, string> = {},
): Promise<Map<string, MetricData>> {
  const { telemetry, finish } = startTelemetry({}, environment);
  for (const record of records) reportExchange(telemetry, record);
  return new Map((await finish()).metrics.map((metric) => [metric.descriptor.name, metric]));
}

/** Points of one metric as `label values → number`; a histogram gives its count. */
function read(metrics: Map<string, MetricData>, name: string, ...labels: string[]): Record<string, number> {
  const points = metrics.get(name)?.dataPoints ?? [];
  return Object.fromEntries(
    points.map(({ attributes, value }) => [
      labels.map((label) => String(attributes[label])).join(" "),
      typeof value === "number" ? value : value.count,
    ]),
  );
}

function histogram(metrics: Map<string, MetricData>, name: string): Histogram {
  const value = metrics.get(name)?.dataPoints[0]?.value;
  if (typeof value !== "object" || !("buckets" in value) || !("boundaries" in value.buckets))
    throw new Error(`no histogram ${name}`);
  return value as Histogram;
}

describe("metrics of a model call", () => {
  test("count tokens by modality, without counting any twice", async () => {
    const metrics = await report([buildRichExchange()]);
    const of = (name: string): Record<string, number> =>
      read(metrics, `gen_ai.client.inference.usage.${name}`, "gen_ai.token.modality");
    expect(of("input_tokens")).toEqual({ text: 60, image: 30, audio: 10 });
    expect(of("output_tokens")).toEqual({ text: 45, image: 3, audio: 2 });
    expect(of("cache_read.input_tokens")).toEqual({ text: 30, image: 6, audio: 4 });
    expect(of("cache_write.input_tokens")).toEqual({ unknown: 10 });
    expect(of("reasoning.output_tokens")).toEqual({ unknown: 20 });
  });

  test("call the modality unknown where the provider does not split", async () => {
    const metrics = await report([buildRecord({ operation: chat })]);
    expect(read(metrics, "gen_ai.client.inference.usage.input_tokens", "gen_ai.token.modality")).toEqual({
      unknown: 10,
    });
  });

  test("record duration per group with its error, time to first chunk and every gap", async () => {
    const metrics = await report([buildRichExchange()]);
    expect(read(metrics, "gen_ai.client.inference.duration", "gen_ai.provider.name", "error.type")).toEqual({
      "openai upstream_rate_limited": 1,
      "anthropic undefined": 1,
    });
    expect(histogram(metrics, "gen_ai.client.inference.time_to_first_chunk").sum).toBeCloseTo(0.15);
    const gaps = histogram(metrics, "gen_ai.client.inference.time_per_output_chunk");
    expect([gaps.count, gaps.min, gaps.max]).toEqual([3, 0.01, 0.03]);
    expect(gaps.buckets.counts.slice(0, 4)).toEqual([1, 1, 1, 0]);
  });

  test("use the other duration for embeddings and no inference metric at all", async () => {
    const metrics = await report([
      buildRecord({ operation: { kind: "embeddings", name: "embeddings", route: "/v1/embeddings" } }),
    ]);
    expect(read(metrics, "gen_ai.client.operation.duration", "gen_ai.operation.name")).toEqual({ embeddings: 1 });
    expect([...metrics.keys()].filter((name) => name.startsWith("gen_ai.client.inference"))).toEqual([]);
  });

  test("call a model that the catalogue does not know `other`, request and response model apart", async () => {
    const metrics = await report([
      buildRecord({ operation: chat, groups: [buildGroup({ requestModel: "unknown-1" })] }),
      buildRecord({
        operation: chat,
        groups: [buildGroup({ requestModel: "unknown-2", response: { model: "unknown-2", choices: [] } })],
      }),
    ]);
    expect(read(metrics, "gen_ai.client.inference.duration", "gen_ai.request.model", "gen_ai.response.model")).toEqual({
      "other gpt-4o-2024-08-06": 1,
      "other other": 1,
    });
    for (const metric of metrics.values()) expect(JSON.stringify(metric)).not.toContain("unknown-");
  });

  test("have neither model nor usage of an operation without a GenAI name, but its attempts", async () => {
    const metrics = await report([
      buildRecord({ operation: { kind: "count_tokens", route: "/v1/messages/count_tokens" } }),
    ]);
    expect([...metrics.keys()].filter((name) => name.startsWith("gen_ai."))).toEqual([]);
    expect(read(metrics, "outrider.attempts", "outrider.attempt.reason")).toEqual({ first: 1 });
  });
});

describe("metrics of money and of Outrider", () => {
  test("sum nano-dollars exactly", async () => {
    const group = buildGroup({ cost: { status: "exact", nanoUsd: 1 } });
    const metrics = await report(Array.from({ length: 1000 }, () => buildRecord({ operation: chat, groups: [group] })));
    expect(read(metrics, "outrider.cost", "outrider.cost.status")).toEqual({ exact: 1000 * 1e-9 });
  });

  test("count an unknown price as a look-up and never as money", async () => {
    const metrics = await report([
      buildRecord({ operation: chat, groups: [buildGroup({ cost: { status: "missing" } })] }),
    ]);
    expect(read(metrics, "outrider.cost.lookups", "outrider.cost.outcome")).toEqual({ missing: 1 });
    expect(metrics.has("outrider.cost")).toBe(false);
  });

  test("count attempts, fallbacks, losses, streams and where usage came from", async () => {
    const metrics = await report([buildRichExchange()]);
    expect(read(metrics, "outrider.attempts", "gen_ai.provider.name", "outrider.attempt.reason", "error.type")).toEqual(
      {
        "openai first upstream_overloaded": 1,
        "openai retry upstream_rate_limited": 1,
        "anthropic fallback undefined": 1,
      },
    );
    expect(
      read(
        metrics,
        "outrider.fallbacks",
        "outrider.fallback.from",
        "outrider.fallback.to",
        "outrider.fallback.reason",
        "outrider.fallback.outcome",
      ),
    ).toEqual({ "openai/gpt-4o anthropic/claude-sonnet-4-5 upstream_rate_limited success": 1 });
    expect(read(metrics, "outrider.losses", "outrider.loss.reason", "outrider.loss.severity")).toEqual({
      "injected tuning": 1,
    });
    expect(read(metrics, "outrider.streams.ended", "outrider.stream.end")).toEqual({ complete: 1 });
    expect(read(metrics, "outrider.usage.records", "outrider.usage.source")).toEqual({ missing: 1, provider: 1 });
    expect(read(metrics, "outrider.request.overhead", "outrider.overhead.phase")).toEqual({
      request: 1,
      first_byte: 1,
      total: 1,
    });
  });

  test("record HTTP on both sides", async () => {
    const metrics = await report([buildRichExchange()]);
    expect(
      read(
        metrics,
        "http.server.request.duration",
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "error.type",
      ),
    ).toEqual({
      "POST /v1/chat/completions 200 undefined": 1,
    });
    expect(read(metrics, "http.client.request.duration", "server.address", "http.response.status_code")).toEqual({
      "api.openai.com 503": 1,
      "api.openai.com 429": 1,
      "api.anthropic.com 200": 1,
    });
  });

  test("show requests in flight", async () => {
    const { telemetry, finish } = startTelemetry();
    const live = telemetry.open(buildRecord(), {});
    expect(await telemetry.exposition()).toContain(
      'http_server_active_requests{http_request_method="POST",url_scheme="http"} 1\n',
    );
    telemetry.close(buildRecord(), live);
    expect(await telemetry.exposition()).toContain(
      'http_server_active_requests{http_request_method="POST",url_scheme="http"} 0\n',
    );
    await finish();
  });
});

describe("old names", () => {
  const current = ["gen_ai.client.inference.duration", "gen_ai.client.inference.usage.input_tokens"];
  const old = [
    "gen_ai.client.token.usage",
    "gen_ai.client.operation.time_to_first_chunk",
    "gen_ai.client.operation.time_per_output_chunk",
  ];

  test.each([
    [undefined, true, false],
    ["legacy", false, true],
    ["both", true, true],
  ])("with OUTRIDER_SEMCONV=%s: current %s, old %s", async (mode, hasCurrent, hasOld) => {
    const metrics = await report([buildRichExchange()], mode === undefined ? {} : { OUTRIDER_SEMCONV: mode });
    for (const name of current) expect(metrics.has(name), name).toBe(hasCurrent);
    for (const name of old) expect(metrics.has(name), name).toBe(hasOld);
    expect(metrics.has("gen_ai.client.operation.duration")).toBe(hasOld);
    if (hasOld)
      expect(read(metrics, "gen_ai.client.token.usage", "gen_ai.system", "gen_ai.token.type")).toEqual({
        "anthropic input": 1,
        "anthropic output": 1,
      });
  });
});

describe("the store", () => {
  test("gives what is beyond 2000 label sets to one overflow series", async () => {
    const store = new MetricStore(scope, () => 0);
    const instrument = store.define(metricDefinitions.losses);
    for (let index = 0; index < 3000; index += 1) instrument.series({ "outrider.loss.reason": String(index) }).add(1);
    const { resourceMetrics } = await store.producer(emptyResource(), "cumulative").collect();
    const points = resourceMetrics.scopeMetrics[0]?.metrics[0]?.dataPoints ?? [];
    expect(points).toHaveLength(2000);
    expect(points.reduce((sum, { value }) => sum + Number(value), 0)).toBe(3000);
    expect(points.find(({ attributes }) => attributes["otel.metric.overflow"] === true)?.value).toBe(1001);
  });

  test("puts a value on a boundary into the bucket below it", () => {
    const series = new MetricStore(scope, () => 0).define(metricDefinitions.inferenceDuration).series({});
    for (const value of [0, 0.01, 0.010001, 327.68, 1000]) series.record(value);
    expect([series.counts[0], series.counts[1], series.counts.at(-2), series.counts.at(-1)]).toEqual([2, 1, 1, 1]);
  });

  test("ignores what is no measurement", () => {
    const series = new MetricStore(scope, () => 0).define(metricDefinitions.inferenceDuration).series({});
    for (const value of [Number.NaN, -1]) series.record(value);
    expect(series.count).toBe(0);
  });
});

describe("the breakers of targets", () => {
  test("are levels by provider and known model, the worst where several share the labels, and go when forgotten", async () => {
    const { telemetry, finish } = startTelemetry();
    const key = (name: string): string => `openai/${name}`;
    let readings: BreakerReading[] = [
      { key: key("gpt"), state: "closed" },
      { key: "groq/meta/llama", state: "half_open" },
      { key: key("unknown-1"), state: "open" },
      { key: key("unknown-2"), state: "closed" },
    ];
    telemetry.watchBreakers(() => readings);
    const shown = async (): Promise<string[]> =>
      (await telemetry.exposition()).split("\n").filter((line) => line.startsWith("outrider_breaker_state{"));
    expect(await shown()).toEqual([
      'outrider_breaker_state{outrider_provider="openai",gen_ai_request_model="gpt"} 0',
      'outrider_breaker_state{outrider_provider="groq",gen_ai_request_model="meta/llama"} 1',
      'outrider_breaker_state{outrider_provider="openai",gen_ai_request_model="other"} 2',
    ]);
    readings = [{ key: key("gpt"), state: "open" }];
    expect(await shown()).toEqual(['outrider_breaker_state{outrider_provider="openai",gen_ai_request_model="gpt"} 2']);
    await finish();
  });

  test("are told by their model where a key ends in a region", async () => {
    const { telemetry, finish } = startTelemetry(
      {},
      {},
      { isKnownModel: (_provider, model) => model === "meta/llama" },
    );
    telemetry.watchBreakers(() => [
      { key: "bedrock/meta/llama/eu-west-1", state: "open" },
      { key: "bedrock/meta/llama/us-east-1", state: "closed" },
    ]);
    const metrics = new Map((await finish()).metrics.map((metric) => [metric.descriptor.name, metric]));
    expect(read(metrics, "outrider.breaker.state", "outrider.provider", "gen_ai.request.model")).toEqual({
      "bedrock meta/llama": 2,
    });
  });
});

test("attempts without an end are counted all the same", async () => {
  const attempt = buildAttempt();
  delete attempt.durationMs;
  delete attempt.statusCode;
  const metrics = await report([buildRecord({ operation: chat, groups: [buildGroup({ attempts: [attempt] })] })]);
  expect(read(metrics, "http.client.request.duration", "http.response.status_code")).toEqual({ undefined: 1 });
});
