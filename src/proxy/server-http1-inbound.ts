// Room proxy: one plain HTTP/1.1 request on a socket as `Inbound`, in the shape of server-inbound.ts.
// Invariant: it takes exactly the announced bytes of its connection; a body cut short is never taken for whole.

import { Readable } from "node:stream";
import { disconnected, timedOut, tooLarge } from "./body-reader.ts";
import type { PlainHead } from "./server-http1-head.ts";
import type { Http1Responder } from "./server-http1-responder.ts";
import type { Inbound } from "./wire.ts";

/** What an inbound needs of the connection it came by. */
export interface Http1Carrier {
  readonly clientAddress: string | undefined;
  readonly clientPort: number | undefined;
  pauseReading(): void;
  resumeReading(): void;
}

export class Http1Inbound implements Inbound {
  readonly method: string;
  readonly target: string;
  readonly rawHeaders: readonly string[];
  readonly protocolVersion = "1.1";
  readonly clientAddress: string | undefined;
  readonly clientPort: number | undefined;
  readonly hasBody: boolean;
  readonly respond: Http1Responder;
  readonly #names: readonly string[];
  readonly #contentLength: number;
  readonly #carrier: Http1Carrier;
  #missing: number;
  #chunks: Buffer[] = [];
  #gone = false;
  #waiting: { resolve: (body: Buffer) => void; reject: (error: Error) => void; deadline: NodeJS.Timeout } | undefined;
  #stream: Readable | undefined;

  constructor(head: PlainHead, respond: Http1Responder, carrier: Http1Carrier) {
    this.method = head.method;
    this.target = head.target;
    this.rawHeaders = head.rawHeaders;
    this.#names = head.names;
    this.#contentLength = head.contentLength ?? 0;
    this.#missing = this.#contentLength;
    this.hasBody = this.#contentLength > 0;
    this.clientAddress = carrier.clientAddress;
    this.clientPort = carrier.clientPort;
    this.respond = respond;
    this.#carrier = carrier;
  }

  /** The body is here to its last byte. */
  get complete(): boolean {
    return this.#missing === 0;
  }

  header(name: string): string | undefined {
    const index = this.#names.indexOf(name);
    return index === -1 ? undefined : this.rawHeaders[index * 2 + 1];
  }

  readBody(maxBytes: number, timeoutMs: number): Promise<Buffer> {
    if (this.#contentLength > maxBytes) return Promise.reject(tooLarge(maxBytes));
    if (this.#missing === 0) return Promise.resolve(this.#takeBody());
    if (this.#gone) return Promise.reject(disconnected());
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => this.bodyTimedOut(), Math.max(timeoutMs, 0));
      this.#waiting = { resolve, reject, deadline };
    });
  }

  body(): Readable {
    const stream = new Readable({ read: () => this.#carrier.resumeReading() });
    // Whoever was to read it may have given up; an error that nobody hears would end the process.
    stream.on("error", () => undefined);
    for (const chunk of this.#chunks.splice(0)) stream.push(chunk);
    if (this.#missing === 0) stream.push(null);
    else if (this.#gone) stream.destroy(disconnected());
    else this.#stream = stream;
    return stream;
  }

  /** Takes what is its own of the connection's bytes; gives what follows it. */
  take(bytes: Buffer): Buffer | undefined {
    const own = bytes.length <= this.#missing ? bytes : bytes.subarray(0, this.#missing);
    if (own.length > 0) this.#keep(own);
    return own.length === bytes.length ? undefined : bytes.subarray(own.length);
  }

  /** The body did not come in time; true when somebody was waiting for it and now answers. */
  bodyTimedOut(): boolean {
    return this.#reject(timedOut());
  }

  /** The connection is gone. */
  lose(): void {
    this.#gone = true;
    if (this.#missing === 0) return;
    this.#reject(disconnected());
    this.#stream?.destroy(disconnected());
  }

  #keep(chunk: Buffer): void {
    this.#missing -= chunk.length;
    if (this.#stream !== undefined) {
      if (!this.#stream.push(chunk)) this.#carrier.pauseReading();
      if (this.#missing === 0) this.#stream.push(null);
      return;
    }
    this.#chunks.push(chunk);
    if (this.#missing > 0 || this.#waiting === undefined) return;
    const { resolve, deadline } = this.#waiting;
    this.#waiting = undefined;
    clearTimeout(deadline);
    resolve(this.#takeBody());
  }

  #takeBody(): Buffer {
    const chunks = this.#chunks;
    this.#chunks = [];
    return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, this.#contentLength);
  }

  #reject(error: Error): boolean {
    if (this.#waiting === undefined) return false;
    const { reject, deadline } = this.#waiting;
    this.#waiting = undefined;
    clearTimeout(deadline);
    reject(error);
    return true;
  }
}
