// The TCP fault proxy cuts, delays and slices exactly as told: fault tests stand on it.

import net from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { startTcpFaultProxy, type FaultProxyOptions, type TcpFaultProxy } from "../../support/tcp-fault-proxy.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** A target that sends what it received, back to back. */
async function startEcho(): Promise<number> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  );
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

const startProxy = async (options: Omit<FaultProxyOptions, "targetPort"> = {}): Promise<TcpFaultProxy> => {
  const proxy = await startTcpFaultProxy({ targetPort: await startEcho(), ...options });
  closers.push(() => proxy.close());
  return proxy;
};

interface Seen {
  bytes: Buffer;
  pieces: number;
  end: "fin" | "rst" | "refused" | "open";
  tookMs: number;
}

/** Sends bytes, half-closes, and reports what came back and how it ended. */
function talk(port: number, sent: Buffer, patienceMs = 5000): Promise<Seen> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    const startedAt = performance.now();
    const socket = net.connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true }, () => socket.end(sent));
    const done = (end: Seen["end"]): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ bytes: Buffer.concat(pieces), pieces: pieces.length, end, tookMs: performance.now() - startedAt });
    };
    const timer = setTimeout(done, patienceMs, "open");
    socket.on("data", (bytes) => pieces.push(bytes));
    socket.on("error", (error: NodeJS.ErrnoException) => done(error.code === "ECONNREFUSED" ? "refused" : "rst"));
    socket.on("end", () => done("fin"));
  });
}

const payload = Buffer.from(Array.from({ length: 200_000 }, (_, at) => at % 251));

describe("toxics", () => {
  it("none: all bytes pass both ways, half-close included", async () => {
    const { port, bytes } = await startProxy();
    const seen = await talk(port, payload);
    expect([seen.end, seen.bytes.equals(payload)]).toEqual(["fin", true]);
    expect(bytes).toEqual({ upstream: payload.length, downstream: payload.length });
  });

  it("finishAfterBytes, resetAfterBytes and stallAfterBytes deliver exactly that many", async () => {
    const { port, setToxics } = await startProxy();
    const seen: [number, string][] = [];
    for (const downstream of [
      { finishAfterBytes: 777 },
      { resetAfterBytes: 778 },
      { stallAfterBytes: 779 },
      { finishAfterBytes: 0 },
    ]) {
      setToxics({ downstream });
      const { bytes, end } = await talk(port, payload.subarray(0, 5000), "stallAfterBytes" in downstream ? 200 : 5000);
      expect(bytes.equals(payload.subarray(0, bytes.length))).toBe(true);
      seen.push([bytes.length, end]);
    }
    expect(seen).toEqual([
      [777, "fin"],
      [778, "rst"],
      [779, "open"],
      [0, "fin"],
    ]);
  });

  it("slices to single bytes and at seeded places without loss", async () => {
    const { port, setToxics } = await startProxy({ downstream: { slice: { maxBytes: 1, pauseMs: 1 } } });
    const sent = payload.subarray(0, 60);
    const single = await talk(port, sent, 3000);
    expect(single.bytes.equals(sent)).toBe(true);
    expect(single.pieces).toBeGreaterThan(40);
    setToxics({ downstream: { slice: { maxBytes: 500, seed: 7 } } });
    expect((await talk(port, payload, 5000)).bytes.equals(payload)).toBe(true);
  });

  it("delays each byte by the latency and holds to the bandwidth", async () => {
    const { port, setToxics } = await startProxy({ downstream: { latencyMs: 60 }, upstream: { latencyMs: 60 } });
    const late = await talk(port, Buffer.from("x"));
    expect(late.tookMs).toBeGreaterThanOrEqual(115);
    setToxics({ downstream: { bytesPerSecond: 50_000 } });
    const slow = await talk(port, payload.subarray(0, 10_000), 3000);
    expect(slow.bytes).toHaveLength(10_000);
    expect(slow.tookMs).toBeGreaterThanOrEqual(170);
  });

  it("down refuses and resets, up serves again on the same port; a black hole says nothing", async () => {
    const { port, setDown, setToxics } = await startProxy();
    await setDown(true);
    expect((await talk(port, payload)).end).toBe("refused");
    await setDown(false);
    expect((await talk(port, Buffer.from("x"))).end).toBe("fin");
    setToxics({ blackHole: true });
    expect(await talk(port, Buffer.from("x"), 100)).toMatchObject({ end: "open", pieces: 0 });
  });
});
