import { describe, expect, it } from "vitest";
import { describeCollector, readCollectorEndpoints } from "../../../src/cli/collector.ts";

describe("collector endpoints", () => {
  it("are the standard ones when nothing is set", () => {
    expect(describeCollector({})).toBe("http://localhost:4318 (http/protobuf)");
    expect(readCollectorEndpoints({}).map(({ url }) => url)).toEqual([
      "http://localhost:4318/v1/traces",
      "http://localhost:4318/v1/metrics",
      "http://localhost:4318/v1/logs",
    ]);
  });

  it("follow the common and the signal's own variables; the signal's own URL is taken as it is", () => {
    const environment = {
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318/",
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://traces:1/custom",
      OTEL_EXPORTER_OTLP_HEADERS: "a=1,b=x%20y",
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: "a=2",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_LOGS_EXPORTER: "none",
    };
    expect(readCollectorEndpoints(environment)).toEqual([
      {
        signal: "traces",
        url: "http://traces:1/custom",
        shown: "http://traces:1/custom",
        headers: { a: "2", b: "x y" },
        protocol: "http/json",
      },
      {
        signal: "metrics",
        url: "http://collector:4318/v1/metrics",
        shown: "http://collector:4318/v1/metrics",
        headers: { a: "1", b: "x y" },
        protocol: "http/json",
      },
    ]);
    expect(describeCollector(environment)).toMatch(/without logs$/);
  });

  it("are none when the SDK or all exporters are off", () => {
    expect(readCollectorEndpoints({ OTEL_SDK_DISABLED: "true" })).toEqual([]);
    const off = { OTEL_TRACES_EXPORTER: "none", OTEL_METRICS_EXPORTER: "none", OTEL_LOGS_EXPORTER: "none" };
    expect(describeCollector(off)).toMatch(/^not exported/);
  });

  it("are those that are used in place of a refused URL or protocol", () => {
    expect(
      describeCollector({ OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4317", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }),
    ).toBe("http://localhost:4318 (http/protobuf)");
  });

  it("show no password and no query", () => {
    const text = describeCollector({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://user:test-key-1@collector:4318" });
    expect(text).toContain("collector:4318");
    expect(text).not.toContain("test-key-1");
  });
});
