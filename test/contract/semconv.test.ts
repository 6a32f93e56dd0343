// Every attribute, metric and event that telemetry emits is in the vendored part of the conventions or in docs/telemetry.md,
// with the right type, unit and instrument; and the page lists nothing that the code does not define.
import { readFileSync } from "node:fs";
import { DataPointType } from "@opentelemetry/sdk-metrics";
import { beforeAll, describe, expect, test } from "vitest";

import {
  attr,
  events,
  legacyAttr,
  metricDefinitions,
  own,
  scope,
  type MetricDefinition,
} from "../../src/telemetry/semconv.ts";
import { buildGroup, buildRecord } from "../support/exchange-record.ts";
import { buildRichExchange } from "../support/rich-exchange.ts";
import { reportExchange, startTelemetry } from "../support/telemetry-run.ts";

interface Registry {
  attributes: Record<string, { type: string; enum?: string[] }>;
  metrics: Record<
    string,
    {
      instrument: string;
      unit: string;
      value_type?: string;
      buckets?: number[];
      attributes: { name: string; requirement: string }[];
    }
  >;
  events: Record<string, { severity: { number: number }; attributes: { name: string; requirement_level: string }[] }>;
  deprecated: {
    attributes: string[];
    metrics: Record<string, { instrument: string; unit: string; buckets: number[] }>;
  };
}

const root = new URL("../../", import.meta.url);
const registry = JSON.parse(readFileSync(new URL("test/fixtures/semconv/registry.json", root), "utf8")) as Registry;
const page = readFileSync(new URL("docs/telemetry.md", root), "utf8");
const tableRows = page
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) =>
    line
      .slice(2, -2)
      .split(" | ")
      .map((cell) => cell.trim()),
  );
const unquote = (cell = ""): string => cell.replaceAll("`", "");
const definitions = Object.values<MetricDefinition>(metricDefinitions);
const metricNames = new Set(definitions.map(({ name }) => name));
const metricRows = new Map(
  tableRows.filter(([name]) => metricNames.has(unquote(name))).map((row) => [unquote(row[0]), row]),
);

/** Documented attributes of our own with their type; the prefix `outrider.tag.<key>` as `outrider.tag`. */
const documented = new Map(
  tableRows
    .filter(
      ([name, , type]) => unquote(name).startsWith("outrider.") && /^(string|int|double|boolean)/.test(type ?? ""),
    )
    .map(([name, , type]) => [unquote(name).replace(".<key>", ""), (type ?? "").split(",")[0] ?? ""]),
);

function hasType(value: unknown, type: string): boolean {
  if (type === "any") return true;
  if (type.endsWith("[]")) return Array.isArray(value) && value.every((item) => hasType(item, type.slice(0, -2)));
  if (type === "int") return Number.isInteger(value);
  if (type === "double") return typeof value === "number";
  return typeof value === type;
}

function typeOf(name: string): string | undefined {
  if (name.startsWith("outrider.tag.")) return documented.get("outrider.tag");
  return (
    documented.get(name) ??
    registry.attributes[name]?.type ??
    (registry.deprecated.attributes.includes(name) ? "string" : undefined)
  );
}

type Run = Awaited<ReturnType<ReturnType<typeof startTelemetry>["finish"]>>;
let run: Run;

beforeAll(async () => {
  const started = startTelemetry({ capture: "both", captureMaxCharacters: 30 }, { OUTRIDER_SEMCONV: "both" });
  reportExchange(started.telemetry, buildRichExchange());
  reportExchange(
    started.telemetry,
    buildRecord({
      operation: { kind: "embeddings", name: "embeddings", route: "/v1/embeddings" },
      http: { ...buildRecord().http, method: "BREW", statusCode: 502 },
      groups: [
        buildGroup({
          requestModel: "unknown-model",
          cost: { status: "missing" },
          failure: { code: "upstream_invalid", source: "provider", message: "not JSON" },
        }),
      ],
      failure: { code: "upstream_invalid", source: "provider", message: "not JSON" },
    }),
  );
  for (const type of ["applied", "rejected", "stale", "rolled_back", "unsaved"] as const) {
    started.telemetry.reportPolicy({
      type,
      version: "42",
      refusedVersion: "43",
      outcome: "invalid",
      reason: "models.smart: unknown key",
    });
  }
  started.telemetry.countPolicyReload("unchanged");
  started.telemetry.watchPolicy(() => ({ version: "42", source: "network", ageSeconds: 1.5 }));
  started.telemetry.watchBreakers(() => [{ key: "openai/gpt-4o-mini", state: "open" }]);
  run = await started.finish();
});

describe("what is emitted", () => {
  test("has attributes that are in the conventions or on the page, of the right type", () => {
    const emitted = [
      ...run.spans.flatMap((span) => [span.attributes, ...span.events.map((event) => event.attributes ?? {})]),
      ...run.logs.map((record) => record.attributes),
      ...run.metrics.flatMap(({ dataPoints }) => dataPoints.map(({ attributes }) => attributes)),
    ];
    expect(emitted.length).toBeGreaterThan(40);
    for (const attributes of emitted) {
      for (const [name, value] of Object.entries(attributes)) {
        const type = typeOf(name);
        expect(type, `${name} is described nowhere`).toBeDefined();
        expect(hasType(value, type ?? ""), `${name} should be ${type}, is ${JSON.stringify(value)}`).toBe(true);
      }
    }
  });

  test("covers every attribute that the code defines, so that none escapes this test", () => {
    const seen = new Set(
      [
        ...run.spans.flatMap((span) => [
          span.attributes,
          span.resource.attributes,
          ...span.events.map((event) => event.attributes ?? {}),
        ]),
        ...run.logs.map((record) => record.attributes),
        ...run.metrics.flatMap(({ dataPoints }) => dataPoints.map(({ attributes }) => attributes)),
      ].flatMap((attributes) => Object.keys(attributes)),
    );
    const defined = [...Object.values(attr), ...Object.values(own), ...Object.values(legacyAttr)];
    const missing = defined.filter((name) => !seen.has(name) && !(name === own.tag && seen.has(`${name}.feature`)));
    // Only drops have these two, and nothing is dropped here; test/unit/telemetry/batch.test.ts sees them.
    expect(missing).toEqual([own.telemetryReason, own.telemetrySignal]);
  });

  test("has metrics of the defined unit, instrument and labels", () => {
    for (const metric of run.metrics) {
      const definition = definitions.find(({ name }) => name === metric.descriptor.name);
      expect(definition, metric.descriptor.name).toBeDefined();
      if (definition === undefined) continue;
      expect(metric.descriptor.unit).toBe(definition.unit);
      expect(metric.dataPointType === DataPointType.HISTOGRAM, definition.name).toBe(definition.kind === "histogram");
      for (const { attributes } of metric.dataPoints) {
        expect(definition.labels, definition.name).toEqual(expect.arrayContaining(Object.keys(attributes)));
      }
    }
    const unseen = [...metricNames].filter((name) => run.metrics.every((metric) => metric.descriptor.name !== name));
    expect(unseen).toEqual([metricDefinitions.telemetryDropped.name]);
  });

  test("has events that are in the conventions or on the page, the details event with its required attributes and severity", () => {
    const names = new Set([
      ...run.logs.map((record) => record.eventName),
      ...run.spans.flatMap((span) => span.events.map((event) => event.name)),
    ]);
    expect([...names].sort()).toEqual(Object.values(events).sort());
    const details = registry.events[events.inferenceDetails];
    const record = run.logs.find(({ eventName }) => eventName === events.inferenceDetails);
    expect(record?.severityNumber).toBe(details?.severity.number);
    for (const { name, requirement_level: level } of details?.attributes ?? []) {
      if (level === "required") expect(record?.attributes, name).toHaveProperty([name]);
    }
  });

  test("carries the scope with its version and schema URL", () => {
    for (const { instrumentationScope } of [...run.spans, ...run.logs]) {
      expect(instrumentationScope).toEqual({ ...scope, version: "0.0.0-test" });
    }
  });
});

describe("standard metrics", () => {
  const standard = definitions.filter(({ name }) => !name.startsWith("outrider."));

  test.each(standard.map((definition) => [definition.name, definition] as const))(
    "%s agrees with the conventions",
    (name, definition) => {
      const current = registry.metrics[name] ?? registry.deprecated.metrics[name];
      expect(current, "not in the conventions").toBeDefined();
      expect(definition.kind).toBe(current?.instrument);
      expect(definition.unit).toBe(current?.unit);
      // Boundaries may go on beyond the advice, never differ within it.
      if (current?.buckets !== undefined)
        expect(definition.boundaries?.slice(0, current.buckets.length)).toEqual(current.buckets);
      const facts = registry.metrics[name];
      if (facts === undefined) return;
      if (facts.value_type !== undefined) expect(definition.valueType).toBe(facts.value_type);
      expect(facts.attributes.map((one) => one.name)).toEqual(expect.arrayContaining([...definition.labels]));
      for (const { name: label, requirement } of facts.attributes) {
        if (requirement === "required") expect(definition.labels).toContain(label);
      }
    },
  );
});

describe("docs/telemetry.md", () => {
  test("describes every attribute of our own and no other", () => {
    expect([...documented.keys()].sort()).toEqual(Object.values(own).sort());
  });

  test("describes every metric with its kind, unit and labels, and no other", () => {
    const listed = tableRows
      .map(([name]) => unquote(name))
      .filter((name) => /^(gen_ai\.client|http|otel\.sdk)\./.test(name) && !name.endsWith("details"));
    for (const name of listed) expect(metricNames).toContain(name);
    for (const definition of definitions) {
      const [, kind, unit, labels] = metricRows.get(definition.name) ?? [];
      expect({ kind, unit: unquote(unit), labels: unquote(labels).split(" ") }, definition.name).toEqual({
        kind: definition.kind,
        unit: definition.unit,
        labels: [...definition.labels],
      });
    }
  });

  test("describes every event", () => {
    for (const name of Object.values(events)) expect(page).toContain(`| \`${name}\` |`);
  });
});
