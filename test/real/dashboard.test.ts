// Every query of the dashboard returns data from a real Prometheus after traffic that exercises everything,
// whether the metrics came through the collector or were scraped from Outrider itself.
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Simulator, startSimulator } from "../../src/simulator/index.ts";
import { createTempDir } from "../support/components/child.ts";
import { waitFor } from "../support/collector-output.ts";
import { fillVariables, type PanelQuery, readDashboard } from "../support/dashboard.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { findFreePort } from "../support/ports.ts";
import { type PromSeries, queryLabelValues, queryNow, queryRange } from "../support/promql.ts";
import { type Collector, type Prometheus, startCollector, startPrometheus } from "../support/real-components.ts";

const { queries, variables } = readDashboard("outrider");
const trafficSeconds = 12;
const rangeSeconds = 30;
const grafanas = { __rate_interval: "10s", __range: "1m" };
const outDir = createTempDir("dashboard");
/** An alias whose fallback helps and one whose fallback fails, too. */
const policy = {
  apiVersion: "outrider/v1",
  models: {
    helped: {
      targets: [{ provider: "openai", model: "sim-500-gpt-4o" }],
      fallbacks: [{ to: "openai/gpt-4o-mini" }],
    },
    lost: {
      targets: [{ provider: "openai", model: "sim-500-gpt-5-mini" }],
      fallbacks: [{ to: "openai/sim-500-gpt-5" }],
    },
  },
  retry: { maxAttempts: 1 },
  breaker: { openFor: "500ms" }, // what fails is soon tried again
};
const policyFile = join(outDir, "policy.json");
let simulator: Simulator;
let collector: Collector;
let sidecars: OutriderProcess[] = [];
let prometheus: Record<"collector" | "sidecar", Prometheus>;

interface Call {
  path: string;
  body: Record<string, unknown>;
  /** The client hangs up after this many bytes. */
  abortAfterBytes?: number;
}
const long = "Rule: name your sources, and say so when you do not know. ".repeat(120); // beyond 1,024 tokens: cacheable
const ask = (content: string) => [{ role: "user", content }];
const chat = (model: string, more: Record<string, unknown> = {}): Call => ({
  path: "/v1/chat/completions",
  body: { model, messages: ask("Five words."), ...more },
});
const message = (model: string, more: Record<string, unknown> = {}): Call => ({
  path: "/v1/messages",
  body: { model, max_tokens: 200, messages: ask("Five words."), ...more },
});
let turn = 0;
/** A prompt that is written to the cache anew each turn, and read from it once. */
const cached = (): Call =>
  message("claude-sonnet-4-5", {
    system: [{ type: "text", text: `${turn} ${long}`, cache_control: { type: "ephemeral" } }],
  });

const everything = (): Call[] => [
  chat("gpt-4o-mini"),
  chat("gpt-4o", { stream: true }),
  chat("gpt-4o", { messages: [{ role: "system", content: long }, ...ask("One?")] }),
  chat("gpt-5-mini", { stream: true }), // reasons
  message("claude-haiku-4-5", { stream: true }),
  cached(),
  cached(),
  { path: "/v1/embeddings", body: { model: "text-embedding-3-small", input: ["one", "two"] } },
  chat("acme-nova-1"), // a price nobody knows
  chat("sim-no-usage-gpt-4o-mini"),
  chat("helped"),
  chat("lost"),
  chat("sim-429-gpt-4o-mini"),
  chat("sim-500-gpt-4o-mini"),
  message("sim-overloaded-claude-sonnet-4-5"),
  chat("sim-truncate-gpt-4o", { stream: true }),
  message("sim-error-event-claude-haiku-4-5", { stream: true }),
  { ...chat("gpt-4o", { stream: true, messages: ask("A story in 3000 words.") }), abortAfterBytes: 500 },
];

async function send(
  target: OutriderProcess,
  { path, body, abortAfterBytes }: Call,
  signal?: AbortSignal,
): Promise<void> {
  const aborting = new AbortController();
  const answer = await fetch(`${target.url}${path}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      authorization: "Bearer test-key",
      "x-api-key": "test-key",
      "anthropic-version": "2023-06-01",
    },
    body: JSON.stringify(body),
    signal: AbortSignal.any([aborting.signal, ...(signal === undefined ? [] : [signal])]),
  });
  let read = 0;
  for await (const chunk of answer.body ?? []) {
    read += chunk.length;
    if (abortAfterBytes !== undefined && read >= abortAfterBytes) aborting.abort();
  }
}

/** Calls that fail on purpose end the connection, too. */
const sendAnyhow = (target: OutriderProcess, call: Call, signal?: AbortSignal): Promise<void> =>
  send(target, call, signal).catch(() => undefined);

function startSidecar(app: string, environment: Record<string, string>): Promise<OutriderProcess> {
  const providers = { openai: { baseUrl: `${simulator.url}/v1` }, anthropic: { baseUrl: simulator.url } };
  return startOutrider({
    options: { app, providers, policy: { file: policyFile } },
    environment: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.otlpHttpUrl,
      OTEL_METRIC_EXPORT_INTERVAL: "500",
      ...environment,
    },
  });
}

beforeAll(async () => {
  writeFileSync(policyFile, JSON.stringify(policy));
  simulator = await startSimulator({ pace: { firstByteMs: 5, chunkMs: 2 } });
  collector = await startCollector({ outDir });
  const shop = await startSidecar("shop", { OTEL_BSP_SCHEDULE_DELAY: "700", OTEL_BLRP_SCHEDULE_DELAY: "700" });
  // Its spans and log records have nowhere to go, and little room to wait: they are dropped.
  const nowhere = `http://127.0.0.1:${await findFreePort()}`;
  const desk = await startSidecar("desk", {
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${nowhere}/v1/traces`,
    OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `${nowhere}/v1/logs`,
    OTEL_EXPORTER_OTLP_TIMEOUT: "500",
    OTEL_BSP_MAX_QUEUE_SIZE: "20",
    OTEL_BLRP_MAX_QUEUE_SIZE: "10",
  });
  sidecars = [shop, desk];
  const [viaCollector, viaSidecar] = await Promise.all([
    startPrometheus({ scrape: [collector.prometheusTarget] }),
    startPrometheus({ scrape: sidecars.map(({ adminUrl }) => new URL(adminUrl).host) }),
  ]);
  prometheus = { collector: viaCollector, sidecar: viaSidecar };

  const hanging = new AbortController(); // one request stays in flight
  const hung = sendAnyhow(shop, chat("sim-stall-gpt-4o", { stream: true }), hanging.signal);
  const endMs = Date.now() + trafficSeconds * 1000;
  while (Date.now() < endMs) {
    turn += 1;
    await Promise.all(sidecars.flatMap((sidecar) => everything().map((call) => sendAnyhow(sidecar, call))));
    await sleep(250);
  }
  hanging.abort();
  await hung;
  await waitFor("the last export", async () => {
    const [first] = await queryNow(
      viaCollector.url,
      'sum(outrider_streams_ended_total{outrider_stream_end="client_aborted"})',
    );
    const [second] = await queryNow(
      viaSidecar.url,
      'sum(outrider_streams_ended_total{outrider_stream_end="client_aborted"})',
    );
    return first !== undefined && first.values[0] === second?.values[0] ? true : undefined;
  });
}, 180_000);

afterAll(async () => {
  await Promise.all(sidecars.map((sidecar) => sidecar.stop()));
  await collector?.stop();
  await Promise.all([prometheus?.collector.stop(), prometheus?.sidecar.stop(), simulator?.close()]);
  rmSync(outDir, { recursive: true, force: true });
}, 60_000);

type Choice = "all" | "each";

/** Fills the variables as Grafana does: “All” as the variable says, or every value picked by hand. */
async function choose(prometheusUrl: string, choice: Choice): Promise<Record<string, string>> {
  const chosen: Record<string, string> = { ...grafanas };
  for (const { name, series, label, allValue } of variables) {
    const values = await queryLabelValues(prometheusUrl, label, fillVariables(series, chosen));
    expect(values.length, `values of $${name}`).toBeGreaterThan(0);
    const escaped = values.map((value) => value.replaceAll(/[.*+?()|[\]{}\\^$]/g, String.raw`\\$&`));
    chosen[name] = choice === "all" && allValue !== undefined ? allValue : `(${escaped.join("|")})`;
  }
  return chosen;
}

const askPrometheus = (
  url: string,
  { expr, instant }: PanelQuery,
  values: Record<string, string>,
): Promise<PromSeries[]> => {
  const filled = fillVariables(expr, values);
  expect(filled).not.toMatch(/\$/);
  return instant ? queryNow(url, filled) : queryRange(url, filled, rangeSeconds);
};

describe.each(["collector", "sidecar"] as const)("metrics that came by way of the %s", (way) => {
  describe.each(["all", "each"] as const)("with %s of every variable chosen", (choice) => {
    let values: Record<string, string>;
    beforeAll(async () => {
      values = await choose(prometheus[way].url, choice);
    });

    test.each(queries)("$where has data", async (query) => {
      const series = await askPrometheus(prometheus[way].url, query, values);
      expect(series.length, fillVariables(query.expr, values)).toBeGreaterThan(0);
      const samples = series.flatMap((each) => each.values).filter(Number.isFinite);
      // 0 alone would also come from a panel that looks at the wrong thing.
      expect(Math.max(...samples), fillVariables(query.expr, values)).toBeGreaterThan(0);
      for (const { labels } of series) expect(Object.keys(labels)).toEqual(expect.arrayContaining(query.legendLabels));
    });
  });

  test("the application variable tells the two sidecars apart", async () => {
    const values = await choose(prometheus[way].url, "all");
    const calls = queries.find(({ where }) => where.includes("Calls by provider and model")) as PanelQuery;
    const total = async (app: string): Promise<number> => {
      const expr = `sum(${fillVariables(calls.expr.replaceAll("rate(", "present_over_time("), { ...values, app, __rate_interval: "1m" })})`;
      return (await queryNow(prometheus[way].url, expr))[0]?.values[0] ?? 0;
    };
    const [shop, desk, both, neither] = [
      await total("shop"),
      await total("desk"),
      await total(".*"),
      await total("attic"),
    ];
    expect(shop).toBeGreaterThan(0);
    expect(desk).toBeGreaterThan(0);
    expect(both).toBe(shop + desk);
    expect(neither).toBe(0);
  });
});
