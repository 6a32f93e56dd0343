// The dashboards are what the script makes; they and the alert rules ask only for metrics and labels that Outrider emits.
// Whether the queries return data is test/real/dashboard.test.ts's business, when the alerts fire that of test/real/alert-rules.yaml.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { files } from "../../scripts/write-dashboards.mjs";
import { attr, metricDefinitions, own, type MetricDefinition } from "../../src/telemetry/semconv.ts";
import { readDashboard } from "../support/dashboard.ts";

const root = new URL("../../", import.meta.url);
const { queries, variables } = readDashboard("outrider");

/** OpenTelemetry's Prometheus naming, written a second time on purpose: the exposition must not vouch for itself. */
const unitSuffixes: Record<string, string> = { s: "_seconds", USD: "_USD", By: "_bytes" };
const labelName = (name: string): string => name.replaceAll(/[^a-zA-Z0-9]/g, "_");

function seriesNames({ name, unit, kind }: MetricDefinition): string[] {
  const base = `${labelName(name)}${unitSuffixes[unit] ?? ""}`;
  if (kind === "histogram") return [`${base}_bucket`, `${base}_sum`, `${base}_count`];
  return [kind === "counter" ? `${base}_total` : base];
}

const everywhere = ["job", "instance"];
const known = new Map<string, { definition?: MetricDefinition; labels: Set<string> }>();
for (const definition of Object.values<MetricDefinition>(metricDefinitions)) {
  for (const series of seriesNames(definition)) {
    const le = series.endsWith("_bucket") ? ["le"] : [];
    known.set(series, { definition, labels: new Set([...everywhere, ...le, ...definition.labels.map(labelName)]) });
  }
}
known.set("target_info", { labels: new Set([...everywhere, labelName(own.app)]) });

/** Every `series{…}` of an expression, with the labels its matchers name. */
function readSelectors(expr: string): { series: string; labels: string[] }[] {
  return [...expr.matchAll(/([a-zA-Z_]\w*)\{([^}]*)\}/g)].map(([, series = "", matchers = ""]) => ({
    series,
    labels: [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map((match) => match[1] as string),
  }));
}

function readGroupings(expr: string): string[] {
  return [...expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap(([, labels = ""]) => labels.split(", "));
}

describe("the committed dashboards", () => {
  test.each(Object.keys(files))("%s is what scripts/write-dashboards.mjs makes", (path) => {
    expect(readFileSync(new URL(path, root), "utf8")).toBe(files[path]?.());
  });

  test("cover traffic, errors, fallbacks, latency, streams, tokens, cost and Outrider's own health", () => {
    const asked = new Set(
      queries.flatMap(({ expr }) => readSelectors(expr)).map(({ series }) => known.get(series)?.definition),
    );
    const wanted = [
      metricDefinitions.inferenceDuration,
      metricDefinitions.timeToFirstChunk,
      metricDefinitions.timePerOutputChunk,
      metricDefinitions.usageInput,
      metricDefinitions.usageOutput,
      metricDefinitions.usageCacheRead,
      metricDefinitions.usageReasoning,
      metricDefinitions.cost,
      metricDefinitions.costLookups,
      metricDefinitions.usageRecords,
      metricDefinitions.attempts,
      metricDefinitions.fallbacks,
      metricDefinitions.breakerState,
      metricDefinitions.streamsEnded,
      metricDefinitions.overhead,
      metricDefinitions.telemetryDropped,
      metricDefinitions.activeRequests,
    ] satisfies MetricDefinition[];
    expect(wanted.filter((definition) => !asked.has(definition)).map(({ name }) => name)).toEqual([]);
  });
});

describe("every query", () => {
  test.each(queries)("$where names only series that Outrider emits, and labels they have", ({ expr, legendLabels }) => {
    const selectors = readSelectors(expr);
    expect(selectors.length).toBeGreaterThan(0);
    const groupings = readGroupings(expr);
    for (const { series, labels } of selectors) {
      const metric = known.get(series);
      expect(metric, `${series} is no series of src/telemetry/semconv.ts`).toBeDefined();
      expect([...(metric?.labels ?? [])], series).toEqual(expect.arrayContaining(labels));
    }
    const read = selectors.filter(({ series }) => series !== "target_info");
    for (const label of groupings) {
      const lacking = read.filter(({ series }) => known.get(series)?.labels.has(label) !== true);
      expect(
        lacking.map(({ series }) => series),
        `grouped by ${label}`,
      ).toEqual([]);
    }
    expect(groupings, "the legend shows labels that the grouping keeps").toEqual(expect.arrayContaining(legendLabels));
  });

  test.each(queries)("$where reads one kind of sidecar and one application", ({ expr }) => {
    for (const { series, labels } of readSelectors(expr)) {
      const wanted = series === "target_info" ? labelName(own.app) : "job";
      expect(labels, series).toContain(wanted);
    }
    expect(expr).toContain(`target_info{${labelName(own.app)}=~"$app"}`);
  });

  test("is filtered by provider and model where its series have them", () => {
    const byLabel = { provider: labelName(attr.providerName), model: labelName(attr.requestModel) };
    for (const { where, expr } of queries) {
      for (const { series, labels } of readSelectors(expr)) {
        for (const label of Object.values(byLabel)) {
          if (known.get(series)?.labels.has(label) === true) expect(labels, `${where}: ${series}`).toContain(label);
        }
      }
    }
  });
});

describe("every alert rule", () => {
  interface Rule {
    alert: string;
    expr: string;
    labels: { severity: string };
    annotations: { description: string };
  }
  const alerts = readFileSync(new URL("dashboards/alerts.yaml", root), "utf8");
  const rules = (parse(alerts) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules);

  test.each(rules)("$alert names only series that Outrider emits, and labels they have", ({ expr, annotations }) => {
    for (const text of [expr, annotations.description]) {
      const series = [...text.matchAll(/\b(outrider_\w+)(?:\{([^}]*)\})?\[/g)];
      const groupings = readGroupings(text);
      for (const [, name = "", matchers = ""] of series) {
        const labels = [...matchers.matchAll(/(\w+)\s*=/g)].map((match) => match[1] as string);
        expect([...(known.get(name)?.labels ?? [])], name).toEqual(expect.arrayContaining([...labels, ...groupings]));
      }
    }
    expect(expr).toMatch(/\boutrider_\w+(?:\{[^}]*\})?\[/);
  });

  test.each(rules)("$alert is in docs/dashboards.md with its severity", ({ alert, labels }) => {
    const page = readFileSync(new URL("docs/dashboards.md", root), "utf8");
    expect(page).toContain(`| \`${alert}\` | ${labels.severity} |`);
  });
});

test("every variable is filled from a series and a label that exist, and is used", () => {
  expect(variables.map(({ name }) => name)).toEqual(["job", "app", "provider", "model"]);
  const texts = queries.map(({ expr }) => expr).join("\n");
  for (const { name, series, label } of variables) {
    const pattern = /^\{__name__=~"([^"]+)"/.exec(series)?.[1] ?? series.replace(/\{.*$/, "");
    const metrics = [...known].filter(([each]) => new RegExp(`^(?:${pattern})$`).test(each));
    expect(metrics.length, `${name}: ${pattern}`).toBeGreaterThan(0);
    for (const [each, { labels }] of metrics) expect(labels.has(label), `${each} has ${label}`).toBe(true);
    expect(texts).toContain(`$${name}`);
  }
});

test("every metric asked for is described in docs/telemetry.md", () => {
  const page = readFileSync(new URL("docs/telemetry.md", root), "utf8");
  const names = new Set(
    queries.flatMap(({ expr }) => readSelectors(expr)).map(({ series }) => known.get(series)?.definition?.name),
  );
  const missing = [...names].filter((name) => name !== undefined && !page.includes(name));
  expect(missing).toEqual([]);
});
