// Room proxy: the answer to one plain HTTP/1.1 request, written straight to its socket.
// Invariant: framed by the provider's content-length or by chunks, never by the connection's end; an answer that is not
// what its head announced ends in a cut. One write carries a head and what comes with it.

import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { writeField } from "./http1-fields.ts";
import { cutTimeoutMs, flushTimeoutMs } from "./server-inbound.ts";
import type { Responder } from "./wire.ts";

/** What a responder asks of its connection. */
export interface Http1Answering {
  readonly socket: Socket;
  /** Another request may follow on this connection. */
  mayKeepAlive(): boolean;
  /** The answer was written to its end; `reusable`: so that the next may follow. */
  answered(reusable: boolean): void;
}

const lastChunk = "0\r\n";
/** From this size on a chunk is handed over as it is instead of being copied next to its frame. */
const copyLimitBytes = 16_384;

type Framing = "length" | "chunked" | "none";

export class Http1Responder implements Responder {
  headSent = false;
  readonly #connection: Http1Answering;
  readonly #socket: Socket;
  #head = "";
  #framing: Framing = "none";
  #missing = 0;
  #reusable = false;
  #closed = false;
  #onDrain: (() => void) | undefined;
  #onGone: (() => void) | undefined;

  constructor(connection: Http1Answering) {
    this.#connection = connection;
    this.#socket = connection.socket;
  }

  /** Nothing more will be written. */
  get closed(): boolean {
    return this.#closed;
  }

  head(status: number, rawHeaders: string[], flush: boolean): void {
    if (this.#closed || this.headSent || this.#socket.destroyed) return;
    let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "unknown"}\r\n`;
    let length: number | undefined;
    for (let index = 0; index < rawHeaders.length; index += 2) {
      const name = rawHeaders[index] as string;
      const value = rawHeaders[index + 1] as string;
      if (name.length === 14 && name.toLowerCase() === "content-length") length = Number(value);
      text += writeField(name, value);
    }
    this.#reusable = this.#connection.mayKeepAlive();
    text += this.#reusable ? "Connection: keep-alive\r\nKeep-Alive: timeout=120\r\n" : "Connection: close\r\n";
    if (status === 204 || status === 304) {
      this.#framing = "none";
    } else if (length === undefined) {
      this.#framing = "chunked";
      text += "Transfer-Encoding: chunked\r\n";
    } else {
      this.#framing = "length";
      this.#missing = length;
    }
    this.headSent = true;
    this.#head = `${text}\r\n`;
    if (flush) this.#flushHead();
  }

  write(chunk: Buffer | string): boolean {
    if (this.#closed || this.#socket.destroyed || this.#framing === "none") return true;
    const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    if (bytes.length === 0) return true;
    const chunked = this.#framing === "chunked";
    if (!chunked) this.#missing -= bytes.length;
    const before = chunked ? `${this.#head}${bytes.length.toString(16)}\r\n` : this.#head;
    this.#head = "";
    return this.#send(before, bytes, chunked ? "\r\n" : "");
  }

  end(chunk?: Buffer | string, trailers?: Record<string, string>): void {
    if (this.#closed || this.#socket.destroyed) return;
    if (chunk !== undefined) this.write(chunk);
    if (this.#framing === "length" && this.#missing !== 0) {
      this.destroy();
      return;
    }
    this.#closed = true;
    if (this.#framing === "chunked") this.#socket.write(this.#head + lastChunk + formatTrailers(trailers), "latin1");
    else if (this.#head !== "") this.#flushHead();
    this.#head = "";
    // The empty write is done once all before it is out; `drain` comes only to a socket that was over its mark, and not at its end.
    if (this.#socket.writableLength > 0) this.#socket.write("", this.#resetUnlessStopped(flushTimeoutMs));
    this.#connection.answered(this.#reusable);
  }

  destroy(): void {
    if (this.#closed || this.#socket.destroyed) return;
    this.#closed = true;
    this.#flushHead();
    this.#socket.destroySoon();
    this.#resetUnlessStopped(cutTimeoutMs);
  }

  reset(): void {
    this.#closed = true;
    this.#socket.resetAndDestroy();
  }

  onDrain(listener: () => void): void {
    this.#onDrain = chain(this.#onDrain, listener);
  }

  onClientGone(listener: () => void): void {
    if (this.#socket.destroyed) queueMicrotask(listener);
    else this.#onGone = chain(this.#onGone, listener);
  }

  /** The socket takes bytes again. */
  drained(): void {
    this.#onDrain?.();
  }

  /** The connection is gone. */
  lose(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onGone?.();
  }

  #flushHead(): void {
    if (this.#head !== "") this.#socket.write(this.#head, "latin1");
    this.#head = "";
  }

  #send(before: string, bytes: Buffer, after: string): boolean {
    const socket = this.#socket;
    if (before === "") return socket.write(bytes);
    if (bytes.length > copyLimitBytes) {
      socket.cork();
      socket.write(before, "latin1");
      let isTaken = socket.write(bytes);
      if (after !== "") isTaken = socket.write(after, "latin1");
      socket.uncork();
      return isTaken;
    }
    const whole = Buffer.allocUnsafe(before.length + bytes.length + after.length);
    whole.write(before, 0, "latin1");
    bytes.copy(whole, before.length);
    if (after !== "") whole.write(after, before.length + bytes.length, "latin1");
    return socket.write(whole);
  }

  /** The connection's end stops it too. */
  #resetUnlessStopped(timeoutMs: number): () => void {
    const socket = this.#socket;
    const timer = setTimeout(() => socket.resetAndDestroy(), timeoutMs).unref();
    const stop = (): void => {
      clearTimeout(timer);
      socket.off("close", stop);
    };
    socket.on("close", stop);
    return stop;
  }
}

function formatTrailers(trailers: Record<string, string> | undefined): string {
  let text = "";
  for (const name in trailers) text += `${name}: ${trailers[name]}\r\n`;
  return `${text}\r\n`;
}

/** Several attempts may write to one client, one after the other or at once. */
function chain(before: (() => void) | undefined, listener: () => void): () => void {
  if (before === undefined) return listener;
  return () => {
    before();
    listener();
  };
}
