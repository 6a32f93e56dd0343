// Connections to providers, against loopback servers that do as they are told: the cap and its queue, reuse, timeouts, ends.
// Of each request exactly one end is told, whichever phase it is in.
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { describe, expect, it } from "vitest";
import { SidecarError } from "../../../src/errors.ts";
import type { UpstreamRequest } from "../../../src/proxy/upstream.ts";
import { openUpstream, type Provider, send, startProvider } from "../../support/upstream-calls.ts";

const answer = (body: string, headers = ""): string =>
  `HTTP/1.1 200 OK\r\n${headers}content-length: ${body.length}\r\n\r\n${body}`;
const answerEach = (socket: Socket, index: number): void => void socket.write(answer(String(index)));
const hasIpv6 = Object.values(networkInterfaces()).some((each) => each?.some(({ address }) => address === "::1"));
const aborted = (): SidecarError => new SidecarError("client_disconnected", "gone");
/** Time for what must not happen. */
const settle = (durationMs = 60): Promise<void> => new Promise((resolve) => setTimeout(resolve, durationMs));

describe("the cap of an origin", () => {
  it("lets the rest wait, and serves them in order", async () => {
    const sockets: Socket[] = [];
    const provider = await startProvider((socket) => void sockets.push(socket));
    const upstream = openUpstream(1);
    const order: number[] = [];
    const calls = [0, 1, 2, 3].map((index) => {
      const call = send(upstream, provider, { path: `/${index}` });
      void call.ended.then(() => order.push(index));
      return call;
    });
    for (let index = 0; index < 4; index++) {
      await expect.poll(() => sockets.length).toBe(index + 1);
      sockets.at(-1)?.write(answer("x"));
      await calls[index]?.ended;
    }
    expect(order).toEqual([0, 1, 2, 3]);
    expect(provider.accepted.length).toBe(1);
    expect([...(provider.accepted[0]?.text().matchAll(/POST (\S+)/g) ?? [])].map(([, path]) => path)).toEqual([
      "/0",
      "/1",
      "/2",
      "/3",
    ]);
  });

  it("opens another for who waits when one dies", async () => {
    const provider = await startProvider((socket, index) =>
      index === 0 ? socket.resetAndDestroy() : answerEach(socket, index),
    );
    const upstream = openUpstream(1);
    const [first, second] = [send(upstream, provider), send(upstream, provider)];
    await Promise.all([first.ended, second.ended]);
    expect([first.told.ends, second.told.ends]).toEqual([["upstream_unreachable"], ["end"]]);
    expect(provider.accepted.length).toBe(2);
  });

  it("tells each who waits when nobody listens", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const upstream = openUpstream(1);
    const calls = [0, 1, 2].map(() => send(upstream, { origin: `http://127.0.0.1:${port}` }));
    await Promise.all(calls.map(({ ended }) => ended));
    expect(calls.map(({ told }) => told.ends)).toEqual(Array.from({ length: 3 }, () => ["upstream_unreachable"]));
  });

  it("is not for a request that must have a connection of its own, whose place is not filled again", async () => {
    const provider = await startProvider();
    const upstream = openUpstream(1);
    const first = send(upstream, provider);
    const fresh = send(upstream, provider, { freshConnection: true });
    const waiting = [send(upstream, provider), send(upstream, provider)];
    await provider.connections(2);
    await Promise.all(provider.accepted.map(({ received }) => received(1)));
    fresh.control.abort(aborted());
    await fresh.ended;
    await settle();
    expect(provider.accepted.length).toBe(2);
    const [kept] = provider.accepted.filter(({ socket }) => !socket.readableEnded && !socket.destroyed);
    for (let count = 1; count <= 3; count++) {
      await kept?.received(count);
      kept?.socket.write(answer("x"));
    }
    await Promise.all([first, ...waiting].map(({ ended }) => ended));
    expect(provider.accepted.length).toBe(2);
  });

  it("forgets who gave up: while waiting, and while connecting", async () => {
    const provider = await startProvider((socket, index) => index > 0 && answerEach(socket, index));
    const upstream = openUpstream(1);
    const connecting = send(upstream, provider, { path: "/connecting" });
    connecting.control.abort(aborted());
    const first = send(upstream, provider, { path: "/first" });
    const waiting = send(upstream, provider, { path: "/waiting" });
    const last = send(upstream, provider, { path: "/last" });
    waiting.control.abort(aborted());
    await provider.connections(1);
    await provider.accepted[0]?.received(1);
    provider.accepted[0]?.socket.write(answer("x"));
    await Promise.all([first.ended, last.ended]);
    expect([connecting, first, waiting, last].map(({ told }) => told.ends)).toEqual([
      ["client_disconnected"],
      ["end"],
      ["client_disconnected"],
      ["end"],
    ]);
    expect(provider.accepted.length).toBe(1);
    expect(provider.accepted[0]?.text()).not.toMatch(/connecting|waiting/);
  });
});

describe("a connection is used again", () => {
  it("the last used first", async () => {
    const provider = await startProvider(answerEach);
    const upstream = openUpstream();
    for (let index = 0; index < 5; index++) await send(upstream, provider).ended;
    expect(provider.accepted.length).toBe(1);
  });

  it.each<[string, string]>([
    ["a hint shorter than its margin", answer("x", "Keep-Alive: timeout=2\r\n")],
    ["connection: close", answer("x", "Connection: close\r\n")],
    ["more than was due", `${answer("x")}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil`],
    ["HTTP/1.0", "HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx"],
  ])("not after %s, whoever waits", async (_name, bytes) => {
    const provider = await startProvider((socket, index) => socket.write(index === 0 ? bytes : answer("second")));
    const upstream = openUpstream(1);
    const [first, second] = [send(upstream, provider), send(upstream, provider)];
    await Promise.all([first.ended, second.ended]);
    expect([first.told, second.told]).toMatchObject([
      { body: "x", ends: ["end"] },
      { body: "second", ends: ["end"] },
    ]);
    expect(provider.accepted.length).toBe(2);
  });

  it("not after the time its provider names, less a margin", async () => {
    const provider = await startProvider((socket) => socket.write(answer("x", "Keep-Alive: timeout=3, max=9\r\n")));
    const upstream = openUpstream();
    const startedMs = performance.now();
    await send(upstream, provider).ended;
    await provider.accepted[0]?.closed;
    expect(performance.now() - startedMs).toBeGreaterThan(950);
    expect(performance.now() - startedMs).toBeLessThan(2900);
  });

  it("not after 4 s without a request", async () => {
    const provider = await startProvider(answerEach);
    const upstream = openUpstream();
    await send(upstream, provider).ended;
    const startedMs = performance.now();
    await provider.accepted[0]?.closed;
    expect(performance.now() - startedMs).toBeGreaterThan(3900);
    await send(upstream, provider).ended;
    expect(provider.accepted.length).toBe(2);
  });

  it.each<[string, (socket: Socket) => void]>([
    ["bytes that nobody asked for", (socket) => void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")],
    ["its provider ended it", (socket) => void socket.end()],
    ["its provider reset it", (socket) => void socket.resetAndDestroy()],
  ])("not after %s while it was idle", async (_name, act) => {
    const provider = await startProvider(answerEach);
    const upstream = openUpstream();
    await send(upstream, provider).ended;
    const [first] = provider.accepted;
    act(first?.socket as Socket);
    await first?.closed;
    await settle();
    const second = send(upstream, provider);
    await second.ended;
    expect(second.told).toMatchObject({ body: "1", ends: ["end"] });
    expect(provider.accepted.length).toBe(2);
  });

  it("not when it answered before the request was written", async () => {
    const provider = await startProvider((socket, index) => {
      if (index === 0) socket.pause();
      socket.write(answer(String(index)));
    });
    const upstream = openUpstream(1);
    const early = send(upstream, provider, { body: Buffer.alloc(30_000_000) });
    await early.ended;
    const second = send(upstream, provider);
    await second.ended;
    expect([early.told.ends, second.told.body]).toEqual([["end"], "1"]);
    expect(provider.accepted.length).toBe(2);
  });

  it("read again, though its last answer ended while its client held back", async () => {
    const provider = await startProvider(answerEach);
    const upstream = openUpstream(1);
    const first = send(upstream, provider);
    await first.ended;
    // Too late to hold anything back but the next request's answer.
    first.control.pause();
    const second = send(upstream, provider);
    await second.ended;
    first.control.abort(aborted());
    expect([first.told.ends, second.told.body]).toEqual([["end"], "1"]);
    await send(upstream, provider).ended;
    expect(provider.accepted.length).toBe(1);
  });
});

describe("a connection that dies before any byte of the answer", () => {
  it.each([
    ["is stale when it had carried a request", 1, true],
    ["is not when it is fresh", 0, false],
  ] as const)("%s", async (_name, dying, stale) => {
    const provider = await startProvider((socket, index) =>
      index === dying ? socket.resetAndDestroy() : answerEach(socket, index),
    );
    const upstream = openUpstream();
    for (let index = 0; index < dying; index++) await send(upstream, provider).ended;
    const last = send(upstream, provider);
    await last.ended;
    expect(last.told).toMatchObject({ ends: ["upstream_unreachable"], stale });
    expect(provider.accepted.length).toBe(1);
  });

  it("is not stale after a byte of it", async () => {
    const provider = await startProvider((socket, index) => {
      if (index === 0) answerEach(socket, index);
      else socket.end("HTTP/1.1 2");
    });
    const upstream = openUpstream();
    await send(upstream, provider).ended;
    const last = send(upstream, provider);
    await last.ended;
    expect(last.told).toMatchObject({ ends: ["upstream_unreachable"], stale: false });
  });

  it("is no matter to a request that asks for a fresh one", async () => {
    const provider = await startProvider(answerEach);
    const upstream = openUpstream();
    await send(upstream, provider).ended;
    await send(upstream, provider, { freshConnection: true }).ended;
    expect(provider.accepted.length).toBe(2);
  });
});

describe("time", () => {
  it("for the first byte is limited", async () => {
    const provider = await startProvider();
    const { told, ended } = send(openUpstream(), provider, { firstByteTimeoutMs: 80 });
    await ended;
    expect(told).toMatchObject({ ends: ["upstream_first_byte_timeout"], stale: false });
    await provider.accepted[0]?.closed;
  });

  it("between two chunks is limited, and begins anew with each", async () => {
    const provider = await startProvider((socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n");
      for (const atMs of [60, 120, 180]) setTimeout(() => socket.write("x"), atMs);
    });
    const { told, ended } = send(openUpstream(), provider, { firstByteTimeoutMs: 5000, idleTimeoutMs: 150 });
    await ended;
    expect(told).toMatchObject({ body: "xxx", ends: ["stream_idle"] });
  });

  it("does not pass for an answer that is held back", async () => {
    const provider = await startProvider((socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"));
    const { told, control, ended, headSeen } = send(openUpstream(), provider, { idleTimeoutMs: 100 });
    await headSeen;
    control.pause();
    provider.accepted[0]?.socket.write("hi");
    await settle(400);
    expect(told).toMatchObject({ body: "", ends: [] });
    control.resume();
    await ended;
    expect(told).toMatchObject({ body: "hi", ends: ["end"] });
  });
});

describe("an abort", () => {
  it.each<[string, (provider: Provider, call: ReturnType<typeof send>) => Promise<void>, string]>([
    ["while connecting", () => Promise.resolve(), "client_disconnected"],
    ["while waiting for the head", (provider) => provider.connections(1), "client_disconnected"],
    [
      "inside the head",
      async ({ connections, accepted }) => {
        await connections(1);
        accepted[0]?.socket.write("HTTP/1.1 200");
      },
      "client_disconnected",
    ],
    [
      "inside the body",
      async ({ connections, accepted }, { headSeen }) => {
        await connections(1);
        accepted[0]?.socket.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe");
        await headSeen;
      },
      "client_disconnected",
    ],
    [
      "after the end",
      async ({ connections, accepted }, { ended }) => {
        await connections(1);
        accepted[0]?.socket.write(answer("x"));
        await ended;
      },
      "end",
    ],
  ])("%s gives exactly one end", async (_name, reach, end) => {
    const provider = await startProvider();
    const call = send(openUpstream(), provider);
    await reach(provider, call);
    call.control.abort(aborted());
    call.control.abort(aborted());
    await call.ended;
    await settle();
    expect(call.told.ends).toEqual([end]);
  });

  it("of all leaves nothing under way", async () => {
    const provider = await startProvider();
    const upstream = openUpstream(2);
    const calls = [0, 1, 2, 3].map(() => send(upstream, provider));
    await provider.connections(2);
    upstream.abortAll(new SidecarError("draining", "closing"));
    await Promise.all(calls.map(({ ended }) => ended));
    expect(calls.map(({ told }) => told.ends)).toEqual(Array.from({ length: 4 }, () => ["draining"]));
    await Promise.all(provider.accepted.map(({ closed }) => closed));
  });
});

it("closing tells those under way, those that wait and those that connect", async () => {
  const provider = await startProvider();
  const upstream = openUpstream(1);
  const busy = send(upstream, provider);
  await provider.connections(1);
  const connecting = send(upstream, provider, { freshConnection: true });
  const waiting = send(upstream, provider);
  await upstream.close();
  await Promise.all([busy.ended, connecting.ended, waiting.ended]);
  expect([busy, connecting, waiting].map(({ told }) => told.ends)).toEqual(
    Array.from({ length: 3 }, () => ["upstream_unreachable"]),
  );
});

describe("what would split the head", () => {
  it.each<[string, Partial<UpstreamRequest>]>([
    ["a value with a line end", { headers: ["x-a", "b\r\nx-evil: 1"] }],
    ["a value with an LF", { headers: ["x-a", "b\nc"] }],
    ["a value with a NUL", { headers: ["x-a", "\0"] }],
    ["a value past latin1", { headers: ["x-a", "\u0100"] }],
    ["a name with a blank", { headers: ["x a", "b"] }],
    ["a name that is empty", { headers: ["", "b"] }],
    ["a path with a blank", { path: "/p HTTP/1.1" }],
    ["a path with a line end", { path: "/p\r\nx-evil:1" }],
  ])("is never sent: %s", async (_name, settings) => {
    const provider = await startProvider(answerEach);
    const upstream = openUpstream();
    const { told, ended } = send(upstream, provider, settings);
    await ended;
    expect(told.ends).toEqual(["internal"]);
    await send(upstream, provider).ended;
    expect(provider.accepted.map(({ text }) => text().split("\r\n")[0])).toEqual(["POST /p HTTP/1.1"]);
  });
});

it.skipIf(!hasIpv6)("an IPv6 address is reached, and named in brackets", async () => {
  const provider = await startProvider(answerEach, "::1");
  const { told, ended } = send(openUpstream(), provider);
  await ended;
  expect(told).toMatchObject({ body: "0", ends: ["end"] });
  expect(provider.accepted[0]?.text()).toContain(`\r\nhost: ${provider.origin.slice("http://".length)}\r\n`);
});
