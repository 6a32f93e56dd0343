// A TCP proxy with toxics, to stand in front of any port in fault tests. Knows nothing of HTTP.
// Loopback only; `close()` leaves no socket and no timer. Toxics apply to bytes that arrive after they were set.

import net from "node:net";
import { createSeededRandom } from "./random.ts";

/** What goes wrong in one direction. Byte counts are per connection and direction, from its start. */
export interface Toxics {
  /** Every byte arrives this much later. */
  latencyMs?: number;
  bytesPerSecond?: number;
  /** After exactly this many bytes: RST to both sides. */
  resetAfterBytes?: number;
  /** After exactly this many bytes: FIN, and the rest is dropped. */
  finishAfterBytes?: number;
  /** After exactly this many bytes: nothing more, the connection stays open. */
  stallAfterBytes?: number;
  /** Write in pieces of at most `maxBytes` (1 = every byte); with a seed the sizes vary. `pauseMs` between them. */
  slice?: { maxBytes: number; seed?: number; pauseMs?: number };
}

/** Where to, and what goes wrong from the start. */
export interface FaultProxyOptions {
  targetPort: number;
  /** Default 127.0.0.1. */
  targetHost?: string;
  /** From the target to the client. */
  downstream?: Toxics;
  /** From the client to the target. */
  upstream?: Toxics;
  /** Accept connections and never read, answer or connect onwards. */
  blackHole?: boolean;
}

/** A running proxy; the test closes it. */
export interface TcpFaultProxy {
  port: number;
  url: string;
  connections: { opened: number; closed: number };
  /** Bytes delivered so far, both after toxics. */
  bytes: { upstream: number; downstream: number };
  setToxics: (toxics: Pick<FaultProxyOptions, "upstream" | "downstream" | "blackHole">) => void;
  /** Down: the port refuses connections and present ones are reset. Up again on the same port. */
  setDown: (down: boolean) => Promise<void>;
  close: () => Promise<void>;
}

const pickCut = (toxics: Toxics): { at: number; kind: "reset" | "finish" | "stall" } | undefined => {
  if (toxics.resetAfterBytes !== undefined) return { at: toxics.resetAfterBytes, kind: "reset" };
  if (toxics.finishAfterBytes !== undefined) return { at: toxics.finishAfterBytes, kind: "finish" };
  if (toxics.stallAfterBytes !== undefined) return { at: toxics.stallAfterBytes, kind: "stall" };
  return undefined;
};

/** Moves bytes one way through the toxics; timers die with the destination. */
function pipeThrough(from: net.Socket, to: net.Socket, toxics: () => Toxics, count: (bytes: number) => void): void {
  const queue: { bytes: Buffer; dueAt: number }[] = [];
  let sent = 0;
  let cut = false;
  let ended = false;
  let busy = false;
  let freeAt = 0;
  let timer: NodeJS.Timeout | undefined;
  const first = toxics().slice;
  const random = createSeededRandom(first?.seed ?? 1);

  const step = (): void => {
    busy = false;
    if (to.destroyed || cut) return;
    const current = toxics();
    const limit = pickCut(current);
    if (limit !== undefined && sent >= limit.at) {
      cut = true;
      queue.length = 0;
      if (limit.kind === "finish") to.end();
      if (limit.kind === "reset") {
        to.resetAndDestroy();
        from.resetAndDestroy();
      }
      return;
    }
    const head = queue[0];
    if (head === undefined) {
      if (ended) to.end();
      return;
    }
    const waitMs = Math.max(head.dueAt, freeAt) - performance.now();
    if (waitMs > 0) return again(waitMs);

    const slice = current.slice;
    let size = head.bytes.length;
    if (slice !== undefined)
      size = Math.min(size, slice.seed === undefined ? slice.maxBytes : 1 + Math.floor(random() * slice.maxBytes));
    if (current.bytesPerSecond !== undefined)
      size = Math.min(size, Math.max(1, Math.ceil(current.bytesPerSecond / 50)));
    if (limit !== undefined) size = Math.min(size, limit.at - sent);
    const piece = head.bytes.subarray(0, size);
    if (size === head.bytes.length) queue.shift();
    else head.bytes = head.bytes.subarray(size);

    sent += size;
    count(size);
    if (current.bytesPerSecond !== undefined) freeAt = performance.now() + (size / current.bytesPerSecond) * 1000;
    if (slice?.pauseMs !== undefined) freeAt = Math.max(freeAt, performance.now() + slice.pauseMs);
    const writable = to.write(piece);
    if (queue.length < 64 && from.isPaused()) from.resume();
    if (!writable) {
      busy = true;
      to.once("drain", step);
    } else again(0);
  };
  const again = (waitMs: number): void => {
    busy = true;
    // A turn of the event loop between pieces, so that they leave as segments of their own.
    if (waitMs > 0) timer = setTimeout(step, waitMs);
    else setImmediate(step);
  };

  to.on("close", () => clearTimeout(timer));
  from.on("data", (bytes) => {
    if (cut) return;
    queue.push({ bytes, dueAt: performance.now() + (toxics().latencyMs ?? 0) });
    if (queue.length >= 64) from.pause();
    if (!busy) step();
  });
  from.on("end", () => {
    ended = true;
    if (!busy) step();
  });
}

/** Starts the proxy on a free loopback port. The caller closes it. */
export async function startTcpFaultProxy(options: FaultProxyOptions): Promise<TcpFaultProxy> {
  let toxics: Pick<FaultProxyOptions, "upstream" | "downstream" | "blackHole"> = options;
  const connections = { opened: 0, closed: 0 };
  const bytes = { upstream: 0, downstream: 0 };
  const open = new Set<net.Socket>();

  const accept = (client: net.Socket): void => {
    connections.opened += 1;
    open.add(client);
    client.on("error", () => undefined);
    client.on("close", () => {
      open.delete(client);
      connections.closed += 1;
    });
    if (toxics.blackHole === true) {
      client.pause();
      return;
    }
    const target = net.connect({
      port: options.targetPort,
      host: options.targetHost ?? "127.0.0.1",
      noDelay: true,
      allowHalfOpen: true,
    });
    open.add(target);
    target.on("error", () => client.resetAndDestroy());
    client.on("error", () => target.resetAndDestroy());
    target.on("close", () => open.delete(target));
    client.on("close", () => target.destroy());
    pipeThrough(
      client,
      target,
      () => toxics.upstream ?? {},
      (size) => void (bytes.upstream += size),
    );
    pipeThrough(
      target,
      client,
      () => toxics.downstream ?? {},
      (size) => void (bytes.downstream += size),
    );
  };

  let server = net.createServer({ noDelay: true, allowHalfOpen: true }, accept);
  const listen = (port: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ port, host: "127.0.0.1", backlog: 1024 }, resolve);
    });
  const stop = async (end: (socket: net.Socket) => void): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of open) end(socket);
    await closed;
  };
  await listen(0);
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const { port } = address;

  return {
    port,
    url: `http://127.0.0.1:${port}`,
    connections,
    bytes,
    setToxics(next) {
      toxics = next;
    },
    async setDown(down) {
      if (down === !server.listening) return;
      if (down) return stop((socket) => socket.resetAndDestroy());
      server = net.createServer({ noDelay: true, allowHalfOpen: true }, accept);
      return listen(port);
    },
    async close() {
      if (server.listening) await stop((socket) => socket.destroy());
    },
  };
}
