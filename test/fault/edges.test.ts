// Corners where one request once ended the process, hung, or was told wrongly; each found by review, each through the built bundle.
import { request as httpRequest } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { readStatus, waitForExchange, waitForExchangeWhere } from "../support/exchange-log.ts";
import { type OtlpReceiver, startOtlpReceiver } from "../support/otlp-receiver.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { exchangeRaw, formatPost } from "../support/raw-client.ts";
import { encodeContent, type ScriptedUpstream, startScriptedUpstream } from "../support/scripted-upstream.ts";

let upstream: ScriptedUpstream;
let receiver: OtlpReceiver;
let outrider: OutriderProcess;
let port: number;

const chat = "/v1/chat/completions";
const json = { "content-type": "application/json" };
const events = { "content-type": "text/event-stream" };
const plainBody = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}';
const streamBody = '{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"hi"}]}';
const usage = { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 };
const answer = JSON.stringify({
  id: "x",
  model: "gpt-4o-mini",
  choices: [{ index: 0, message: { role: "assistant", content: "hi" }, finish_reason: "stop" }],
  usage,
});
const chunk = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ id: "x", model: "gpt-4o-mini", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
const usageFrame = `data: ${JSON.stringify({ id: "x", model: "gpt-4o-mini", choices: [], usage })}\n\n`;
const done = "data: [DONE]\n\n";

beforeAll(async () => {
  upstream = await startScriptedUpstream();
  receiver = await startOtlpReceiver();
  outrider = await startOutrider({
    options: {
      providers: { openai: { baseUrl: `${upstream.url}/v1` }, groq: { baseUrl: `${upstream.url}/openai/v1` } },
      credentials: { groq: { env: "HELD" } },
      telemetry: { capture: "both" },
    },
    environment: { HELD: "test-key-held", OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: "100" },
  });
  port = Number(new URL(outrider.url).port);
});

afterEach(async () => {
  expect(outrider.child.exitCode).toBeNull();
  await expect.poll(async () => (await readStatus(outrider)).exchanges.inFlight).toBe(0);
});

afterAll(async () => {
  await outrider?.stop();
  await receiver?.close();
  await upstream?.close();
});

async function post(
  body: string,
  headers: Record<string, string> = {},
  path = chat,
): Promise<{ status: number; text: string; id: string; error: string | null }> {
  const response = await fetch(outrider.url + path, { method: "POST", body, headers: { ...json, ...headers } });
  const text = await response.text().catch(() => "(cut)");
  return {
    status: response.status,
    text,
    id: response.headers.get("x-outrider-request-id") ?? "",
    error: response.headers.get("x-outrider-error"),
  };
}

describe("uploads that are relayed unread", () => {
  it.each([
    ["the provider resets before it ends", { kind: "raw", chunks: [], ending: "reset" }, 502],
    ["the deadline ends it", { kind: "raw", chunks: [], ending: "stall" }, 504],
  ] as const)("are answered when %s", async (_name, plan, status) => {
    upstream.setScript(plan);
    const answered = await new Promise<number>((resolve) => {
      const request = httpRequest(
        `${outrider.url}/v1/files`,
        { method: "POST", headers: { "x-outrider-timeout-ms": "400" } },
        (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        },
      );
      request.on("error", () => resolve(0));
      request.write("part of it");
      if (plan.ending === "reset") setTimeout(() => request.end("the rest"), 50);
    });
    expect(answered).toBe(status);
    await new Promise((resolve) => setTimeout(resolve, 300));
  });

  it("keep their length and are counted", async () => {
    upstream.setScript({ headers: json, chunks: ["{}"] });
    const { id } = await post("x".repeat(50_000), {}, "/v1/files");
    expect(upstream.requests.at(-1)?.header("content-length")).toBe("50000");
    expect(await waitForExchange(outrider, id)).toMatchObject({ requestBytes: 50_000 });
  });
});

describe("trailers", () => {
  it("are not promised to HTTP/1.0", async () => {
    upstream.setScript({ headers: events, chunks: [chunk({ content: "x" }, "stop"), done] });
    const raw = formatPost(chat, streamBody, { te: "trailers" }).replace("HTTP/1.1", "HTTP/1.0");
    const { status, body } = await exchangeRaw(port, raw);
    expect([status, body.endsWith(done)]).toEqual([200, true]);
  });

  it("are not promised where there is no body", async () => {
    upstream.setScript({ status: 204 });
    const { status } = await exchangeRaw(port, formatPost(chat, plainBody, { te: "trailers", connection: "close" }));
    expect(status).toBe(204);
  });
});

it("holds the client's deadline while its body is still coming", async () => {
  const startedMs = Date.now();
  const { status, head } = await exchangeRaw(
    port,
    formatPost(chat, "{", { "content-length": "100", "x-outrider-timeout-ms": "300" }),
    { timeoutMs: 3000 },
  );
  expect([status, /x-outrider-error: (\S+)/.exec(head)?.[1]]).toEqual([408, "request_timeout;source=client"]);
  expect(Date.now() - startedMs).toBeLessThan(1500);
});

describe("arguments that nest without end", () => {
  const deep = "[".repeat(30_000);
  it("leave the spans of their exchange whole, with capture on", async () => {
    upstream.setScript({ headers: json, chunks: [answer] });
    const call = { id: "c", type: "function", function: { name: "f", arguments: deep } };
    const { id, status } = await post(
      JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "assistant", tool_calls: [call] }] }),
    );
    expect(status).toBe(200);
    const { traceId } = await waitForExchange(outrider, id);
    await expect.poll(() => receiver.spans.filter((span) => span.traceId === traceId).length).toBe(3);
  });

  it("are estimated, not an internal error, when a stream states no usage", async () => {
    upstream.setScript({
      headers: events,
      chunks: [
        chunk({ tool_calls: [{ index: 0, id: "c", function: { name: "f", arguments: deep } }] }, "tool_calls"),
        done,
      ],
    });
    const { id } = await post(streamBody);
    expect(await waitForExchange(outrider, id)).toMatchObject({ end: "complete", usage: { source: "estimated" } });
  });
});

describe("the observer", () => {
  it("never touches a stream that it cannot follow", async () => {
    const whole = `data: ${"x".repeat(17 * 1024 * 1024)}\n\n${done}`;
    upstream.setScript({ headers: events, chunks: [whole] });
    const { text } = await post(
      streamBody.replace('"stream":true', '"stream":true,"stream_options":{"include_usage":false}'),
    );
    expect(text === whole).toBe(true);
  });

  it("takes the usage frame out also when the whole stream comes at once, with a length", async () => {
    upstream.setScript({
      headers: events,
      contentLength: true,
      chunks: [chunk({ content: "x" }, "stop") + usageFrame + done],
    });
    const { text, id } = await post(streamBody);
    expect(text).toBe(chunk({ content: "x" }, "stop") + done);
    expect(await waitForExchange(outrider, id)).toMatchObject({ usage: { source: "provider", inputTokens: 7 } });
  });

  it.each([
    ["a stream", chunk({ content: "x" }, "stop") + usageFrame + done, chunk({ content: "x" }, "stop") + done],
    ["a body", answer, answer],
  ])("reads an answer without a type for what it is: %s", async (_name, sent, expected) => {
    upstream.setScript({ chunks: [sent] });
    const { text, id } = await post(streamBody);
    expect(text).toBe(expected);
    expect(await waitForExchange(outrider, id)).toMatchObject({
      end: "complete",
      usage: { source: "provider", inputTokens: 7, outputTokens: 5 },
    });
  });

  it.each(["gzip", "br", "zstd"] as const)(
    "reads a copy of a %s answer; the client gets the provider's bytes",
    async (coding) => {
      const bytes = encodeContent(Buffer.from(answer), [coding]);
      upstream.setScript({ headers: { ...json, "content-encoding": coding }, chunks: [bytes] });
      const { head, body } = await exchangeRaw(
        port,
        formatPost(chat, plainBody, { "accept-encoding": coding, connection: "close" }),
      );
      expect(body).toContain(Buffer.from(bytes).toString("latin1"));
      const id = /x-outrider-request-id: (\w+)/.exec(head)?.[1] ?? "";
      expect(await waitForExchange(outrider, id)).toMatchObject({ usage: { source: "provider", inputTokens: 7 } });
    },
  );

  it("estimates what a compressed stream had said before it broke off", async () => {
    const bytes = encodeContent(Buffer.from(chunk({ content: "words and more words" }).repeat(50)), ["gzip"]);
    upstream.setScript({
      headers: { ...events, "content-encoding": "gzip" },
      chunks: [{ bytes }, { bytes: "", afterMs: 100 }],
      ending: "destroy",
    });
    const { id } = await post(
      streamBody.replace('"stream":true', '"stream":true,"stream_options":{"include_usage":false}'),
      { "accept-encoding": "gzip" },
    );
    expect(await waitForExchange(outrider, id)).toMatchObject({ end: "truncated", usage: { source: "estimated" } });
  });
});

it("hides the refusal of a held credential on unread paths too", async () => {
  upstream.setScript({ status: 401, headers: json, chunks: ['{"error":{"message":"bad key test-key-held"}}'] });
  const response = await fetch(`${outrider.url}/groq/v1/models`);
  expect([response.status, response.headers.get("x-outrider-error")]).toEqual([502, "upstream_auth;source=provider"]);
  expect(await response.text()).not.toContain("test-key-held");
});

it("ignores an offer of h2c, which Java's client makes with every request", async () => {
  upstream.setScript({ headers: json, chunks: [answer] });
  const { status } = await exchangeRaw(
    port,
    formatPost(chat, plainBody, {
      connection: "Upgrade, HTTP2-Settings",
      upgrade: "h2c",
      "http2-settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
    }),
  );
  expect(status).toBe(200);
});

it("counts no model call for a request that was refused before it was sent", async () => {
  const before = upstream.requests.length;
  const { status } = await exchangeRaw(port, formatPost(`${chat}?a="b"`, plainBody));
  expect([status, upstream.requests.length]).toEqual([400, before]);
  const exchange = await waitForExchangeWhere(
    outrider,
    ({ errorCode, operation }) => errorCode === "request_malformed" && operation === "chat",
  );
  expect(exchange).toMatchObject({ attempts: 0 });
  expect(exchange.usage).toBeUndefined();
});
