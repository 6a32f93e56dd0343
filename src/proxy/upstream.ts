// Room proxy: sends one request to a provider and pushes the answer at a handler, on undici's `dispatch`.
// Invariant: exactly one of `onEnd` and `onError` is called, once, also after `abort`; undici's objects do not leave this file.

import diagnosticsChannel from "node:diagnostics_channel";
import type { Readable } from "node:stream";
import { Client, type Dispatcher, Pool } from "undici";
import { type ErrorCode, SidecarError } from "../errors.ts";

export interface UpstreamRequest {
  /** Scheme, host and port. */
  origin: string;
  /** Path and query, as it goes on the wire. */
  path: string;
  method: string;
  /** Flat list; without host and content-length. */
  headers: string[];
  body: Buffer | Readable | undefined;
  /** Longest wait for the response head, and between two chunks of its body. */
  firstByteTimeoutMs: number;
  idleTimeoutMs: number;
  /** Use a connection that has carried nothing yet. */
  freshConnection: boolean;
}

export interface UpstreamHandler {
  onHead(status: number, rawHeaders: string[]): void;
  onChunk(chunk: Buffer): void;
  onEnd(): void;
  onError(failure: UpstreamFailure): void;
}

export interface UpstreamFailure {
  error: SidecarError;
  /** The connection had served another request and died before any byte of this answer: safe to send once more on a fresh one. */
  staleConnection: boolean;
}

/** The handler's grip on a request under way. */
export interface UpstreamControl {
  pause(): void;
  resume(): void;
  /** Ends it: the connection is closed, and `onError` follows with this error unless the answer had ended. */
  abort(error: SidecarError): void;
}

export interface Upstream {
  send(request: UpstreamRequest, handler: UpstreamHandler): UpstreamControl;
  /** Aborts whatever is under way, each with this error. */
  abortAll(error: SidecarError): void;
  /** Closes idle connections and destroys busy ones. */
  close(): Promise<void>;
}

export interface UpstreamSettings {
  connectTimeoutMs: number;
  maxConnections: number;
}

// undici tells nobody which socket carries a request, except this channel, synchronously after onRequestStart.
const sendHeadersChannel = diagnosticsChannel.channel("undici:client:sendHeaders");
const usedSockets = new WeakSet<object>();
let starting: Delivery | undefined;

function expectSocketFor(delivery: Delivery): void {
  starting = delivery;
}

function noteSocket(message: unknown): void {
  const { socket } = message as { socket?: object };
  if (socket === undefined) return;
  if (starting !== undefined) {
    starting.reusedConnection = usedSockets.has(socket);
    starting = undefined;
  }
  usedSockets.add(socket);
}

/** Builds the sender; one per sidecar, owned and closed by it. */
export function createUpstream(settings: UpstreamSettings): Upstream {
  const pools = new Map<string, Pool>();
  const deliveries = new Deliveries();
  sendHeadersChannel.subscribe(noteSocket);

  const clientOptions = {
    // The wire attempt's own timers are given with each request; these are only the connection's.
    pipelining: 1,
    keepAliveTimeout: 4000,
    keepAliveMaxTimeout: 30_000,
    allowH2: false,
    strictContentLength: true,
    maxHeaderSize: 65_536,
    connect: { timeout: settings.connectTimeoutMs },
  };

  function poolFor(origin: string): Pool {
    let pool = pools.get(origin);
    if (pool === undefined) {
      pool = new Pool(origin, { ...clientOptions, connections: settings.maxConnections });
      pools.set(origin, pool);
    }
    return pool;
  }

  return {
    send(request, handler) {
      const fresh = request.freshConnection ? new Client(request.origin, clientOptions) : undefined;
      const delivery = new Delivery(handler, fresh, deliveries);
      deliveries.add(delivery);
      const dispatcher: Dispatcher = fresh ?? poolFor(request.origin);
      try {
        dispatcher.dispatch(
          {
            path: request.path,
            method: request.method,
            headers: request.headers,
            body: request.body ?? null,
            headersTimeout: request.firstByteTimeoutMs,
            bodyTimeout: request.idleTimeoutMs,
          },
          delivery,
        );
      } catch (error) {
        delivery.onResponseError(undefined, error as Error);
      }
      return delivery;
    },
    abortAll(error) {
      for (const delivery of deliveries.list()) delivery.abort(error);
    },
    async close() {
      sendHeadersChannel.unsubscribe(noteSocket);
      await Promise.all([...pools.values()].map((pool) => pool.destroy().catch(() => undefined)));
      pools.clear();
    },
  };
}

/**
 * What is under way. No Set: V8 links each table that a Set outgrew to the next one, so with an entry added and deleted per request the
 * dead tables, once in the old generation, keep every exchange alive until a full collection (a fifth of all CPU time; measured 2026-11-21).
 */
class Deliveries {
  readonly #list: Delivery[] = [];

  add(delivery: Delivery): void {
    delivery.position = this.#list.length;
    this.#list.push(delivery);
  }

  delete(delivery: Delivery): void {
    const last = this.#list.pop();
    if (last === undefined || last === delivery) return;
    this.#list[delivery.position] = last;
    last.position = delivery.position;
  }

  list(): Delivery[] {
    return [...this.#list];
  }
}

/** One request's undici handler and, to the exchange, its control. */
class Delivery implements Dispatcher.DispatchHandler, UpstreamControl {
  reusedConnection = false;
  /** Its place among its siblings, who keep it. */
  position = 0;
  readonly #handler: UpstreamHandler;
  readonly #fresh: Client | undefined;
  readonly #siblings: Deliveries;
  #controller: Dispatcher.DispatchController | undefined;
  #aborted: SidecarError | undefined;
  #headSeen = false;
  #anyByte = false;
  #finished = false;

  constructor(handler: UpstreamHandler, fresh: Client | undefined, siblings: Deliveries) {
    this.#handler = handler;
    this.#fresh = fresh;
    this.#siblings = siblings;
  }

  pause(): void {
    this.#controller?.pause();
  }

  resume(): void {
    this.#controller?.resume();
  }

  abort(error: SidecarError): void {
    if (this.#finished) return;
    this.#aborted ??= error;
    if (this.#controller !== undefined) this.#controller.abort(error);
    // Still waiting for a connection: told now, refused at onRequestStart.
    else this.#fail(error);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#aborted !== undefined) {
      controller.abort(this.#aborted);
      return;
    }
    expectSocketFor(this);
  }

  onResponseStarted(): void {
    this.#anyByte = true;
  }

  onResponseStart(controller: Dispatcher.DispatchController, statusCode: number): void {
    if (this.#finished || statusCode < 200) return;
    this.#headSeen = true;
    const received = controller.rawHeaders as Buffer[];
    const rawHeaders = Array.from<string>({ length: received.length });
    for (let index = 0; index < received.length; index++) {
      rawHeaders[index] = (received[index] as Buffer).toString("latin1");
    }
    this.#handler.onHead(statusCode, rawHeaders);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#finished) this.#handler.onChunk(chunk);
  }

  onResponseEnd(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#release();
    try {
      this.#handler.onEnd();
    } catch (cause) {
      const error = new SidecarError("internal", "an unexpected error at the end of an answer", { cause });
      this.#handler.onError({ error, staleConnection: false });
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    this.#fail(error);
  }

  #fail(cause: Error): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#release();
    const error = this.#aborted ?? (cause instanceof SidecarError ? cause : toSidecarError(cause, this.#headSeen));
    const staleConnection = this.reusedConnection && !this.#anyByte && !this.#headSeen && isConnectionLoss(cause);
    this.#handler.onError({ error, staleConnection });
  }

  #release(): void {
    this.#siblings.delete(this);
    // A client made for this one request goes with it; the error of a destroyed one is nobody's.
    this.#fresh?.destroy().catch(() => undefined);
  }
}

function codeOf(error: Error): string {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : "";
}

function isConnectionLoss(error: Error): boolean {
  const code = codeOf(error);
  return code === "ECONNRESET" || code === "EPIPE" || code === "UND_ERR_SOCKET";
}

const codes: Record<string, ErrorCode> = {
  UND_ERR_CONNECT_TIMEOUT: "upstream_connect_timeout",
  ETIMEDOUT: "upstream_connect_timeout",
  UND_ERR_HEADERS_TIMEOUT: "upstream_first_byte_timeout",
  UND_ERR_BODY_TIMEOUT: "stream_idle",
  ENOTFOUND: "upstream_dns",
  EAI_AGAIN: "upstream_dns",
  EAI_FAIL: "upstream_dns",
  EAI_NODATA: "upstream_dns",
  UND_ERR_RES_EXCEEDED_MAX_SIZE: "upstream_too_large",
  UND_ERR_HEADERS_OVERFLOW: "upstream_too_large",
};

const messages: Partial<Record<ErrorCode, string>> = {
  upstream_connect_timeout: "the provider did not accept a connection in time",
  upstream_first_byte_timeout: "the provider did not begin to answer in time",
  stream_idle: "the provider's answer stalled",
  upstream_dns: "the provider's name could not be resolved",
  upstream_too_large: "the provider's answer is too large",
  upstream_tls: "the TLS connection to the provider could not be made",
  upstream_invalid: "the provider's answer is not valid HTTP",
  stream_truncated: "the provider's answer broke off",
  upstream_unreachable: "the provider could not be reached",
};

const tlsCode = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|UNABLE_TO_|SELF_SIGNED|HOSTNAME_MISMATCH|EPROTO)/;

/** What a transport error means; the message names no address, since it reaches the client. */
export function toSidecarError(cause: Error, headSeen: boolean): SidecarError {
  const transportCode = codeOf(cause);
  const code = classify(cause.name, transportCode, headSeen);
  const suffix = transportCode === "" ? "" : ` (${transportCode})`;
  return new SidecarError(code, `${messages[code] ?? "the provider could not be reached"}${suffix}`, { cause });
}

function classify(name: string, transportCode: string, headSeen: boolean): ErrorCode {
  const known = codes[transportCode];
  if (known !== undefined && !(headSeen && transportCode === "ETIMEDOUT")) return known;
  if (!headSeen && tlsCode.test(transportCode)) return "upstream_tls";
  if (headSeen) return "stream_truncated";
  if (name === "HTTPParserError" || transportCode === "UND_ERR_RES_CONTENT_LENGTH_MISMATCH") return "upstream_invalid";
  if (transportCode.startsWith("UND_ERR_INVALID") || transportCode === "UND_ERR_NOT_SUPPORTED") return "internal";
  return "upstream_unreachable";
}
