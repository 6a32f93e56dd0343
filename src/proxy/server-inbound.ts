// Room proxy: one node:http request and response as `Inbound` and `Responder`.
// Invariant: after the client is gone every call is a no-op; nothing here throws into the exchange but readBody's SidecarErrors.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { BodyReader } from "./body-reader.ts";
import { findHeader } from "./headers.ts";
import type { Inbound, Responder, Upgrade } from "./wire.ts";

export class NodeInbound implements Inbound {
  readonly method: string;
  readonly target: string;
  readonly rawHeaders: readonly string[];
  readonly protocolVersion: string;
  readonly clientAddress: string | undefined;
  readonly clientPort: number | undefined;
  readonly hasBody: boolean;
  readonly respond: Responder;
  readonly upgrade?: Upgrade;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #reader: BodyReader;
  #continueExpected: boolean;

  constructor(request: IncomingMessage, response: ServerResponse, continueExpected: boolean, upgrade?: Upgrade) {
    if (upgrade !== undefined) this.upgrade = upgrade;
    this.method = request.method ?? "GET";
    this.target = request.url ?? "/";
    this.rawHeaders = request.rawHeaders;
    this.protocolVersion = request.httpVersion;
    this.clientAddress = request.socket.remoteAddress;
    this.clientPort = request.socket.remotePort;
    const length = request.headers["content-length"];
    this.hasBody = request.headers["transfer-encoding"] !== undefined || (length !== undefined && length !== "0");
    this.respond = new NodeResponder(request, response, this.hasBody);
    this.#request = request;
    this.#response = response;
    this.#reader = new BodyReader(request, () => request.complete);
    this.#continueExpected = continueExpected;
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name];
    return typeof value === "string" ? value : value?.[0];
  }

  readBody(maxBytes: number, timeoutMs: number): Promise<Buffer> {
    const announced = Number(this.#request.headers["content-length"] ?? 0);
    if (announced <= maxBytes) this.#continue();
    return this.#reader.read(announced, maxBytes, timeoutMs);
  }

  body(): Readable {
    this.#continue();
    return this.#request;
  }

  /** The request's body did not come in time; true when somebody was waiting for it and now answers. */
  bodyTimedOut(): boolean {
    return this.#reader.timeOut();
  }

  #continue(): void {
    if (!this.#continueExpected) return;
    this.#continueExpected = false;
    this.#response.writeContinue();
  }
}

/** How long what was written may wait for a client that takes nothing. */
export const flushTimeoutMs = 60_000;
/** And what was written to an answer that is cut. */
export const cutTimeoutMs = 1000;

class NodeResponder implements Responder {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  /** Kept, because undici takes the socket off a request whose body it destroys. */
  readonly #socket: Socket;
  readonly #hasBody: boolean;
  #closed = false;
  /** The body's end is told by a length or by chunks, not by the end of the connection. */
  #framed = false;

  constructor(request: IncomingMessage, response: ServerResponse, hasBody: boolean) {
    this.#request = request;
    this.#response = response;
    this.#socket = request.socket;
    this.#hasBody = hasBody;
    response.on("error", () => {
      this.#closed = true;
    });
  }

  get headSent(): boolean {
    return this.#response.headersSent;
  }

  head(status: number, rawHeaders: string[], flush: boolean): void {
    const response = this.#response;
    if (this.#closed || response.headersSent || response.destroyed) return;
    // The provider's own date, if any, is the one that passes.
    response.sendDate = false;
    // A request whose body was not read to its end leaves the connection unusable for another.
    if (this.#hasBody && !this.#request.complete) response.shouldKeepAlive = false;
    response.writeHead(status, rawHeaders);
    this.#framed = response.chunkedEncoding || findHeader(rawHeaders, "content-length") !== undefined;
    if (flush) response.flushHeaders();
  }

  write(chunk: Buffer | string): boolean {
    if (this.#closed || this.#response.destroyed) return true;
    return this.#response.write(chunk);
  }

  end(chunk?: Buffer | string, trailers?: Record<string, string>): void {
    const response = this.#response;
    if (this.#closed || response.destroyed) return;
    this.#closed = true;
    if (trailers !== undefined) response.addTrailers(trailers);
    if (chunk === undefined) response.end();
    else response.end(chunk);
    if (this.#hasBody && !this.#request.complete) {
      // Take no more of an upload that was refused; give the answer a moment to arrive before the reset.
      this.#request.pause();
      response.on("finish", () => setTimeout(() => this.#socket.destroy(), 100).unref());
    } else if (response.writableLength > 0) {
      this.#resetUnlessFlushed(flushTimeoutMs);
    }
  }

  destroy(): void {
    const response = this.#response;
    if (this.#closed || response.destroyed) return;
    this.#closed = true;
    // A body that ends with its connection would look whole after a FIN: only a reset tells the truth there.
    if (response.headersSent && !this.#framed) {
      this.#socket.resetAndDestroy();
      return;
    }
    this.#socket.destroySoon();
    this.#resetUnlessFlushed(cutTimeoutMs);
  }

  reset(): void {
    this.#closed = true;
    this.#socket.resetAndDestroy();
  }

  onDrain(listener: () => void): void {
    this.#response.on("drain", listener);
  }

  onClientGone(listener: () => void): void {
    const response = this.#response;
    // Gone already, while the request was being read.
    if (response.closed) queueMicrotask(listener);
    else response.on("close", () => !response.writableFinished && listener());
  }

  #resetUnlessFlushed(timeoutMs: number): void {
    const socket = this.#socket;
    const timer = setTimeout(() => socket.resetAndDestroy(), timeoutMs).unref();
    this.#response.on("finish", () => clearTimeout(timer));
    socket.on("close", () => clearTimeout(timer));
  }
}
