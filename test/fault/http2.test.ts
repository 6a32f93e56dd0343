// HTTP/2 with prior knowledge on the data port: all that works over HTTP/1.1 works, and what is refused there is refused here.
import { mkdtempSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect as connectSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { waitForExchange, waitForExchangeWhere } from "../support/exchange-log.ts";
import {
  callHttp2,
  formatFrame,
  formatHeaderBlock,
  frameTypes,
  openHttp2,
  openRawHttp2,
  preface,
  type RawHttp2,
} from "../support/http2-client.ts";
import { type OtlpReceiver, startOtlpReceiver } from "../support/otlp-receiver.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { type ScriptedUpstream, startScriptedUpstream } from "../support/scripted-upstream.ts";

const chat = "/v1/chat/completions";
const body = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}';
const streamBody = `{"model":"gpt-4o-mini","stream":true,"stream_options":{"include_usage":true},"messages":[]}`;
const answerBody =
  '{"id":"x","model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],' +
  '"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}';
const maxBodyBytes = 200_000;

const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const word = data({ id: "c", model: "gpt-4o-mini", choices: [{ index: 0, delta: { content: "word " } }] });
const stop = data({ id: "c", model: "gpt-4o-mini", choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
const usage = data({
  id: "c",
  model: "gpt-4o-mini",
  choices: [],
  usage: { prompt_tokens: 7, completion_tokens: 9, total_tokens: 16 },
});
const wholeStream = [word, word, stop, usage, "data: [DONE]\n\n"];

let upstream: ScriptedUpstream;
let receiver: OtlpReceiver;
let outrider: OutriderProcess;
let port: number;
const sessions: ClientHttp2Session[] = [];
const raws: RawHttp2[] = [];

const start = (): Promise<OutriderProcess> =>
  startOutrider({
    options: {
      providers: { openai: { baseUrl: `${upstream.url}/v1` } },
      limits: { maxBodyBytes, drainSeconds: 20, maxConnections: 20 },
    },
    environment: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url },
  });

beforeAll(async () => {
  upstream = await startScriptedUpstream();
  receiver = await startOtlpReceiver();
  outrider = await start();
  port = Number(new URL(outrider.url).port);
});

afterEach(() => {
  for (const session of sessions.splice(0)) session.destroy();
  for (const { socket } of raws.splice(0)) socket.destroy();
});

afterAll(async () => {
  await outrider?.stop();
  await receiver?.close();
  await upstream?.close();
});

function open(url = outrider.url): ClientHttp2Session {
  const session = openHttp2(url);
  sessions.push(session);
  return session;
}

function openRaw(first: string | Buffer): RawHttp2 {
  const raw = openRawHttp2(port, first);
  raws.push(raw);
  return raw;
}

const answerPlainly = (): void =>
  upstream.setScript({ headers: { "content-type": "application/json" }, contentLength: true, chunks: [answerBody] });
const answerStream = (ending: "end" | "stall" | "reset" = "end", chunks = wholeStream, afterMs = 0): void =>
  upstream.setScript({
    headers: { "content-type": "text/event-stream" },
    chunks: chunks.map((bytes) => ({ bytes, afterMs })),
    ending,
  });
const pause = (durationMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, durationMs));
const within = <Value>(promise: Promise<Value>, timeoutMs: number): Promise<Value | "late"> =>
  Promise.race([promise, pause(timeoutMs).then(() => "late" as const)]);

describe("a call over HTTP/2", () => {
  it("reaches the provider byte for byte, and shows as protocol version 2", async () => {
    answerPlainly();
    const headers = { "content-type": "application/json", authorization: "Bearer test-key", cookie: ["a=1", "b=2"] };
    const answer = await callHttp2(open(), chat, { body, headers }).ended;
    expect([answer.status, answer.body, answer.whole]).toEqual([200, answerBody, true]);
    const sent = upstream.requests.at(-1);
    expect(sent?.body.toString()).toBe(body);
    expect(sent?.rawHeaders.filter((_, index) => index % 2 === 0).filter((name) => name.startsWith(":"))).toEqual([]);
    expect([sent?.header("authorization"), sent?.header("cookie")]).toEqual(["Bearer test-key", "a=1; b=2"]);
    expect(sent?.header("host")).toBe(new URL(upstream.url).host);

    const id = String(answer.headers["x-outrider-request-id"]);
    expect(await waitForExchange(outrider, id)).toMatchObject({ end: "complete", requestModel: "gpt-4o-mini" });
    const findSpan = () => receiver.spans.find(({ attributes }) => attributes["outrider.request.id"] === id);
    for (let wait = 0; wait < 400 && findSpan() === undefined; wait++) await pause(25);
    expect(findSpan()?.attributes).toMatchObject({
      "network.protocol.version": "2",
      "server.address": "127.0.0.1",
      "server.port": port,
      "client.address": "127.0.0.1",
    });
  });

  it("passes no connection-specific header of the provider's, and repeated ones as they are", async () => {
    upstream.setScript({
      headers: [
        ["content-type", "application/json"],
        ["Connection", "keep-alive, x-hop"],
        ["Keep-Alive", "timeout=5"],
        ["x-hop", "1"],
        ["X-Mixed-Case", "kept"],
        ["set-cookie", "a=1"],
        ["set-cookie", "b=2"],
        ["retry-after", "1"],
        ["retry-after", "2"],
      ],
      contentLength: true,
      chunks: [answerBody],
    });
    const { status, headers, whole } = await callHttp2(open(), chat, { body }).ended;
    expect([status, whole]).toEqual([200, true]);
    expect(headers).toMatchObject({ "x-mixed-case": "kept", "set-cookie": ["a=1", "b=2"] });
    for (const name of ["connection", "keep-alive", "x-hop", "transfer-encoding"])
      expect(headers).not.toHaveProperty(name);
  });

  it("streams as it comes, with the cost in a trailer for who takes trailers", async () => {
    answerStream("end", wholeStream, 100);
    const call = callHttp2(open(), chat, { body: streamBody, headers: { te: "trailers" } });
    const startedMs = performance.now();
    await call.begun;
    expect(performance.now() - startedMs).toBeLessThan(350);
    const answer = await call.ended;
    expect([answer.body, answer.whole]).toEqual([wholeStream.join(""), true]);
    expect(answer.trailers["x-outrider-cost"]).toMatch(/^0\.0000\d+;currency=USD;status=exact$/);
    const without = await callHttp2(open(), chat, { body: streamBody }).ended;
    expect([without.body, without.trailers]).toEqual([wholeStream.join(""), {}]);
  });

  it("carries a hundred streams on one session at once", async () => {
    answerStream("end", wholeStream, 30);
    const session = open();
    const calls = Array.from({ length: 100 }, () => callHttp2(session, chat, { body: streamBody }));
    const answers = await Promise.all(calls.map(({ ended }) => ended));
    expect(answers.map((answer) => [answer.status, answer.whole, answer.body])).toEqual(
      answers.map(() => [200, true, wholeStream.join("")]),
    );
  });

  it("aborts the provider within 250 ms of the client's reset, mid-stream and before the first byte", async () => {
    const session = open();
    for (const delayMs of [0, 60_000]) {
      upstream.setScript({
        headers: { "content-type": "text/event-stream" },
        delayMs,
        chunks: [word, word],
        ending: "stall",
      });
      const before = upstream.requests.length;
      const call = callHttp2(session, chat, { body: streamBody });
      if (delayMs === 0) await call.begun;
      await upstream.waitFor(() => upstream.requests[before]?.bodyEndedAt !== undefined);
      const abortedMs = performance.now();
      call.abort();
      await upstream.waitFor(() => upstream.requests[before]?.abortedAt !== undefined);
      expect((upstream.requests[before]?.abortedAt ?? Infinity) - abortedMs).toBeLessThan(250);
    }
    answerPlainly();
    expect((await callHttp2(session, chat, { body }).ended).status).toBe(200);
    await waitForExchangeWhere(outrider, ({ end }) => end === "client_aborted");
  });

  it("ends a broken stream with the dialect's error event and a reset, never with END_STREAM", async () => {
    answerStream("reset", [word, word], 20);
    const session = open();
    const answer = await callHttp2(session, chat, { body: streamBody }).ended;
    expect(answer.body.startsWith(word)).toBe(true);
    expect(answer.body).toMatch(/data: \{"error":.*"code":"stream_truncated".*\n\n$/);
    expect([answer.whole, answer.rstCode]).toEqual([false, 2]);
    answerPlainly();
    expect((await callHttp2(session, chat, { body }).ended).body).toBe(answerBody);
  });

  it("holds the provider back for a client that reads nothing, and goes on with its other streams", async () => {
    const chunk = data({ id: "c", choices: [{ index: 0, delta: { content: "x".repeat(16_000) } }] });
    answerStream(
      "end",
      Array.from({ length: 2000 }, () => chunk),
    );
    const session = open();
    const before = upstream.requests.length;
    const stalled = session.request({ ":method": "POST", ":path": chat });
    stalled.on("error", () => undefined);
    stalled.end(streamBody);
    await upstream.waitFor(() => (upstream.requests[before]?.bytesSent ?? 0) > 0);
    await pause(500);
    const sent = upstream.requests[before]?.bytesSent ?? 0;
    await pause(300);
    // Socket buffers and one flow-control window, not 32 MB.
    expect(sent).toBeLessThan(12_000_000);
    expect(upstream.requests[before]?.bytesSent).toBe(sent);
    answerPlainly();
    expect((await callHttp2(session, chat, { body }).ended).whole).toBe(true);
    stalled.close(8);
  });

  it("answers 413 to what is too large, 400 to what is broken, 408 to nothing it waits for", async () => {
    const session = open();
    const large = await callHttp2(session, chat, { body: "x".repeat(maxBodyBytes * 3) }).ended;
    expect([large.status, large.headers["x-outrider-error"]]).toEqual([413, "request_too_large;source=client"]);
    const announced = await callHttp2(session, chat, { body: "{", headers: { "content-length": "1" } }).ended;
    expect([announced.status, announced.headers["x-outrider-error"]]).toEqual([400, "request_malformed;source=client"]);
    const late = session.request({ ":method": "POST", ":path": chat, "x-outrider-timeout-ms": "200" });
    late.on("error", () => undefined);
    late.write("{");
    const status = await new Promise((resolve) => late.on("response", (head) => resolve(head[":status"])));
    expect(status).toBe(408);
    late.close(8);
  });

  it("relays an upload of what it does not read, and never half of it as a whole", async () => {
    upstream.setScript({ headers: { "content-type": "application/json" }, contentLength: true, chunks: ["{}"] });
    const session = open();
    const upload = "u".repeat(1_000_000);
    expect((await callHttp2(session, "/v1/files", { body: upload }).ended).body).toBe("{}");
    expect(upstream.requests.at(-1)?.body.toString() === upload).toBe(true);

    for (const code of [0, 8]) {
      const before = upstream.requests.length;
      const block = formatHeaderBlock([
        [":method", "POST"],
        [":scheme", "http"],
        [":path", "/v1/files"],
        [":authority", "127.0.0.1"],
      ]);
      const raw = openRaw(
        Buffer.concat([
          Buffer.from(preface),
          formatFrame(frameTypes.settings, 0, 0),
          formatFrame(frameTypes.headers, 4, 1, block),
          formatFrame(frameTypes.data, 0, 1, Buffer.alloc(10_000, "u")),
        ]),
      );
      await upstream.waitFor(() => upstream.requests.length > before);
      raw.socket.write(formatFrame(frameTypes.reset, 0, 1, Buffer.from([0, 0, 0, code])));
      await upstream.waitFor(() => upstream.requests[before]?.abortedAt !== undefined);
      expect(upstream.requests[before]?.bodyEndedAt).toBeUndefined();
    }
  });

  it("answers HEAD, and 100-continue before the body", async () => {
    upstream.setScript({ headers: { "content-type": "application/json" }, contentLength: true, chunks: [] });
    const session = open();
    const head = await callHttp2(session, "/v1/models", { headers: { ":method": "HEAD" } }).ended;
    expect([head.status, head.body]).toEqual([200, ""]);
    answerPlainly();
    const stream = session.request({ ":method": "POST", ":path": chat, expect: "100-continue" });
    await new Promise<void>((resolve) => stream.on("continue", resolve));
    stream.end(body);
    expect(await new Promise((resolve) => stream.on("response", (received) => resolve(received[":status"])))).toBe(200);
    stream.resume();
  });
});

describe("what is refused", () => {
  it.each<[string, Record<string, string>, number, string]>([
    ["a foreign authority", { ":authority": "evil.example" }, 421, "host_refused;source=client"],
    [
      "a Host beside another authority",
      { ":authority": "127.0.0.1", host: "evil.example" },
      421,
      "host_refused;source=client",
    ],
    [
      "two names of this machine",
      { ":authority": "127.0.0.1", host: "localhost" },
      400,
      "request_malformed;source=client",
    ],
    ["an Origin", { origin: "https://evil.example" }, 403, "origin_refused;source=client"],
    ["TRACE", { ":method": "TRACE" }, 405, "method_not_allowed;source=client"],
    ["another expectation", { expect: "miracles" }, 417, "expectation_failed;source=client"],
    ["a target that is no path", { ":path": "*", ":method": "OPTIONS" }, 421, "host_refused;source=client"],
    [
      "more than 200 headers",
      Object.fromEntries(Array.from({ length: 250 }, (_, index) => [`x-${index}`, "1"])),
      431,
      "headers_too_large;source=client",
    ],
  ])("%s", async (_name, headers, status, error) => {
    const answer = await callHttp2(open(), chat, { headers }).ended;
    expect([answer.status, answer.headers["x-outrider-error"]]).toEqual([status, error]);
  });

  it("CONNECT, plain and extended", async () => {
    const session = open();
    const stream = session.request({ ":method": "CONNECT", ":authority": "127.0.0.1:22" });
    stream.on("error", () => undefined);
    expect(await new Promise((resolve) => stream.on("response", (head) => resolve(head[":status"])))).toBe(405);

    const extended = formatHeaderBlock([
      [":method", "CONNECT"],
      [":protocol", "websocket"],
      [":scheme", "http"],
      [":path", "/v1/realtime"],
      [":authority", "127.0.0.1"],
    ]);
    const { frames } = openRaw(
      Buffer.concat([Buffer.from(preface), formatFrame(frameTypes.settings, 0, 0), formatFrame(1, 5, 1, extended)]),
    );
    await upstream.waitFor(() => frames.some(({ type, streamId }) => type === frameTypes.reset && streamId === 1));
  });

  it("a request without authority and Host", async () => {
    const block = formatHeaderBlock([
      [":method", "GET"],
      [":scheme", "http"],
      [":path", "/v1/models"],
    ]);
    const before = upstream.requests.length;
    const { frames } = openRaw(
      Buffer.concat([Buffer.from(preface), formatFrame(frameTypes.settings, 0, 0), formatFrame(1, 5, 1, block)]),
    );
    await upstream.waitFor(() => frames.some(({ streamId }) => streamId === 1));
    const refusal = await waitForExchangeWhere(
      outrider,
      ({ method, errorCode }) => method === "GET" && errorCode === "request_malformed",
    );
    expect([refusal.status, upstream.requests.length]).toEqual([400, before]);
  });

  it.each<[string, [string, string]]>([
    ["transfer-encoding", ["transfer-encoding", "chunked"]],
    ["connection", ["connection", "close"]],
    ["a second path", [":path", "/v1/other"]],
    ["capitals in a name", ["X-Upper", "1"]],
    ["a length that does not fit", ["content-length", "5"]],
  ])("a request with %s, by a reset of its stream or its session", async (_name, header) => {
    const block = formatHeaderBlock([
      [":method", "POST"],
      [":scheme", "http"],
      [":path", chat],
      [":authority", "127.0.0.1"],
      header,
    ]);
    const before = upstream.requests.length;
    const { frames } = openRaw(
      Buffer.concat([
        Buffer.from(preface),
        formatFrame(frameTypes.settings, 0, 0),
        formatFrame(frameTypes.headers, 4, 1, block),
        formatFrame(frameTypes.data, 1, 1, Buffer.from(body)),
      ]),
    );
    await upstream.waitFor(() => frames.some(({ type }) => type === frameTypes.reset || type === frameTypes.goaway));
    expect(upstream.requests.length).toBe(before);
  });

  it("no value with CR and LF reaches the provider", async () => {
    answerPlainly();
    const block = formatHeaderBlock([
      [":method", "POST"],
      [":scheme", "http"],
      [":path", chat],
      [":authority", "127.0.0.1"],
      ["x-kept", "1"],
      ["x-split", "a\r\nx-injected: 1"],
    ]);
    const { frames } = openRaw(
      Buffer.concat([
        Buffer.from(preface),
        formatFrame(frameTypes.settings, 0, 0),
        formatFrame(frameTypes.headers, 4, 1, block),
        formatFrame(frameTypes.data, 1, 1, Buffer.from(body)),
      ]),
    );
    await upstream.waitFor(() => frames.some(({ streamId }) => streamId === 1));
    const sent = upstream.requests.at(-1);
    expect([sent?.header("x-kept"), sent?.header("x-split"), sent?.header("x-injected")]).toEqual([
      "1",
      undefined,
      undefined,
    ]);
  });
});

describe("a Unix socket", () => {
  it("takes HTTP/2 and HTTP/1.1", async () => {
    const folder = mkdtempSync(join(tmpdir(), "outrider-h2-"));
    const path = join(folder, "outrider.sock");
    const own = await startOutrider({
      options: { listen: [`unix:${path}`], providers: { openai: { baseUrl: `${upstream.url}/v1` } } },
    });
    try {
      answerPlainly();
      const session = connectHttp2("http://127.0.0.1", { createConnection: () => connectSocket(path) });
      sessions.push(session);
      expect((await callHttp2(session, chat, { body }).ended).body).toBe(answerBody);
      const status = await new Promise((resolve) => {
        httpRequest({ socketPath: path, path: chat, method: "POST", headers: { host: "127.0.0.1" } }, (response) =>
          resolve(response.resume().statusCode),
        ).end(body);
      });
      expect(status).toBe(200);
    } finally {
      await own.stop("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe("SIGTERM", () => {
  it("says GOAWAY, finishes the streams under way, and serves new sessions while the app is not quiet", async () => {
    const own = await start();
    try {
      answerStream("end", [...Array.from({ length: 10 }, () => word), ...wholeStream], 150);
      const session = open(own.url);
      const live = Array.from({ length: 20 }, () => callHttp2(session, chat, { body: streamBody }));
      await Promise.all(live.map(({ begun }) => begun));
      const goaway = new Promise<number>((resolve) => session.on("goaway", resolve));
      const stopped = own.stop();
      expect(await within(goaway, 1000)).toBe(0);

      const late = await callHttp2(open(own.url), chat, { body: streamBody }).ended;
      expect([late.status, late.whole]).toEqual([200, true]);
      for (const { ended } of live) {
        const answer = await ended;
        expect([answer.whole, answer.body.endsWith("data: [DONE]\n\n")]).toEqual([true, true]);
      }
      expect(await stopped).toBe(0);
    } finally {
      await own.stop("SIGKILL");
    }
  });

  it("twice tells the streams under way what happened, and cuts them", async () => {
    const own = await start();
    answerStream("stall", [word, word]);
    const live = Array.from({ length: 5 }, () => callHttp2(open(own.url), chat, { body: streamBody }));
    await Promise.all(live.map(({ begun }) => begun));
    own.child.kill("SIGTERM");
    await pause(300);
    expect(await own.stop()).toBe(0);
    for (const { ended } of live) {
      const answer = await ended;
      expect([answer.whole, answer.body]).toEqual([false, expect.stringContaining("draining")]);
    }
  });
});
