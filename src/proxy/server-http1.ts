// Room proxy: connections that carry plain HTTP/1.1 requests, read and answered on their sockets.
// Invariant: one exchange at a time on a connection, in order; at the first request that is not plain the connection goes, bytes
// unread, to node:http for good. Every timer of node:http is kept here too.

import type { Socket } from "node:net";
import { readPlainHead } from "./server-http1-head.ts";
import { type Http1Carrier, Http1Inbound } from "./server-http1-inbound.ts";
import { type Http1Answering, Http1Responder } from "./server-http1-responder.ts";
import type { Inbound } from "./wire.ts";

export interface Http1Settings {
  /** Runs one exchange; `onDone` is called when nothing of it is left. */
  onInbound: (inbound: Inbound, onDone: () => void) => void;
  /** How long a request's body may take. */
  bodyTimeoutMs: number;
  /** How long a connection may wait for its next request. */
  keepAliveTimeoutMs: number;
}

export interface Http1Connections {
  /** Takes a connection with what was read of it; `handOver` gives it to node:http. */
  adopt(socket: Socket, bytes: Buffer, handOver: (unread: Buffer) => void): void;
  /** Closes what is idle; every answer from now on ends its connection. */
  startDraining(): void;
  /** Cuts all of them. */
  close(): void;
}

/** How often the timers are looked at. */
const sweepMs = 1000;

export function createHttp1Connections(settings: Http1Settings): Http1Connections {
  const connections = new Set<Connection>();
  const shared: Shared = { ...settings, connections, draining: false };
  const sweep = setInterval(() => {
    for (const connection of connections) connection.sweep();
  }, sweepMs).unref();
  return {
    adopt(socket, bytes, handOver) {
      const connection = new Connection(socket, shared, handOver);
      connections.add(connection);
      connection.read(bytes);
    },
    startDraining() {
      shared.draining = true;
      for (const connection of connections) connection.closeIfIdle();
    },
    close() {
      clearInterval(sweep);
      for (const { socket } of connections) socket.destroy();
    },
  };
}

interface Shared extends Http1Settings {
  readonly connections: Set<Connection>;
  draining: boolean;
}

class Connection implements Http1Carrier, Http1Answering {
  readonly socket: Socket;
  readonly clientAddress: string | undefined;
  readonly clientPort: number | undefined;
  readonly #shared: Shared;
  readonly #handOver: (unread: Buffer) => void;
  readonly #listeners: { data: (bytes: Buffer) => void; end: () => void; close: () => void; drain: () => void };
  /** The exchange under way. */
  #inbound: Http1Inbound | undefined;
  #unread: Buffer | undefined;
  #keepAlive = true;
  /** Sweeps since the last request began, or ended. */
  #sweeps = 0;

  constructor(socket: Socket, shared: Shared, handOver: (unread: Buffer) => void) {
    this.socket = socket;
    this.clientAddress = socket.remoteAddress;
    this.clientPort = socket.remotePort;
    this.#shared = shared;
    this.#handOver = handOver;
    this.#listeners = {
      data: (bytes) => this.read(bytes),
      end: () => this.#onHalfClosed(),
      close: () => this.#onClosed(),
      drain: () => this.#inbound?.respond.drained(),
    };
    const { data, end, close, drain } = this.#listeners;
    socket.on("data", data).on("end", end).on("close", close).on("drain", drain).on("error", ignore);
  }

  mayKeepAlive(): boolean {
    // What is left of an upload would be taken for the next request.
    return this.#keepAlive && !this.#shared.draining && this.#inbound?.complete === true;
  }

  answered(reusable: boolean): void {
    const inbound = this.#inbound as Http1Inbound;
    if (reusable) {
      this.#inbound = undefined;
      this.#sweeps = 0;
      if (this.socket.isPaused()) this.socket.resume();
      if (this.#unread !== undefined) setImmediate(() => this.#next());
    } else if (inbound.complete) {
      this.socket.destroySoon();
    } else {
      // Take no more of an upload that was refused; give the answer a moment to arrive before the reset.
      this.socket.pause();
      this.socket.end(() => setTimeout(() => this.socket.destroy(), 100).unref());
    }
  }

  pauseReading(): void {
    this.socket.pause();
  }

  resumeReading(): void {
    if (this.#unread === undefined) this.socket.resume();
  }

  sweep(): void {
    this.#sweeps += 1;
    const waitedMs = this.#sweeps * sweepMs;
    if (this.#inbound === undefined) {
      if (waitedMs > this.#shared.keepAliveTimeoutMs) this.socket.destroySoon();
    } else if (!this.#inbound.complete && waitedMs > this.#shared.bodyTimeoutMs && !this.#inbound.bodyTimedOut()) {
      this.socket.destroy();
    }
  }

  closeIfIdle(): void {
    if (this.#inbound === undefined) this.socket.destroySoon();
  }

  /** Bytes as they come. */
  read(bytes: Buffer): void {
    const rest = this.#inbound === undefined ? bytes : this.#inbound.take(bytes);
    if (rest === undefined) return;
    this.#unread = this.#unread === undefined ? rest : Buffer.concat([this.#unread, rest]);
    // The next request waits until this one is answered.
    if (this.#inbound !== undefined) this.socket.pause();
    else this.#next();
  }

  #next(): void {
    const bytes = this.#unread;
    if (bytes === undefined || this.#inbound !== undefined || !this.socket.writable) return;
    this.#unread = undefined;
    const head = readPlainHead(bytes);
    if (head === undefined) {
      this.#leave(bytes);
      return;
    }
    this.#keepAlive = head.keepAlive;
    this.#sweeps = 0;
    const inbound = new Http1Inbound(head, new Http1Responder(this), this);
    this.#inbound = inbound;
    if (bytes.length > head.headBytes) this.read(bytes.subarray(head.headBytes));
    this.#shared.onInbound(inbound, ignore);
  }

  #leave(unread: Buffer): void {
    const { data, end, close, drain } = this.#listeners;
    this.socket.off("data", data).off("end", end).off("close", close).off("drain", drain).off("error", ignore);
    this.#shared.connections.delete(this);
    this.#handOver(unread);
  }

  /** A client that ends its side does not wait for an answer, as node:http takes it. */
  #onHalfClosed(): void {
    if (this.#inbound === undefined || this.#inbound.respond.closed) this.socket.destroySoon();
    else this.socket.destroy();
  }

  #onClosed(): void {
    this.#shared.connections.delete(this);
    this.#inbound?.lose();
    this.#inbound?.respond.lose();
  }
}

function ignore(): void {
  // What an error means is told by the close that follows it.
}
