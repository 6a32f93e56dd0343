// Faults of clients: broken bodies, foreign hosts and origins, framing tricks, hang-ups and slow readers.
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readStatus, waitForExchange, waitForExchangeWhere } from "../support/exchange-log.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { exchangeRaw, formatPost } from "../support/raw-client.ts";
import { type ScriptedUpstream, startScriptedUpstream } from "../support/scripted-upstream.ts";

let upstream: ScriptedUpstream;
let outrider: OutriderProcess;
let port: number;

const chat = "/v1/chat/completions";
const answerBody = '{"id":"x","model":"gpt-4o-mini","choices":[]}';
const good = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}';
const maxBodyBytes = 100_000;

beforeAll(async () => {
  upstream = await startScriptedUpstream();
  outrider = await startOutrider({
    options: {
      providers: { openai: { baseUrl: `${upstream.url}/v1` }, anthropic: { baseUrl: upstream.url } },
      limits: { maxBodyBytes, drainSeconds: 3 },
      hosts: ["llm.internal"],
    },
  });
  port = Number(new URL(outrider.url).port);
});

afterAll(async () => {
  await outrider?.stop();
  await upstream?.close();
});

const answerPlainly = (): void =>
  upstream.setScript({ headers: { "content-type": "application/json" }, contentLength: true, chunks: [answerBody] });
const errorOf = (head: string): string | undefined => /x-outrider-error: (\S+)/i.exec(head)?.[1];

describe("bodies", () => {
  it.each<[string, string | Buffer]>([
    ["broken JSON", '{"model":"gpt-4o-mini",'],
    ["no JSON", "hello"],
    ["empty", ""],
    ["an array", "[1,2]"],
    ["a string", '"x"'],
    ["null", "null"],
    ["a duplicate model", '{"model":"a","model":"b","messages":[]}'],
    ["a duplicate model by case", '{"model":"a","Model":"b","messages":[]}'],
    ["a duplicate stream by escape", '{"stream":true,"str\\u0065am":false,"messages":[]}'],
    ["nesting of a million", "[".repeat(90_000)],
    ["nesting past 128 inside an object", `{"a":${"[".repeat(200)}${"]".repeat(200)}}`],
    ["a byte order mark", Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(good)])],
    ["bad UTF-8", Buffer.concat([Buffer.from('{"model":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')])],
    ["trailing garbage", `${good}x`],
    [
      "a lone surrogate cut in UTF-8",
      Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]),
    ],
  ])("answers 400 in the dialect and sends nothing on: %s", async (_name, body) => {
    const before = upstream.requests.length;
    for (const [path, shape] of [
      [chat, { error: { type: "invalid_request_error", code: "request_malformed" } }],
      ["/v1/messages", { type: "error", error: { type: "invalid_request_error" } }],
    ] as const) {
      const response = await fetch(outrider.url + path, {
        method: "POST",
        body,
        headers: { "content-type": "application/json" },
      });
      const text = await response.text();
      expect(response.status).toBe(400);
      expect(JSON.parse(text)).toMatchObject(shape);
      expect(response.headers.get("x-outrider-error")).toBe("request_malformed;source=client");
      expect(response.headers.get("x-should-retry")).toBe("false");
      expect(await waitForExchange(outrider, response.headers.get("x-outrider-request-id") ?? "")).toMatchObject({
        errorCode: "request_malformed",
        status: 400,
        attempts: 0,
      });
    }
    expect(upstream.requests.length).toBe(before);
  });

  it("passes wrongly typed fields on for the provider to refuse, byte for byte", async () => {
    answerPlainly();
    const body =
      '{"model":7,"messages":"no","temperature":{"a":[1e400,1.0,12345678901234567890]},"stream":"yes","n":null}';
    const response = await fetch(outrider.url + chat, { method: "POST", body });
    expect(response.status).toBe(200);
    expect(upstream.requests.at(-1)?.body.toString()).toBe(body);
  });

  it("answers 413 as soon as the size is known, and for an endless body", async () => {
    const announced = await exchangeRaw(port, formatPost(chat, "{", { "content-length": String(maxBodyBytes + 1) }));
    expect([announced.status, errorOf(announced.head)]).toEqual([413, "request_too_large;source=client"]);
    const endless =
      `POST ${chat} HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n` +
      `4000\r\n${"x".repeat(0x4000)}\r\n`.repeat(10);
    const cut = await exchangeRaw(port, endless);
    expect([cut.status, errorOf(cut.head)]).toEqual([413, "request_too_large;source=client"]);
  });

  it("takes a body of exactly the limit", async () => {
    answerPlainly();
    const head = '{"model":"m","messages":[],"pad":"';
    const body = `${head}${"x".repeat(maxBodyBytes - head.length - 2)}"}`;
    expect(body.length).toBe(maxBodyBytes);
    expect((await fetch(outrider.url + chat, { method: "POST", body })).status).toBe(200);
  });

  it("records a client that sends half a body and leaves", async () => {
    const path = "/openai/v1/chat/completions";
    const before = upstream.requests.length;
    await exchangeRaw(port, formatPost(path, '{"model"', { "content-length": "500" }), {
      onConnected: (socket) => setTimeout(() => socket.destroy(), 100),
    });
    const exchange = await waitForExchangeWhere(outrider, ({ route }) => route.startsWith("/openai/"));
    expect(exchange).toMatchObject({ end: "client_aborted", errorCode: "client_disconnected", attempts: 0 });
    expect(exchange.status).toBeUndefined();
    expect(upstream.requests.length).toBe(before);
  });

  it("keeps the prototype of objects clean", async () => {
    answerPlainly();
    const body = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"model":"m","messages":[]}';
    const response = await fetch(outrider.url + chat, {
      method: "POST",
      body,
      headers: { __proto__: "x", "x-outrider-tags": "__proto__=1,constructor=2" },
    });
    expect(response.status).toBe(200);
    expect(upstream.requests.at(-1)?.body.toString()).toBe(body);
  });
});

describe("steering headers", () => {
  it.each([
    ["x-outrider-timeout-ms", "soon"],
    ["x-outrider-timeout-ms", "0"],
    ["x-outrider-timeout-ms", "99999999"],
    ["x-outrider-tags", "novalue"],
    ["x-outrider-tags", "a b=c"],
    ["x-outrider-fallback", "on"],
    ["x-outrider-session", "\u00ff"],
    ["x-outrider-base-url", "http://169.254.169.254"],
  ])("refuses %s: %s", async (name, value) => {
    const response = await fetch(outrider.url + chat, { method: "POST", body: good, headers: { [name]: value } });
    expect([response.status, response.headers.get("x-outrider-error")]).toEqual([
      400,
      "request_malformed;source=client",
    ]);
  });

  it("are taken and not sent on, nor are trace headers of a stranger", async () => {
    answerPlainly();
    await fetch(outrider.url + chat, {
      method: "POST",
      body: good,
      headers: {
        "x-outrider-tags": "env=dev",
        "x-outrider-session": "s1",
        "x-outrider-user": "u1",
        baggage: "a=b",
        "x-custom": "kept",
      },
    });
    const sent = upstream.requests.at(-1);
    expect(sent?.rawHeaders.filter((name) => name.toLowerCase().startsWith("x-outrider"))).toEqual([]);
    expect([sent?.header("baggage"), sent?.header("x-custom")]).toEqual([undefined, "kept"]);
  });
});

describe("addresses and framing", () => {
  const post = (headers: Record<string, string>): string => formatPost(chat, good, headers);
  it.each<[string, string, number, string | undefined]>([
    ["a foreign Host", post({ host: "evil.example" }), 421, "host_refused;source=client"],
    ["a rebound Host with a port", post({ host: "attacker.test:4141" }), 421, "host_refused;source=client"],
    ["a configured Host", post({ host: "llm.internal:4141" }), 200, undefined],
    ["localhost in capitals", post({ host: "LOCALHOST:1" }), 200, undefined],
    ["IPv6 loopback", post({ host: "[::1]:4141" }), 200, undefined],
    ["an Origin", post({ origin: "https://evil.example" }), 403, "origin_refused;source=client"],
    ["the Origin null", post({ origin: "null" }), 403, "origin_refused;source=client"],
    ["a cross-site fetch", post({ "sec-fetch-site": "cross-site" }), 403, "origin_refused;source=client"],
    ["a same-site fetch", post({ "sec-fetch-site": "same-origin" }), 403, "origin_refused;source=client"],
    [
      "a preflight",
      `OPTIONS ${chat} HTTP/1.1\r\nhost: 127.0.0.1\r\norigin: https://evil.example\r\naccess-control-request-method: POST\r\n\r\n`,
      403,
      "origin_refused;source=client",
    ],
    [
      "two Hosts",
      `POST ${chat} HTTP/1.1\r\nhost: 127.0.0.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\n\r\n{}`,
      400,
      "request_malformed;source=client",
    ],
    ["no Host", `POST ${chat} HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}`, 400, undefined],
    [
      "an absolute target",
      `POST http://evil.example${chat} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\n\r\n{}`,
      421,
      "host_refused;source=client",
    ],
    [
      "CONNECT",
      "CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example\r\n\r\n",
      405,
      "method_not_allowed;source=client",
    ],
    ["TRACE", `TRACE ${chat} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`, 405, "method_not_allowed;source=client"],
    [
      "an upgrade by POST",
      "POST /v1/realtime HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
      400,
      "request_malformed;source=client",
    ],
    ["length and chunks at once", post({ "transfer-encoding": "chunked" }), 400, "request_malformed;source=client"],
    [
      "an unknown transfer coding",
      `POST ${chat} HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
      400,
      "request_malformed;source=client",
    ],
    [
      "two lengths",
      `POST ${chat} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}`,
      400,
      "request_malformed;source=client",
    ],
    ["a negative length", post({ "content-length": "-1" }), 400, "request_malformed;source=client"],
    [
      "a space before the colon",
      `POST ${chat} HTTP/1.1\r\nhost : 127.0.0.1\r\ncontent-length: 2\r\n\r\n{}`,
      400,
      "request_malformed;source=client",
    ],
    [
      "a folded header",
      `POST ${chat} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-a: 1\r\n b\r\ncontent-length: 2\r\n\r\n{}`,
      400,
      "request_malformed;source=client",
    ],
    [
      "a NUL in a header",
      `POST ${chat} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-a: \u0000\r\ncontent-length: 2\r\n\r\n{}`,
      400,
      "request_malformed;source=client",
    ],
    ["no HTTP", "hello there\r\n\r\n", 400, "request_malformed;source=client"],
    ["an unknown expectation", post({ expect: "200-maybe" }), 417, "expectation_failed;source=client"],
    ["a head of 40 KiB", post({ "x-big": "a".repeat(40_000) }), 431, "headers_too_large;source=client"],
    [
      "201 headers",
      post(Object.fromEntries(Array.from({ length: 201 }, (_, index) => [`x-${index}`, "1"]))),
      431,
      "headers_too_large;source=client",
    ],
    ["a double slash", formatPost("/v1//chat/completions", good), 404, "operation_unsupported;source=client"],
    ["dot segments", formatPost("/openai/../admin", good), 400, "request_malformed;source=client"],
    ["encoded dot segments", formatPost("/openai/%2e%2e/admin", good), 400, "request_malformed;source=client"],
    ["a backslash", formatPost("/openai/v1\\@evil.example", good), 400, "request_malformed;source=client"],
    ["an unknown path", formatPost("/what", good), 404, "operation_unsupported;source=client"],
    [
      "an unknown provider",
      formatPost("/nobody/v1/chat/completions", good),
      404,
      "operation_unsupported;source=client",
    ],
  ])("%s", async (_name, bytes, status, error) => {
    answerPlainly();
    const before = upstream.requests.length;
    const answer = await exchangeRaw(port, bytes, { timeoutMs: 700 });
    expect([answer.status, errorOf(answer.head)]).toEqual([status, error]);
    expect(answer.head.toLowerCase()).not.toContain("access-control");
    expect(upstream.requests.length).toBe(before + (status === 200 ? 1 : 0));
  });

  it("answers pipelined requests in order", async () => {
    upstream.setScript((request) => ({
      headers: { "content-type": "application/json" },
      delayMs: request.body.includes("first") ? 150 : 0,
      chunks: [`{"id":"${request.body.includes("first") ? "first" : "second"}","choices":[]}`],
    }));
    const body = (word: string): string => `{"model":"${word}","messages":[]}`;
    const answer = await exchangeRaw(
      port,
      formatPost(chat, body("first")) + formatPost(chat, body("second"), { connection: "close" }),
    );
    expect(answer.body.indexOf("first")).toBeGreaterThan(-1);
    expect(answer.body.indexOf("first")).toBeLessThan(answer.body.indexOf('"second"'));
  });

  it("does not let Connection name the key away", async () => {
    answerPlainly();
    await exchangeRaw(
      port,
      formatPost(chat, good, {
        authorization: "Bearer test-key",
        connection: "close, authorization, x-custom",
        "x-custom": "gone",
      }),
    );
    const sent = upstream.requests.at(-1);
    expect([sent?.header("authorization"), sent?.header("x-custom")]).toEqual(["Bearer test-key", undefined]);
  });

  it("says 100 Continue only for a body it will take", async () => {
    answerPlainly();
    const head = (length: number): string =>
      `POST ${chat} HTTP/1.1\r\nhost: 127.0.0.1\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: ${length}\r\n\r\n`;
    const refused = await exchangeRaw(port, head(maxBodyBytes + 1));
    expect(refused.status).toBe(413);
    const taken = await exchangeRaw(port, head(good.length), {
      onConnected: (socket) => socket.once("data", () => socket.write(good)),
    });
    expect(taken.status).toBe(100);
    expect(taken.body).toContain("HTTP/1.1 200");
  });
});

describe("clients that leave", () => {
  const slowStream = (): void => {
    const event = `data: ${JSON.stringify({ id: "c", model: "gpt-4o-mini", choices: [{ index: 0, delta: { content: "word " } }] })}\n\n`;
    upstream.setScript({
      headers: { "content-type": "text/event-stream" },
      chunks: Array.from({ length: 500 }, () => ({ bytes: event, afterMs: 20 })),
    });
  };
  const stream = '{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"hi"}]}';

  it("abort the provider within 250 ms, mid-stream, and are charged what was delivered", async () => {
    slowStream();
    // Five times: one may meet a machine that is busy elsewhere.
    const delaysMs: number[] = [];
    for (let round = 0; round < 5; round++) {
      const index = upstream.requests.length;
      let leftAt = 0;
      await exchangeRaw(port, formatPost(chat, stream), {
        onConnected: (socket) =>
          setTimeout(() => {
            leftAt = performance.now();
            socket.destroy();
          }, 200),
      });
      await upstream.waitFor(() => upstream.requests[index]?.abortedAt !== undefined);
      delaysMs.push((upstream.requests[index]?.abortedAt ?? Infinity) - leftAt);
    }
    expect(delaysMs.toSorted((a, b) => a - b)[2]).toBeLessThan(250);
    const exchange = await waitForExchangeWhere(
      outrider,
      ({ end, stream: streamed }) => streamed && end === "client_aborted",
    );
    expect(exchange).toMatchObject({ errorCode: "client_disconnected", usage: { source: "estimated" } });
    expect(exchange.usage?.outputTokens).toBeGreaterThan(0);
  });

  it("abort the provider before its first byte, too", async () => {
    upstream.setScript({ kind: "raw", chunks: [], ending: "stall" });
    const index = upstream.requests.length;
    await exchangeRaw(port, formatPost(chat, good), {
      onConnected: (socket) => setTimeout(() => socket.destroy(), 150),
    });
    await upstream.waitFor(() => upstream.requests[index]?.abortedAt !== undefined, 1000);
  });

  it("two hundred at once leave nothing behind", async () => {
    slowStream();
    const index = upstream.requests.length;
    let leftAt = 0;
    await Promise.all(
      Array.from({ length: 200 }, () =>
        exchangeRaw(port, formatPost(chat, stream), {
          onConnected: (socket) =>
            setTimeout(() => {
              leftAt = Math.max(leftAt, performance.now());
              socket.destroy();
            }, 500),
        }),
      ),
    );
    const mine = (): typeof upstream.requests => upstream.requests.slice(index);
    await upstream.waitFor(() => mine().every(({ abortedAt }) => abortedAt !== undefined), 3000);
    await expect.poll(async () => (await readStatus(outrider)).exchanges.inFlight).toBe(0);
    const { exchanges } = await readStatus(outrider);
    expect(exchanges.started).toBe(exchanges.ended);
  });

  it("after the stream's own end are no aborts", async () => {
    upstream.setScript({
      headers: { "content-type": "text/event-stream" },
      chunks: [
        'data: {"id":"c","model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
      ],
      ending: "stall",
    });
    const index = upstream.requests.length;
    await exchangeRaw(port, formatPost(chat, stream), {
      onConnected: (socket) => socket.on("data", (bytes) => bytes.includes("[DONE]") && socket.destroy()),
    });
    await upstream.waitFor(() => upstream.requests[index]?.abortedAt !== undefined);
    const exchange = await waitForExchangeWhere(
      outrider,
      ({ responseBytes, end }) => responseBytes > 90 && responseBytes < 200 && end === "complete",
    );
    expect(exchange.errorCode).toBeUndefined();
  });

  it("that read nothing hold the provider back instead of filling memory", async () => {
    const piece = Buffer.alloc(65_536, 120);
    const pieces = 1600;
    upstream.setScript({
      headers: { "content-type": "text/event-stream" },
      chunks: Array.from({ length: pieces }, () => piece),
    });
    const index = upstream.requests.length;
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(formatPost(chat, stream));
    socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const sent = upstream.requests[index]?.bytesSent ?? 0;
    expect(sent).toBeGreaterThan(65_536);
    // The scripted upstream counts what it gave to its own socket; the kernel's buffers on both sides hold some MiB.
    const { memory } = (await (await fetch(`${outrider.adminUrl}/status`)).json()) as { memory: { rssBytes: number } };
    expect(memory.rssBytes).toBeLessThan(200 * 1024 * 1024);
    socket.destroy();
    await upstream.waitFor(
      () => upstream.requests[index]?.abortedAt !== undefined || upstream.requests[index]?.endedAt !== undefined,
    );
  });
});
