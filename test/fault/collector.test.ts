// Faults of the collector (reliability.md §2.4): requests go on as if nothing were wrong, and what is lost is counted to the last item.
// All faults are played at once, each at a sidecar of its own, beside one that exports nothing: so their latencies compare.
import { Agent, request as httpRequest } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readStatus, type Status } from "../support/exchange-log.ts";
import { type OtlpReceiver, type ReceiverFault, startOtlpReceiver } from "../support/otlp-receiver.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { findFreePort } from "../support/ports.ts";
import { type ScriptedUpstream, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { startTcpFaultProxy, type TcpFaultProxy } from "../support/tcp-fault-proxy.ts";

const requestCount = 200;
/** At each sidecar, at most: a busy machine is not driven harder to make up for it. */
const ratePerSecond = 40;
const drainSeconds = 8;
const maxAddedP50Ms = 10;
/** reliability.md T16. */
const maxAddedRssMib = 50;

const slowMs = 2000;
const faults: Record<string, ReceiverFault | "absent"> = {
  absent: "absent",
  slow: { type: "slow", delayMs: slowMs },
  hanging: { type: "hang" },
  "answering 500": { type: "status", status: 500 },
  "answering 429": { type: "status", status: 429, retryAfterSeconds: 1 },
  resetting: { type: "reset" },
  "answering 50 MB": { type: "huge", bytes: 50_000_000 },
  "accepting in part": { type: "partial", rejected: 1 },
};

const answerBody = JSON.stringify({
  id: "chatcmpl-1",
  model: "gpt-4o-mini",
  choices: [{ index: 0, message: { role: "assistant", content: "hello" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 },
});
const requestBody = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}';

/** One sidecar under one fault, and what was seen of it. */
interface Case {
  outrider: OutriderProcess;
  /** Takes traces and logs. */
  receiver: OtlpReceiver;
  /** Takes metrics, with the same fault until the end, so that the last metrics tell what was dropped. */
  metricsReceiver: OtlpReceiver;
  gate: TcpFaultProxy;
  latenciesMs: number[];
  failures: string[];
  status?: Status & { memory: { rssBytes: number } };
  exitCode?: number | null;
  stopMs?: number;
}

let upstream: ScriptedUpstream;
let baseline: Case;
const cases = new Map<string, Case>();

async function openCase(fault: ReceiverFault | "absent" | undefined): Promise<Case> {
  const receiver = await startOtlpReceiver();
  const metricsReceiver = await startOtlpReceiver();
  const gate = await startTcpFaultProxy({ targetPort: Number(new URL(metricsReceiver.url).port) });
  if (fault === "absent") await gate.setDown(true);
  else for (const each of [receiver, metricsReceiver]) each.setFault(fault);
  const tracesUrl = fault === "absent" ? `http://127.0.0.1:${await findFreePort()}` : receiver.url;
  // Just above the slow collector's delay, so that slowness alone fails no export.
  const type = fault === "absent" ? fault : fault?.type;
  const timeoutMs = String(type === "hang" ? 700 : slowMs + 1000);
  // Sending 50 MB is this machine's work too: seldom enough not to slow the others.
  const delayMs = type === "huge" ? "2000" : "200";
  const outrider = await startOutrider({
    options: { providers: { openai: { baseUrl: `${upstream.url}/v1` } }, limits: { drainSeconds } },
    environment:
      fault === undefined
        ? {}
        : {
            OTEL_EXPORTER_OTLP_ENDPOINT: tracesUrl,
            OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${gate.url}/v1/metrics`,
            OTEL_EXPORTER_OTLP_TIMEOUT: timeoutMs,
            OTEL_BSP_SCHEDULE_DELAY: delayMs,
            OTEL_BLRP_SCHEDULE_DELAY: delayMs,
            OTEL_METRIC_EXPORT_INTERVAL: "2500",
            OTEL_METRIC_EXPORT_TIMEOUT: "2500",
          },
  });
  return { outrider, receiver, metricsReceiver, gate, latenciesMs: [], failures: [] };
}

function sendOne(one: Case, agent: Agent): Promise<void> {
  const startedMs = performance.now();
  return new Promise((resolve) => {
    const request = httpRequest(`${one.outrider.url}/v1/chat/completions`, {
      method: "POST",
      agent,
      headers: { "content-type": "application/json", authorization: "Bearer test-key" },
    });
    const fail = (reason: string): void => {
      one.failures.push(reason);
      resolve();
    };
    request.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => (text += piece));
      response.on("error", ({ message }) => fail(message));
      response.on("end", () => {
        one.latenciesMs.push(performance.now() - startedMs);
        if (response.statusCode === 200 && text === answerBody) resolve();
        else fail(`${response.statusCode} ${text}`);
      });
    });
    request.on("error", ({ message }) => fail(message));
    request.end(requestBody);
  });
}

/**
 * The status once the answers last read are collected: V8 lets some 64 MiB of buffers that nobody holds lie before it does, and what
 * is not let go of never comes under the bound.
 */
async function readSettledStatus(one: Case): Promise<Case["status"] & object> {
  const deadlineMs = performance.now() + 10_000;
  for (;;) {
    const status = (await readStatus(one.outrider)) as Case["status"] & object;
    one.status = status;
    if (one === baseline || rssMib(one) - rssMib(baseline) < maxAddedRssMib || performance.now() > deadlineMs)
      return status;
    // Each reading makes the little garbage that sets the collector to work.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function stopCase(one: Case): Promise<void> {
  const { exitCode, signalCode } = one.outrider.child;
  if (exitCode !== null || signalCode !== null)
    throw new Error(`the sidecar ended by itself (${exitCode ?? signalCode}):\n${one.outrider.output()}`);
  one.status = await readSettledStatus(one);
  one.metricsReceiver.setFault(undefined);
  await one.gate.setDown(false);
  const startedMs = performance.now();
  one.exitCode = await one.outrider.stop();
  one.stopMs = performance.now() - startedMs;
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
const rssMib = (one: Case): number => (one.status?.memory.rssBytes ?? NaN) / 2 ** 20;

beforeAll(async () => {
  upstream = await startScriptedUpstream({
    headers: { "content-type": "application/json" },
    contentLength: true,
    chunks: [answerBody],
  });
  // One after the other: a port found free must not be found by the next one too.
  for (const [name, fault] of Object.entries(faults)) cases.set(name, await openCase(fault));
  baseline = await openCase(undefined);

  const all = [baseline, ...cases.values()];
  const agent = new Agent({ keepAlive: true });
  const sent: Promise<void>[] = [];
  const intervalMs = 1000 / ratePerSecond / all.length;
  for (let index = 0; index < requestCount * all.length; index++) {
    sent.push(sendOne(all[index % all.length] as Case, agent));
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
  await Promise.all(sent);
  agent.destroy();
  await stopCase(baseline);
  await Promise.all([...cases.values()].map(stopCase));
  const row = (name: string, one: Case): string =>
    `${name.padEnd(18)} p50 ${median(one.latenciesMs).toFixed(2)} ms, RSS ${rssMib(one).toFixed(0)} MiB, ` +
    `stopped in ${((one.stopMs ?? NaN) / 1000).toFixed(1)} s, ${JSON.stringify(one.status?.telemetry)}`;
  console.log(["no exporter", ...cases.keys()].map((name) => row(name, cases.get(name) ?? baseline)).join("\n"));
});

afterAll(async () => {
  for (const one of [baseline, ...cases.values()]) {
    await one?.outrider.stop("SIGKILL");
    await one?.gate.close();
    await one?.receiver.close();
    await one?.metricsReceiver.close();
  }
  await upstream?.close();
});

/** Of the last metrics: items of a signal that were dropped. */
function readDropped({ metricsReceiver }: Case, signal: string): number {
  const points = metricsReceiver.metrics.get("outrider.telemetry.dropped")?.points ?? [];
  return points
    .filter(({ attributes }) => attributes["outrider.telemetry.signal"] === signal)
    .reduce((sum, { value }) => sum + (value ?? 0), 0);
}

describe.each(Object.keys(faults))("a collector that is %s", (name) => {
  const find = (): Case => cases.get(name) as Case;
  const [spans, logs] = [3 * requestCount, requestCount];

  it("fails no request and slows none down", () => {
    const one = find();
    expect(one.failures).toEqual([]);
    expect(one.latenciesMs.length).toBe(requestCount);
    // On a machine busy with other tests the baseline itself is slow, and twice it says as much.
    const plainMs = median(baseline.latenciesMs);
    expect(median(one.latenciesMs) - plainMs).toBeLessThan(Math.max(maxAddedP50Ms, plainMs));
    expect(rssMib(one) - rssMib(baseline)).toBeLessThan(maxAddedRssMib);
  });

  it("leaves produced = exported + dropped + queued for each signal", () => {
    const { telemetry } = find().status as Status;
    expect([telemetry.traces.produced, telemetry.logs.produced]).toEqual([spans, logs]);
    expect(telemetry.metrics.produced).toBeGreaterThan(0);
    for (const { produced, exported, dropped, queued } of Object.values(telemetry))
      expect(produced).toBe(exported + dropped + queued);
  });

  it("is told at the end, to the last span and record, what it did not get", () => {
    const one = find();
    const requests = (signal: string): number => one.receiver.requests.filter((each) => each.signal === signal).length;
    const dropped = { traces: readDropped(one, "traces"), logs: readDropped(one, "logs") };
    if (name === "accepting in part") {
      expect(dropped).toEqual({ traces: requests("traces"), logs: requests("logs") });
    } else if (name === "slow") {
      // What was on its way when time was up counts as dropped, though the collector may have it in the end.
      expect(dropped.traces + one.receiver.spans.length).toBeGreaterThanOrEqual(spans);
      expect(dropped.traces).toBeLessThan(spans / 2);
    } else {
      expect([one.receiver.spans.length, one.receiver.logs.length]).toEqual([0, 0]);
      expect(dropped).toEqual({ traces: spans, logs });
    }
  });

  it("is worth one log line a minute, and the process ends with 0 in time", () => {
    const one = find();
    const lines = one.outrider.output().split("\n");
    const warnings = lines.filter((line) => line.includes('"msg":"telemetry:'));
    expect(warnings.length).toBeLessThanOrEqual(1);
    if (name !== "slow") expect(warnings.length).toBe(1);
    expect(lines.filter((line) => /"level":"(?:error|fatal)"|unhandled/i.test(line))).toEqual([]);
    expect(one.exitCode).toBe(0);
    expect(one.stopMs).toBeLessThan(drainSeconds * 1000);
  });
});
