// Room proxy: one connection to a provider, carrying one request at a time.
// Invariant: of each request exactly one of `onEnd` and `onError` is called; what breaks the connection breaks only the request on it.

import type { Socket } from "node:net";
import { AnswerParser, type AnswerSink } from "./upstream-http1-parser.ts";

/** One request's side of a connection. */
export interface AnswerHandler {
  onHead(status: number, rawHeaders: string[]): void;
  onChunk(chunk: Buffer): void;
  onEnd(): void;
  /** `anyByte`: of the answer, the connection had given something. */
  onError(error: Error, anyByte: boolean): void;
}

/** A request as bytes. */
export interface RequestBytes {
  method: string;
  /** Request line and fields, each line with its CRLF, and the empty line. */
  head: string;
  body: Buffer | undefined;
  firstByteTimeoutMs: number;
  idleTimeoutMs: number;
}

/** What a connection tells the pool it belongs to. */
export interface ConnectionOwner {
  onIdle(connection: Connection): void;
  onClosed(connection: Connection): void;
}

/** A connection's end under a request, by the code that says what it means. */
export class ConnectionError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = "ConnectionError";
    this.code = code;
  }
}

/** How long a connection waits for its next request; a provider that names a shorter time is obeyed. */
const keepAliveMs = 4000;
/** A provider may close at the very end of the time that it names. */
const keepAliveMarginMs = 2000;
/** From this size on a body is handed over as it is instead of being copied next to its head. */
const copyLimitBytes = 16_384;

export class Connection implements AnswerSink {
  /** Requests that this connection has carried before the one under way. */
  carried = 0;
  readonly #socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #parser: AnswerParser;
  #handler: AnswerHandler | undefined;
  #request: RequestBytes | undefined;
  #headSeen = false;
  #anyByte = false;
  #paused = false;
  #keepAliveMs = keepAliveMs;
  /** When the wait under way is over, on the monotonic clock. */
  #deadlineMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(socket: Socket, owner: ConnectionOwner) {
    this.#socket = socket;
    this.#owner = owner;
    this.#parser = new AnswerParser(this);
    socket.on("data", (bytes: Buffer) => this.#read(bytes));
    socket.on("end", () => this.#onEnd());
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => {
      clearTimeout(this.#timer);
      this.#fail(new ConnectionError("ECONNRESET", "the connection closed"));
      this.#owner.onClosed(this);
    });
    this.#wait(keepAliveMs);
    this.#rearm();
  }

  /** Fit for a request: open, and not at the end of its idle time. */
  get usable(): boolean {
    return !this.#socket.destroyed && this.#socket.writable && performance.now() < this.#deadlineMs;
  }

  send(request: RequestBytes, handler: AnswerHandler): void {
    const socket = this.#socket;
    this.#handler = handler;
    this.#request = request;
    this.#headSeen = false;
    this.#anyByte = false;
    this.#keepAliveMs = keepAliveMs;
    this.#wait(request.firstByteTimeoutMs);
    this.#parser.expect(request.method);
    const { head, body } = request;
    if (body === undefined || body.length === 0) {
      socket.write(head, "latin1");
    } else if (body.length > copyLimitBytes) {
      socket.cork();
      socket.write(head, "latin1");
      socket.write(body);
      socket.uncork();
    } else {
      const whole = Buffer.allocUnsafe(head.length + body.length);
      whole.write(head, "latin1");
      body.copy(whole, head.length);
      socket.write(whole);
    }
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#request !== undefined) this.#wait(this.#request.idleTimeoutMs);
    this.#socket.resume();
  }

  /** Closes it; the request under way fails with this error. */
  abort(error: Error): void {
    this.#fail(error);
    this.#socket.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  onHead(status: number, rawHeaders: string[]): void {
    this.#headSeen = true;
    if (this.#request !== undefined) this.#wait(this.#request.idleTimeoutMs);
    for (let index = 0; index < rawHeaders.length; index += 2) {
      const name = rawHeaders[index] as string;
      if (name.length === 10 && name.toLowerCase() === "keep-alive") this.#obey(rawHeaders[index + 1] as string);
    }
    this.#handler?.onHead(status, rawHeaders);
  }

  onBody(chunk: Buffer): void {
    this.#handler?.onChunk(chunk);
  }

  onComplete(reusable: boolean): void {
    const handler = this.#handler;
    if (handler === undefined) return;
    this.#handler = undefined;
    this.#request = undefined;
    this.carried += 1;
    // An answer to a request that is not out yet: what is left of it would stand before the next.
    if (reusable && this.#keepAliveMs > 0 && this.#socket.writableLength === 0) {
      this.resume();
      this.#wait(this.#keepAliveMs);
      handler.onEnd();
      this.#owner.onIdle(this);
    } else {
      this.#socket.destroy();
      handler.onEnd();
    }
  }

  #read(bytes: Buffer): void {
    this.#anyByte = true;
    // A head that comes in drops, or others before it, gets no more time than one that comes at once.
    if (this.#headSeen && this.#request !== undefined) this.#wait(this.#request.idleTimeoutMs);
    try {
      // Bytes that no request asked for: whose answer the next would be, nobody could tell.
      if (!this.#parser.push(bytes)) this.#socket.destroy();
    } catch (error) {
      this.abort(error as Error);
    }
  }

  #onEnd(): void {
    if (!this.#parser.end()) this.#fail(new ConnectionError("ECONNRESET", "the other side closed"));
    this.#socket.destroy();
  }

  #fail(error: Error): void {
    const handler = this.#handler;
    if (handler === undefined) return;
    this.#handler = undefined;
    this.#request = undefined;
    this.#parser.stop();
    this.#socket.destroy();
    handler.onError(error, this.#anyByte);
  }

  #obey(keepAlive: string): void {
    const seconds = /timeout=(\d{1,6})/.exec(keepAlive)?.[1];
    if (seconds !== undefined) this.#keepAliveMs = Math.min(keepAliveMs, Number(seconds) * 1000 - keepAliveMarginMs);
  }

  #wait(timeoutMs: number): void {
    this.#deadlineMs = performance.now() + timeoutMs;
    // The timer runs for as long as an idle connection waits, at most; what is sooner needs another.
    if (timeoutMs < keepAliveMs) this.#rearm();
  }

  #rearm(): void {
    clearTimeout(this.#timer);
    // Nothing is waited for while paused; `resume` sets the next deadline.
    const leftMs = this.#paused
      ? keepAliveMs
      : Math.min(Math.max(this.#deadlineMs - performance.now(), 1), keepAliveMs);
    this.#timer = setTimeout(() => this.#onTimer(), leftMs).unref();
  }

  #onTimer(): void {
    if (performance.now() < this.#deadlineMs || this.#paused) this.#rearm();
    else if (this.#headSeen) this.abort(new ConnectionError("UND_ERR_BODY_TIMEOUT", "the answer stalled"));
    else this.abort(new ConnectionError("UND_ERR_HEADERS_TIMEOUT", "no answer in time"));
  }
}
