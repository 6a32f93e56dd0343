// What is known of targets, through the bundle: a model's context window sends a call that is too long elsewhere before it is tried,
// and `/metrics` tells how each target's breaker stands beside the policy that is in force.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { startOutriderCommand } from "../support/outrider-command.ts";
import { type Plan, type ScriptedUpstream, startScriptedUpstream } from "../support/scripted-upstream.ts";

const folder = mkdtempSync(join(tmpdir(), "outrider-facts-"));
const file = join(folder, "policy.json");
const environment = { OPENAI_API_KEY: "test-key-openai" };
let upstream: ScriptedUpstream;
let outrider: OutriderProcess;

const headers = { "content-type": "application/json" };
const choices = [{ index: 0, message: { role: "assistant", content: "hi" }, finish_reason: "stop" }];
const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
const answer: Plan = {
  headers,
  contentLength: true,
  chunks: [JSON.stringify({ id: "c", model: "m", choices, usage })],
};

beforeAll(async () => {
  upstream = await startScriptedUpstream(answer);
  const document = {
    apiVersion: "outrider/v1",
    version: 3,
    models: {
      // 8,192 and 128,000 tokens.
      sized: {
        targets: [
          { provider: "openai", model: "gpt-4" },
          { provider: "openai", model: "gpt-4o" },
        ],
      },
      shaky: { targets: [{ provider: "openai", model: "shaky-model" }] },
    },
    breaker: { minRequests: 2, failureRatio: 0.5, openFor: "1s" },
    retry: { maxAttempts: 1 },
  };
  writeFileSync(file, JSON.stringify(document));
  outrider = await startOutrider({
    options: { policy: { file }, providers: { openai: { baseUrl: `${upstream.url}/v1` } } },
    environment,
  });
});

afterAll(async () => {
  await outrider?.stop();
  await upstream?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function ask(model: string, content: string, more: object = {}): Promise<{ response: Response; model: string }> {
  const response = await fetch(`${outrider.url}/v1/chat/completions`, {
    method: "POST",
    headers,
    body: JSON.stringify({ model, messages: [{ role: "user", content }], ...more }),
  });
  await response.text();
  const seen = upstream.requests.at(-1)?.body.toString() ?? "{}";
  return { response, model: (JSON.parse(seen) as { model: string }).model };
}

/** Lines of `/metrics` that begin so. */
async function readMetrics(prefix: string): Promise<string[]> {
  const page = await (await fetch(`${outrider.adminUrl}/metrics`)).text();
  return page.split("\n").filter((line) => line.startsWith(prefix));
}

describe("a model's context window", () => {
  it.each([
    ["a short call stays", "hello", {}, "gpt-4"],
    // About four characters a token.
    ["a call just short enough stays", "word ".repeat(6400), {}, "gpt-4"],
    ["a long call goes on", "word ".repeat(6600), {}, "gpt-4o"],
    ["a call that may have a long answer goes on", "hello", { max_tokens: 8192 }, "gpt-4o"],
  ])("%s", async (_, content, more, wanted) => {
    const { response, model } = await ask("sized", content, more);
    expect(response.status).toBe(200);
    expect(model).toBe(wanted);
    const fallback = wanted === "gpt-4" ? null : "openai/gpt-4->openai/gpt-4o;reason=context_window";
    expect(response.headers.get("x-outrider-fallback")).toBe(fallback);
  });

  it("is told by `explain`", async () => {
    const args = ["explain", "--policy", file, "--model", "sized", "--tokens"];
    const short = await startOutriderCommand([...args, "8192"], environment).ended;
    const long = await startOutriderCommand([...args, "8193"], environment).ended;
    expect(short.output).toMatch(/1\. openai\/gpt-4 .*\n +2\. openai\/gpt-4o /);
    expect(long.output).toMatch(/1\. openai\/gpt-4o .*\n(.*\n)*passed over:\n +- +openai\/gpt-4 .*context window/);
  });
});

describe("/metrics", () => {
  it("tells the policy in force, its age and the looks at its source", async () => {
    expect(await readMetrics("outrider_policy_info{")).toEqual([
      'outrider_policy_info{outrider_policy_version="3",outrider_policy_source="file"} 1',
    ]);
    const [age = ""] = await readMetrics("outrider_policy_age_seconds{");
    expect(age).toMatch(/^outrider_policy_age_seconds\{outrider_policy_source="file"\} \d/);
    expect(Number(age.split(" ").at(-1))).toBeLessThan(60);
    expect(await readMetrics("outrider_policy_reloads_total{")).toContain(
      'outrider_policy_reloads_total{outrider_policy_outcome="applied"} 1',
    );
  });

  it("tells a target's breaker: closed, open, half open and closed again", async () => {
    const breaker = async (): Promise<string[]> =>
      (await readMetrics("outrider_breaker_state{"))
        .filter((line) => line.includes("shaky"))
        .map((line) => line.replace(/^.*\{(.*)\} /, "$1 "));
    const labels = 'outrider_provider="openai",gen_ai_request_model="shaky-model"';
    expect(await breaker()).toEqual([]);
    await ask("shaky", "hello");
    expect(await breaker()).toEqual([`${labels} 0`]);
    upstream.setScript({ ...answer, status: 500 });
    for (let count = 0; count < 3; count++) await ask("shaky", "hello");
    expect(await breaker()).toEqual([`${labels} 2`]);
    upstream.setScript(answer);
    await expect.poll(breaker, { timeout: 5000 }).toEqual([`${labels} 1`]);
    await ask("shaky", "hello");
    expect(await breaker()).toEqual([`${labels} 0`]);
  });
});
