// What a policy document says beside routing: each key is obeyed from the request after it was taken, and wins over the options.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readStatus } from "../support/exchange-log.ts";
import { type OtlpReceiver, startOtlpReceiver } from "../support/otlp-receiver.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { startOutriderCommand } from "../support/outrider-command.ts";
import { findFreePort } from "../support/ports.ts";
import { type ScriptedUpstream, startScriptedUpstream } from "../support/scripted-upstream.ts";

const folder = mkdtempSync(join(tmpdir(), "outrider-policy-"));
const file = join(folder, "policy.json");
let upstream: ScriptedUpstream;
let receiver: OtlpReceiver;
let outrider: OutriderProcess;

/** As an operator would: the whole file at once. */
async function setPolicy(version: number, document: Record<string, unknown>): Promise<void> {
  writeFileSync(`${file}.next`, JSON.stringify({ apiVersion: "outrider/v1", version, ...document }));
  renameSync(`${file}.next`, file);
  if (outrider === undefined) return;
  const read = async (): Promise<unknown> =>
    ((await readStatus(outrider)) as unknown as { policy: { version: string } }).policy.version;
  await expect.poll(read, { timeout: 10_000 }).toBe(String(version));
}

beforeAll(async () => {
  upstream = await startScriptedUpstream({
    headers: { "content-type": "application/json" },
    contentLength: true,
    chunks: [
      JSON.stringify({
        id: "c",
        model: "m",
        choices: [{ index: 0, message: { role: "assistant", content: "said in answer" }, finish_reason: "stop" }],
        usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
      }),
    ],
  });
  receiver = await startOtlpReceiver();
  await setPolicy(1, {});
  outrider = await startOutrider({
    options: { policy: { file }, providers: { openai: { baseUrl: `${upstream.url}/v1` } } },
    environment: {
      OPENAI_API_KEY: "test-key",
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_BSP_SCHEDULE_DELAY: "50",
    },
  });
});

afterAll(async () => {
  await outrider?.stop();
  await receiver?.close();
  await upstream?.close();
  rmSync(folder, { recursive: true, force: true });
});

function ask(path = "/v1/chat/completions", body: Record<string, unknown> = {}): Promise<Response> {
  return fetch(`${outrider.url}${path}`, {
    method: "POST",
    headers: { "anthropic-version": "2023-06-01" },
    body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "said in question" }], ...body }),
  });
}

describe("a policy", () => {
  it("decides whether traces go on to providers", async () => {
    await ask();
    expect(upstream.requests.at(-1)?.header("traceparent")).toBeDefined();
    await setPolicy(2, { telemetry: { propagate: "never" } });
    await ask();
    expect(upstream.requests.at(-1)?.header("traceparent")).toBeUndefined();
  });

  it("decides whether content is captured", async () => {
    await setPolicy(3, {});
    await ask();
    await expect.poll(() => receiver.spans.filter(({ kind }) => kind === 2).length, { timeout: 5000 }).toBe(3);
    const isCaptured = (text: string): boolean => receiver.bodies.some((bytes) => bytes.includes(text));
    expect([isCaptured("said in question"), isCaptured("said in answer")]).toEqual([false, false]);
    await setPolicy(4, { telemetry: { capture: "span" } });
    await ask();
    await expect
      .poll(() => isCaptured("said in question") && isCaptured("said in answer"), { timeout: 5000 })
      .toBe(true);
  });

  it("decides what a translation may lose", async () => {
    const lossy = { model: "openai/m", max_tokens: 5, top_k: 3 };
    expect((await ask("/v1/messages", lossy)).status).toBe(200);
    await setPolicy(5, { losses: { tuning: "reject" } });
    const refused = await ask("/v1/messages", lossy);
    expect([refused.status, await refused.text()]).toEqual([422, expect.stringContaining("/top_k")]);
  });

  it("adds providers", async () => {
    expect((await ask("/house/v1/chat/completions")).status).toBe(404);
    await setPolicy(6, { providers: { house: { preset: "ollama", baseUrl: upstream.url } } });
    const answered = await ask("/house/v1/chat/completions");
    expect([answered.status, answered.headers.get("x-outrider-served-by")]).toEqual([200, "house/m"]);
  });

  it("that is required and was never there lets no call through", async () => {
    const [data, admin] = [await findFreePort(), await findFreePort()];
    const config = join(folder, "options.json");
    writeFileSync(config, JSON.stringify({ policy: { file: join(folder, "absent.json") } }));
    const addresses = ["--listen", `127.0.0.1:${data}`, "--admin", `127.0.0.1:${admin}`];
    const command = startOutriderCommand(["run", "--config", config, ...addresses], { OTEL_SDK_DISABLED: "true" });
    await expect.poll(() => command.output(), { timeout: 10_000 }).toContain('"msg":"listening"');
    expect((await fetch(`http://127.0.0.1:${admin}/readyz`)).status).toBe(503);
    const refused = await fetch(`http://127.0.0.1:${data}/v1/messages`, { method: "POST", body: "{}" });
    expect([refused.status, refused.headers.get("x-outrider-error")]).toEqual([
      503,
      "policy_unavailable;source=policy",
    ]);
    expect(await refused.json()).toMatchObject({ type: "error", error: { type: expect.any(String) } });
    command.child.kill("SIGTERM");
    expect((await command.ended).code).toBe(0);
  });
});
