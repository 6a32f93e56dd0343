// Room proxy: the admin port. Read-only pages about this process; docs/admin.md describes each.
// Invariant: nothing here changes anything, shows content or a credential, or answers another origin's web page.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Duplex } from "node:stream";
import { SidecarError } from "../errors.ts";
import { inspectPage, type Inspector } from "../inspect/index.ts";
import type { TelemetryAccounting } from "../telemetry/index.ts";
import { createAdminGuard } from "./admin-guard.ts";
import { createExchangeStreams } from "./admin-stream.ts";
import type { Explanation, Question } from "./explain.ts";
import { readQuestion } from "./explain-query.ts";
import { ListenError, splitAddress } from "./server.ts";

/** Whether the process takes traffic. `started` stays true once it was; `reason` says why `ready` is false. */
export interface Readiness {
  started: boolean;
  ready: boolean;
  reason?: string;
}

/** What `/status` cannot know by itself. */
export interface SidecarStatus {
  version: string;
  /** URLs of the open data-plane listeners. */
  listeners: string[];
  /** Since start; `started` = `ended` + `inFlight`. */
  exchanges: { started: number; ended: number; inFlight: number };
}

export interface AdminSettings {
  /** `host:port`; port 0 takes a free one. */
  address: string;
  /** Host names answered to besides localhost, 127.0.0.1 and [::1]. */
  hosts: readonly string[];
  readiness: () => Readiness;
  inspector: Inspector;
  exposition: () => Promise<string>;
  accounting: () => TelemetryAccounting;
  status: () => SidecarStatus;
  /** Under the policy that this process obeys now. Throws SidecarError for a call that nothing serves. */
  explain: (question: Question) => Explanation;
}

export interface AdminServer {
  /** Opens the port and gives its URL. Rejects with ListenError. */
  listen(): Promise<string>;
  /** Ends the event streams, stops listening, cuts what is left. Idempotent. */
  close(): Promise<void>;
}

type Page = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

// reliability.md §7: timers and caps that Node leaves open. Readers are few: a scraper, a kubelet, a person.
const serverOptions = {
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 120_000,
  connectionsCheckingInterval: 1000,
  maxHeaderSize: 32_768,
  requireHostHeader: true,
  joinDuplicateHeaders: false,
  insecureHTTPParser: false,
  noDelay: true,
} as const;
const maxConnections = 256;
const maxHeadersCount = 200;
// Node adds the sampling interval to every sample (24.21: 50 ms in an idle process); it is taken off again.
const loopDelayResolutionMs = 50;

const commonHeaders = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
};

/** Builds the admin listener; the sidecar owns and closes it. */
export function createAdminServer(settings: AdminSettings): AdminServer {
  const guard = createAdminGuard(settings.hosts);
  const streams = createExchangeStreams(settings.inspector);
  const loopDelay = monitorEventLoopDelay({ resolution: loopDelayResolutionMs });

  const pages = new Map<string, Page>([
    [
      "/",
      (_request, response) => {
        response.setHeader("content-security-policy", inspectPage.contentSecurityPolicy);
        answer(response, 200, "text/html; charset=utf-8", inspectPage.html);
      },
    ],
    ["/livez", (_request, response) => answerText(response, 200, "ok")],
    [
      "/readyz",
      (_request, response) => {
        const { ready, reason } = settings.readiness();
        answerText(response, ready ? 200 : 503, ready ? "ok" : (reason ?? "not ready"));
      },
    ],
    [
      "/startupz",
      (_request, response) => {
        const { started, reason } = settings.readiness();
        answerText(response, started ? 200 : 503, started ? "ok" : (reason ?? "not started"));
      },
    ],
    [
      "/status",
      (_request, response) => {
        answerJson(response, 200, describeProcess(settings, loopDelay));
        loopDelay.reset();
      },
    ],
    [
      "/exchanges",
      (request, response) => {
        if (!wantsEvents(request)) return answerJson(response, 200, settings.inspector.list());
        if (streams.full) return refuse(response, new SidecarError("overloaded", "too many readers of /exchanges"));
        response.writeHead(200, { ...commonHeaders, "content-type": "text/event-stream" });
        if (request.method === "HEAD") response.end();
        else streams.open(request, response);
      },
    ],
    [
      "/explain",
      (request, response) => {
        const { searchParams } = new URL(request.url ?? "/", "http://localhost");
        answerJson(response, 200, settings.explain(readQuestion(searchParams)));
      },
    ],
    [
      "/metrics",
      async (_request, response) => {
        answer(response, 200, "text/plain; version=0.0.4; charset=utf-8", await settings.exposition());
      },
    ],
  ]);

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split("?", 1)[0] ?? "";
    // A body has no meaning here, so it is not read: the connection ends with the answer.
    const hasBody =
      request.headers["transfer-encoding"] !== undefined || (request.headers["content-length"] ?? "0") !== "0";
    if (hasBody) response.shouldKeepAlive = false;
    try {
      guard(request, path);
      const page = pages.get(path);
      if (page === undefined) {
        const served = [...pages.keys()];
        return answerJson(response, 404, { ...errorBody("operation_unsupported", "no such page"), served });
      }
      if (request.method !== "GET" && request.method !== "HEAD") {
        response.setHeader("allow", "GET, HEAD");
        throw new SidecarError("method_not_allowed", "the admin port is read-only");
      }
      await page(request, response);
    } catch (error) {
      if (response.headersSent) response.destroy();
      else refuse(response, error instanceof SidecarError ? error : new SidecarError("internal", "this page failed"));
    }
  }

  const server = createServer(serverOptions);
  server.maxConnections = maxConnections;
  server.maxHeadersCount = maxHeadersCount;
  server.timeout = 0;
  server.on("request", (request, response) => void serve(request, response));
  server.on("checkContinue", (_request, response) => {
    refuse(response, new SidecarError("expectation_failed", "the admin port takes no body"));
  });
  server.on("checkExpectation", (_request, response) => {
    refuse(response, new SidecarError("expectation_failed", "no expectation is met here"));
  });
  server.on("upgrade", (_request: IncomingMessage, socket: Duplex) => refuseSocket(socket, "501 Not Implemented"));
  server.on("connect", (_request: IncomingMessage, socket: Duplex) => refuseSocket(socket, "405 Method Not Allowed"));
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    refuseSocket(socket, clientErrorStatus[error.code ?? ""] ?? "400 Bad Request");
  });

  return {
    async listen() {
      const { host, port } = splitAddress(settings.address);
      await new Promise<void>((resolve, reject) => {
        server.once("error", (error: NodeJS.ErrnoException) => {
          reject(new ListenError(settings.address, error.code ?? "unknown error"));
        });
        server.listen({ host, port }, resolve);
      });
      // EMFILE on accept and the like: the connection is lost, the server goes on.
      server.removeAllListeners("error").on("error", () => undefined);
      loopDelay.enable();
      const { address, family, port: bound } = server.address() as AddressInfo;
      return `http://${family === "IPv6" ? `[${address}]` : address}:${bound}`;
    },
    async close() {
      loopDelay.disable();
      streams.close();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        setImmediate(() => server.closeAllConnections());
      });
    },
  };
}

const clientErrorStatus: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
};

function wantsEvents(request: IncomingMessage): boolean {
  return request.headers.accept?.toLowerCase().includes("text/event-stream") === true;
}

function describeProcess(settings: AdminSettings, loopDelay: ReturnType<typeof monitorEventLoopDelay>): object {
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
  const milliseconds = (nanoseconds: number) =>
    Math.max(0, Math.round(nanoseconds / 1e3 - loopDelayResolutionMs * 1e3) / 1e3);
  return {
    ...settings.status(),
    ...settings.readiness(),
    node: process.version,
    uptimeSeconds: Math.round(process.uptime() * 10) / 10,
    memory: { rssBytes: rss, heapUsedBytes: heapUsed, heapTotalBytes: heapTotal, externalBytes: external },
    // Since the last look at this page.
    eventLoopDelayMs: {
      p50: milliseconds(loopDelay.percentile(50)),
      p99: milliseconds(loopDelay.percentile(99)),
      max: milliseconds(loopDelay.max),
    },
    telemetry: settings.accounting(),
  };
}

function answer(response: ServerResponse, status: number, contentType: string, body: string): void {
  const headers = { ...commonHeaders, "content-type": contentType, "content-length": Buffer.byteLength(body) };
  response.writeHead(status, headers).end(body);
}

function answerText(response: ServerResponse, status: number, text: string): void {
  answer(response, status, "text/plain; charset=utf-8", `${text}\n`);
}

function answerJson(response: ServerResponse, status: number, body: unknown): void {
  answer(response, status, "application/json", `${JSON.stringify(body)}\n`);
}

function errorBody(code: string, message: string): { error: { code: string; message: string } } {
  return { error: { code, message } };
}

function refuse(response: ServerResponse, error: SidecarError): void {
  response.setHeader("x-outrider-error", `${error.code};source=${error.source}`);
  if (error.httpStatus !== 405) response.shouldKeepAlive = false;
  answerJson(response, error.httpStatus, errorBody(error.code, error.message));
}

function refuseSocket(socket: Duplex, status: string): void {
  socket.on("error", () => undefined);
  if (!socket.writable) return void socket.destroy();
  socket.end(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`, () => socket.destroy());
}
