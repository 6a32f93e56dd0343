import { describe, expect, test } from "vitest";

import { readTelemetryOptions } from "../../../src/telemetry/options.ts";
import { telemetryOptions } from "../../support/telemetry-run.ts";

const read = (environment: Record<string, string>, app?: string) =>
  readTelemetryOptions(telemetryOptions(), environment, app);

describe("telemetry options", () => {
  test("send everything to the local collector by protobuf when nothing is set", () => {
    const { destinations, warnings, sampler, spanQueue, disabled } = read({});
    expect(Object.values(destinations).map(({ exporter, protocol, url }) => [exporter, protocol, url])).toEqual([
      ["otlp", "http/protobuf", "http://localhost:4318/v1/traces"],
      ["otlp", "http/protobuf", "http://localhost:4318/v1/metrics"],
      ["otlp", "http/protobuf", "http://localhost:4318/v1/logs"],
    ]);
    expect([warnings, disabled, sampler.name]).toEqual([[], false, "parentbased_always_on"]);
    expect(spanQueue).toEqual({
      scheduleDelayMs: 1000,
      maxQueueItems: 16_384,
      maxBatchItems: 2048,
      exportTimeoutMs: 30_000,
    });
  });

  test("join the base endpoint with the signal's path and take a signal's own endpoint as it is", () => {
    const { destinations } = read({
      OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector.example/otlp/",
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: "https://logs.example/in",
    });
    expect(destinations.traces.url).toBe("https://collector.example/otlp/v1/traces");
    expect(destinations.logs.url).toBe("https://logs.example/in");
  });

  test("merge headers per signal over the common ones, decoded", () => {
    const { destinations } = read({
      OTEL_EXPORTER_OTLP_HEADERS: "a=1,b=two%20words",
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: "a=3",
    });
    expect(destinations.traces.headers).toEqual({ a: "3", b: "two words" });
    expect(destinations.metrics.headers).toEqual({ a: "1", b: "two words" });
  });

  test.each([
    [{ OTEL_TRACES_SAMPLER: "sometimes" }, "OTEL_TRACES_SAMPLER expects one of"],
    [{ OTEL_TRACES_SAMPLER_ARG: "1.5" }, "from 0 to 1, found 1.5"],
    [
      { OTEL_BSP_MAX_QUEUE_SIZE: "-1" },
      "OTEL_BSP_MAX_QUEUE_SIZE expects a number greater than 0, found -1; using 16384",
    ],
    [{ OTEL_METRICS_EXPORTER: "prometheus" }, "OTEL_METRICS_EXPORTER expects one of otlp, console, none"],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc is not supported"],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "collector:4317" }, "endpoint of traces is no http or https URL"],
    [{ OUTRIDER_SEMCONV: "new" }, "OUTRIDER_SEMCONV expects one of current, legacy, both"],
  ])("warn once about %o and go on with the default", (environment, warning) => {
    const { warnings } = read(environment as Record<string, string>);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(warning);
  });

  test("never show a header's value", () => {
    const { warnings } = read({ OTEL_EXPORTER_OTLP_HEADERS: "test-key-hidden" });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).not.toContain("hidden");
  });

  test("let the option name the app before OTEL_SERVICE_NAME does", () => {
    expect(read({ OTEL_SERVICE_NAME: "from-pod" }).app).toBe("from-pod");
    expect(read({ OTEL_SERVICE_NAME: "from-pod" }, "from-option").app).toBe("from-option");
  });

  test("treat an empty variable as unset", () => {
    expect(read({ OTEL_TRACES_EXPORTER: "", OTEL_BSP_SCHEDULE_DELAY: " " }).warnings).toEqual([]);
  });

  test("keep a batch within its queue and the metric timeout within its interval", () => {
    const { spanQueue, metricTimeoutMs } = read({ OTEL_BSP_MAX_QUEUE_SIZE: "100", OTEL_METRIC_EXPORT_INTERVAL: "500" });
    expect([spanQueue.maxBatchItems, metricTimeoutMs]).toEqual([100, 500]);
  });
});
