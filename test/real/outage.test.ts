// The collector dies and comes back in the middle of traffic: no request notices, and every span that was lost is counted.
import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Simulator, startSimulator } from "../../src/simulator/index.ts";
import { createTempDir } from "../support/components/child.ts";
import { readLogs, readSpans, waitFor } from "../support/collector-output.ts";
import { readStatus, type Status } from "../support/exchange-log.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { type Collector, startCollector } from "../support/real-components.ts";
import { parseExposition } from "../support/sidecar-metrics.ts";

const before = createTempDir("outage-before");
const after = createTempDir("outage-after");
const callEveryMs = 20;
const spansPerCall = 3;
let simulator: Simulator;
let collector: Collector;
let outrider: OutriderProcess;

beforeAll(async () => {
  simulator = await startSimulator({ pace: { firstByteMs: 1, chunkMs: 1 } });
  collector = await startCollector({ outDir: before });
  outrider = await startOutrider({
    options: { providers: { openai: { baseUrl: `${simulator.url}/v1` } } },
    environment: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.otlpHttpUrl,
      OTEL_EXPORTER_OTLP_TIMEOUT: "1000",
      OTEL_METRIC_EXPORT_INTERVAL: "500",
      // Small enough that seconds of outage overflow it.
      OTEL_BSP_SCHEDULE_DELAY: "100",
      OTEL_BSP_MAX_QUEUE_SIZE: "300",
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "100",
      OTEL_BLRP_SCHEDULE_DELAY: "100",
      OTEL_BLRP_MAX_QUEUE_SIZE: "100",
      OTEL_BLRP_MAX_EXPORT_BATCH_SIZE: "50",
    },
  });
}, 120_000);

afterAll(async () => {
  await outrider?.stop();
  await collector?.stop();
  await simulator?.close();
  for (const outDir of [before, after]) rmSync(outDir, { recursive: true, force: true });
}, 60_000);

interface Tally {
  sent: number;
  failures: string[];
  slowestMs: number;
  stop(): Promise<void>;
}

/** Sends a call every 20 ms, every fourth one streamed, until it is stopped; then waits for all of them. */
function startTraffic(): Tally {
  const open = new Set<Promise<void>>();
  const call = async (stream: boolean): Promise<void> => {
    const startMs = performance.now();
    try {
      const answer = await fetch(`${outrider.url}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: "Bearer test-key" },
        body: JSON.stringify({ model: "gpt-4o-mini", stream, messages: [{ role: "user", content: "Five words." }] }),
        signal: AbortSignal.timeout(10_000),
      });
      const text = await answer.text();
      if (answer.status !== 200) tally.failures.push(`${answer.status} ${text}`);
      else if (stream && !text.endsWith("data: [DONE]\n\n")) tally.failures.push("a stream without its end");
    } catch (error) {
      tally.failures.push(String(error));
    }
    tally.slowestMs = Math.max(tally.slowestMs, performance.now() - startMs);
  };
  const timer = setInterval(() => {
    tally.sent += 1;
    const done = call(tally.sent % 4 === 0).finally(() => open.delete(done));
    open.add(done);
  }, callEveryMs);
  const tally: Tally = {
    sent: 0,
    failures: [],
    slowestMs: 0,
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
    },
  };
  return tally;
}

function expectBalance({ telemetry }: Status): void {
  for (const [signal, { produced, exported, dropped, queued }] of Object.entries(telemetry)) {
    expect(exported + dropped + queued, signal).toBe(produced);
  }
}

async function readDropMetric(signal: string): Promise<number> {
  const samples = parseExposition(await (await fetch(`${outrider.adminUrl}/metrics`)).text());
  return [...samples]
    .filter(([key]) => key.startsWith("outrider_telemetry_dropped_total") && key.includes(`signal="${signal}"`))
    .reduce((sum, [, value]) => sum + value, 0);
}

describe("a collector that is killed for six seconds", () => {
  let tally: Tally;
  let atDeath: Status;
  let atReturn: Status;
  let settled: Status;

  beforeAll(async () => {
    tally = startTraffic();
    await waitFor("spans in the first collector", () => readSpans(before).length > 100 || undefined);
    process.kill(collector.pid, "SIGKILL");
    await collector.stop(); // waits for its end
    await sleep(1000); // an answer under way when it died has been counted by then
    atDeath = await readStatus(outrider);
    for (let second = 0; second < 5; second += 1) {
      await sleep(1000);
      expectBalance(await readStatus(outrider));
    }
    atReturn = await readStatus(outrider);
    collector = await startCollector({ outDir: after, otlpHttpAddress: new URL(collector.otlpHttpUrl).host });
    await waitFor("spans in the second collector", () => readSpans(after).length > 100 || undefined);
    await tally.stop();
    settled = await waitFor("empty queues", async () => {
      const status = await readStatus(outrider);
      const { traces, logs } = status.telemetry;
      return status.exchanges.inFlight === 0 && traces.queued === 0 && logs.queued === 0 ? status : undefined;
    });
  }, 120_000);

  test("fails no request and holds none up", () => {
    expect(tally.failures).toEqual([]);
    expect(tally.sent).toBeGreaterThan(300);
    expect(tally.slowestMs).toBeLessThan(5000);
    expect(settled.exchanges).toMatchObject({ ended: tally.sent, inFlight: 0 });
  });

  test("exports nothing meanwhile, and drops what does not fit", () => {
    expect(atReturn.telemetry.traces.exported).toBe(atDeath.telemetry.traces.exported);
    expect(atReturn.telemetry.traces.dropped).toBeGreaterThan(0);
    expect(atReturn.telemetry.traces.queued).toBeLessThanOrEqual(300);
    expect(atReturn.telemetry.logs.dropped).toBeGreaterThan(0);
  });

  test("loses exactly what it says it lost", async () => {
    expectBalance(settled);
    expect(settled.telemetry.traces.produced).toBe(tally.sent * spansPerCall);
    expect(settled.telemetry.traces.dropped).toBeGreaterThanOrEqual(atReturn.telemetry.traces.dropped);
    expect(await readDropMetric("traces")).toBe(settled.telemetry.traces.dropped);
    expect(await readDropMetric("logs")).toBe(settled.telemetry.logs.dropped);
  });

  test("goes on exporting when it is back: each span that counts as exported arrived, once", async () => {
    const [traces, logs] = [settled.telemetry.traces, settled.telemetry.logs];
    const wanted = traces.exported - atReturn.telemetry.traces.exported;
    expect(wanted).toBeGreaterThan(100);
    const received = await waitFor("all exported spans", () => {
      const spans = readSpans(after);
      return spans.length >= wanted ? spans : undefined;
    });
    expect(received).toHaveLength(wanted);
    expect(new Set(received.map(({ spanId }) => spanId)).size).toBe(wanted);
    const wantedLogs = logs.exported - atReturn.telemetry.logs.exported;
    await waitFor("all exported log records", () => readLogs(after).length === wantedLogs || undefined);
    // What the killed one had not written yet was exported all the same, as far as anyone can know.
    expect(readSpans(before).length).toBeLessThanOrEqual(atDeath.telemetry.traces.exported);
  });
});
