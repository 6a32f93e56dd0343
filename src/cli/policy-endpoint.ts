// Room cli: the HTTP side of `outrider policy serve`: the policy with its ETag, its history, who asked. On node:http, read-only.
// Invariant: nothing a client sends changes what is served; on loopback no web page of another origin reads it.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ListenError } from "../proxy/index.ts";
import type { PolicyShelf, ShelvedPolicy } from "./policy-shelf.ts";

/** A sidecar that named itself. Times are wall clock, milliseconds. */
export interface SeenInstance {
  instance: string;
  /** What it was given, or was told that it has. */
  version: string;
  firstSeenMs: number;
  lastSeenMs: number;
  requests: number;
}

export interface EndpointSettings {
  host: string;
  port: number;
  shelf: PolicyShelf;
  epochMs: () => number;
  /** A new instance, or one with another version than before. */
  onInstance: (seen: SeenInstance) => void;
}

export interface PolicyEndpoint {
  /** Opens the port and gives its URL. Rejects with ListenError. */
  listen(): Promise<string>;
  close(): Promise<void>;
}

/** Instances remembered; the one seen least recently is forgotten first. */
const maxInstances = 10_000;
const instanceName = /^[!-~]{1,128}$/;
const served = ["/policy", "/versions", "/versions/{version}", "/instances", "/livez"];

const serverOptions = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 1000,
  maxHeaderSize: 16_384,
  requireHostHeader: true,
  insecureHTTPParser: false,
} as const;
const maxConnections = 1024;

const commonHeaders = { "x-content-type-options": "nosniff", "cross-origin-resource-policy": "same-origin" };

/** Builds the endpoint; the caller closes it. */
export function createPolicyEndpoint({ host, port, shelf, epochMs, onInstance }: EndpointSettings): PolicyEndpoint {
  const instances = new Map<string, SeenInstance>();
  const isLoopback = isLoopbackHost(host);

  const note = (instance: string, version: string): void => {
    const known = instances.get(instance);
    const nowMs = epochMs();
    const seen: SeenInstance = {
      instance,
      version,
      firstSeenMs: known?.firstSeenMs ?? nowMs,
      lastSeenMs: nowMs,
      requests: (known?.requests ?? 0) + 1,
    };
    instances.delete(instance);
    instances.set(instance, seen);
    const oldest = instances.size > maxInstances ? instances.keys().next() : undefined;
    if (oldest?.done === false) instances.delete(oldest.value);
    if (known?.version !== version) onInstance(seen);
  };

  const answerPolicy = (request: IncomingMessage, response: ServerResponse, policy: ShelvedPolicy): void => {
    const headers = {
      ...commonHeaders,
      etag: policy.etag,
      "cache-control": "no-cache",
      "last-modified": new Date(policy.shelvedAtMs).toUTCString(),
      "x-outrider-policy": policy.version,
    };
    if (matchesEtag(request.headers["if-none-match"], policy.etag)) {
      response.writeHead(304, headers).end();
      return;
    }
    const { contentType, body } = policy;
    response.writeHead(200, { ...headers, "content-type": contentType, "content-length": body.length });
    response.end(request.method === "HEAD" ? undefined : body);
  };

  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    const hasBody =
      request.headers["transfer-encoding"] !== undefined || (request.headers["content-length"] ?? "0") !== "0";
    if (hasBody) response.shouldKeepAlive = false;
    const target = request.url ?? "";
    if (!target.startsWith("/")) return refuse(response, 421, "the request target must be a path, not a URL");
    if (isLoopback && !isLoopbackHost(nameOf(request.headers.host ?? ""))) {
      return refuse(response, 421, "the Host header names another host");
    }
    if (request.headers.origin !== undefined) return refuse(response, 403, "requests from web pages are refused");
    const { pathname, searchParams } = new URL(target, "http://localhost");
    const find = pages.get(pathname) ?? (pathname.startsWith("/versions/") ? onVersion : undefined);
    if (find === undefined) return answerJson(request, response, 404, { error: "no such page", served });
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD");
      return refuse(response, 405, "this endpoint is read-only");
    }
    find(request, response, { pathname, instance: searchParams.get("instance") });
  };

  type Page = (
    request: IncomingMessage,
    response: ServerResponse,
    asked: { pathname: string; instance: string | null },
  ) => void;
  const onVersion: Page = (request, response, { pathname }) => {
    const policy = shelf.find(decode(pathname.slice("/versions/".length)));
    if (policy === undefined) answerJson(request, response, 404, { error: "no such version" });
    else answerPolicy(request, response, policy);
  };
  const pages = new Map<string, Page>([
    [
      "/policy",
      (request, response, { instance }) => {
        const { current } = shelf;
        if (current === undefined) return refuse(response, 503, "no valid policy yet");
        if (instance !== null && instanceName.test(instance)) note(instance, current.version);
        answerPolicy(request, response, current);
      },
    ],
    [
      "/versions",
      (request, response) => {
        const versions = shelf.list().map((policy) => ({
          version: policy.version,
          current: policy === shelf.current,
          signed: policy.isSigned,
          etag: policy.etag,
          bytes: policy.body.length,
          since: toIso(policy.shelvedAtMs),
        }));
        answerJson(request, response, 200, { versions });
      },
    ],
    [
      "/instances",
      (request, response) => {
        const list = [...instances.values()].toReversed().map(({ firstSeenMs, lastSeenMs, ...seen }) => ({
          ...seen,
          firstSeen: toIso(firstSeenMs),
          lastSeen: toIso(lastSeenMs),
        }));
        answerJson(request, response, 200, { current: shelf.current?.version, instances: list });
      },
    ],
    ["/livez", (request, response) => answerJson(request, response, 200, { ok: true })],
  ]);

  const server = createServer(serverOptions, serve);
  server.maxConnections = maxConnections;

  return {
    async listen() {
      await new Promise<void>((resolve, reject) => {
        server.once("error", (error: NodeJS.ErrnoException) => {
          reject(new ListenError(`${host}:${port}`, error.code ?? "unknown error"));
        });
        server.listen({ host: host.replace(/^\[|\]$/g, ""), port }, resolve);
      });
      server.removeAllListeners("error").on("error", () => undefined);
      const { address, family, port: bound } = server.address() as AddressInfo;
      return `http://${family === "IPv6" ? `[${address}]` : address}:${bound}`;
    },
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

/** Whether only this machine reaches a listener on this host. */
export function isLoopbackHost(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/i.test(host);
}

function nameOf(hostHeader: string): string {
  return hostHeader.trim().replace(/:\d{0,5}$/, "");
}

/** RFC 9110 §13.1.2: weak comparison with each member of the list. */
function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(",").some((each) => {
    const tag = each.trim();
    return tag === "*" || tag.replace(/^W\//, "") === etag;
  });
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function toIso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

function answerJson(request: IncomingMessage, response: ServerResponse, status: number, content: unknown): void {
  const body = `${JSON.stringify(content)}\n`;
  response.writeHead(status, {
    ...commonHeaders,
    "cache-control": "no-store",
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

function refuse(response: ServerResponse, status: number, message: string): void {
  const body = `${JSON.stringify({ error: message })}\n`;
  response.writeHead(status, { ...commonHeaders, "content-type": "application/json", "cache-control": "no-store" });
  response.end(body);
}
