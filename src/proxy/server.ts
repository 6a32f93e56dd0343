// Room proxy: the data-plane listener: HTTP/1.1 by node:http, HTTP/2 with prior knowledge by server-http2.ts, both turned into `Inbound`s.
// Invariant: every request becomes exactly one exchange, but for CONNECT, unknown expectations and what Node's
// parser refuses: those are answered here and logged.

import { createServer, type IncomingMessage, type Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { SidecarError } from "../errors.ts";
import { createHttp1Connections } from "./server-http1.ts";
import { createHttp2Sessions } from "./server-http2.ts";
import { NodeInbound } from "./server-inbound.ts";
import { splitProtocols } from "./server-preface.ts";
import type { Inbound } from "./wire.ts";

export interface ServerSettings {
  /** `host:port` each, an IPv6 host in brackets; or `unix:/path` of a socket. */
  addresses: string[];
  maxConnections: number;
  /** Runs one exchange to its end; never rejects. */
  onRequest: (inbound: Inbound) => Promise<void>;
  /** A request that never became an exchange, by the reason's error code. */
  onRefused: (code: string) => void;
}

export interface DataServer {
  /** Opens every address; IPv6 addresses are skipped where the machine has no IPv6. Gives the URLs that are open. */
  listen(): Promise<string[]>;
  /** Exchanges under way. */
  readonly active: number;
  /** When the last request came, on the monotonic clock; 0 before the first. */
  readonly lastRequestAtMs: number;
  /** From now on every answer says `connection: close`, or its session GOAWAY. */
  startDraining(): void;
  /** Stops listening and cuts what is left. */
  close(): Promise<void>;
}

// reliability.md §7: timers and caps that Node leaves open.
const serverOptions = {
  headersTimeout: 10_000,
  requestTimeout: 300_000,
  // Above the longest idle time of common clients (Go's default client: 90 s), so that the client closes first.
  keepAliveTimeout: 120_000,
  connectionsCheckingInterval: 1000,
  maxHeaderSize: 32_768,
  requireHostHeader: true,
  joinDuplicateHeaders: false,
  insecureHTTPParser: false,
  noDelay: true,
  // A client may offer h2c with any request (Java's does); RFC 9110 §7.8 lets a server ignore an upgrade it does not take.
  shouldUpgradeCallback: (request: IncomingMessage) => request.headers.upgrade?.toLowerCase() === "websocket",
};

/** Builds the listener; the sidecar owns and closes it. */
export function createDataServer(settings: ServerSettings): DataServer {
  const servers: Server[] = [];
  const inbounds = new WeakMap<Duplex, NodeInbound>();
  let active = 0;
  let lastRequestAtMs = 0;
  let draining = false;

  const http2 = createHttp2Sessions({ onInbound: (inbound) => run(inbound), onRefused: settings.onRefused });
  const http1 = createHttp1Connections({
    onInbound: run,
    bodyTimeoutMs: serverOptions.requestTimeout,
    keepAliveTimeoutMs: serverOptions.keepAliveTimeout,
  });
  const undecided: Array<() => void> = [];

  function run(inbound: Inbound, onDone?: () => void): void {
    lastRequestAtMs = performance.now();
    active += 1;
    const close = (): void => {
      active -= 1;
      onDone?.();
    };
    settings.onRequest(inbound).then(close, () => {
      close();
      inbound.respond.reset();
    });
  }

  function runHttp1(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    if (draining) response.shouldKeepAlive = false;
    const inbound = new NodeInbound(request, response, expectsContinue);
    const { socket } = request;
    inbounds.set(socket, inbound);
    run(inbound, () => {
      if (inbounds.get(socket) === inbound) inbounds.delete(socket);
    });
  }

  /** Until a provider answers with a 101 this is an exchange like any other, so it has an answer on the same connection. */
  function runUpgrade(request: IncomingMessage, duplex: Duplex, head: Buffer): void {
    // node:http gives the connection itself.
    const socket = duplex as Socket;
    socket.on("error", () => undefined);
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.on("finish", () => socket.destroySoon());
    const detach = (): void => response.detachSocket(socket);
    run(new NodeInbound(request, response, false, { socket, head, detach }));
  }

  function open(): Server {
    const server = createServer(serverOptions);
    server.maxConnections = settings.maxConnections;
    // Node would drop the headers past its cap in silence; the exchange counts them and refuses.
    server.maxHeadersCount = 2000;
    server.timeout = 0;
    server.on("request", (request, response) => runHttp1(request, response, false));
    server.on("checkContinue", (request, response) => runHttp1(request, response, true));
    server.on("checkExpectation", (_request, response) => {
      settings.onRefused("expectation_failed");
      refuse(response, new SidecarError("expectation_failed", "expected no Expect header but 100-continue"));
    });
    server.on("upgrade", runUpgrade);
    server.on("connect", (_request: IncomingMessage, socket: Duplex) => {
      socket.on("error", () => undefined);
      settings.onRefused("method_not_allowed");
      refuseSocket(socket, 405, "method_not_allowed", "CONNECT is not served");
    });
    server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
      socket.on("error", () => undefined);
      const inbound = inbounds.get(socket);
      // An exchange under way tells its own end: by its answer, or by its client being gone.
      if (error.code === "ERR_HTTP_REQUEST_TIMEOUT" && inbound?.bodyTimedOut() === true) return;
      if (inbound !== undefined || !socket.writable) {
        socket.destroy();
        return;
      }
      const [status, code, message] = explainClientError(error.code);
      settings.onRefused(code);
      refuseSocket(socket, status, code, message);
    });
    const { closeUndecided } = splitProtocols(server, {
      timeoutMs: serverOptions.headersTimeout,
      onHttp1: (socket, bytes, acceptPlainly) => http1.adopt(socket, bytes, acceptPlainly),
      onHttp2: (socket) => http2.adopt(socket),
      onSilent: (socket) => {
        settings.onRefused("request_timeout");
        refuseSocket(socket, 408, "request_timeout", "the request did not arrive in time");
      },
    });
    undecided.push(closeUndecided);
    return server;
  }

  return {
    async listen() {
      const urls: string[] = [];
      for (const address of settings.addresses) {
        const server = open();
        try {
          await listenOn(server, listenTarget(address), settings.maxConnections);
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException;
          const noIpv6 = address.startsWith("[") && (code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT");
          if (noIpv6 && settings.addresses.length > 1) continue;
          await closeAll(servers);
          throw new ListenError(address, code ?? "unknown error");
        }
        servers.push(server);
        urls.push(formatBound(server.address() as AddressInfo | string));
      }
      return urls;
    },
    get active() {
      return active;
    },
    get lastRequestAtMs() {
      return lastRequestAtMs;
    },
    startDraining() {
      draining = true;
      for (const server of servers) server.closeIdleConnections();
      http1.startDraining();
      http2.startDraining();
    },
    async close() {
      const closed = closeAll(servers);
      for (const closeUndecided of undecided) closeUndecided();
      http1.close();
      await http2.close();
      await closed;
    },
  };
}

/** A listener's address that could not be opened. */
export class ListenError extends Error {
  readonly address: string;
  /** Node's error code, e.g. `EADDRINUSE`. */
  readonly reason: string;

  constructor(address: string, reason: string) {
    super(`cannot listen on ${address}: ${reason}`);
    this.name = "ListenError";
    this.address = address;
    this.reason = reason;
  }
}

/** `127.0.0.1:80` or `[::1]:80`, taken apart. */
export function splitAddress(address: string): { host: string; port: number } {
  const cut = address.lastIndexOf(":");
  return { host: address.slice(0, cut).replace(/^\[|\]$/g, ""), port: Number(address.slice(cut + 1)) };
}

/** `unix:/path` of a socket, or `host:port`. */
function listenTarget(address: string): { path: string } | { host: string; port: number } {
  return address.startsWith("unix:") ? { path: address.slice(5) } : splitAddress(address);
}

function formatBound(bound: AddressInfo | string): string {
  if (typeof bound === "string") return `unix:${bound}`;
  return `http://${bound.family === "IPv6" ? `[${bound.address}]` : bound.address}:${bound.port}`;
}

function listenOn(server: Server, target: ReturnType<typeof listenTarget>, backlog: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    // Node's 511 is fewer than may come at once: the kernel would drop the rest without a word.
    server.listen({ ...target, backlog }, () => {
      server.off("error", reject);
      // EMFILE on accept and the like: the connection is lost, the server goes on.
      server.on("error", () => undefined);
      resolve();
    });
  });
}

async function closeAll(servers: Server[]): Promise<void> {
  await Promise.all(
    servers.splice(0).map(
      (server) =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    ),
  );
}

function explainClientError(code: string | undefined): [number, string, string] {
  if (code === "HPE_HEADER_OVERFLOW") return [431, "headers_too_large", "the request head is larger than 32 KiB"];
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return [408, "request_timeout", "the request did not arrive in time"];
  return [400, "request_malformed", "the request is not valid HTTP/1.1"];
}

function errorBody(code: string, message: string): string {
  return JSON.stringify({ error: { type: "invalid_request_error", code, message } });
}

function refuse(response: ServerResponse, error: SidecarError): void {
  response.writeHead(error.httpStatus, {
    "content-type": "application/json",
    connection: "close",
    "x-outrider-error": `${error.code};source=${error.source}`,
  });
  response.end(errorBody(error.code, error.message));
}

function refuseSocket(socket: Duplex | Socket, status: number, code: string, message: string): void {
  const body = errorBody(code, message);
  const reason =
    {
      400: "Bad Request",
      405: "Method Not Allowed",
      408: "Request Timeout",
      431: "Request Header Fields Too Large",
    }[status] ?? "Error";
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `x-outrider-error: ${code};source=client\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
