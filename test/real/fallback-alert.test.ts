// The shipped alert rules in a real Prometheus, told of fallbacks by a real sidecar: they fire while providers fail, and not otherwise.
// Only the rules' durations are shortened. The tests follow one another: each begins where the one before it ended.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { type PromAlert, queryAlerts, queryNow, queryRuleHealth } from "../support/promql.ts";
import { type Prometheus, startPrometheus } from "../support/real-components.ts";
import { type Plan, type ScriptedUpstream, startScriptedUpstream } from "../support/scripted-upstream.ts";

const windowSeconds = 4;
const forSeconds = 2;
/** Each duration of the rules, as it is here. */
const shortened = { "[5m]": `[${windowSeconds}s]`, "[2m]": "[2s]", "for: 5m": `for: ${forSeconds}s` };
/** Some seven seconds are due: two scrapes until a counter is seen to grow, one evaluation, `for`; the rest is for a busy machine. */
const boundMs = 25_000;

const shipped = readFileSync(new URL("../../dashboards/alerts.yaml", import.meta.url), "utf8");
let rules = shipped;
for (const [long, short] of Object.entries(shortened)) rules = rules.replaceAll(long, short);

const policy = {
  apiVersion: "outrider/v1",
  models: {
    steady: {
      targets: [{ provider: "openai", model: "gpt-4o" }],
      fallbacks: [{ to: "backup/gpt-4o-mini" }],
    },
  },
  retry: { maxAttempts: 1 },
  // Soon open, soon tried again: the test need not wait.
  breaker: { window: "2s", openFor: "500ms" },
};

const answer: Plan = {
  headers: { "content-type": "application/json" },
  contentLength: true,
  chunks: [
    JSON.stringify({
      id: "c",
      choices: [{ index: 0, message: { role: "assistant", content: "Yes." }, finish_reason: "stop" }],
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    }),
  ],
};
const failure: Plan = {
  status: 500,
  headers: { "content-type": "application/json" },
  contentLength: true,
  chunks: ['{"error":{"message":"broken","type":"server_error"}}'],
};

const folder = mkdtempSync(join(tmpdir(), "outrider-fallback-alert-"));
const traffic = new AbortController();
let calling: Promise<void> | undefined;
/** Answers by status since it was last emptied. */
const answered = new Map<number, number>();
let primary: ScriptedUpstream;
let backup: ScriptedUpstream;
let outrider: OutriderProcess;
let prometheus: Prometheus;

/** Calls all the time, some forty a second. */
async function keepCalling(): Promise<void> {
  while (!traffic.signal.aborted) {
    const response = await fetch(`${outrider.url}/v1/chat/completions`, {
      method: "POST",
      body: JSON.stringify({ model: "steady", messages: [{ role: "user", content: "Well?" }] }),
    });
    await response.arrayBuffer();
    answered.set(response.status, (answered.get(response.status) ?? 0) + 1);
    await sleep(25);
  }
}

beforeAll(async () => {
  [primary, backup] = await Promise.all([startScriptedUpstream(), startScriptedUpstream()]);
  primary.setScript(answer);
  backup.setScript(answer);
  const file = join(folder, "policy.json");
  writeFileSync(file, JSON.stringify(policy));
  outrider = await startOutrider({
    options: {
      policy: { file },
      providers: {
        openai: { baseUrl: `${primary.url}/v1` },
        backup: { preset: "openai", baseUrl: `${backup.url}/v1` },
      },
      credentials: { backup: { env: "BACKUP_KEY" } },
    },
    environment: { OPENAI_API_KEY: "test-key-primary", BACKUP_KEY: "test-key-backup" },
  });
  prometheus = await startPrometheus({ scrape: [new URL(outrider.adminUrl).host], rules });
  calling = keepCalling();
});

afterAll(async () => {
  traffic.abort();
  await calling;
  await outrider?.stop();
  await Promise.all([prometheus?.stop(), primary?.close(), backup?.close()]);
  rmSync(folder, { recursive: true, force: true });
});

const nameOf = ({ labels, state }: PromAlert): string => `${labels["alertname"]} ${state}`;

/** Asks until the alerts are these, by name and state; fails after `boundMs`. */
async function waitForAlerts(...wanted: string[]): Promise<PromAlert[]> {
  let alerts: PromAlert[] = [];
  await expect
    .poll(
      async () => {
        alerts = await queryAlerts(prometheus.url);
        return alerts.map(nameOf).sort();
      },
      { timeout: boundMs, interval: 200 },
    )
    .toEqual(wanted);
  return alerts;
}

test("only durations are not as shipped, and all of them", () => {
  let restored = rules;
  for (const [long, short] of Object.entries(shortened)) {
    expect(rules).toContain(short);
    restored = restored.replaceAll(short, long);
  }
  expect(restored).toBe(shipped);
  expect(rules).not.toMatch(/\b\d+m\b/);
});

/** For as long as an alert would need to fire. */
async function expectSilence(): Promise<void> {
  const untilMs = Date.now() + (windowSeconds + forSeconds + 2) * 1000;
  while (Date.now() < untilMs) {
    expect(await queryAlerts(prometheus.url)).toEqual([]);
    await sleep(500);
  }
}

/** What a counter stands at, so that there is something to be silent about; 0 without a series. */
async function readSum(series: string): Promise<number> {
  const [sum] = await queryNow(prometheus.url, `sum(${series})`);
  return sum?.values[0] ?? 0;
}

test("nothing is even pending while the primary answers", async () => {
  await expectSilence();
  expect(await readSum("outrider_usage_records_total")).toBeGreaterThan(20);
  const health = await queryRuleHealth(prometheus.url);
  expect(health["OutriderFallbackRate"]).toBe("ok");
  expect(new Set(Object.values(health))).toEqual(new Set(["ok"]));
});

test("nor while it fails one call in sixty", async () => {
  primary.setScript(({ index }) => (index % 60 === 0 ? failure : answer));
  await expectSilence();
  expect(await readSum("outrider_fallbacks_total")).toBeGreaterThan(0);
});

test("the fallback rate fires when the primary fails, though no client sees a failure", async () => {
  answered.clear();
  primary.setScript(failure);
  const alerts = await waitForAlerts("OutriderBreakerOpen firing", "OutriderFallbackRate firing");
  const alert = alerts.find(({ labels }) => labels["alertname"] === "OutriderFallbackRate");
  expect(alert?.labels).toEqual({ alertname: "OutriderFallbackRate", severity: "warning", job: "test" });
  expect(alert?.value).toBeGreaterThan(0.05);
  expect(alert?.annotations["description"]).toContain("backup/gpt-4o-mini from openai/gpt-4o");
  const breaker = alerts.find(({ labels }) => labels["alertname"] === "OutriderBreakerOpen");
  expect(breaker?.labels).toMatchObject({ outrider_provider: "openai", gen_ai_request_model: "gpt-4o" });
  expect([...answered.keys()]).toEqual([200]);
});

test("that fallbacks fail fires when the backup fails, too", async () => {
  backup.setScript(failure);
  const alerts = await waitForAlerts(
    "OutriderBreakerOpen firing",
    "OutriderBreakerOpen firing",
    "OutriderFallbackRate firing",
    "OutriderFallbacksFailing firing",
  );
  const failing = alerts.find(({ labels }) => labels["alertname"] === "OutriderFallbacksFailing");
  expect(failing?.labels).toEqual({
    alertname: "OutriderFallbacksFailing",
    severity: "critical",
    job: "test",
    outrider_fallback_to: "backup/gpt-4o-mini",
  });
});

test("nothing fires any more once the primary answers again", async () => {
  primary.setScript(answer);
  backup.setScript(answer);
  await waitForAlerts();
});
