// The policy in force: what options and document decide together, candidates, removals, and how a swap looks to a reader.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type OptionsInput, optionsSchema } from "../../../src/options.ts";
import { createPolicyRun, type PolicyRun, waitFor } from "../../support/policy-run.ts";

let folder: string;
let file: string;
const runs: PolicyRun[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "outrider-store-"));
  file = join(folder, "policy.yaml");
});

afterEach(() => {
  for (const { store } of runs.splice(0)) store.stop();
  rmSync(folder, { recursive: true, force: true });
});

function put(text: string): void {
  writeFileSync(join(folder, "next"), text);
  renameSync(join(folder, "next"), file);
}

async function start(text: string, options: OptionsInput = {}): Promise<PolicyRun> {
  put(text);
  const run = createPolicyRun({ ...options, policy: { file } });
  runs.push(run);
  await run.store.start();
  return run;
}

async function change(run: PolicyRun, text: string): Promise<void> {
  const { length } = run.events;
  put(text);
  await waitFor(() => run.events.length > length, "an event");
}

const target = "{provider: openai, model: gpt-4o}";
const smart = `models: {smart: {targets: [${target}]}}`;

describe("without a source", () => {
  it("is the options alone, for ever, and ready", async () => {
    const { store, events } = createPolicyRun({ timeouts: { idleMs: 7 } });
    await store.start();
    store.note(false, "none");
    expect(store.pick()).toBe(store.current);
    expect(store.current).toMatchObject({
      version: "none",
      source: "options",
      timeouts: { idleMs: 7 },
      document: undefined,
    });
    expect(store.current.routing).toBeUndefined();
    expect(store.readiness()).toEqual({ ready: true });
    expect(events).toEqual([]);
    store.stop();
  });

  it("cannot be named twice, nor be reached in clear text off this machine", () => {
    const issuesOf = (policy: OptionsInput["policy"]): unknown => optionsSchema.safeParse({ policy }).error?.issues;
    expect(issuesOf({ url: "https://config.example/p", file: "p" })).toHaveLength(1);
    expect(issuesOf({ url: "http://config.example/p" })).toHaveLength(1);
    expect(issuesOf({ url: "https://user:secret@config.example/p" })).toHaveLength(1);
    for (const url of ["https://config.example/p", "http://127.0.0.1:1/p", "http://[::1]:1/p", "http://localhost/p"]) {
      expect(issuesOf({ url }), url).toBeUndefined();
    }
  });

  it("is an error at once where a token or certificate cannot be read", () => {
    const url = "https://config.example/p";
    expect(() => createPolicyRun({ policy: { url, token: { env: "ABSENT" } } })).toThrow("policy.token.env");
    expect(() => createPolicyRun({ policy: { url, mtls: { ca: join(folder, "absent") } } })).toThrow("policy.mtls.ca");
  });
});

describe("options and document together", () => {
  it("give the options' word on providers and prices, the document's on the rest", async () => {
    const text = `
version: 1
providers:
  local: {preset: ollama, baseUrl: "http://127.0.0.1:1"}
  openai: {baseUrl: "https://policy.example/v1"}
models: {smart: {targets: [{provider: local, model: m}]}}
timeouts: {idleMs: 11, firstTokenMs: 12}
losses: {semantic: report}
telemetry: {propagate: never}
prices: {overrides: [
  {provider: local, model: m, inputUsdPerMillion: 1, outputUsdPerMillion: 1},
  {provider: local, model: n, inputUsdPerMillion: 1, outputUsdPerMillion: 1}]}`;
    const { store } = await start(text, {
      providers: { openai: { baseUrl: "https://options.example/v1" } },
      timeouts: { connectMs: 13, idleMs: 14 },
      losses: { tuning: "reject" },
      prices: { overrides: [{ provider: "local", model: "m", inputUsdPerMillion: 5, outputUsdPerMillion: 5 }] },
    });
    const { providers, timeouts, losses, telemetry, pricer } = store.current;
    expect(providers.get("openai")?.baseUrl.href).toBe("https://options.example/v1");
    expect(providers.get("local")?.baseUrl.port).toBe("1");
    expect(timeouts).toMatchObject({ connectMs: 13, idleMs: 11, firstTokenMs: 12 });
    expect(losses).toEqual({ semantic: "report", tuning: "reject" });
    expect(telemetry).toEqual({ propagate: "never" });
    const nanoUsd = (model: string): number | undefined =>
      pricer.price({
        provider: { id: "local" },
        models: { request: model },
        usage: { inputTokens: 1000, outputTokens: 0 },
        epochMs: 0,
      }).nanoUsd;
    expect([nanoUsd("m"), nanoUsd("n"), nanoUsd("o")]).toEqual([5_000_000, 1_000_000, undefined]);
  });
});

describe("a swap", () => {
  it("leaves the snapshot that a reader took as it was", async () => {
    const run = await start(`version: 1\n${smart}`);
    const taken = run.store.pick();
    await change(run, `version: 2\nmodels: {smart: {targets: [${target}]}, more: {targets: [${target}]}}`);
    expect(run.store.pick().version).toBe("2");
    expect([...(taken.routing?.aliases ?? [])]).toEqual(["smart"]);
    expect(Object.isFrozen(taken)).toBe(true);
    expect(run.events.at(-1)).toMatchObject({ type: "applied", diff: { aliases: { added: ["more"], removed: [] } } });
  });

  it("refuses to leave out an alias in use, unless the document says that it may", async () => {
    const run = await start(`version: 1\n${smart}`);
    await change(run, `version: 2\nmodels: {other: {targets: [${target}]}}`);
    expect(run.events.at(-1)).toMatchObject({ type: "rejected", outcome: "removal_refused", refusedVersion: "2" });
    expect(run.store.current.version).toBe("1");
    await change(run, `version: 3\nallowRemovals: true\nmodels: {other: {targets: [${target}]}}`);
    expect([...(run.store.current.routing?.aliases ?? [])]).toEqual(["other"]);
  });

  it("names a document without version by what it says", async () => {
    const run = await start(smart);
    const { version } = run.store.current;
    expect(version).toMatch(/^sha256:[0-9a-f]{12}$/);
    put(`# a comment changes nothing\n${smart}`);
    await waitFor(() => run.reloads.includes("unchanged"), "a look that changes nothing");
    expect(run.store.current.version).toBe(version);
  });

  it("takes a large document, which is parsed in a thread of its own", async () => {
    const many = Array.from({ length: 400 }, (_, index) => `  alias-${index}: {targets: [${target}]}`).join("\n");
    const run = await start(`version: 1\nmodels:\n${many}\n`);
    await waitFor(() => run.store.current.version === "1", "the document");
    expect(run.store.current.routing?.aliases.size).toBe(400);
    await change(run, `version: 2\nmodels:\n${many}\n  broken: [\n`);
    expect(run.events.at(-1)).toMatchObject({ type: "rejected", outcome: "invalid" });
  });
});

describe("a candidate", () => {
  const rollout = (percent: number): string =>
    `rollout: {percent: ${percent}, candidate: {retry: {maxAttempts: 1}}, rollbackWhen: {errorRatioAbove: 0.5, minRequests: 4}}`;

  it("serves on a chosen instance, and on no other", async () => {
    const chosen = await start(`version: 1\n${smart}\n${rollout(100)}`);
    expect(chosen.store.pick()).toMatchObject({ version: "1+candidate", document: { retry: { maxAttempts: 1 } } });
    expect(chosen.store.current).toMatchObject({ version: "1", document: { retry: { maxAttempts: 3 } } });
    const other = await start(`version: 1\n${smart}\n${rollout(0)}`);
    expect(other.store.pick().version).toBe("1");
    expect(other.store.status().candidate).toMatchObject({ state: "not_chosen", percent: 0 });
  });

  it("goes back on this instance once it fails too often, says so once, and stays away", async () => {
    const run = await start(`version: 1\n${smart}\n${rollout(100)}`);
    for (const ok of [false, true, false]) run.store.note(ok, "1+candidate");
    for (let count = 0; count < 9; count++) run.store.note(false, "1");
    expect(run.store.pick().version).toBe("1+candidate");
    run.store.note(false, "1+candidate");
    run.store.note(false, "1+candidate");
    expect(run.store.pick()).toBe(run.store.current);
    expect(run.events.filter(({ type }) => type === "rolled_back")).toEqual([
      {
        type: "rolled_back",
        version: "1",
        refusedVersion: "1+candidate",
        reason: "3 of its latest 4 exchanges failed",
      },
    ]);
    expect(run.store.status().candidate?.state).toBe("rolled_back");
    await change(run, `version: 2\n${smart}\n${rollout(100)}`);
    expect(run.store.pick().version).toBe("2+candidate");
  });

  it("refuses the whole document for what is wrong with it", async () => {
    const run = await start(`version: 1\n${smart}`);
    await change(
      run,
      `version: 2\n${smart}\nrollout: {percent: 5, candidate: {models: {x: {targets: [{provider: opnai, model: a}]}}}}`,
    );
    expect(run.events.at(-1)).toMatchObject({
      type: "rejected",
      reason: expect.stringMatching(/^rollout\.candidate\.models\.x/) as string,
    });
  });
});
