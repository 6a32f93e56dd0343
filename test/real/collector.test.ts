// Bundle → real collector → its files, Jaeger and Prometheus: what was sent is read back from each, by name.
import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensureComponents } from "../../scripts/components.mjs";
import { type Simulator, startSimulator } from "../../src/simulator/index.ts";
import { createTempDir } from "../support/components/child.ts";
import {
  type CollectedSpan,
  type ExchangeTree,
  readLatestMetrics,
  readLogs,
  waitFor,
  waitForTree,
} from "../support/collector-output.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { queryNow } from "../support/promql.ts";
import {
  type Collector,
  type Jaeger,
  type Prometheus,
  startCollector,
  startJaeger,
  startPrometheus,
} from "../support/real-components.ts";
import { parseExposition, type SampleMap, toSampleMap } from "../support/sidecar-metrics.ts";
import { createTraceParent, type TraceParent } from "../support/trace-parent.ts";

const outDir = createTempDir("collected");
const secretWord = "chrysanthemum"; // in a prompt; it must not turn up anywhere
let simulator: Simulator;
let jaeger: Jaeger;
let fromOtlp: Prometheus;
let fromScrapes: Prometheus;
let collector: Collector;
let outrider: OutriderProcess;

interface Call {
  path: string;
  body: object;
}
const question = (text: string) => [{ role: "user", content: `${text} ${secretWord}` }];
const chat = (model: string, more: object = {}): Call => ({
  path: "/v1/chat/completions",
  body: { model, messages: question("Name three rivers."), temperature: 0.5, max_tokens: 200, ...more },
});

/** Sends a call as a caller with a span of its own; gives that span, and the answer's status and text. */
async function send(
  target: OutriderProcess,
  { path, body }: Call,
): Promise<TraceParent & { status: number; text: string }> {
  const context = createTraceParent();
  const answer = await fetch(`${target.url}${path}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      authorization: "Bearer test-key",
      "x-api-key": "test-key",
      "anthropic-version": "2023-06-01",
      traceparent: context.traceparent,
    },
    body: JSON.stringify(body),
  });
  return { ...context, status: answer.status, text: await answer.text() };
}

function startSidecar(environment: Record<string, string> = {}): Promise<OutriderProcess> {
  const providers = { openai: { baseUrl: `${simulator.url}/v1` }, anthropic: { baseUrl: simulator.url } };
  return startOutrider({
    options: { app: "shop", providers },
    environment: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.otlpHttpUrl,
      OTEL_METRIC_EXPORT_INTERVAL: "1000",
      OTEL_BSP_SCHEDULE_DELAY: "100",
      OTEL_BLRP_SCHEDULE_DELAY: "100",
      ...environment,
    },
  });
}

beforeAll(async () => {
  simulator = await startSimulator({ pace: { firstByteMs: 5, chunkMs: 1 } });
  [jaeger, fromOtlp] = await Promise.all([startJaeger(), startPrometheus({ scrape: [] })]);
  collector = await startCollector({ outDir, jaegerOtlpPort: jaeger.otlpGrpcPort, prometheusUrl: fromOtlp.url });
  outrider = await startSidecar();
  fromScrapes = await startPrometheus({ scrape: [collector.prometheusTarget, new URL(outrider.adminUrl).host] });
}, 120_000);

afterAll(async () => {
  await outrider?.stop();
  await collector?.stop();
  await Promise.all([jaeger?.stop(), fromOtlp?.stop(), fromScrapes?.stop(), simulator?.close()]);
  rmSync(outDir, { recursive: true, force: true });
}, 60_000);

/** Names and parents of a tree that has one model call with one attempt. */
function expectOneCall(
  { server, groups }: ExchangeTree,
  caller: TraceParent,
): { group: CollectedSpan; attempt: CollectedSpan } {
  expect(server.parentSpanId).toBe(caller.spanId);
  expect(groups).toHaveLength(1);
  const [{ span: group, attempts }] = groups as [ExchangeTree["groups"][number]];
  expect(attempts).toHaveLength(1);
  const attempt = attempts[0] as CollectedSpan;
  expect([server.kind, group.kind, attempt.kind]).toEqual(["server", "client", "client"]);
  for (const span of [server, group, attempt]) {
    expect(span.endNs, span.name).toBeGreaterThan(span.startNs);
    expect(span.resource).toMatchObject({ "service.name": "outrider", "outrider.app": "shop" });
    expect(span.resource["service.instance.id"]).toEqual(expect.any(String));
    expect(span.scopeName).toBe("outrider");
    expect(span.schemaUrl).toMatch(/^https:\/\/opentelemetry\.io\/schemas\/gen-ai-dev\//);
    expect(span.status).not.toBe("ok");
  }
  return { group, attempt };
}

describe.each([
  { protocol: "http/protobuf", environment: {} },
  { protocol: "http/json", environment: { OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" } },
])("over $protocol the collector's files hold", ({ protocol, environment }) => {
  let sidecar: OutriderProcess;
  beforeAll(async () => {
    sidecar = protocol === "http/protobuf" ? outrider : await startSidecar(environment);
  });
  afterAll(async () => {
    if (sidecar !== outrider) await sidecar?.stop();
  });

  test("the whole tree of a chat call: server, model call, wire attempt", async () => {
    const caller = await send(sidecar, chat("gpt-4o-mini"));
    expect(caller.status).toBe(200);
    const answer = JSON.parse(caller.text) as {
      id: string;
      usage: { prompt_tokens: number; completion_tokens: number };
    };
    const tree = await waitForTree(outDir, caller.traceId);
    const { group, attempt } = expectOneCall(tree, caller);
    expect(tree.server.name).toBe("POST /v1/chat/completions");
    expect(tree.server.attributes).toMatchObject({
      "http.request.method": "POST",
      "http.route": "/v1/chat/completions",
      "http.response.status_code": 200,
      "url.path": "/v1/chat/completions",
      "url.scheme": "http",
      "outrider.dialect": "openai-chat",
      "outrider.provider": "openai",
      "outrider.relay.mode": "passthrough",
      "outrider.attempt.count": 1,
      "outrider.usage.input_tokens": answer.usage.prompt_tokens,
      "outrider.usage.output_tokens": answer.usage.completion_tokens,
      "outrider.cost.status": "exact",
    });
    expect(group.name).toBe("chat gpt-4o-mini");
    expect(group.attributes).toMatchObject({
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "gpt-4o-mini",
      "gen_ai.request.temperature": 0.5,
      "gen_ai.request.max_tokens": 200,
      "gen_ai.response.id": answer.id,
      "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
      "gen_ai.response.finish_reasons": ["stop"],
      "gen_ai.usage.input_tokens": answer.usage.prompt_tokens,
      "gen_ai.usage.output_tokens": answer.usage.completion_tokens,
      "server.address": "127.0.0.1",
      "server.port": simulator.port,
      "outrider.attempt.reason": "first",
      "outrider.usage.source": "provider",
      "outrider.cost.status": "exact",
      "outrider.cost.currency": "USD",
    });
    expect(group.attributes["outrider.cost.total"]).toBeGreaterThan(0);
    expect(group.attributes["gen_ai.request.stream"]).toBeUndefined();
    expect(attempt.name).toBe("POST");
    expect(attempt.attributes).toMatchObject({
      "http.request.method": "POST",
      "http.response.status_code": 200,
      "url.full": `${simulator.url}/v1/chat/completions`,
      "server.address": "127.0.0.1",
      "server.port": simulator.port,
    });
  });

  test("the tree of a streamed messages call", async () => {
    const caller = await send(sidecar, {
      path: "/v1/messages",
      body: { model: "claude-sonnet-4-5", max_tokens: 300, stream: true, messages: question("What is a sidecar?") },
    });
    const tree = await waitForTree(outDir, caller.traceId);
    const { group } = expectOneCall(tree, caller);
    expect(tree.server.name).toBe("POST /v1/messages");
    expect(tree.server.attributes).toMatchObject({ "outrider.stream.end": "complete" });
    expect(group.name).toBe("chat claude-sonnet-4-5");
    expect(group.attributes).toMatchObject({
      "gen_ai.provider.name": "anthropic",
      "gen_ai.request.stream": true,
      "gen_ai.response.finish_reasons": ["stop"],
      "outrider.usage.source": "provider",
    });
    expect(group.attributes["gen_ai.response.time_to_first_chunk"]).toBeGreaterThan(0);
    const lastUsage = [...caller.text.matchAll(/"output_tokens": ?(\d+)/g)].at(-1)?.[1];
    expect(group.attributes["gen_ai.usage.output_tokens"]).toBe(Number(lastUsage));
  });

  test("errors: on the model call and the attempt, and on the server span only from 500 up", async () => {
    const limited = await send(sidecar, chat("sim-429-gpt-4o-mini"));
    expect(limited.status).toBe(429);
    const tree = await waitForTree(outDir, limited.traceId);
    const { group, attempt } = expectOneCall(tree, limited);
    expect(group).toMatchObject({ status: "error", attributes: { "error.type": "upstream_rate_limited" } });
    expect(attempt).toMatchObject({ status: "error", attributes: { "http.response.status_code": 429 } });
    expect(attempt.attributes["error.type"]).toEqual(expect.any(String));
    expect(tree.server).toMatchObject({ status: "unset", attributes: { "http.response.status_code": 429 } });
    expect(tree.server.attributes["error.type"]).toBeUndefined();

    const broken = await send(sidecar, chat("sim-500-gpt-4o-mini"));
    expect(broken.status).toBe(500);
    const { server } = await waitForTree(outDir, broken.traceId);
    expect(server.status).toBe("error");
    expect(server.attributes["error.type"]).toBe("upstream_server_error");
  });

  test("log events that name the model call's span, without content", async () => {
    const caller = await send(sidecar, chat("acme-nova-1"));
    const { groups } = await waitForTree(outDir, caller.traceId);
    const records = await waitFor("two log records", () => {
      const found = readLogs(outDir).filter(({ traceId }) => traceId === caller.traceId);
      return found.length >= 2 ? found : undefined;
    });
    expect(records.map(({ eventName }) => eventName).sort()).toEqual([
      "gen_ai.client.inference.operation.details",
      "outrider.price.unknown",
    ]);
    for (const record of records) expect(record.spanId).toBe(groups[0]?.span.spanId);
    const details = records.find(({ eventName }) => eventName.endsWith("details"));
    expect(details?.attributes).toMatchObject({
      "gen_ai.request.model": "acme-nova-1",
      "gen_ai.provider.name": "openai",
    });
    expect(groups[0]?.span.attributes["outrider.cost.status"]).toBe("missing");
    expect(groups[0]?.span.attributes).not.toHaveProperty("outrider.cost.total");
  });
});

test("no prompt and no credential is in anything the collector got", async () => {
  const { stdout } = await promisify(execFile)("grep", ["-lE", `${secretWord}|test-key`, "-r", outDir]).catch(
    (error: { code: number; stdout: string }) => {
      if (error.code !== 1) throw error; // 1: nothing found
      return error;
    },
  );
  expect(stdout).toBe("");
});

test("Jaeger gives the same spans by trace id, with their parents and attributes", async () => {
  const caller = await send(outrider, chat("gpt-4o-mini"));
  const tree = await waitForTree(outDir, caller.traceId);
  interface JaegerSpan {
    spanID: string;
    operationName: string;
    references: { refType: string; spanID: string }[];
    tags: { key: string; value: unknown }[];
    processID: string;
  }
  interface JaegerTrace {
    spans: JaegerSpan[];
    processes: Record<string, { serviceName: string; tags: { key: string; value: unknown }[] }>;
  }
  const trace = await waitFor("three spans in Jaeger", async () => {
    const answer = await fetch(`${jaeger.queryUrl}/api/traces/${caller.traceId}`);
    const { data } = (await answer.json()) as { data: JaegerTrace[] | null };
    return data?.[0]?.spans.length === 3 ? data[0] : undefined;
  });
  const expected = [tree.server, ...tree.groups.flatMap(({ span, attempts }) => [span, ...attempts])];
  for (const span of expected) {
    const found = trace.spans.find(({ spanID }) => spanID === span.spanId);
    expect(found?.operationName).toBe(span.name);
    expect(found?.references).toEqual([expect.objectContaining({ refType: "CHILD_OF", spanID: span.parentSpanId })]);
    const tags = Object.fromEntries((found?.tags ?? []).map(({ key, value }) => [key, value]));
    expect(tags["span.kind"]).toBe(span.kind);
    for (const [name, value] of Object.entries(span.attributes)) {
      if (typeof value === "object") expect(JSON.parse(String(tags[name])), name).toEqual(value);
      else expect(tags[name], name).toBe(value);
    }
    const process = trace.processes[found?.processID ?? ""];
    expect(process?.serviceName).toBe("outrider");
    expect(process?.tags).toContainEqual(expect.objectContaining({ key: "outrider.app", value: "shop" }));
  }
});

describe("metrics", () => {
  let exposed: SampleMap;

  beforeAll(async () => {
    await send(outrider, { path: "/v1/embeddings", body: { model: "text-embedding-3-small", input: ["one", "two"] } });
    await send(outrider, chat("gpt-5-mini", { stream: true }));
  });

  // Queues are never at rest while something is exported, and the two target_info are about different things.
  const withoutQueues = (samples: SampleMap): SampleMap =>
    new Map([...samples].filter(([key]) => !/^(otel_sdk_|target_info)/.test(key)));

  /** Reads every series of one sidecar until they are what /metrics says, then compares them name by name. */
  async function expectSame(prometheusUrl: string, selector: string): Promise<void> {
    const read = async () =>
      withoutQueues(toSampleMap(await queryNow(prometheusUrl, `{__name__=~"(gen_ai|http|outrider)_.+", ${selector}}`)));
    let found: SampleMap = new Map();
    await waitFor("the values of /metrics", async () => {
      found = await read();
      return isSame(found, exposed) || undefined;
    }).catch(() => undefined);
    expect([...found.keys()].sort()).toEqual([...exposed.keys()].sort());
    for (const [key, value] of exposed) expect(found.get(key), key).toBeCloseTo(value, 9);
  }

  const isSame = (found: SampleMap, wanted: SampleMap): boolean =>
    found.size === wanted.size && [...wanted].every(([key, value]) => Math.abs((found.get(key) ?? NaN) - value) < 1e-9);

  const readExposition = async (): Promise<string> => (await fetch(`${outrider.adminUrl}/metrics`)).text();

  async function findInstance(): Promise<string> {
    // The other sidecar of this file has ended; this one's id is the one that Jaeger and the files have too.
    const caller = await send(outrider, chat("gpt-4o-mini"));
    const { server } = await waitForTree(outDir, caller.traceId);
    exposed = withoutQueues(parseExposition(await readExposition()));
    const id = server.resource["service.instance.id"];
    return typeof id === "string" ? id : "none";
  }

  test("are in the collector's file by their OpenTelemetry names and units", async () => {
    const wanted = {
      "gen_ai.client.inference.duration": { kind: "histogram", unit: "s" },
      "gen_ai.client.inference.time_to_first_chunk": { kind: "histogram", unit: "s" },
      "gen_ai.client.inference.usage.input_tokens": { kind: "sum", unit: "{token}" },
      "gen_ai.client.operation.duration": { kind: "histogram", unit: "s" },
      "http.server.request.duration": { kind: "histogram", unit: "s" },
      "http.server.active_requests": { kind: "sum", unit: "{request}" },
      "outrider.cost": { kind: "sum", unit: "USD" },
      "outrider.request.overhead": { kind: "histogram", unit: "s" },
    };
    await waitFor("the metrics in the file", () => {
      const metrics = readLatestMetrics(outDir);
      return Object.entries(wanted).every(([name, { kind, unit }]) =>
        metrics.some((metric) => metric.name === name && metric.kind === kind && metric.unit === unit),
      )
        ? true
        : undefined;
    });
  });

  test("read back by PromQL are what /metrics says: scraped from the collector, sent as OTLP, scraped from Outrider", async () => {
    const instance = await findInstance();
    expect(exposed.size).toBeGreaterThan(200);
    await expectSame(fromScrapes.url, `job="outrider", instance="${instance}"`);
    await expectSame(fromOtlp.url, `job="outrider", instance="${instance}"`);
    await expectSame(fromScrapes.url, `job="test", instance="${new URL(outrider.adminUrl).host}"`);
  });

  test("have target_info with the application's name in all three", async () => {
    for (const [url, job] of [
      [fromScrapes.url, "outrider"],
      [fromOtlp.url, "outrider"],
      [fromScrapes.url, "test"],
    ] as const) {
      const found = await queryNow(url, `target_info{job="${job}", outrider_app="shop"}`);
      expect(found.length, `${url} ${job}`).toBeGreaterThan(0);
    }
  });

  test("are well formed by promtool's judgement", async () => {
    const text = await readExposition();
    expect(text).toContain("# TYPE outrider_cost_USD_total counter");
    const { promtool } = (await ensureComponents(["prometheus"])).prometheus;
    const found = await new Promise<string>((resolve) => {
      const child = execFile(promtool, ["check", "metrics"], (error, stdout, stderr) => {
        resolve(`${error?.code ?? 0}\n${stdout}${stderr}`);
      });
      child.stdin?.end(text);
    });
    expect(found).toBe("0\n");
  });
});
