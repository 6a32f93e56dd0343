// Real bugs of other gateways where the client's dialect is the provider's: bytes, headers, codings, ends. Through the built bundle. Each
// test's name begins with its number in the list of pitfalls and the report it comes from; what is expected is written here by hand.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { converseStream } from "../support/converse-stream.ts";
import { waitForExchange } from "../support/exchange-log.ts";
import { type OtlpReceiver, startOtlpReceiver } from "../support/otlp-receiver.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { exchangeRaw, formatPost } from "../support/raw-client.ts";
import {
  type Plan,
  type ResponsePlan,
  type ScriptedUpstream,
  startScriptedUpstream,
  type UpstreamRequest,
} from "../support/scripted-upstream.ts";
import { chatChunk, chatUsage, sse } from "../support/translated-words.ts";
import { openRawWebSocket } from "../support/websocket-client.ts";
import { startWebSocketUpstream, type WebSocketUpstream } from "../support/websocket-upstream.ts";

let upstream: ScriptedUpstream;
let sockets: WebSocketUpstream;
let receiver: OtlpReceiver;
let outrider: OutriderProcess;
let port: number;

const maxBodyBytes = 200_000;

beforeAll(async () => {
  [upstream, sockets, receiver] = await Promise.all([
    startScriptedUpstream(),
    startWebSocketUpstream(),
    startOtlpReceiver(),
  ]);
  outrider = await startOutrider({
    options: {
      providers: {
        openai: { baseUrl: `${upstream.url}/v1` },
        anthropic: { baseUrl: upstream.url },
        google: { baseUrl: upstream.url },
        bedrock: { baseUrl: upstream.url },
        sockets: { baseUrl: `${sockets.url}/v1`, preset: "openai" },
      },
      telemetry: { capture: "span" },
      limits: { maxBodyBytes },
    },
    environment: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: "50" },
  });
  port = Number(new URL(outrider.url).port);
});

afterAll(async () => {
  await outrider?.stop();
  await Promise.all([upstream?.close(), sockets?.close(), receiver?.close()]);
});

const chat = "/v1/chat/completions";
const messages = "/v1/messages";
const json = { "content-type": "application/json" };
const eventStream = { "content-type": "text/event-stream" };
const chatBody = '{"model":"gpt-test","messages":[{"role":"user","content":"hi"}]}';
const streamBody = (options = ""): string =>
  `{"model":"gpt-test", "stream":true,${options}"messages":[{"role":"user","content":"hi"}]}`;
const includeUsage = '"stream_options":{"include_usage":true},';
const chatAnswer =
  '{"id":"x","model":"gpt-test","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],' +
  '"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}';

interface Outcome {
  status: number;
  bytes: Buffer;
  headers: Headers;
  seen: UpstreamRequest | undefined;
  id: string;
}

/** Sends to Outrider, which finds a provider that does as planned. */
async function ask(
  path: string,
  body: string | Uint8Array,
  plan: Plan,
  headers: Record<string, string> = {},
): Promise<Outcome> {
  upstream.setScript(plan);
  const before = upstream.requests.length;
  const response = await fetch(outrider.url + path, {
    method: "POST",
    headers: { ...json, authorization: "Bearer test-key", ...headers },
    body: Buffer.from(body),
  });
  return {
    status: response.status,
    bytes: Buffer.from(await response.arrayBuffer()),
    headers: response.headers,
    seen: upstream.requests[before],
    id: response.headers.get("x-outrider-request-id") ?? "",
  };
}

const whole = (body: string, more: ResponsePlan = {}): Plan => ({
  headers: json,
  contentLength: true,
  chunks: [body],
  ...more,
});
const streamed = (text: string): Plan => ({ headers: eventStream, chunks: [text] });

describe("bytes pass as they are", () => {
  it("15 googleapis/python-genai#2868: stop beside a call keeps its bytes, and telemetry shows both", async () => {
    const answer =
      '{"id":"x", "model":"gemini-test","choices":[{"index":0,"message":{"role":"assistant","tool_calls":[{"id":"call_1",' +
      '"type":"function","function":{"name":"look","arguments":"{}"}}]},"finish_reason":"stop"}]}';
    const { bytes, id } = await ask(chat, chatBody, whole(answer));
    expect(bytes.toString()).toBe(answer);
    const { traceId } = await waitForExchange(outrider, id);
    const find = () =>
      receiver.spans.find((span) => span.traceId === traceId && "gen_ai.output.messages" in span.attributes);
    while (find() === undefined) await sleep(20);
    const { attributes } = find()!;
    expect(attributes["outrider.finish_reasons.raw"]).toEqual(["stop"]);
    expect(JSON.parse(String(attributes["gen_ai.output.messages"]))).toMatchObject([
      { parts: [{ type: "tool_call", name: "look" }], finish_reason: "stop" },
    ]);
  });

  it("19 maximhq/bifrost#5166: a field newer than the proxy reaches Gemini untouched", async () => {
    const body =
      '{"contents":[{"role":"user","parts":[{"text":"hi","newPart":{"a":1.0}}]}],"generationConfig":{"newKnob":{"x":[1e2]}},"newTop":true}';
    const { seen } = await ask("/v1beta/models/gemini-test:generateContent", body, whole('{"candidates":[]}'));
    expect(seen?.body.toString()).toBe(body);
  });

  it("27 Portkey-AI/gateway#1627: usage chunks with empty choices, or none, pass as they are", async () => {
    const usage = '"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}';
    for (const last of [`{"id":"x","choices":[],${usage}}`, `{"id":"x",${usage}}`]) {
      const stream = `${sse(chatChunk({ content: "hi" }), chatChunk({}, "stop"))}data: ${last}\n\ndata: [DONE]\n\n`;
      const { bytes, id } = await ask(chat, streamBody(includeUsage), streamed(stream));
      expect(bytes.toString()).toBe(stream);
      expect((await waitForExchange(outrider, id)).usage).toMatchObject({ inputTokens: 7, outputTokens: 3 });
    }
  });

  it("28 headroomlabs-ai/headroom#2026: include_usage:false stays false", async () => {
    const body = streamBody('"stream_options":{"include_usage":false},');
    const stream = sse(chatChunk({ content: "hi" }), chatChunk({}, "stop"), "[DONE]");
    const { bytes, seen } = await ask(chat, body, streamed(stream));
    expect(seen?.body.toString()).toBe(body);
    expect(bytes.toString()).toBe(stream);
  });

  it("29 Azure (recorded): the first chunk without choices passes, also where the usage chunk is taken out", async () => {
    const prelude = { choices: [], created: 0, id: "", model: "", object: "", prompt_filter_results: [] };
    const said = sse(prelude, chatChunk({ content: "hi" }), chatChunk({}, "stop"));
    const end = sse("[DONE]");
    const asked = await ask(chat, streamBody(includeUsage), streamed(said + sse(chatUsage) + end));
    expect(asked.bytes.toString()).toBe(said + sse(chatUsage) + end);
    const silent = await ask(chat, streamBody(), streamed(said + sse(chatUsage) + end));
    expect(JSON.parse(silent.seen?.body.toString() ?? "")).toMatchObject({ stream_options: { include_usage: true } });
    expect(silent.bytes.toString()).toBe(said + end);
  });

  it("35 musistudio/claude-code-router#1672: characters cut at every byte arrive as they were", async () => {
    const stream = Buffer.from(sse(chatChunk({ content: "日本 😀." }), chatChunk({}, "stop"), chatUsage, "[DONE]"));
    const chunks = Array.from(stream, (_, at) => stream.subarray(at, at + 1));
    for (const options of [includeUsage, ""]) {
      const { bytes } = await ask(chat, streamBody(options), { headers: eventStream, chunks });
      expect(bytes.toString()).toBe(options === "" ? stream.toString().replace(sse(chatUsage), "") : stream.toString());
    }
  });

  it("53 anthropics/anthropic-sdk-typescript#1199: a Bedrock client gets Bedrock's frames and their media type", async () => {
    const type = "application/vnd.amazon.eventstream";
    const body = '{"messages":[{"role":"user","content":[{"text":"hi"}]}]}';
    const plan = { headers: { "content-type": type }, chunks: [converseStream()] };
    const { bytes, headers } = await ask("/model/m/converse-stream", body, plan);
    expect(headers.get("content-type")).toBe(type);
    expect(bytes.equals(converseStream())).toBe(true);
  });
});

describe("headers and codings", () => {
  it("36 qualixar/superlocalmemory#79: a compressed answer keeps bytes and header, success and error", async () => {
    const error = '{"error":{"message":"no","type":"invalid_request_error","param":null,"code":null}}';
    for (const [status, body] of [
      [200, chatAnswer],
      [400, error],
    ] as const) {
      const encoded = gzipSync(body);
      const headers = { ...json, "content-encoding": "gzip" };
      upstream.setScript({ status, headers, contentLength: true, chunks: [encoded] });
      const request = formatPost(chat, chatBody, { "accept-encoding": "gzip", connection: "close" });
      const answer = await exchangeRaw(port, request);
      expect(answer.status).toBe(status);
      expect(answer.head.toLowerCase()).toContain("content-encoding: gzip");
      expect(Buffer.from(answer.body, "latin1").equals(encoded)).toBe(true);
      const id = /x-outrider-request-id: (\S+)/i.exec(answer.head)?.[1] ?? "";
      const told = await waitForExchange(outrider, id);
      expect(told).toMatchObject(status === 200 ? { usage: { inputTokens: 7 } } : { errorCode: "upstream_rejected" });
    }
  });

  it("37 zyycn/codex-proxy-rs#66: a compressed request is read in a copy and sent as it came; bombs and unknown codings too", async () => {
    const bomb = gzipSync(Buffer.alloc(20 * maxBodyBytes, " "));
    const cases: [coding: string, bytes: Buffer, model: string | undefined][] = [
      ["gzip", gzipSync(chatBody), "gpt-test"],
      ["zstd", zstdCompressSync(chatBody), "gpt-test"],
      ["x-tomorrow", Buffer.from([1, 2, 3, 0xff]), undefined],
      ["gzip", bomb, undefined],
    ];
    for (const [coding, encoded, model] of cases) {
      const { status, seen, id } = await ask(chat, encoded, whole(chatAnswer), { "content-encoding": coding });
      expect(status).toBe(200);
      expect(seen?.header("content-encoding")).toBe(coding);
      expect(seen?.body.equals(encoded), coding).toBe(true);
      expect((await waitForExchange(outrider, id)).requestModel).toBe(model);
    }
  });

  it("38 api7/aisix#144: a 429 brings retry-after and every limit header under its own name", async () => {
    const limits = {
      "retry-after": "17",
      "anthropic-ratelimit-unified-status": "rejected",
      "anthropic-ratelimit-unified-5h-utilization": "1.02",
      "anthropic-ratelimit-requests-remaining": "0",
    };
    const body = '{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}';
    const { status, bytes, headers } = await ask(messages, '{"model":"claude-test","max_tokens":9,"messages":[]}', {
      status: 429,
      headers: { ...json, ...limits },
      contentLength: true,
      chunks: [body],
    });
    expect([status, bytes.toString()]).toEqual([429, body]);
    expect(Object.fromEntries(Object.keys(limits).map((name) => [name, headers.get(name)]))).toEqual(limits);
  });

  it("39 sourcegraph/sourcegraph-public-snapshot#52518: 529 stays 529", async () => {
    const body = '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}';
    const asked = '{"model":"claude-test","max_tokens":9,"messages":[]}';
    const { status, bytes } = await ask(messages, asked, whole(body, { status: 529 }));
    expect([status, bytes.toString()]).toEqual([529, body]);
  });

  it("43 anthropics/claude-code#82549: Anthropic itself gets every beta, also those nobody knows", async () => {
    const betas = "interleaved-thinking-2025-05-14,a-beta-of-tomorrow-2031-01-01";
    const asked = '{"model":"claude-test","max_tokens":9,"messages":[],"context_management":{"edits":[]}}';
    const { seen, headers } = await ask(messages, asked, whole("{}"), { "anthropic-beta": betas });
    expect(seen?.header("anthropic-beta")).toBe(betas);
    expect(seen?.body.toString()).toBe(asked);
    expect(headers.get("x-outrider-loss")).toBeNull();
  });

  it("48 BerriAI/litellm#40364: encrypted reasoning that a deployment does not know gets that deployment's own words", async () => {
    const body =
      '{"error":{"message":"The encrypted content could not be verified.","type":"invalid_request_error","param":null,"code":"invalid_encrypted_content"}}';
    const asked =
      '{"model":"gpt-test","input":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"c2VhbGVk"}]}';
    const { status, bytes, seen } = await ask("/v1/responses", asked, whole(body, { status: 400 }));
    expect(seen?.body.toString()).toBe(asked);
    expect([status, bytes.toString()]).toEqual([400, body]);
  });
});

describe("ends", () => {
  const beginning = sse({
    type: "response.created",
    sequence_number: 0,
    response: { id: "resp_1", object: "response", status: "in_progress", model: "gpt-test", output: [] },
  });

  it.each(["end", "destroy"] as const)(
    "49 openai/codex#41340: a Responses stream that breaks off (%s) is an abort, which a client retries",
    async (ending) => {
      upstream.setScript({ headers: eventStream, chunks: [beginning], ending });
      const response = await fetch(`${outrider.url}/v1/responses`, {
        method: "POST",
        headers: { ...json, authorization: "Bearer test-key" },
        body: '{"model":"gpt-test","stream":true,"input":"hi"}',
      });
      const chunks: Buffer[] = [];
      const read = (async () => {
        for await (const chunk of response.body ?? []) chunks.push(Buffer.from(chunk));
      })();
      await expect(read).rejects.toThrow("terminated");
      const text = Buffer.concat(chunks).toString();
      expect(text.startsWith(beginning)).toBe(true);
      expect(text).not.toMatch(/response\.completed|invalid_request_error/);
    },
  );

  const silent = { kind: "raw", chunks: [], ending: "stall" } as const;
  const begun = (bytes: string, type: string): Plan => ({
    headers: { "content-type": type },
    chunks: [bytes],
    ending: "stall",
  });
  it.each<[string, Plan, string]>([
    ["before the first byte of a stream", silent, streamBody()],
    [
      "in the middle of a stream",
      begun(sse(chatChunk({ content: "hi" })), "text/event-stream"),
      streamBody(includeUsage),
    ],
    ["before the first byte of a whole answer", silent, chatBody],
    ["in the middle of a whole answer", begun('{"id":', "application/json"), chatBody],
  ])("52 BerriAI/litellm#30245: a client that leaves %s ends the call within a second", async (_, plan, body) => {
    upstream.setScript(plan);
    const before = upstream.requests.length;
    const controller = new AbortController();
    const asked = fetch(outrider.url + chat, {
      method: "POST",
      headers: { ...json, authorization: "Bearer test-key" },
      body,
      signal: controller.signal,
    }).then((response) => response.text());
    await upstream.waitFor(() => (upstream.requests[before]?.bodyEndedAt ?? 0) > 0);
    await sleep(100);
    const leftAt = performance.now();
    controller.abort();
    await expect(asked).rejects.toThrow("aborted");
    await upstream.waitFor(() => upstream.requests[before]?.abortedAt !== undefined);
    expect((upstream.requests[before]?.abortedAt ?? Infinity) - leftAt).toBeLessThan(1000);
  });

  it("54 github/gh-aw#27710: WebSockets are served on the same port, and Codex's setting is documented", async () => {
    const client = await openRawWebSocket(port, "/sockets/v1/responses", { authorization: "Bearer test-key" });
    expect(client.status).toBe(101);
    client.send('{"type":"response.create","model":"gpt-test"}');
    while (sockets.peers.at(-1)?.texts().length !== 1) await sleep(10);
    expect(sockets.peers.at(-1)?.texts()).toEqual(['{"type":"response.create","model":"gpt-test"}']);
    client.socket.destroy();
    expect(readFileSync("docs/websockets.md", "utf8")).toContain("supports_websockets = false");
  });
});
