// WebSockets through the built bundle: the handshake, the bytes, and what telemetry says of the responses in a session.
import { createHash, randomBytes } from "node:crypto";
import zlib from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { waitForExchange } from "../support/exchange-log.ts";
import { type OtlpReceiver, startOtlpReceiver } from "../support/otlp-receiver.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { openRawWebSocket, requestIdOf, until } from "../support/websocket-client.ts";
import { encodeFrame, startWebSocketUpstream, type WebSocketUpstream } from "../support/websocket-upstream.ts";

let upstream: WebSocketUpstream;
let receiver: OtlpReceiver;
let outrider: OutriderProcess;
let port: number;

const heldKey = "test-key-held";

beforeAll(async () => {
  [upstream, receiver] = await Promise.all([startWebSocketUpstream(), startOtlpReceiver()]);
  outrider = await startOutrider({
    options: {
      providers: {
        openai: { baseUrl: `${upstream.url}/v1` },
        local: { baseUrl: `${upstream.url}/local/v1`, preset: "openai" },
        guarded: { baseUrl: `${upstream.url}/guarded/v1`, preset: "openai" },
      },
      credentials: { guarded: { env: "GUARDED_KEY" } },
      prices: {
        overrides: [
          { provider: "openai", model: "gpt-realtime*", inputUsdPerMillion: 4, outputUsdPerMillion: 16 },
          { provider: "openai", model: "gpt-5.1*", inputUsdPerMillion: 1, outputUsdPerMillion: 10 },
        ],
      },
    },
    environment: {
      GUARDED_KEY: heldKey,
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_BSP_SCHEDULE_DELAY: "50",
      OTEL_METRICS_EXPORTER: "none",
    },
  });
  port = Number(new URL(outrider.url).port);
});

beforeEach(() => {
  upstream.refusal = undefined;
  upstream.headers = {};
  upstream.onPeer = () => undefined;
  upstream.onText = () => undefined;
});

afterAll(async () => {
  await outrider?.stop();
  await Promise.all([upstream?.close(), receiver?.close()]);
});

/** Spans of one session, once its SERVER span arrived. */
async function spansOf(id: string) {
  const find = () => receiver.spans.find((span) => span.attributes["outrider.request.id"] === id && span.kind === 2);
  await until(() => find() !== undefined, `the SERVER span of ${id}`);
  const server = find()!;
  const children = receiver.spans.filter(({ parentSpanId }) => parentSpanId === server.spanId);
  return {
    server,
    calls: children.filter(({ attributes }) => "gen_ai.operation.name" in attributes),
    attempts: children.filter(({ attributes }) => "http.request.method" in attributes),
  };
}

const peer = () => upstream.peers.at(-1)!;

describe("the handshake", () => {
  it("reaches the provider with the client's headers, without steering and hop-by-hop ones, and answers with Outrider's", async () => {
    upstream.headers = { "x-request-id": "req_up", "openai-version": "2020-10-01", "x-outrider-cost": "forged" };
    const key = randomBytes(16).toString("base64");
    const client = await openRawWebSocket(port, "/v1/realtime?model=gpt-realtime&x=%2F'a", {
      authorization: "Bearer test-key-client",
      "openai-beta": "realtime=v1",
      "sec-websocket-key": key,
      "sec-websocket-protocol": "realtime, other",
      "x-outrider-tags": "feature=voice",
      "proxy-authorization": "Basic x",
      baggage: "a=b",
      connection: "keep-alive, Upgrade",
    });
    expect(client.status).toBe(101);
    const { request } = peer();
    expect(request.url).toBe("/v1/realtime?model=gpt-realtime&x=%2F'a");
    expect(request.headers).toMatchObject({
      host: new URL(upstream.url).host,
      authorization: "Bearer test-key-client",
      "openai-beta": "realtime=v1",
      "sec-websocket-key": key,
      "sec-websocket-version": "13",
      "sec-websocket-protocol": "realtime, other",
      upgrade: "websocket",
    });
    const names = Object.keys(request.headers);
    expect(names.filter((name) => name.startsWith("x-outrider") || name.startsWith("x-forwarded"))).toEqual([]);
    expect(names).not.toContain("proxy-authorization");
    expect(names).not.toContain("baggage");
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    expect(client.head).toContain(`Sec-WebSocket-Accept: ${accept}`);
    expect(client.head).toContain("Sec-WebSocket-Protocol: realtime");
    expect(client.head).toContain("openai-version: 2020-10-01");
    expect(client.head).toMatch(/x-outrider-request-id: [0-9a-f]{32}/);
    expect(client.head).toMatch(/traceresponse: 00-/);
    expect(client.head).not.toContain("forged");
    client.socket.destroy();
    const { server, attempts } = await spansOf(requestIdOf(client.head));
    expect(server.name).toBe("GET /v1/realtime");
    expect(server.attributes).toMatchObject({ "http.response.status_code": 101, "outrider.tag.feature": "voice" });
    expect(attempts).toHaveLength(1);
    expect(attempts[0]?.attributes).toMatchObject({
      "http.response.status_code": 101,
      "outrider.upstream.request_id": "req_up",
    });
  });

  it.each([
    ["/v1/realtime", "/v1/realtime"],
    ["/realtime", "/v1/realtime"],
    ["/v1/responses", "/v1/responses"],
    ["/responses", "/v1/responses"],
    ["/openai/v1/realtime", "/v1/realtime"],
    ["/local/v1/responses", "/local/v1/responses"],
    ["/local/v1/anything/else", "/local/v1/anything/else"],
  ])("goes from %s to %s", async (path, expected) => {
    const client = await openRawWebSocket(port, path);
    expect(client.status).toBe(101);
    expect(peer().request.url).toBe(expected);
    client.socket.destroy();
  });

  it("answers 404 in plain JSON where nothing is served", async () => {
    const before = upstream.peers.length;
    const client = await openRawWebSocket(port, "/nowhere/at/all");
    await client.closed;
    expect(client.status).toBe(404);
    expect(JSON.parse(client.received().toString())).toMatchObject({ error: { code: "operation_unsupported" } });
    expect(upstream.peers.length).toBe(before);
  });

  it.each([
    ["a web page", { origin: "https://evil.example" }, 403, "origin_refused"],
    ["a page of this very host", { origin: "http://localhost" }, 403, "origin_refused"],
    ["a browser's fetch metadata", { "sec-fetch-site": "cross-site" }, 403, "origin_refused"],
    ["a rebound name", { host: "evil.example" }, 421, "host_refused"],
  ])("refuses %s before anything is sent", async (_name, headers, status, code) => {
    const before = upstream.peers.length;
    const client = await openRawWebSocket(port, "/v1/realtime", headers);
    await client.closed;
    expect([client.status, JSON.parse(client.received().toString()).error.code]).toEqual([status, code]);
    expect(upstream.peers.length).toBe(before);
    expect(await waitForExchange(outrider, requestIdOf(client.head))).toMatchObject({ errorCode: code, status });
  });

  it("relays an answer that is no 101 as it is", async () => {
    upstream.refusal = {
      status: 401,
      body: '{"error":{"message":"no key"}}',
      headers: { "content-type": "application/json", "www-authenticate": "Bearer" },
    };
    const client = await openRawWebSocket(port, "/v1/realtime");
    await client.closed;
    expect(client.status).toBe(401);
    expect(client.received().toString()).toBe('{"error":{"message":"no key"}}');
    expect(client.head).toContain("www-authenticate: Bearer");
    expect(client.head).toContain("x-outrider-error: upstream_rejected;source=provider");
    const exchange = await waitForExchange(outrider, requestIdOf(client.head));
    expect(exchange).toMatchObject({ status: 401, end: "complete", attempts: 1 });
  });

  it("keeps the provider's 401 to itself where the credential was Outrider's own", async () => {
    upstream.refusal = { status: 401, body: `the key ${heldKey} is wrong` };
    const client = await openRawWebSocket(port, "/guarded/v1/realtime", { authorization: "Bearer outrider" });
    await client.closed;
    expect([client.status, client.head.includes("upstream_auth")]).toEqual([502, true]);
    expect(client.received().toString()).not.toContain(heldKey);
  });
});

describe("credentials", () => {
  const browser = {
    "sec-websocket-protocol": "realtime, openai-insecure-api-key.test-key-browser, openai-beta.realtime-v1",
  };

  it("passes a browser-style key to the provider that was addressed", async () => {
    const client = await openRawWebSocket(port, "/v1/realtime?model=m", browser);
    expect(peer().request.headers["sec-websocket-protocol"]).toBe(browser["sec-websocket-protocol"]);
    expect(peer().request.headers.authorization).toBeUndefined();
    client.socket.destroy();
    await waitForExchange(outrider, requestIdOf(client.head));
    expect(outrider.output()).not.toContain("test-key-browser");
  });

  it.each<[string, Record<string, string>]>([
    ["a header", { authorization: "Bearer test-key-client" }],
    ["a subprotocol", browser],
    ["nothing", {}],
  ])("puts Outrider's own credential in the place of %s", async (_name, headers) => {
    const client = await openRawWebSocket(port, "/guarded/v1/realtime", headers);
    expect(client.status).toBe(101);
    const { headers: seen } = peer().request;
    expect(seen.authorization).toBe(`Bearer ${heldKey}`);
    expect(JSON.stringify(seen)).not.toContain("test-key-browser");
    expect(JSON.stringify(seen)).not.toContain("test-key-client");
    if ("sec-websocket-protocol" in headers) {
      expect(seen["sec-websocket-protocol"]).toBe("realtime, openai-beta.realtime-v1");
    }
    client.socket.destroy();
  });
});

describe("bytes", () => {
  it("passes every frame both ways untouched, early ones too", async () => {
    const mask = Buffer.from([9, 8, 7, 6]);
    const early = encodeFrame(1, '{"type":"session.update"}', { mask });
    const toProvider = Buffer.concat([
      encodeFrame(9, "ping", { mask }),
      encodeFrame(1, "part one ", { mask, final: false }),
      encodeFrame(0, "part two", { mask }),
      encodeFrame(2, randomBytes(300_000), { mask }),
      encodeFrame(1, "no JSON at all", { mask }),
    ]);
    const toClient = Buffer.concat([
      encodeFrame(1, "{"),
      encodeFrame(2, randomBytes(500_000)),
      encodeFrame(10, "pong"),
      // What is no frame passes all the same.
      Buffer.from("HTTP/1.1 200 OK\r\n\r\n"),
      randomBytes(10_000),
    ]);
    upstream.onPeer = ({ socket }) => void socket.write(toClient);
    const client = await openRawWebSocket(port, "/v1/realtime?model=gpt-realtime", {}, early);
    client.socket.write(toProvider);
    await until(() => client.received().length >= toClient.length, "all bytes for the client");
    await until(() => peer().received().length >= early.length + toProvider.length, "all bytes for the provider");
    expect(client.received().equals(toClient)).toBe(true);
    expect(
      peer()
        .received()
        .equals(Buffer.concat([early, toProvider])),
    ).toBe(true);
    client.socket.destroy();
    const { server } = await spansOf(requestIdOf(client.head));
    expect(server.attributes).toMatchObject({
      "http.request.body.size": early.length + toProvider.length,
      "http.response.body.size": toClient.length,
      "outrider.stream.end": "client_aborted",
    });
  });

  it("serves Node's own WebSocket client, which compresses, through open, message and close", async () => {
    upstream.onText = (to, text) => to.send(`echo ${text}`);
    const socket = new WebSocket(`${outrider.url.replace("http", "ws")}/v1/realtime?model=m`, ["realtime"]);
    const messages: string[] = [];
    socket.addEventListener("message", ({ data }) => messages.push(String(data)));
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", reject);
    });
    expect(socket.protocol).toBe("realtime");
    socket.send("hello");
    await until(() => messages.length === 1, "the echo");
    expect(messages).toEqual(["echo hello"]);
    const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener("close", resolve));
    socket.close(4001, "done");
    expect(await closed).toMatchObject({ code: 4001, wasClean: true });
  });
});

const realtimeUsage = {
  total_tokens: 175,
  input_tokens: 125,
  output_tokens: 50,
  input_token_details: {
    text_tokens: 75,
    audio_tokens: 50,
    image_tokens: 0,
    cached_tokens: 64,
    cached_tokens_details: { text_tokens: 64, audio_tokens: 0, image_tokens: 0 },
  },
  output_token_details: { text_tokens: 20, audio_tokens: 30 },
};

describe("OpenAI Realtime", () => {
  it("gives one SERVER span with the sums, and one model call span per response with its usage, cost and end", async () => {
    let turn = 0;
    upstream.onPeer = (to) =>
      to.send(
        JSON.stringify({ type: "session.created", event_id: "e0", session: { model: "gpt-realtime-2025-08-28" } }),
      );
    upstream.onText = (to, text) => {
      if (JSON.parse(text).type !== "response.create") return;
      const id = `resp_${++turn}`;
      const say = (type: string, rest: object): void =>
        to.send(JSON.stringify({ type, event_id: `e${turn}`, ...rest }));
      say("response.created", { response: { id, object: "realtime.response", status: "in_progress", usage: null } });
      say("response.output_audio.delta", { response_id: id, delta: "AAAA".repeat(100) });
      say("response.output_audio.delta", { response_id: id, delta: "AAAA".repeat(100) });
      const output = turn === 2 ? [{ type: "function_call", name: "f", arguments: "{}" }] : [{ type: "message" }];
      const cancelled = turn === 3;
      say("response.done", {
        response: {
          id,
          status: cancelled ? "cancelled" : "completed",
          status_details: cancelled ? { type: "cancelled", reason: "turn_detected" } : null,
          output,
          usage: realtimeUsage,
        },
      });
    };
    const client = await openRawWebSocket(port, "/v1/realtime?model=gpt-realtime");
    client.send('{"type":"input_audio_buffer.append","audio":"AAAA"}');
    for (let count = 1; count <= 3; count++) {
      client.send('{"type":"response.create","response":{"max_output_tokens":500}}');
      await until(
        () => client.texts().filter((text) => text.includes("response.done")).length === count,
        "the response",
      );
    }
    client.socket.write(encodeFrame(8, Buffer.from([0x03, 0xe8]), { mask: randomBytes(4) }));
    await client.closed;
    const { server, calls, attempts } = await spansOf(requestIdOf(client.head));
    // 3 × (125 in at 4 $ + 50 out at 16 $ a million): 3 × 0.0013 $.
    expect(server.attributes).toMatchObject({
      "outrider.dialect": "openai-realtime",
      "outrider.relay.mode": "tunnel",
      "outrider.stream.end": "complete",
      "outrider.websocket.close_code": 1000,
      "outrider.websocket.closed_by": "client",
      "outrider.websocket.responses": 3,
      "outrider.usage.input_tokens": 375,
      "outrider.usage.output_tokens": 150,
      "outrider.cost.total": 0.0039,
      "outrider.attempt.count": 1,
    });
    expect(attempts).toHaveLength(1);
    expect(calls).toHaveLength(3);
    expect(calls.map(({ name }) => name)).toEqual(Array(3).fill("chat gpt-realtime-2025-08-28"));
    for (const call of calls) {
      expect(call.traceId).toBe(server.traceId);
      expect(call.kind).toBe(3);
      expect(call.startMs).toBeGreaterThanOrEqual(server.startMs);
      expect(call.endMs).toBeLessThanOrEqual(server.endMs);
      expect(call.attributes).toMatchObject({
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.stream": true,
        "gen_ai.request.max_tokens": 500,
        "gen_ai.response.model": "gpt-realtime-2025-08-28",
        "gen_ai.usage.input_tokens": 125,
        "gen_ai.usage.output_tokens": 50,
        "gen_ai.usage.cache_read.input_tokens": 64,
        "gen_ai.usage.text.input_tokens": 75,
        "gen_ai.usage.audio.input_tokens": 50,
        "gen_ai.usage.text.output_tokens": 20,
        "gen_ai.usage.audio.output_tokens": 30,
        "gen_ai.usage.text.cache_read.input_tokens": 64,
        "outrider.usage.source": "provider",
        "outrider.cost.total": 0.0013,
      });
      expect(call.attributes["gen_ai.response.time_to_first_chunk"]).toBeGreaterThan(0);
    }
    const finish = calls.map(({ attributes }) => [
      attributes["gen_ai.response.id"],
      attributes["gen_ai.response.finish_reasons"],
      attributes["outrider.finish_reasons.raw"],
    ]);
    expect(finish).toEqual([
      ["resp_1", ["stop"], ["completed"]],
      ["resp_2", ["tool_call"], ["completed"]],
      ["resp_3", ["stop"], ["turn_detected"]],
    ]);
    const exchange = await waitForExchange(outrider, requestIdOf(client.head));
    expect(exchange).toMatchObject({
      status: 101,
      end: "complete",
      route: "/v1/realtime",
      responseModel: "gpt-realtime-2025-08-28",
      costNanoUsd: 3_900_000,
      usage: { source: "provider", inputTokens: 375, outputTokens: 150, cacheReadTokens: 192 },
    });
  });

  it("reports a response that was under way when the client left", async () => {
    upstream.onPeer = (to) => to.send('{"type":"response.created","response":{"id":"resp_open"}}');
    const client = await openRawWebSocket(port, "/v1/realtime?model=gpt-realtime");
    await until(() => client.texts().length === 1, "the event");
    client.socket.destroy();
    const { server, calls } = await spansOf(requestIdOf(client.head));
    expect(server.attributes["outrider.stream.end"]).toBe("client_aborted");
    expect(calls).toHaveLength(1);
    expect(calls[0]?.attributes).toMatchObject({
      "gen_ai.request.model": "gpt-realtime",
      "error.type": "client_disconnected",
      "outrider.usage.source": "missing",
    });
  });
});

describe("Responses over WebSocket", () => {
  const usage = {
    input_tokens: 1000,
    input_tokens_details: { cached_tokens: 400 },
    output_tokens: 200,
    output_tokens_details: { reasoning_tokens: 120 },
    total_tokens: 1200,
  };
  const endings: [string, object, object][] = [
    [
      "response.completed",
      { status: "completed", output: [{ type: "message" }], usage, service_tier: "priority" },
      { "gen_ai.response.finish_reasons": ["stop"], "outrider.cost.total": 0.003 },
    ],
    [
      "response.incomplete",
      { status: "incomplete", incomplete_details: { reason: "max_output_tokens" }, usage },
      { "gen_ai.response.finish_reasons": ["length"], "outrider.finish_reasons.raw": ["max_output_tokens"] },
    ],
    [
      "response.failed",
      { status: "failed", error: { code: "rate_limit_exceeded", message: "slow down" }, usage: null },
      {
        "gen_ai.response.finish_reasons": ["error"],
        "error.type": "upstream_rate_limited",
        "outrider.provider_error.code": "rate_limit_exceeded",
      },
    ],
  ];

  /** Whether the provider compresses what it sends, as it would for Node's client. */
  it.each([false, true])("reads each kind of end; compressed: %s", async (isCompressed) => {
    if (isCompressed) {
      upstream.headers = { "Sec-WebSocket-Extensions": "permessage-deflate; server_no_context_takeover" };
    }
    let turn = 0;
    upstream.onText = (to) => {
      const [type, rest] = endings[turn]!;
      turn += 1;
      const say = (event: object): void => {
        const text = JSON.stringify(event);
        if (!isCompressed) return to.send(text);
        const deflated = zlib.deflateRawSync(text, { finishFlush: zlib.constants.Z_SYNC_FLUSH }).subarray(0, -4);
        to.socket.write(encodeFrame(1, deflated, { compressed: true }));
      };
      const response = { id: `resp_${turn}`, model: "gpt-5.1-2025-11-13", ...rest };
      say({
        type: "response.created",
        sequence_number: 0,
        response: { ...response, status: "in_progress", usage: null },
      });
      say({ type: "response.output_text.delta", sequence_number: 1, delta: "planted completion" });
      say({ type, sequence_number: 2, response });
    };
    const client = await openRawWebSocket(port, "/v1/responses");
    for (let count = 1; count <= 3; count++) {
      const before = client.received().length;
      client.send(
        '{"type":"response.create","model":"gpt-5.1","input":"planted prompt","reasoning":{"effort":"low"},"previous_response_id":"resp_0"}',
      );
      await until(() => client.received().length > before + 100, "the response");
      await until(() => turn === count, "the turn");
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    client.socket.write(encodeFrame(8, Buffer.from([0x03, 0xe8]), { mask: randomBytes(4) }));
    await client.closed;
    const { server, calls } = await spansOf(requestIdOf(client.head));
    expect(server.name).toBe("GET /v1/responses");
    expect(calls).toHaveLength(3);
    calls.forEach((call, index) => {
      expect(call.name).toBe("chat gpt-5.1");
      expect(call.attributes).toMatchObject({
        "gen_ai.request.model": "gpt-5.1",
        "gen_ai.response.model": "gpt-5.1-2025-11-13",
        "gen_ai.request.reasoning.level": "low",
        "gen_ai.request.previous_response.id": "resp_0",
        ...endings[index]?.[2],
      });
    });
    expect(calls[0]?.attributes).toMatchObject({
      "gen_ai.usage.input_tokens": 1000,
      "gen_ai.usage.output_tokens": 200,
      "gen_ai.usage.cache_read.input_tokens": 400,
      "gen_ai.usage.reasoning.output_tokens": 120,
    });
    expect(calls[2]?.attributes["outrider.usage.source"]).toBe("missing");
    expect(JSON.stringify(receiver.spans)).not.toMatch(/planted (prompt|completion)/);
  });

  it("reports a request that the provider refused with an error alone", async () => {
    upstream.onText = (to) =>
      to.send(
        '{"type":"error","status":400,"error":{"type":"invalid_request_error","code":"previous_response_not_found","message":"x"}}',
      );
    const client = await openRawWebSocket(port, "/v1/responses");
    client.send('{"type":"response.create","model":"gpt-5.1","input":[]}');
    await until(() => client.texts().length === 1, "the error");
    client.socket.destroy();
    const { calls } = await spansOf(requestIdOf(client.head));
    expect(calls).toHaveLength(1);
    expect(calls[0]?.attributes).toMatchObject({
      "gen_ai.request.model": "gpt-5.1",
      "error.type": "upstream_rejected",
      "outrider.provider_error.code": "previous_response_not_found",
    });
  });
});
