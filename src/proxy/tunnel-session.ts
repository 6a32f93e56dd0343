// Room proxy: the two connections of one WebSocket and their timers: handshake, silence, the end of either side.
// Invariant: it ends once, and then neither connection is left open; nothing is buffered beyond the two sockets' own marks.

import { randomBytes } from "node:crypto";
import { type ClientRequest, IncomingMessage } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createProxyServer } from "http-proxy";
import { SidecarError } from "../errors.ts";
import type { OwnTime } from "./own-time.ts";
import { ClientStandIn } from "./tunnel-ends.ts";
import { toSidecarError } from "./upstream-errors.ts";
import { encodeClose, type FrameReader } from "./websocket-frames.ts";
import type { SessionObserver } from "./websocket-observer.ts";
import type { Upgrade } from "./wire.ts";

export interface SessionEnd {
  /** `failed`: nothing reached the client, who is still to be answered. */
  kind: "complete" | "error" | "truncated" | "client_aborted" | "failed";
  error: SidecarError | undefined;
}

export interface SessionSettings {
  upgrade: Upgrade;
  /** The provider's origin. */
  target: URL;
  /** Path and query, as they go on the wire. */
  path: string;
  /** Flat, for the provider, without host, connection and upgrade. */
  headers: string[];
  connectTimeoutMs: number;
  /** From the start to the provider's answer. */
  handshakeTimeoutMs: number;
  /** Longest time without a byte from either side. */
  idleTimeoutMs: number;
  /** Gives the head for the client, and with a 101 who reads along. It may throw a SidecarError: then the client gets that. */
  onAnswer(status: number, rawHeaders: string[]): { head: Buffer; observer: SessionObserver | undefined };
  onBytes(side: "client" | "provider", count: number): void;
  own: OwnTime;
}

/** How long a connection whose other side is gone may take to close by itself. */
const lingerMs = 100;
/** How long a frame under way may take to end before a session that is being closed is cut. */
const boundaryMs = 200;
/** How long what was written may wait for a client that takes nothing. */
const flushMs = 10_000;

const nothing = Buffer.alloc(0);

export class TunnelSession {
  readonly ended: Promise<SessionEnd>;
  readonly #settings: SessionSettings;
  readonly #client: Duplex;
  readonly #standIn: ClientStandIn;
  readonly #timers = new Set<NodeJS.Timeout>();
  #resolve: (end: SessionEnd) => void = () => undefined;
  #request: ClientRequest | undefined;
  #provider: Duplex | undefined;
  /** An answer that is no 101. */
  #refusal: IncomingMessage | undefined;
  #answer: { head: Buffer; observer: SessionObserver | undefined } | undefined;
  #isAnswered = false;
  #end: SessionEnd | undefined;
  #idle: NodeJS.Timeout | undefined;
  /** The code of our own close frames, from when the session is being closed; each side gets one at its next frame boundary. */
  #closing: number | undefined;
  #clientClosed = false;
  #providerClosed = false;

  constructor(settings: SessionSettings) {
    this.#settings = settings;
    const { upgrade } = settings;
    this.#client = upgrade.socket;
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#standIn = new ClientStandIn(upgrade.socket, upgrade.head, {
      head: () => this.#openForClient(),
      toClient: (chunk) => this.#pass("provider", chunk),
      toProvider: (chunk) => this.#pass("client", chunk),
    });
    this.#standIn.on("error", () => undefined);
    this.#client.on("end", () => this.#clientLeft());
    this.#client.on("close", () => this.#clientLeft());
    if (this.#client.destroyed) this.#clientLeft();
    else this.#dial();
  }

  /** Ends the session from this side: a close frame to both at their next frame boundary, then the connections. */
  closeBoth(code: number, error: SidecarError): void {
    if (this.#answer?.observer === undefined) {
      this.#fail(error);
      return;
    }
    if (this.#closing !== undefined || this.#end !== undefined) return;
    this.#end = { kind: "truncated", error };
    this.#closing = code;
    const { clientFrames, providerFrames } = this.#answer.observer;
    if (providerFrames.atBoundary) this.#closeClient();
    if (clientFrames.atBoundary) this.#closeProvider();
    this.#after(boundaryMs, () => this.#cut());
  }

  #dial(): void {
    const { target, path, headers, connectTimeoutMs, handshakeTimeoutMs } = this.#settings;
    const proxy = createProxyServer();
    proxy.on("error", (cause) => this.#fail(toSidecarError(cause, false)));
    proxy.on("proxyReqWs", (request) => this.#watch(request));
    const message = new IncomingMessage(new Socket());
    message.method = "GET";
    message.headers = { ...groupHeaders(headers), connection: "Upgrade", upgrade: "websocket", host: target.host };
    const isTls = target.protocol === "https:";
    this.#after(Math.max(handshakeTimeoutMs, 0), () => {
      if (this.#isAnswered) return;
      this.#fail(new SidecarError("upstream_first_byte_timeout", "the provider did not answer the upgrade in time"));
    });
    this.#after(connectTimeoutMs, () => {
      const { socket } = this.#request ?? {};
      const isConnecting = socket === undefined || socket === null || socket.connecting;
      if (!isConnecting) return;
      this.#fail(new SidecarError("upstream_connect_timeout", "the provider did not accept a connection in time"));
    });
    // The stand-in has what http-proxy uses of a socket.
    proxy
      .ws(message, this.#standIn as unknown as Socket, {
        target: {
          protocol: target.protocol,
          hostname: target.hostname.replace(/^\[|\]$/g, ""),
          port: target.port === "" ? (isTls ? 443 : 80) : Number(target.port),
          // Path and query byte for byte: a URL would normalise them.
          pathname: path,
        },
        ignorePath: true,
        agent: false,
      })
      .catch((cause: Error) => this.#fail(toSidecarError(cause, false)));
  }

  #watch(request: ClientRequest): void {
    this.#request = request;
    request.prependListener("response", (answer) => {
      this.#refusal = answer;
      this.#takeAnswer(answer.statusCode ?? 0, answer.rawHeaders);
    });
    request.prependListener("upgrade", (answer, socket) => {
      this.#provider = socket;
      socket.on("error", () => undefined);
      socket.on("end", () => this.#providerLeft());
      socket.on("close", () => this.#providerLeft());
      this.#takeAnswer(answer.statusCode ?? 0, answer.rawHeaders);
    });
    // The body of an answer that is no 101 ends with its connection.
    request.on("close", () => {
      if (this.#provider === undefined && this.#isAnswered) this.#providerLeft();
    });
  }

  #takeAnswer(status: number, rawHeaders: string[]): void {
    const { own } = this.#settings;
    if (this.#end !== undefined) return;
    own.enter();
    try {
      if (this.#provider !== undefined && status !== 101) {
        throw new SidecarError("upstream_invalid", "the provider switched protocols without a 101");
      }
      this.#answer = this.#settings.onAnswer(status, rawHeaders);
      this.#isAnswered = true;
      if (this.#answer.observer !== undefined) this.#startIdle();
    } catch (cause) {
      this.#fail(
        cause instanceof SidecarError
          ? cause
          : new SidecarError("internal", "an unexpected error at a provider's answer", { cause }),
      );
    } finally {
      own.leave();
    }
  }

  #startIdle(): void {
    this.#idle = this.#after(this.#settings.idleTimeoutMs, () => {
      this.closeBoth(1001, new SidecarError("stream_idle", "nothing came from either side of the WebSocket in time"));
    });
  }

  /** Right before the head goes out: from here on the connection is no longer HTTP's. */
  #openForClient(): Buffer | undefined {
    if (this.#answer === undefined || this.#end !== undefined) return undefined;
    this.#settings.upgrade.detach();
    return this.#answer.head;
  }

  #pass(side: "client" | "provider", chunk: Buffer): Buffer {
    const { own } = this.#settings;
    const observer = this.#answer?.observer;
    own.enter();
    this.#idle?.refresh();
    let passed = chunk;
    if (observer !== undefined) {
      const frames = side === "client" ? observer.clientFrames : observer.providerFrames;
      if (this.#closing !== undefined && frames.atBoundary) passed = nothing;
      else {
        if (side === "client") observer.fromClient(chunk);
        else observer.fromProvider(chunk);
        if (this.#closing !== undefined) passed = this.#cutAtBoundary(side, chunk, frames);
      }
    }
    this.#settings.onBytes(side, passed.length);
    own.leave();
    return passed;
  }

  /** The rest of the frame under way, and then our close frame. */
  #cutAtBoundary(side: "client" | "provider", chunk: Buffer, frames: FrameReader): Buffer {
    if (frames.lastBoundary === -1) return chunk;
    setImmediate(() => (side === "client" ? this.#closeProvider() : this.#closeClient()));
    return chunk.subarray(0, frames.lastBoundary);
  }

  #closeClient(): void {
    if (this.#clientClosed || this.#closing === undefined) return;
    this.#clientClosed = true;
    this.#noteOwnClose();
    if (this.#client.writable) this.#client.end(encodeClose(this.#closing, undefined));
    this.#settle();
  }

  #closeProvider(): void {
    if (this.#providerClosed || this.#closing === undefined) return;
    this.#providerClosed = true;
    this.#noteOwnClose();
    this.#standIn.sendLast(encodeClose(this.#closing, randomBytes(4)));
    this.#settle();
  }

  #noteOwnClose(): void {
    if (this.#closing !== undefined) this.#answer?.observer?.noteOwnClose(this.#closing);
  }

  #settle(): void {
    if (this.#clientClosed && this.#providerClosed) this.#after(lingerMs, () => this.#cut());
  }

  #clientLeft(): void {
    if (!this.#isAnswered) {
      this.#fail(new SidecarError("client_disconnected", "the client went away before the provider answered"));
      return;
    }
    this.#end ??= this.#judge("client");
    // What the client sent before it left still goes out, then the provider's connection is closed.
    this.#after(lingerMs, () => this.#cut());
  }

  #providerLeft(): void {
    if (!this.#isAnswered) return;
    this.#end ??= this.#judge("provider");
    const client = this.#client;
    const flushed = (): void => {
      this.#after(lingerMs, () => this.#cut());
    };
    if (client.writableFinished || client.destroyed) flushed();
    else client.once("finish", flushed);
    // http-proxy gave up an answer that broke off: its length, or its missing last chunk, tells the client.
    this.#after(lingerMs, () => {
      if (this.#standIn.destroyed && !this.#standIn.writableFinished) this.#cut();
    });
    this.#after(flushMs, () => this.#cut());
  }

  /** What the end of one side's connection means: with a close frame the session was whole. */
  #judge(side: "client" | "provider"): SessionEnd {
    const observer = this.#answer?.observer;
    if (observer === undefined ? this.#refusal?.complete === true : observer.closeSeen) {
      return { kind: "complete", error: undefined };
    }
    if (side === "client") {
      return { kind: "client_aborted", error: new SidecarError("client_disconnected", "the client went away") };
    }
    return { kind: "truncated", error: new SidecarError("stream_truncated", "the provider's answer broke off") };
  }

  /** Before the answer: the client is told by HTTP. After it: the connections are cut. */
  #fail(error: SidecarError): void {
    if (this.#isAnswered) {
      // http-proxy tells of broken connections here; their ends are told by the connections themselves.
      if (error.source === "provider") return;
      this.#end ??= { kind: "truncated", error };
      this.#cut();
      return;
    }
    if (this.#end !== undefined) return;
    this.#end = { kind: "failed", error };
    this.#finish();
    this.#standIn.cutOff();
    this.#client.removeAllListeners("data");
    this.#client.resume();
    this.#request?.destroy();
    this.#provider?.destroy();
  }

  #cut(): void {
    this.#request?.destroy();
    this.#provider?.destroy();
    this.#standIn.cutOff();
    this.#client.destroy();
    this.#finish();
  }

  #finish(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#resolve(this.#end ?? { kind: "truncated", error: undefined });
  }

  #after(delayMs: number, act: () => void): NodeJS.Timeout {
    const timer = setTimeout(act, delayMs);
    this.#timers.add(timer);
    return timer;
  }
}

/** As node:http wants them: a name that comes more than once has a list. */
function groupHeaders(flat: readonly string[]): Record<string, string | string[]> {
  const grouped = new Map<string, { name: string; values: string[] }>();
  for (let index = 0; index < flat.length; index += 2) {
    const name = flat[index] as string;
    const value = flat[index + 1] as string;
    const known = grouped.get(name.toLowerCase());
    if (known === undefined) grouped.set(name.toLowerCase(), { name, values: [value] });
    else known.values.push(value);
  }
  return Object.fromEntries(
    [...grouped.values()].map(({ name, values }) => [name, values.length === 1 ? (values[0] as string) : values]),
  );
}
