// Room proxy: one node:http2 stream as `Inbound` and `Responder`, in the shapes of server-inbound.ts.
// Invariant: after the client is gone every call is a no-op; what ends badly ends in a RST_STREAM, never in END_STREAM.

import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { BodyReader } from "./body-reader.ts";
import { cutTimeoutMs, flushTimeoutMs } from "./server-inbound.ts";
import type { Inbound, Responder } from "./wire.ts";

/** As node:http's `requestTimeout` on HTTP/1.1. */
const requestTimeoutMs = 300_000;

export interface Http2Request {
  stream: ServerHttp2Stream;
  headers: IncomingHttpHeaders;
  /** Of the HEADERS frame. */
  flags: number;
  rawHeaders: readonly string[];
  /** The connection's, asked for while it was open. */
  socket: Pick<Socket, "remoteAddress" | "remotePort">;
}

/** The request's own fields, flat; `:authority` is its Host, cookie crumbs are one field again (RFC 9113 §8.2.3, §8.3.1). */
function toHttp1Headers({ headers, rawHeaders }: Pick<Http2Request, "headers" | "rawHeaders">): string[] {
  const list: string[] = [];
  const authority = headers[":authority"];
  if (authority !== undefined) list.push("host", authority);
  let cookieSeen = false;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    const value = rawHeaders[index + 1] as string;
    if (name.startsWith(":") || (name === "host" && value === authority)) continue;
    if (name !== "cookie") list.push(name, value);
    else if (!cookieSeen) list.push(name, headers.cookie ?? value);
    cookieSeen ||= name === "cookie";
  }
  return list;
}

export class Http2Inbound implements Inbound {
  readonly method: string;
  readonly target: string;
  readonly rawHeaders: readonly string[];
  readonly protocolVersion = "2";
  readonly clientAddress: string | undefined;
  readonly clientPort: number | undefined;
  readonly hasBody: boolean;
  readonly respond: Responder;
  readonly #stream: ServerHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  readonly #reader: BodyReader;
  #continueExpected: boolean;

  /** `onReset`: the client took its request back before it was answered. */
  constructor(request: Http2Request, onReset: () => void) {
    const { stream, headers, flags, socket } = request;
    this.method = headers[":method"] ?? "GET";
    this.target = headers[":path"] ?? "";
    this.rawHeaders = toHttp1Headers(request);
    this.clientAddress = socket.remoteAddress;
    this.clientPort = socket.remotePort;
    this.hasBody = (flags & constants.NGHTTP2_FLAG_END_STREAM) === 0 && headers["content-length"] !== "0";
    const respond = new Http2Responder(stream, this.hasBody);
    this.respond = respond;
    this.#stream = stream;
    this.#headers = headers;
    this.#reader = new BodyReader(stream, () => stream.readableEnded);
    this.#continueExpected = headers.expect?.toLowerCase() === "100-continue";
    const takenBack = (): void => {
      if (respond.closed) return;
      onReset();
      // Node ends the readable side of a stream that was reset with NO_ERROR; half an upload must not look whole.
      if (!stream.readableEnded) stream.destroy();
    };
    if (stream.aborted) takenBack();
    else stream.on("aborted", takenBack);
    if (this.hasBody) this.#limitBodyTime();
  }

  header(name: string): string | undefined {
    if (name === "host") return this.#headers[":authority"] ?? this.#headers.host;
    const value = this.#headers[name];
    return typeof value === "string" ? value : value?.[0];
  }

  readBody(maxBytes: number, timeoutMs: number): Promise<Buffer> {
    const announced = Number(this.#headers["content-length"] ?? 0);
    if (announced <= maxBytes) this.#continue();
    return this.#reader.read(announced, maxBytes, timeoutMs);
  }

  body(): Readable {
    this.#continue();
    return this.#stream;
  }

  #continue(): void {
    if (!this.#continueExpected || this.#stream.destroyed || this.#stream.headersSent) return;
    this.#continueExpected = false;
    this.#stream.additionalHeaders({ ":status": 100 });
  }

  #limitBodyTime(): void {
    const stream = this.#stream;
    const timer = setTimeout(() => {
      if (!this.#reader.timeOut()) cutStream(stream);
    }, requestTimeoutMs).unref();
    stream.on("end", () => clearTimeout(timer));
    stream.on("close", () => clearTimeout(timer));
  }
}

/** Connection-specific fields have no place in HTTP/2 (RFC 9113 §8.2.2); Node would throw. */
const connectionSpecific = new Set([
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

/** Ends in RST_STREAM. Not by `close`, with which Node 24 first sends END_STREAM when it can: the answer would look whole. */
function cutStream(stream: ServerHttp2Stream): void {
  if (!stream.destroyed) stream.destroy(new Error("the answer was cut"));
}

/**
 * Bytes of ours, kept until they are written. An error frame written as a string just before its stream was cut once arrived as garbage
 * (Node 24.21.0, seen 2026-11-21; not reproduced apart from it, so the cause is not known).
 */
function toBuffer(chunk: Buffer | string): Buffer {
  return typeof chunk === "string" ? Buffer.from(chunk) : chunk;
}

class Http2Responder implements Responder {
  readonly #stream: ServerHttp2Stream;
  readonly #hasBody: boolean;
  readonly #onWritten: () => void;
  #pendingWrites = 0;
  #cutting = false;
  #trailers: Record<string, string> = {};
  closed = false;

  constructor(stream: ServerHttp2Stream, hasBody: boolean) {
    this.#stream = stream;
    // Each try at each target of a policy listens.
    stream.setMaxListeners(0);
    this.#hasBody = hasBody;
    this.#onWritten = () => {
      this.#pendingWrites -= 1;
      if (this.#cutting && this.#pendingWrites === 0) setImmediate(cutStream, stream);
    };
  }

  get headSent(): boolean {
    return this.#stream.headersSent;
  }

  head(status: number, rawHeaders: string[]): void {
    const stream = this.#stream;
    if (this.#isOver || stream.headersSent) return;
    // HTTP/2 in Node knows no status above 599.
    const list = [":status", String(status > 599 ? 502 : status)];
    let waitForTrailers = false;
    for (let index = 0; index < rawHeaders.length; index += 2) {
      const name = (rawHeaders[index] as string).toLowerCase();
      if (connectionSpecific.has(name)) continue;
      waitForTrailers ||= name === "trailer";
      list.push(name, rawHeaders[index + 1] as string);
    }
    // The provider's own date, if any, is the one that passes; Node's types lack the option.
    const options = { sendDate: false, waitForTrailers };
    stream.respond(list, options);
    if (waitForTrailers) stream.on("wantTrailers", () => stream.sendTrailers(this.#trailers));
  }

  write(chunk: Buffer | string): boolean {
    // After a HEAD request's head there is nothing to write to.
    if (this.#isOver || this.#stream.writableEnded) return true;
    this.#pendingWrites += 1;
    return this.#stream.write(toBuffer(chunk), this.#onWritten);
  }

  end(chunk?: Buffer | string, trailers?: Record<string, string>): void {
    const stream = this.#stream;
    if (this.#isOver) return;
    this.closed = true;
    if (trailers !== undefined) this.#trailers = trailers;
    if (!stream.writableEnded) {
      if (chunk === undefined) stream.end();
      else stream.end(toBuffer(chunk));
    }
    // Take no more of an upload that is answered already (RFC 9113 §8.1: after the answer, with NO_ERROR).
    if (this.#hasBody && !stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
    if (!stream.writableFinished) this.#cutUnlessClosed(flushTimeoutMs);
  }

  destroy(): void {
    if (this.#isOver) return;
    this.closed = true;
    if (this.#pendingWrites === 0) {
      cutStream(this.#stream);
      return;
    }
    // A reset overtakes what waits to be sent.
    this.#cutting = true;
    this.#cutUnlessClosed(cutTimeoutMs);
  }

  reset(): void {
    this.closed = true;
    cutStream(this.#stream);
  }

  onDrain(listener: () => void): void {
    this.#stream.on("drain", listener);
  }

  onClientGone(listener: () => void): void {
    const stream = this.#stream;
    let told = false;
    const tell = (): void => {
      if (!this.closed && !told) listener();
      told = true;
    };
    if (stream.destroyed) queueMicrotask(tell);
    else stream.once("aborted", tell).once("close", tell);
  }

  get #isOver(): boolean {
    return this.closed || this.#stream.destroyed || this.#stream.closed;
  }

  #cutUnlessClosed(timeoutMs: number): void {
    const stream = this.#stream;
    const timer = setTimeout(cutStream, timeoutMs, stream).unref();
    stream.on("close", () => clearTimeout(timer));
  }
}
