import { describe, expect, test } from "vitest";

import { expositionContentType } from "../../../src/telemetry/index.ts";
import { formatGoFloat, toPrometheusName } from "../../../src/telemetry/exposition.ts";
import { buildRichExchange } from "../../support/rich-exchange.ts";
import { buildGroup, buildRecord } from "../../support/exchange-record.ts";
import { reportExchange, startTelemetry } from "../../support/telemetry-run.ts";

describe("names", () => {
  // Left: OpenTelemetry; right: what the collector's Prometheus exporter v0.159 makes of it (otlptranslator).
  test.each([
    ["gen_ai.client.inference.duration", "s", "histogram", "gen_ai_client_inference_duration_seconds"],
    [
      "gen_ai.client.inference.usage.input_tokens",
      "{token}",
      "counter",
      "gen_ai_client_inference_usage_input_tokens_total",
    ],
    ["outrider.cost", "USD", "counter", "outrider_cost_USD_total"],
    ["outrider.budget.remaining", "USD", "gauge", "outrider_budget_remaining_USD"],
    ["system.memory.usage", "By", "gauge", "system_memory_usage_bytes"],
    ["nodejs.eventloop.utilization", "1", "gauge", "nodejs_eventloop_utilization_ratio"],
    ["requests.total", "{request}", "counter", "requests_total"],
    ["wait.seconds", "s", "histogram", "wait_seconds"],
  ] as const)("%s (%s, %s) is %s", (name, unit, type, expected) => {
    expect(toPrometheusName(name, unit, type)).toBe(expected);
  });

  test.each([
    [0, "0"],
    [0.005, "0.005"],
    [81.92, "81.92"],
    [262144, "262144"],
    [1048576, "1.048576e+06"],
    [67108864, "6.7108864e+07"],
    [0.0001, "0.0001"],
    [0.00001, "1e-05"],
    [Infinity, "+Inf"],
  ])("%d is written as Go writes it: %s", (value, expected) => {
    expect(formatGoFloat(value)).toBe(expected);
  });
});

describe("the page", () => {
  test("is valid Prometheus text: declared once, labelled, cumulative, ended by +Inf and equal to the count", async () => {
    const { telemetry, finish } = startTelemetry({}, { OUTRIDER_SEMCONV: "both" });
    reportExchange(telemetry, buildRichExchange());
    reportExchange(telemetry, buildRichExchange());
    const text = await telemetry.exposition();
    await finish();
    expect(expositionContentType).toContain("version=0.0.4");
    expect(text.endsWith("\n")).toBe(true);
    const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", type = ""]) => [name, type] as const);
    expect(new Set(types.map(([name]) => name)).size).toBe(types.length);
    expect(types.length).toBeGreaterThan(20);
    const buckets = new Map<string, number[]>();
    for (const line of text.split("\n").filter((one) => one !== "" && !one.startsWith("#"))) {
      const match = /^([a-zA-Z_][a-zA-Z0-9_]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)$/.exec(
        line,
      );
      expect(match, line).not.toBeNull();
      const [, name = "", labels = "", value] = match ?? [];
      const type = types.find(
        ([declared, kind]) => declared === name || (kind === "histogram" && name.startsWith(`${declared}_`)),
      );
      expect(type, `${name} was not declared`).toBeDefined();
      if (name.endsWith("_bucket")) {
        const key = `${name}{${labels.replace(/,?le="[^"]*"/, "")}}`;
        buckets.set(key, [...(buckets.get(key) ?? []), Number(value)]);
        if (labels.includes('le="+Inf"')) {
          const series = buckets.get(key) ?? [];
          expect(series).toEqual(series.toSorted((a, b) => a - b));
          expect(text).toContain(`${key.replace("_bucket{", "_count{")} ${value}\n`);
        }
      }
    }
    expect(buckets.size).toBeGreaterThan(10);
    expect(text).toMatch(/^outrider_cost_USD_total\{[^}]*outrider_cost_status="alias"\} 0\.002469134$/m);
    expect(text).toMatch(/^target_info\{.*service_name="outrider".*\} 1$/m);
  });

  test("escapes what clients may put into labels", async () => {
    const { telemetry, finish } = startTelemetry();
    const requestModel = 'a"b\\c\nd';
    reportExchange(
      telemetry,
      buildRecord({ operation: { kind: "chat", name: "chat", route: "/" }, groups: [buildGroup({ requestModel })] }),
    );
    expect(await telemetry.exposition()).toContain('gen_ai_request_model="a\\"b\\\\c\\nd"');
    await finish();
  });

  test("does not disturb what is pushed, and the other way round", async () => {
    const { telemetry, finish } = startTelemetry();
    reportExchange(telemetry, buildRecord());
    const once = await telemetry.exposition();
    expect(await telemetry.exposition()).toBe(once);
    const { metrics } = await finish();
    expect(
      metrics.find(({ descriptor }) => descriptor.name === "http.server.request.duration")?.dataPoints[0]?.value,
    ).toMatchObject({ count: 1 });
  });
});
