// Telemetry against a real receiver on loopback: what arrives, and what is counted when the receiver misbehaves.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { createTelemetry, type Telemetry } from "../../../src/telemetry/index.ts";
import { startOtlpReceiver, type OtlpReceiver, type ReceiverFault } from "../../support/otlp-receiver.ts";
import { buildRichExchange } from "../../support/rich-exchange.ts";
import { reportExchange, telemetryOptions } from "../../support/telemetry-run.ts";

let receiver: OtlpReceiver;
beforeEach(async () => {
  receiver = await startOtlpReceiver();
});
afterEach(() => receiver.close());

function start(environment: Record<string, string> = {}): { telemetry: Telemetry; warnings: string[] } {
  const warnings: string[] = [];
  const telemetry = createTelemetry({
    options: telemetryOptions(),
    environment: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, ...environment },
    clock: systemClock,
    isKnownModel: () => true,
    version: "1.2.3",
    log: { warn: (_fields, message) => warnings.push(message) },
  });
  return { telemetry, warnings };
}

function expectBalance(telemetry: Telemetry): void {
  for (const [signal, { produced, exported, dropped, queued }] of Object.entries(telemetry.accounting())) {
    expect(exported + dropped + queued, signal).toBe(produced);
  }
}

/** What /metrics says was dropped, by reason. */
async function readDropped(telemetry: Telemetry, signal: string): Promise<Record<string, number>> {
  const text = await telemetry.exposition();
  const pattern = new RegExp(
    `^outrider_telemetry_dropped_total\\{outrider_telemetry_signal="${signal}",outrider_telemetry_reason="(\\w+)"\\} (\\d+)$`,
    "gm",
  );
  return Object.fromEntries([...text.matchAll(pattern)].map(([, reason = "", count]) => [reason, Number(count)]));
}

describe("delivery", () => {
  test.each(["http/json", "http/protobuf"])("brings spans, logs and metrics by %s", async (protocol) => {
    const { telemetry } = start({
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_EXPORTER_OTLP_HEADERS: "x-tenant=a%20b",
      OTEL_SERVICE_NAME: "checkout",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
    });
    reportExchange(telemetry, buildRichExchange());
    await telemetry.shutdown(3000);
    expect(receiver.requests.map(({ contentType }) => contentType)).toEqual(
      Array(3).fill(`application/${protocol === "http/json" ? "json" : "x-protobuf"}`),
    );
    expect(receiver.requests[0]?.headers["x-tenant"]).toBe("a b");
    expect(receiver.spans.map(({ name }) => name).sort()).toEqual([
      "POST",
      "POST",
      "POST",
      "POST /v1/chat/completions",
      "chat claude-sonnet-4-5",
      "chat gpt-4o",
    ]);
    const group = receiver.spans.find(({ name }) => name === "chat claude-sonnet-4-5");
    expect(group?.attributes).toMatchObject({
      "gen_ai.provider.name": "anthropic",
      "gen_ai.usage.input_tokens": 100,
      "gen_ai.response.finish_reasons": ["stop", "error"],
      "outrider.cost.total": 0.001234567,
    });
    expect(group?.resource).toMatchObject({
      "service.name": "outrider",
      "service.version": "1.2.3",
      "outrider.app": "checkout",
      "deployment.environment.name": "test",
    });
    expect(group?.endMs).toBeCloseTo((group?.startMs ?? 0) + 1200, 2);
    expect(receiver.logs.map(({ eventName }) => eventName)).toContain("outrider.fallback");
    expect(receiver.metrics.get("outrider.cost")).toMatchObject({
      unit: "USD",
      isMonotonic: true,
      points: [{ value: 0.001234567 }],
    });
    expect(receiver.metrics.get("gen_ai.client.inference.time_per_output_chunk")?.points[0]).toMatchObject({
      count: 3,
      sum: 0.06,
    });
    expectBalance(telemetry);
  });

  test("lets each signal have its own protocol and endpoint, and refuses grpc with one warning", async () => {
    const { telemetry, warnings } = start({
      OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/v1/traces`,
      OTEL_METRICS_EXPORTER: "none",
    });
    reportExchange(telemetry, buildRichExchange());
    await telemetry.shutdown(3000);
    expect(Object.fromEntries(receiver.requests.map(({ signal, contentType }) => [signal, contentType]))).toEqual({
      traces: "application/json",
      logs: "application/x-protobuf",
    });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("grpc is not supported");
  });

  test("emits log events also when traces go nowhere", async () => {
    const { telemetry } = start({ OTEL_TRACES_EXPORTER: "none" });
    reportExchange(telemetry, buildRichExchange(), {
      traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    });
    await telemetry.shutdown(3000);
    expect(receiver.spans).toEqual([]);
    const details = receiver.logs.filter(({ eventName }) => eventName === "gen_ai.client.inference.operation.details");
    expect(details).toHaveLength(2);
    expect(details[0]?.traceId).toBe("4bf92f3577b34da6a3ce929d0e0e4736");
  });

  test("sends deltas when the environment prefers them", async () => {
    const { telemetry } = start({
      OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: "delta",
      OTEL_METRIC_EXPORT_INTERVAL: "400",
    });
    reportExchange(telemetry, buildRichExchange());
    const readCost = (): number | undefined => receiver.metrics.get("outrider.cost")?.points[0]?.value;
    await vi.waitFor(() => expect(readCost()).toBe(0.001234567), { timeout: 5000, interval: 20 });
    await vi.waitFor(() => expect(readCost()).toBe(0), { timeout: 5000 });
    expect(receiver.metrics.get("outrider.cost")?.temporality).toBe(1);
    expect(receiver.metrics.get("http.server.active_requests")?.temporality).toBe(2);
    await telemetry.shutdown(1000);
  });
});

describe("a receiver that fails", () => {
  const spans = 6;

  test.each<[string, ReceiverFault, Record<string, number>, number]>([
    ["answers 500", { type: "status", status: 500 }, { export_failed: spans }, 0],
    ["answers 400", { type: "status", status: 400 }, { export_failed: spans }, 0],
    ["accepts only a part", { type: "partial", rejected: 2 }, { rejected: 2 }, spans - 2],
    ["is slow", { type: "slow", delayMs: 100 }, {}, spans],
    ["answers with far too much", { type: "huge", bytes: 5_000_000 }, { export_failed: spans }, 0],
  ])("%s: every span is counted once", async (_what, fault, dropped, exported) => {
    const { telemetry, warnings } = start();
    receiver.setFault(fault, "traces");
    reportExchange(telemetry, buildRichExchange());
    await telemetry.shutdown(4000);
    expect(telemetry.accounting().traces).toEqual({ produced: spans, exported, dropped: spans - exported, queued: 0 });
    expectBalance(telemetry);
    const { outrider } = { outrider: receiver.metrics.get("outrider.telemetry.dropped") };
    const reported = Object.fromEntries(
      (outrider?.points ?? []).map(({ attributes, value }) => [attributes["outrider.telemetry.reason"], value]),
    );
    expect(reported).toEqual(dropped);
    expect(warnings.length).toBe(Object.keys(dropped).length);
  });

  test.each<[string, ReceiverFault]>([
    ["never answers", { type: "hang" }],
    ["resets every connection", { type: "reset" }],
    ["asks to come back after the deadline", { type: "status", status: 429, retryAfterSeconds: 60 }],
  ])("%s: shutdown keeps its deadline and counts what was lost", async (_what, fault) => {
    const { telemetry } = start();
    receiver.setFault(fault);
    reportExchange(telemetry, buildRichExchange());
    const startedMs = performance.now();
    await telemetry.shutdown(300);
    expect(performance.now() - startedMs).toBeLessThan(1500);
    const { traces, logs, metrics } = telemetry.accounting();
    for (const signal of [traces, logs, metrics]) {
      expect(signal.exported).toBe(0);
      expect(signal.dropped).toBe(signal.produced);
    }
    expect(traces.produced).toBe(spans);
  });

  test("is not there: opening and closing exchanges takes no longer and warns once", async () => {
    const { telemetry, warnings } = start({
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9",
      OTEL_EXPORTER_OTLP_TIMEOUT: "50",
      OTEL_BSP_SCHEDULE_DELAY: "1",
      OTEL_BLRP_SCHEDULE_DELAY: "1",
      OTEL_METRIC_EXPORT_INTERVAL: "50",
      OTEL_METRIC_EXPORT_TIMEOUT: "50",
    });
    const startedMs = performance.now();
    for (let round = 0; round < 50; round += 1) reportExchange(telemetry, buildRichExchange());
    expect(performance.now() - startedMs).toBeLessThan(500);
    expectBalance(telemetry);
    await vi.waitFor(() => expect(warnings.length).toBeGreaterThan(0), { timeout: 8000 });
    await telemetry.shutdown(200);
    expect(warnings).toHaveLength(1);
    expect(telemetry.accounting().traces.dropped).toBe(50 * spans);
    expectBalance(telemetry);
  });

  test("asks for patience: the spans arrive after the wait it asked for", async () => {
    const { telemetry } = start({ OTEL_BSP_SCHEDULE_DELAY: "1" });
    receiver.setFault({ type: "status", status: 429, retryAfterSeconds: 1 }, "traces");
    reportExchange(telemetry, buildRichExchange());
    await vi.waitFor(() => expect(receiver.requests.some(({ signal }) => signal === "traces")).toBe(true));
    receiver.setFault(undefined);
    await vi.waitFor(() => expect(receiver.spans).toHaveLength(spans), { timeout: 5000 });
    await telemetry.shutdown(1000);
    expect(telemetry.accounting().traces).toEqual({ produced: spans, exported: spans, dropped: 0, queued: 0 });
  });

  test("falls behind: what overflows the queue is counted, and the rest arrives", async () => {
    const { telemetry } = start({ OTEL_BSP_MAX_QUEUE_SIZE: "10", OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "10" });
    for (let round = 0; round < 5; round += 1) reportExchange(telemetry, buildRichExchange());
    expect(telemetry.accounting().traces).toEqual({ produced: 5 * spans, exported: 0, dropped: 20, queued: 10 });
    expect(await readDropped(telemetry, "traces")).toEqual({ queue_full: 20 });
    await telemetry.shutdown(2000);
    expect(receiver.spans).toHaveLength(10);
    expectBalance(telemetry);
  });
});
