// Faults of providers (docs/errors.md): what the client sees, in its own dialect, and what is recorded.
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type ErrorCode } from "../../src/errors.ts";
import { waitForExchange } from "../support/exchange-log.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { findFreePort } from "../support/ports.ts";
import { type Plan, type PlanEnd, type ScriptedUpstream, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { startTcpFaultProxy, type TcpFaultProxy } from "../support/tcp-fault-proxy.ts";

let upstream: ScriptedUpstream;
let faulty: TcpFaultProxy;
let outrider: OutriderProcess;
/** Speaks no TLS. */
let plain: Server;

beforeAll(async () => {
  upstream = await startScriptedUpstream();
  plain = createServer((socket) => socket.on("error", () => undefined).end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
  faulty = await startTcpFaultProxy({ targetPort: upstream.port });
  outrider = await startOutrider({
    options: {
      providers: {
        openai: { baseUrl: `${upstream.url}/v1` },
        anthropic: { baseUrl: upstream.url },
        groq: { baseUrl: `http://127.0.0.1:${await findFreePort()}/openai/v1` },
        together: { baseUrl: "http://no-such-host.invalid/v1" },
        mistral: { baseUrl: `https://127.0.0.1:${(plain.address() as AddressInfo).port}/v1` },
        deepseek: { baseUrl: faulty.url },
      },
      timeouts: { connectMs: 300, firstByteMs: 700, idleMs: 700, totalMs: 6000 },
    },
  });
});

afterEach(() => faulty.setToxics({}));

afterAll(async () => {
  await outrider?.stop();
  plain?.close();
  await faulty?.close();
  await upstream?.close();
});

const json = { "content-type": "application/json" };
const events = { "content-type": "text/event-stream" };
const chunk = (text: string): string =>
  `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", model: "gpt-4o-mini", choices: [{ index: 0, delta: { content: text }, finish_reason: null }] })}\n\n`;
const start = `event: message_start\ndata: ${JSON.stringify({ type: "message_start", message: { id: "msg_1", type: "message", role: "assistant", model: "claude-sonnet-4-5", content: [], usage: { input_tokens: 3, output_tokens: 1 } } })}\n\n`;
const errorBody = (type: string, code: string | null): string =>
  JSON.stringify({ error: { message: "refused", type, param: null, code } });

interface Answer {
  status: number;
  text: string;
  /** The body broke off. */
  cut: boolean;
  errorHeader: string | null;
  id: string;
}

async function call(
  path: string,
  body: Record<string, unknown>,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(`${outrider.url}${path}`, {
    method: "POST",
    headers: { ...json, authorization: "Bearer test-key", "anthropic-version": "2023-06-01", ...headers },
    body: JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "hi" }], ...body }),
  });
  let text = "";
  let cut = false;
  try {
    for await (const piece of response.body ?? []) text += Buffer.from(piece).toString();
  } catch {
    cut = true;
  }
  const id = response.headers.get("x-outrider-request-id") ?? "";
  return { status: response.status, text, cut, errorHeader: response.headers.get("x-outrider-error"), id };
}

const chat = "/v1/chat/completions";

describe("before the first byte", () => {
  it.each<[string, string, Plan | undefined, number, ErrorCode]>([
    ["nobody listens", "/groq/v1/chat/completions", undefined, 502, "upstream_unreachable"],
    ["the name does not resolve", "/together/v1/chat/completions", undefined, 502, "upstream_dns"],
    ["there is no TLS", "/mistral/v1/chat/completions", undefined, 502, "upstream_tls"],
    ["the connection is reset", chat, { kind: "raw", chunks: [], ending: "reset" }, 502, "upstream_unreachable"],
    ["the connection is closed", chat, { kind: "raw", chunks: [], ending: "destroy" }, 502, "upstream_unreachable"],
    [
      "the answer is no HTTP",
      chat,
      { kind: "raw", chunks: ["SSH-2.0-OpenSSH\r\n"], ending: "destroy" },
      502,
      "upstream_invalid",
    ],
    ["no head comes", chat, { kind: "raw", chunks: [], ending: "stall" }, 504, "upstream_first_byte_timeout"],
    [
      "the answer is HTML",
      chat,
      { headers: { "content-type": "text/html" }, chunks: ["<html>sign in</html>"] },
      502,
      "upstream_invalid",
    ],
    [
      "the answer is a redirect",
      chat,
      { status: 302, headers: { location: "http://169.254.169.254/" } },
      502,
      "upstream_redirect",
    ],
    [
      "it breaks off before any byte of a body",
      chat,
      { headers: json, contentLength: 100, chunks: [], ending: "destroy" },
      502,
      "stream_truncated",
    ],
  ])("answers in the client's dialect when %s", async (_name, path, plan, status, code) => {
    if (plan !== undefined) upstream.setScript(plan);
    const answer = await call(path, {});
    expect(answer.status).toBe(status);
    expect(answer.errorHeader).toBe(`${code};source=provider`);
    expect(JSON.parse(answer.text)).toMatchObject({ error: { code, type: "server_error" } });
    const exchange = await waitForExchange(outrider, answer.id);
    expect(exchange).toMatchObject({ status, errorCode: code, end: "error" });
    expect(exchange.costNanoUsd).toBeUndefined();
  });

  it("answers Anthropic's clients with Anthropic's error", async () => {
    upstream.setScript({ kind: "raw", chunks: [], ending: "reset" });
    const answer = await call("/v1/messages", { max_tokens: 10 });
    expect(JSON.parse(answer.text)).toMatchObject({ type: "error", error: { type: "api_error" } });
  });

  it("gives up at the client's own deadline", async () => {
    upstream.setScript({ kind: "raw", chunks: [], ending: "stall" });
    const startedMs = Date.now();
    const answer = await call(chat, {}, { "x-outrider-timeout-ms": "200" });
    expect(Date.now() - startedMs).toBeLessThan(1200);
    expect([answer.status, answer.errorHeader]).toEqual([504, "deadline_exceeded;source=provider"]);
  });

  it("swallows a hundred early hints", async () => {
    upstream.setScript({ headers: json, earlyHints: 100, chunks: ['{"id":"x","model":"gpt-4o-mini","choices":[]}'] });
    expect((await call(chat, {})).status).toBe(200);
  });

  it.each<[string, number, string, ErrorCode]>([
    ["rate limit", 429, errorBody("requests", "rate_limit_exceeded"), "upstream_rate_limited"],
    ["no money", 429, errorBody("insufficient_quota", "insufficient_quota"), "upstream_quota_exhausted"],
    ["overload", 503, errorBody("server_error", null), "upstream_overloaded"],
    ["server error", 500, errorBody("server_error", null), "upstream_server_error"],
    ["context length", 400, errorBody("invalid_request_error", "context_length_exceeded"), "context_length"],
    ["content filter", 400, errorBody("invalid_request_error", "content_filter"), "content_filtered"],
    ["bad request", 400, errorBody("invalid_request_error", null), "upstream_rejected"],
    ["the client's own bad key", 401, errorBody("invalid_request_error", "invalid_api_key"), "upstream_rejected"],
    ["an error that is no JSON", 500, "oops", "upstream_server_error"],
  ])("passes the provider's own error untouched and names it: %s", async (_name, status, body, code) => {
    upstream.setScript({ status, headers: { ...json, "retry-after": "7" }, contentLength: true, chunks: [body] });
    const answer = await call(chat, {});
    expect([answer.status, answer.text, answer.errorHeader]).toEqual([status, body, `${code};source=provider`]);
    expect(await waitForExchange(outrider, answer.id)).toMatchObject({ errorCode: code, end: "error", status });
  });

  it("keeps 529 for Anthropic's clients", async () => {
    const body = JSON.stringify({ type: "error", error: { type: "overloaded_error", message: "Overloaded" } });
    upstream.setScript({ status: 529, headers: json, chunks: [body] });
    const answer = await call("/v1/messages", { max_tokens: 10 });
    expect([answer.status, answer.text, answer.errorHeader]).toEqual([
      529,
      body,
      "upstream_overloaded;source=provider",
    ]);
  });
});

describe("after the first byte", () => {
  it.each<[string, PlanEnd, ErrorCode, string]>([
    ["a reset", "reset", "stream_truncated", "truncated"],
    ["a FIN inside the body", "destroy", "stream_truncated", "truncated"],
    ["a clean end without the stream's own", "end", "stream_truncated", "truncated"],
    ["a stall", "stall", "stream_idle", "error"],
  ])("ends a chat stream with an error event and a cut after %s", async (_name, ending, code, end) => {
    upstream.setScript({
      headers: events,
      chunks: [chunk("one "), { bytes: chunk("two"), afterMs: 20 }, { bytes: "", afterMs: 50 }],
      ending,
    });
    const answer = await call(chat, { stream: true });
    expect(answer.status).toBe(200);
    expect(answer.text.startsWith(chunk("one ") + chunk("two"))).toBe(true);
    const rest = answer.text.slice((chunk("one ") + chunk("two")).length);
    expect(JSON.parse(rest.replace("data: ", ""))).toMatchObject({ error: { code } });
    expect(answer.text).not.toContain("[DONE]");
    expect(answer.cut).toBe(true);
    expect(await waitForExchange(outrider, answer.id)).toMatchObject({
      end,
      errorCode: code,
      usage: { source: "estimated" },
    });
  });

  it("ends an Anthropic stream with Anthropic's error event and without message_stop", async () => {
    upstream.setScript({ headers: events, chunks: [start], ending: "destroy" });
    const answer = await call("/v1/messages", { max_tokens: 10, stream: true });
    expect(answer.text.slice(start.length)).toMatch(/^event: error\ndata: \{"type":"error"/);
    expect(answer.text).not.toContain("message_stop");
    expect(answer.cut).toBe(true);
  });

  it("puts its error event on lines of its own when a frame was cut in two", async () => {
    upstream.setScript({ headers: events, chunks: [chunk("one "), 'data: {"id":"chatc'], ending: "reset" });
    const answer = await call(chat, { stream: true, stream_options: { include_usage: true } });
    expect(answer.text).toContain('data: {"id":"chatc\n\ndata: {"error":');
  });

  it("passes the provider's own error event and calls the exchange failed", async () => {
    const body = chunk("one ") + `data: ${errorBody("server_error", null)}\n\n`;
    upstream.setScript({ headers: events, chunks: [body] });
    const answer = await call(chat, { stream: true });
    expect([answer.text, answer.cut]).toEqual([body, false]);
    expect(await waitForExchange(outrider, answer.id)).toMatchObject({
      end: "error",
      errorCode: "upstream_server_error",
    });
  });

  it("cuts a body that is shorter than it was announced", async () => {
    upstream.setScript({ headers: json, contentLength: 500, chunks: ['{"id":"x",'], ending: "destroy" });
    const answer = await call(chat, {});
    expect([answer.status, answer.cut]).toEqual([200, true]);
    expect(await waitForExchange(outrider, answer.id)).toMatchObject({
      end: "truncated",
      errorCode: "stream_truncated",
    });
  });

  it("relays a stream cut at every byte all the same", async () => {
    faulty.setToxics({ downstream: { slice: { maxBytes: 1 } } });
    const body = chunk("één ") + chunk("🙂") + "data: [DONE]\n\n";
    upstream.setScript({ headers: events, chunks: [body] });
    const answer = await call("/deepseek/chat/completions", { stream: true });
    expect(answer.text).toBe(body);
  });

  it("resets by the network at each of many offsets never look like an end", async () => {
    const body = chunk("one ") + chunk("two ") + "data: [DONE]\n\n";
    upstream.setScript({ headers: events, chunks: [body] });
    for (let offset = 150; offset < 600; offset += 45) {
      faulty.setToxics({ downstream: { resetAfterBytes: offset } });
      const answer = await call("/deepseek/chat/completions", { stream: true });
      const whole = answer.text === body && !answer.cut;
      const told = answer.cut || answer.status === 502;
      expect(whole || told, `offset ${offset}: ${answer.status} ${answer.text}`).toBe(true);
    }
  });
});

describe("kept-alive connections", () => {
  it.each(["destroy", "reset"] as const)(
    "sends once more, on a fresh one, when the old one died unanswered (%s)",
    async (onReuse) => {
      const body = '{"id":"x","model":"gpt-4o-mini","choices":[]}';
      upstream.setScript({ headers: json, contentLength: true, chunks: [body], onReuse });
      await call(chat, {});
      const reusedBefore = upstream.sockets.reused;
      const answer = await call(chat, {});
      expect(upstream.sockets.reused).toBe(reusedBefore + 1);
      expect([answer.status, answer.text]).toEqual([200, body]);
      expect(await waitForExchange(outrider, answer.id)).toMatchObject({ attempts: 2, end: "complete" });
    },
  );

  it("does not send twice when a fresh connection dies", async () => {
    // Whatever connection is kept dies here, so that the next is fresh.
    upstream.setScript({ kind: "raw", chunks: [], ending: "reset" });
    await call("/deepseek/chat/completions", {});
    const before = upstream.requests.length;
    await call("/deepseek/chat/completions", {});
    expect(upstream.requests.length).toBe(before + 1);
  });
});

describe("credentials that Outrider holds", () => {
  it("hides their refusal", async () => {
    const held = await startOutrider({
      options: { providers: { openai: { baseUrl: `${upstream.url}/v1` } }, credentials: { openai: { env: "HELD" } } },
      environment: { HELD: "test-key-held" },
    });
    upstream.setScript({ status: 401, headers: json, chunks: [errorBody("invalid_request_error", "invalid_api_key")] });
    const response = await fetch(`${held.url}${chat}`, {
      method: "POST",
      headers: { ...json, authorization: "Bearer test-key-client" },
      body: '{"model":"m","messages":[]}',
    });
    expect([response.status, response.headers.get("x-outrider-error")]).toEqual([502, "upstream_auth;source=provider"]);
    expect(await response.text()).not.toContain("test-key");
    expect(upstream.requests.at(-1)?.header("authorization")).toBe("Bearer test-key-held");
    await held.stop();
    expect(held.output()).not.toContain("test-key");
  });
});
