// Hedging: a second attempt beside a slow first one. The first to have content is the client's; the other ends and is told.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { waitForExchange } from "../support/exchange-log.ts";
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from "../support/otlp-receiver.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { type Plan, type ScriptedUpstream, startScriptedUpstream } from "../support/scripted-upstream.ts";

const hedgeAfterMs = 100;
/** Well over `hedgeAfterMs`, on a busy machine too. */
const slowMs = 1500;

const policy = {
  apiVersion: "outrider/v1",
  models: {
    quick: {
      targets: [
        { provider: "openai", model: "gpt-a" },
        { provider: "backup", model: "gpt-b" },
      ],
      hedge: { afterMs: hedgeAfterMs },
    },
  },
  retry: { maxAttempts: 1 },
};

let first: ScriptedUpstream;
let second: ScriptedUpstream;
let receiver: OtlpReceiver;
let outrider: OutriderProcess;
const folder = mkdtempSync(join(tmpdir(), "outrider-hedging-"));

beforeAll(async () => {
  [first, second, receiver] = await Promise.all([
    startScriptedUpstream(),
    startScriptedUpstream(),
    startOtlpReceiver(),
  ]);
  const file = join(folder, "policy.json");
  writeFileSync(file, JSON.stringify(policy));
  outrider = await startOutrider({
    options: {
      policy: { file },
      providers: {
        openai: { baseUrl: `${first.url}/v1` },
        backup: { preset: "openai", baseUrl: `${second.url}/v1` },
      },
      credentials: { backup: { env: "BACKUP_KEY" } },
    },
    environment: {
      OPENAI_API_KEY: "test-key-first",
      BACKUP_KEY: "test-key-second",
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_BSP_SCHEDULE_DELAY: "50",
    },
  });
});

afterAll(async () => {
  await outrider?.stop();
  for (const each of [first, second, receiver]) await each?.close();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  for (const each of [first, second]) each.requests.length = 0;
  receiver.spans.length = 0;
});

const answer = (model: string, delayMs = 0): Plan => ({
  headers: { "content-type": "application/json" },
  contentLength: true,
  delayMs,
  chunks: [
    JSON.stringify({
      id: "c",
      model,
      choices: [{ index: 0, message: { role: "assistant", content: `from ${model}` }, finish_reason: "stop" }],
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    }),
  ],
});
const frame = (model: string, content: string, finish: string | null = null): string =>
  `data: ${JSON.stringify({ id: "c", model, choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\n\n`;
const stream = (model: string, delayMs: number, chunkMs = 0): Plan => ({
  headers: { "content-type": "text/event-stream" },
  delayMs,
  chunks: [
    frame(model, "one "),
    { bytes: frame(model, `from ${model}`, "stop"), afterMs: chunkMs },
    "data: [DONE]\n\n",
  ],
});
const failure: Plan = {
  status: 500,
  headers: { "content-type": "application/json" },
  contentLength: true,
  chunks: ['{"error":{"message":"broken","type":"server_error"}}'],
};

interface Answered {
  status: number;
  text: string;
  header: (name: string) => string | null;
  id: string;
}

async function ask(wantsStream = false): Promise<Answered> {
  const response = await fetch(`${outrider.url}/v1/chat/completions`, {
    method: "POST",
    body: JSON.stringify({ model: "quick", stream: wantsStream, messages: [{ role: "user", content: "hi there" }] }),
  });
  return {
    status: response.status,
    text: await response.text(),
    header: (name) => response.headers.get(name),
    id: response.headers.get("x-outrider-request-id") ?? "",
  };
}

/** `reason model error` of each group, in the order of their start. */
async function readGroups({ header }: Answered, count: number): Promise<string[]> {
  const [, traceId] = (header("traceresponse") ?? "").split("-");
  const isGroup = (span: ReceivedSpan): boolean =>
    span.traceId === traceId && span.attributes["gen_ai.request.model"] !== undefined && span.kind === 3;
  await expect.poll(() => receiver.spans.filter(isGroup).length, { timeout: 5000 }).toBe(count);
  return receiver.spans
    .filter(isGroup)
    .toSorted((a, b) => a.startMs - b.startMs)
    .map(({ attributes }) =>
      [attributes["outrider.attempt.reason"], attributes["gen_ai.request.model"], attributes["error.type"]]
        .filter((word) => word !== undefined)
        .join(" "),
    );
}

describe("a hedged call", () => {
  it("asks nobody else when the first is quick", async () => {
    first.setScript(answer("gpt-a"));
    second.setScript(answer("gpt-b"));
    const { text, header } = await ask();
    expect(JSON.parse(text).choices[0].message.content).toBe("from gpt-a");
    expect(header("x-outrider-attempts")).toBe("1");
    expect(second.requests).toHaveLength(0);
  });

  it("gives the second's answer when the first is slow, and ends the first", async () => {
    first.setScript(answer("gpt-a", slowMs));
    second.setScript(answer("gpt-b"));
    const answered = await ask();
    const { status, text, header, id } = answered;
    expect([status, JSON.parse(text).choices[0].message.content]).toEqual([200, "from gpt-b"]);
    expect([header("x-outrider-served-by"), header("x-outrider-attempts")]).toEqual(["backup/gpt-b", "2"]);
    await first.waitFor(() => first.requests[0]?.abortedAt !== undefined);
    expect(await readGroups(answered, 2)).toEqual(["first gpt-a superseded", "hedge gpt-b"]);
    const exchange = await waitForExchange(outrider, id);
    expect([exchange.end, exchange.errorCode]).toEqual(["complete", undefined]);
  });

  it("gives the first's answer when it overtakes, and charges the second for what it was asked", async () => {
    first.setScript(answer("gpt-a", hedgeAfterMs + 200));
    second.setScript(answer("gpt-b", slowMs));
    const answered = await ask();
    const { text, header } = answered;
    expect(JSON.parse(text).choices[0].message.content).toBe("from gpt-a");
    expect(header("x-outrider-served-by")).toBe("openai/gpt-a");
    await second.waitFor(() => second.requests[0]?.abortedAt !== undefined);
    expect(await readGroups(answered, 2)).toEqual(["first gpt-a", "hedge gpt-b superseded"]);
    const hedge = receiver.spans.find(({ attributes }) => attributes["gen_ai.request.model"] === "gpt-b");
    expect(hedge?.attributes["outrider.usage.source"]).toBe("estimated");
    expect(Number(hedge?.attributes["gen_ai.usage.input_tokens"])).toBeGreaterThan(0);
  });

  it("streams from the first to have content, alone", async () => {
    first.setScript(stream("gpt-a", slowMs));
    second.setScript(stream("gpt-b", 0, 300));
    const answered = await ask(true);
    const { status, text, header } = answered;
    expect([status, header("x-outrider-served-by")]).toEqual([200, "backup/gpt-b"]);
    expect(text).toContain("from gpt-b");
    expect(text).not.toContain("gpt-a");
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
    expect(await readGroups(answered, 2)).toEqual(["first gpt-a superseded", "hedge gpt-b"]);
  });

  it("is the other's when one of the two fails", async () => {
    first.setScript(answer("gpt-a", hedgeAfterMs + 300));
    second.setScript(failure);
    const answered = await ask();
    const { text, header } = answered;
    expect(JSON.parse(text).choices[0].message.content).toBe("from gpt-a");
    expect(header("x-outrider-served-by")).toBe("openai/gpt-a");
    expect(await readGroups(answered, 2)).toEqual(["first gpt-a", "hedge gpt-b upstream_server_error"]);
  });

  it("gives the first's error when both fail", async () => {
    first.setScript({ ...failure, delayMs: hedgeAfterMs + 200, chunks: ['{"error":{"message":"first","type":"x"}}'] });
    second.setScript(failure);
    const { status, text, header } = await ask();
    expect([status, JSON.parse(text).error.message]).toEqual([500, "first"]);
    expect(header("x-outrider-attempts")).toBe("2");
  });

  it("ends both when the client leaves", async () => {
    first.setScript(answer("gpt-a", slowMs));
    second.setScript(answer("gpt-b", slowMs));
    const left = new AbortController();
    const gone = fetch(`${outrider.url}/v1/chat/completions`, {
      method: "POST",
      signal: left.signal,
      body: JSON.stringify({ model: "quick", messages: [] }),
    }).catch(() => undefined);
    await second.waitFor(() => second.requests.length === 1);
    left.abort();
    await gone;
    for (const each of [first, second]) await each.waitFor(() => each.requests[0]?.abortedAt !== undefined, 1000);
  });
});
