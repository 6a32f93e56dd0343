// Faults of WebSockets: sides that leave, break off, stall, flood or never answer; and a process that is stopped.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readStatus, waitForExchange } from "../support/exchange-log.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { findFreePort } from "../support/ports.ts";
import { openRawWebSocket, requestIdOf, until } from "../support/websocket-client.ts";
import {
  decodeFrames,
  encodeFrame,
  startWebSocketUpstream,
  type WebSocketUpstream,
} from "../support/websocket-upstream.ts";

const idleMs = 700;
const firstByteMs = 600;
let upstream: WebSocketUpstream;
let outrider: OutriderProcess;
let port: number;
let noTls: Server;

beforeAll(async () => {
  upstream = await startWebSocketUpstream();
  noTls = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end("this is no TLS\n");
  });
  await new Promise<void>((resolve) => noTls.listen(0, "127.0.0.1", resolve));
  const tlsPort = (noTls.address() as { port: number }).port;
  outrider = await startOutrider({
    options: {
      providers: {
        openai: { baseUrl: `${upstream.url}/v1` },
        gone: { baseUrl: `http://127.0.0.1:${await findFreePort()}/v1`, preset: "openai" },
        nowhere: { baseUrl: "http://no-such-host.invalid/v1", preset: "openai" },
        plain: { baseUrl: `https://127.0.0.1:${tlsPort}/v1`, preset: "openai" },
      },
      timeouts: { idleMs, firstByteMs },
    },
  });
  port = Number(new URL(outrider.url).port);
});

beforeEach(() => {
  upstream.refusal = undefined;
  upstream.isSilent = false;
  upstream.isDeaf = false;
  upstream.headers = {};
  upstream.onPeer = () => undefined;
  upstream.onText = () => undefined;
});

afterEach(async () => {
  // Whatever a test did, no session and no connection to the provider may be left over.
  await until(() => upstream.peers.every((peer) => peer.isClosed()), "all connections to the provider closed");
});

afterAll(async () => {
  await outrider?.stop();
  noTls?.close();
  await upstream?.close();
});

const peer = () => upstream.peers.at(-1)!;
const mask = Buffer.from([7, 0, 255, 9]);
const closeFrame = encodeFrame(8, Buffer.from([0x03, 0xe8]), { mask });

describe("before the answer", () => {
  it.each([
    ["a refused connection", "/gone/v1/realtime", 502, "upstream_unreachable"],
    ["an unknown name", "/nowhere/v1/realtime", 502, "upstream_dns"],
    ["a server without TLS", "/plain/v1/realtime", 502, "upstream_tls"],
  ])("answers by HTTP on %s", async (_name, path, status, code) => {
    const client = await openRawWebSocket(port, path, { authorization: "Bearer test-key-planted" });
    await client.closed;
    const body = client.received().toString();
    expect([client.status, JSON.parse(body).error.code]).toEqual([status, code]);
    expect(client.head).toContain(`x-outrider-error: ${code};source=provider`);
    expect(body + client.head).not.toContain("test-key-planted");
    expect(await waitForExchange(outrider, requestIdOf(client.head))).toMatchObject({
      status,
      end: "error",
      errorCode: code,
      attempts: 1,
    });
  });

  it("answers 504 when the provider never answers the upgrade", async () => {
    upstream.isSilent = true;
    const startedMs = Date.now();
    const client = await openRawWebSocket(port, "/v1/realtime");
    expect([client.status, client.head.includes("upstream_first_byte_timeout")]).toEqual([504, true]);
    expect(Date.now() - startedMs).toBeGreaterThanOrEqual(firstByteMs - 20);
    expect(Date.now() - startedMs).toBeLessThan(firstByteMs + 1000);
  });

  it.each(["FIN", "reset"])(
    "closes the provider's connection within 250 ms when the client leaves by %s",
    async (how) => {
      upstream.isSilent = true;
      const before = upstream.peers.length;
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.write(
        "GET /v1/realtime HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n\r\n",
      );
      await until(() => upstream.peers.length > before, "the upgrade at the provider");
      const leftMs = Date.now();
      if (how === "FIN") socket.end();
      else socket.resetAndDestroy();
      await until(() => peer().isClosed(), "the provider's connection closed");
      expect(Date.now() - leftMs).toBeLessThan(250);
    },
  );

  it("refuses an upgrade that is no plain GET", async () => {
    const before = upstream.peers.length;
    const client = await openRawWebSocket(port, "/v1/realtime", { "content-length": "5" });
    await client.closed;
    expect([client.status, client.head.includes("request_malformed")]).toEqual([400, true]);
    expect(upstream.peers.length).toBe(before);
  });

  it("relays a long refusal whole, and one that breaks off as broken", async () => {
    const body = "x".repeat(1_000_000);
    upstream.refusal = { status: 429, body, headers: { "retry-after": "7" } };
    const client = await openRawWebSocket(port, "/v1/realtime");
    await client.closed;
    expect([client.status, client.head.includes("retry-after: 7"), client.received().length]).toEqual([
      429,
      true,
      body.length,
    ]);
    upstream.refusal = { status: 429, body, announcedBytes: body.length + 10 };
    const broken = await openRawWebSocket(port, "/v1/realtime");
    const startedMs = Date.now();
    await broken.closed;
    expect(Date.now() - startedMs).toBeLessThan(1000);
    expect([broken.status, broken.head.includes(`content-length: ${body.length + 10}`)]).toEqual([429, true]);
    expect(await waitForExchange(outrider, requestIdOf(broken.head))).toMatchObject({ end: "truncated", status: 429 });
  });
});

describe("a side that leaves", () => {
  it.each(["FIN", "reset"])("closes the provider within 250 ms when the client goes by %s", async (how) => {
    const client = await openRawWebSocket(port, "/v1/realtime");
    client.send("hello");
    await until(() => peer().texts().length === 1, "the message");
    const leftMs = Date.now();
    if (how === "FIN") client.socket.end();
    else client.socket.resetAndDestroy();
    await until(() => peer().isClosed(), "the provider's connection closed");
    expect(Date.now() - leftMs).toBeLessThan(250);
    expect(await waitForExchange(outrider, requestIdOf(client.head))).toMatchObject({
      status: 101,
      end: "client_aborted",
      errorCode: "client_disconnected",
    });
  });

  it.each(["FIN", "reset"])("closes the client within 250 ms when the provider goes by %s", async (how) => {
    const client = await openRawWebSocket(port, "/v1/realtime");
    peer().send("the last words");
    await until(() => client.texts().length === 1, "the message");
    const leftMs = Date.now();
    if (how === "FIN") peer().socket.end();
    else peer().socket.resetAndDestroy();
    await client.closed;
    expect(Date.now() - leftMs).toBeLessThan(250);
    // Nothing was made up for the provider: no close frame, so the client sees an abnormal end.
    expect(client.closeCodes()).toEqual([]);
    expect(await waitForExchange(outrider, requestIdOf(client.head))).toMatchObject({
      end: "truncated",
      errorCode: "stream_truncated",
    });
  });

  it("passes what the provider said right before it closed", async () => {
    const last = encodeFrame(2, randomBytes(3_000_000));
    upstream.onPeer = ({ socket }) => socket.end(Buffer.concat([last, encodeFrame(8, Buffer.from([0x0f, 0xa1]))]));
    const client = await openRawWebSocket(port, "/v1/realtime");
    await client.closed;
    expect(client.received().length).toBe(last.length + 4);
    expect(client.closeCodes()).toEqual([4001]);
    expect(await waitForExchange(outrider, requestIdOf(client.head))).toMatchObject({ end: "complete" });
  });

  it("passes the close handshake that the client began", async () => {
    const client = await openRawWebSocket(port, "/v1/realtime");
    client.socket.write(closeFrame);
    await client.closed;
    expect(client.closeCodes()).toEqual([1000]);
    expect(await waitForExchange(outrider, requestIdOf(client.head))).toMatchObject({ end: "complete" });
  });
});

describe("silence and slowness", () => {
  it("closes both sides with 1001 after twice the idle time without a byte", async () => {
    const client = await openRawWebSocket(port, "/v1/realtime");
    const startedMs = Date.now();
    await client.closed;
    expect(Date.now() - startedMs).toBeGreaterThanOrEqual(idleMs * 2 - 50);
    expect(client.closeCodes()).toEqual([1001]);
    const frames = decodeFrames(peer().received());
    expect(frames.map(({ opcode, payload }) => [opcode, payload.readUInt16BE(0)])).toEqual([[8, 1001]]);
    // What goes to a provider is masked, as a client's frames must be.
    expect((peer().received()[1] as number) & 0x80).toBe(0x80);
    expect(await waitForExchange(outrider, requestIdOf(client.head))).toMatchObject({
      end: "truncated",
      errorCode: "stream_idle",
    });
  });

  it("stays open while either side says something", async () => {
    const client = await openRawWebSocket(port, "/v1/realtime");
    for (let count = 0; count < 5; count++) {
      await new Promise((resolve) => setTimeout(resolve, idleMs * 0.8));
      if (count % 2 === 0) client.socket.write(encodeFrame(9, "", { mask }));
      else peer().socket.write(encodeFrame(9, ""));
    }
    expect([client.isClosed(), peer().isClosed()]).toEqual([false, false]);
    client.socket.destroy();
  });

  it("stops the provider while the client takes nothing, within bounded memory, and loses no byte", async () => {
    const total = 60_000_000;
    const frame = encodeFrame(2, Buffer.alloc(999_990, 1));
    const client = await openRawWebSocket(port, "/v1/realtime");
    client.socket.pause();
    const before = residentBytes();
    let sent = 0;
    const { socket } = peer();
    const send = (): void => {
      while (sent < total) {
        sent += frame.length;
        if (!socket.write(frame)) return void socket.once("drain", send);
      }
    };
    send();
    await new Promise((resolve) => setTimeout(resolve, 500));
    // The kernel's buffers hold some; the rest waits at the provider.
    expect(sent).toBeLessThan(total / 2);
    expect(residentBytes() - before).toBeLessThan(30_000_000);
    client.socket.resume();
    await until(() => client.size() === sent && sent >= total, "everything", 20_000);
    client.socket.destroy();
  });
});

describe("floods and giants", () => {
  it("passes a message beyond the cap and reads on after it, within bounded memory", async () => {
    upstream.onPeer = ({ socket, send }) => {
      socket.write(encodeFrame(1, `{"type":"response.done","pad":"${"x".repeat(40_000_000)}"}`));
      send(
        '{"type":"response.done","response":{"id":"resp_1","status":"completed","usage":{"input_tokens":3,"output_tokens":4}}}',
      );
    };
    const before = residentBytes();
    const client = await openRawWebSocket(port, "/v1/realtime?model=gpt-realtime");
    await until(() => client.size() > 40_000_100, "everything", 20_000);
    expect(residentBytes() - before).toBeLessThan(120_000_000);
    client.socket.destroy();
    expect(await waitForExchange(outrider, requestIdOf(client.head))).toMatchObject({
      usage: { source: "provider", inputTokens: 3, outputTokens: 4 },
    });
  });

  it("passes a flood of tiny frames, and serves others meanwhile", async () => {
    upstream.isDeaf = true;
    const client = await openRawWebSocket(port, "/v1/realtime?model=gpt-realtime");
    const flooded = peer();
    const flood = Buffer.concat(
      Array.from({ length: 200_000 }, () => encodeFrame(1, '{"type":"response.create"}', { mask })),
    );
    const startedMs = Date.now();
    const before = cpuMs();
    client.socket.write(flood);
    const other = await openRawWebSocket(port, "/v1/realtime");
    expect(other.status).toBe(101);
    expect(Date.now() - startedMs).toBeLessThan(2000);
    other.socket.destroy();
    await until(() => flooded.size() === flood.length, "the flood", 20_000);
    expect(cpuMs() - before).toBeLessThan(3000);
    client.socket.destroy();
    await waitForExchange(outrider, requestIdOf(client.head));
  });

  it("goes on passing bytes that are no frames", async () => {
    upstream.isDeaf = true;
    const bytes = randomBytes(200_000);
    // A reserved opcode.
    bytes[0] = 0x83;
    const client = await openRawWebSocket(port, "/v1/realtime?model=gpt-realtime");
    client.socket.write(bytes);
    peer().socket.write(bytes);
    await until(() => peer().size() === bytes.length, "the provider's bytes");
    await until(() => client.size() === bytes.length, "the client's bytes");
    expect([peer().received().equals(bytes), client.received().equals(bytes)]).toEqual([true, true]);
    client.socket.destroy();
    expect((await waitForExchange(outrider, requestIdOf(client.head))).usage).toMatchObject({ source: "missing" });
  });

  it("holds no open session in the end", async () => {
    const sessions = await Promise.all(Array.from({ length: 50 }, () => openRawWebSocket(port, "/v1/realtime")));
    expect(sessions.map(({ status }) => status)).toEqual(Array(50).fill(101));
    expect((await readStatus(outrider)).exchanges.inFlight).toBe(50);
    for (const { socket } of sessions) socket.destroy();
    for (const { head } of sessions) await waitForExchange(outrider, requestIdOf(head));
    expect((await readStatus(outrider)).exchanges.inFlight).toBe(0);
  });
});

describe("a process that is stopped", () => {
  it("closes each session with 1001 at the end of the drain, between two frames, and exits", async () => {
    // A provider that answers a close frame would do so between two frames; this one writes halves.
    upstream.isDeaf = true;
    const stopped = await startOutrider({
      options: { providers: { openai: { baseUrl: `${upstream.url}/v1` } }, limits: { drainSeconds: 3 } },
    });
    const stoppedPort = Number(new URL(stopped.url).port);
    const quiet = await openRawWebSocket(stoppedPort, "/v1/realtime");
    const quietPeer = peer();
    const busy = await openRawWebSocket(stoppedPort, "/v1/realtime");
    const busyPeer = peer();
    const message = encodeFrame(2, randomBytes(5000));
    // Ever inside a frame: the halves come 5 ms apart.
    let sent = 0;
    const talk = setInterval(() => {
      busyPeer.socket.write(sent++ % 2 === 0 ? message.subarray(0, 2500) : message.subarray(2500));
    }, 5);
    const stopping = stopped.stop();
    await Promise.all([quiet.closed, busy.closed]);
    clearInterval(talk);
    expect(await stopping).toBe(0);
    expect([quiet.closeCodes(), busy.closeCodes()]).toEqual([[1001], [1001]]);
    const frames = decodeFrames(busy.received());
    expect(frames.slice(0, -1).every(({ opcode, payload }) => opcode === 2 && payload.length === 5000)).toBe(true);
    expect(frames.length).toBeGreaterThan(20);
    for (const side of [quietPeer, busyPeer]) {
      expect(decodeFrames(side.received()).map(({ opcode, payload }) => [opcode, payload.readUInt16BE(0)])).toEqual([
        [8, 1001],
      ]);
    }
  });
});

function residentBytes(): number {
  const status = readFileSync(`/proc/${outrider.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
}

/** User and system time of the process; a tick is 10 ms. */
function cpuMs(): number {
  const fields = readFileSync(`/proc/${outrider.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
