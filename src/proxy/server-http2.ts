// Room proxy: HTTP/2 with prior knowledge on the data port: sessions, their caps and timers; each stream becomes an `Inbound`.
// Invariant: reliability.md §7: whatever a client may ask for without end (streams, resets, headers, frames, time) has a cap, and a
// session that goes over one is closed.

import { constants, type IncomingHttpHeaders, performServerHandshake, type ServerHttp2Session } from "node:http2";
import type { ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { SidecarError } from "../errors.ts";
import { Http2Inbound, type Http2Request } from "./server-http2-inbound.ts";
import type { Inbound } from "./wire.ts";

export interface Http2Settings {
  /** Takes one request; never throws. */
  onInbound: (inbound: Inbound) => void;
  /** A request, or a whole connection, that never became an exchange; the reason's error code. */
  onRefused: (code: string) => void;
}

export interface Http2Sessions {
  /** Serves a connection whose first bytes, put back, are the client's preface. */
  adopt(socket: Socket): void;
  /** GOAWAY to every session, and to those to come with their first request; streams under way go on. */
  startDraining(): void;
  /** Closes each session, at once what does not end by itself. */
  close(): Promise<void>;
}

/** RFC 9113 §6.5.2; Node takes up to 64 KiB until the client has acknowledged it, and resets the stream beyond. */
const maxHeaderListSize = 32_768;

const sessionOptions = {
  settings: { maxConcurrentStreams: 200, maxHeaderListSize, enablePush: false },
  // The exchange refuses more than 200 in words; far beyond that the stream is reset.
  maxHeaderListPairs: 2000,
  maxSessionMemory: 10,
  maxSettings: 32,
  maxOutstandingPings: 10,
  maxOutstandingSettings: 10,
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 100,
  // Our own count of resets is below this; nghttp2's bucket also sees those of streams that Node never showed.
  streamResetBurst: 2000,
  streamResetRate: 33,
  // A provider may say a single-valued field twice; HTTP/1.1 passes it too.
  strictSingleValueFields: false,
};

/** Requests a client may take back in a window before its session is closed (CVE-2023-44487): two full sessions' worth. */
const maxResets = 400;
const resetWindowMs = 10_000;
/** As HTTP/1.1's headersTimeout: from the preface to the client's SETTINGS. */
const settingsTimeoutMs = 10_000;
/** As HTTP/1.1's keepAliveTimeout: without a stream, whatever else is sent. */
const idleTimeoutMs = 120_000;
/** For what is left to say when a session is closed. */
const goodbyeMs = 1000;
const closeMs = 250;

/** HTTP/2 of one data server. */
export function createHttp2Sessions(settings: Http2Settings): Http2Sessions {
  const sessions = new Set<Session>();
  let draining = false;
  return {
    adopt(socket) {
      const session = new Session(socket, settings, () => draining);
      sessions.add(session);
      session.onClosed(() => sessions.delete(session));
    },
    startDraining() {
      draining = true;
      for (const session of sessions) session.sayGoodbye();
    },
    async close() {
      const closing = [...sessions];
      await Promise.all(closing.map((session) => session.close(closeMs)));
    },
  };
}

class Session {
  readonly #session: ServerHttp2Session;
  readonly #settings: Http2Settings;
  readonly #isDraining: () => boolean;
  /** Kept: the session's own view of it throws once it is closed. */
  readonly #peer: Http2Request["socket"];
  #idle: NodeJS.Timeout | undefined;
  #openStreams = 0;
  #resets = 0;
  #windowEndsMs = 0;
  #refused = false;

  constructor(socket: Socket, settings: Http2Settings, isDraining: () => boolean) {
    this.#settings = settings;
    this.#isDraining = isDraining;
    this.#peer = { remoteAddress: socket.remoteAddress, remotePort: socket.remotePort };
    const session = performServerHandshake(socket, sessionOptions);
    this.#session = session;
    let clientGaveUp = false;
    session.on("goaway", () => {
      clientGaveUp = true;
    });
    session.on("error", (error: NodeJS.ErrnoException) => {
      // A lost connection, or a client that closed with an error of its own, was not refused by us.
      if (!clientGaveUp && error.code?.startsWith("ERR_HTTP2") === true) settings.onRefused("request_malformed");
    });
    session.on("remoteSettings", () => {
      if (this.#openStreams === 0) this.#waitIdle(idleTimeoutMs);
    });
    session.on("stream", (stream, headers, flags, rawHeaders) => this.#accept(stream, headers, flags, rawHeaders));
    session.on("close", () => clearTimeout(this.#idle));
    this.#waitIdle(settingsTimeoutMs);
  }

  onClosed(listener: () => void): void {
    this.#session.on("close", listener);
  }

  /** Takes no new streams; ends with its last one. */
  sayGoodbye(): void {
    if (!this.#session.closed) this.#session.close();
  }

  close(withinMs: number): Promise<void> {
    const session = this.#session;
    if (session.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      // Not with NO_ERROR: a client may take what it has of an answer for the whole.
      const timer = setTimeout(() => session.destroy(new Error("closed"), constants.NGHTTP2_INTERNAL_ERROR), withinMs);
      session.on("close", () => {
        clearTimeout(timer);
        resolve();
      });
      this.sayGoodbye();
    });
  }

  #waitIdle(timeoutMs: number): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.close(goodbyeMs), timeoutMs).unref();
  }

  #accept(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, rawHeaders: string[]): void {
    stream.on("error", () => undefined);
    if (this.#refused || this.#session.destroyed) return;
    this.#openStreams += 1;
    clearTimeout(this.#idle);
    const close = (): void => {
      this.#openStreams -= 1;
      if (this.#openStreams === 0 && !this.#session.destroyed) this.#waitIdle(idleTimeoutMs);
    };
    // Node tells of a stream a tick late; it may be over.
    if (stream.destroyed) close();
    else stream.on("close", close);

    const request = { stream, headers, flags, rawHeaders, socket: this.#peer };
    const inbound = new Http2Inbound(request, () => this.#countReset());
    const refusal = findRefusal(headers, rawHeaders);
    if (refusal === undefined) {
      this.#settings.onInbound(inbound);
    } else {
      this.#settings.onRefused(refusal.code);
      refuse(inbound, refusal);
    }
    if (this.#isDraining()) this.sayGoodbye();
  }

  #countReset(): void {
    const nowMs = performance.now();
    if (nowMs > this.#windowEndsMs) {
      this.#windowEndsMs = nowMs + resetWindowMs;
      this.#resets = 0;
    }
    this.#resets += 1;
    if (this.#resets <= maxResets || this.#refused) return;
    this.#refused = true;
    this.#settings.onRefused("request_malformed");
    const error = new Error(`more than ${maxResets} requests taken back in ${resetWindowMs} ms`);
    // Not from inside nghttp2's own callback, but before the next piece of the flood is read.
    process.nextTick(() => this.#session.destroy(error, constants.NGHTTP2_ENHANCE_YOUR_CALM));
  }
}

/** What HTTP/1.1 refuses before it becomes an exchange. */
function findRefusal(headers: IncomingHttpHeaders, rawHeaders: readonly string[]): SidecarError | undefined {
  // Each field counts 32 bytes more (RFC 9113 §6.5.2).
  let listSize = rawHeaders.length * 16;
  for (const text of rawHeaders) listSize += text.length;
  if (listSize > maxHeaderListSize) {
    return new SidecarError("headers_too_large", "the request head is larger than 32 KiB");
  }
  if (headers[":method"] === "CONNECT") return new SidecarError("method_not_allowed", "CONNECT is not served");
  if (headers.expect !== undefined && headers.expect.toLowerCase() !== "100-continue") {
    return new SidecarError("expectation_failed", "expected no Expect header but 100-continue");
  }
  return undefined;
}

function refuse({ respond }: Inbound, error: SidecarError): void {
  const { code, message, source, httpStatus } = error;
  const headers = ["content-type", "application/json", "x-outrider-error", `${code};source=${source}`];
  respond.head(httpStatus, headers, true);
  respond.end(JSON.stringify({ error: { type: "invalid_request_error", code, message } }));
}
