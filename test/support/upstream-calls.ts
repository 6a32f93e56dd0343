// Test support: loopback providers on bare sockets, and requests to them by src/proxy/upstream.ts with all that is told of each.
// What is opened here is closed when its test ends.
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { expect, onTestFinished } from "vitest";
import { createUpstream, type Upstream, type UpstreamRequest } from "../../src/proxy/upstream.ts";

/** One connection as the provider has it. */
export interface Accepted {
  socket: Socket;
  /** All that came. */
  text: () => string;
  /** Until so many requests' heads came on it. */
  received: (count: number) => Promise<void>;
  closed: Promise<unknown>;
}

export interface Provider {
  origin: string;
  accepted: Accepted[];
  /** Until so many connections came. */
  connections: (count: number) => Promise<void>;
}

export async function startProvider(
  onRequest: (socket: Socket, index: number) => void = () => undefined,
  host = "127.0.0.1",
): Promise<Provider> {
  const accepted: Accepted[] = [];
  let requests = 0;
  const server: Server = createServer((socket) => {
    let text = "";
    const heads = (): number => text.split("\r\n\r\n").length - 1;
    socket.on("error", () => undefined);
    socket.on("data", (bytes: Buffer) => {
      const before = heads();
      text += bytes.toString("latin1");
      for (let count = heads() - before; count > 0; count--) onRequest(socket, requests++);
    });
    accepted.push({
      socket,
      text: () => text,
      received: (count) => reach(heads, count),
      closed: new Promise((resolve) => socket.on("close", resolve)),
    });
  });
  server.listen(0, host);
  await once(server, "listening");
  onTestFinished(() => {
    for (const { socket } of accepted) socket.destroy();
    server.close();
  });
  return {
    origin: `http://${host.includes(":") ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`,
    accepted,
    connections: (count) => reach(() => accepted.length, count),
  };
}

export function openUpstream(maxConnections = 4): Upstream {
  const upstream = createUpstream({ connectTimeoutMs: () => 2000, maxConnections });
  onTestFinished(() => upstream.close());
  return upstream;
}

/** Sends one and keeps all that is told of it. */
export function send(upstream: Upstream, provider: { origin: string }, settings: Partial<UpstreamRequest> = {}) {
  const ended = Promise.withResolvers<void>();
  const headSeen = Promise.withResolvers<void>();
  const told = { status: 0, body: "", ends: [] as string[], stale: false, message: "" };
  const control = upstream.send(
    {
      origin: provider.origin,
      path: "/p",
      method: "POST",
      headers: ["x-a", "b"],
      body: Buffer.from("{}"),
      firstByteTimeoutMs: 10_000,
      idleTimeoutMs: 10_000,
      freshConnection: false,
      ...settings,
    },
    {
      onHead(status) {
        told.status = status;
        headSeen.resolve();
      },
      onChunk(chunk) {
        told.body += chunk.toString("latin1");
      },
      onEnd() {
        told.ends.push("end");
        ended.resolve();
      },
      onError({ error, staleConnection }) {
        told.ends.push(error.code);
        told.stale = staleConnection;
        told.message = error.message;
        ended.resolve();
      },
    },
  );
  return { told, control, ended: ended.promise, headSeen: headSeen.promise };
}

async function reach(read: () => number, count: number): Promise<void> {
  await expect.poll(read, { interval: 5, timeout: 5000 }).toBe(count);
}
