// Room proxy: the stand-in for the client's connection that http-proxy is given, so that it makes the handshake and moves the bytes
// while Outrider sees them. Invariant: bytes pass in order and unchanged, with backpressure both ways; the first thing written is an
// answer's head, which Outrider replaces with its own.

import { Duplex } from "node:stream";

export interface TunnelHooks {
  /** The head that goes to the client instead of http-proxy's; undefined: the answer is not for the client. */
  head(): Buffer | undefined;
  /** Bytes of the answer's body, or of the session, on their way to the client; gives what may go. */
  toClient(chunk: Buffer): Buffer;
  /** The same towards the provider. */
  toProvider(chunk: Buffer): Buffer;
}

/** http-proxy's view of the client. It has the methods of a socket that http-proxy calls. */
export class ClientStandIn extends Duplex {
  readonly #client: Duplex;
  readonly #hooks: TunnelHooks;
  #headWritten = false;
  #dropped = false;
  #providerEnded = false;

  constructor(client: Duplex, early: Buffer, hooks: TunnelHooks) {
    super({ allowHalfOpen: true });
    this.#client = client;
    this.#hooks = hooks;
    if (early.length > 0) this.#take(early);
    client.on("data", (chunk: Buffer) => this.#take(chunk));
    client.on("end", () => {
      this.#endProvider();
    });
    // Read at once, so that a client that leaves during the handshake is noticed.
    client.resume();
  }

  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  /** Sends bytes of Outrider's own to the provider, and nothing after them; the server is the one to close first (RFC 6455 §7.1.1). */
  sendLast(bytes: Buffer): void {
    if (this.#dropped || this.#providerEnded) return;
    this.#providerEnded = true;
    this.push(bytes);
  }

  /** Nothing passes any more, in either direction. The client's connection is left as it is. */
  cutOff(): void {
    this.#dropped = true;
    this.destroy();
  }

  override _read(): void {
    this.#client.resume();
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: () => void): void {
    const isHead = !this.#headWritten;
    this.#headWritten = true;
    const bytes = isHead
      ? this.#hooks.head()
      : this.#hooks.toClient(typeof chunk === "string" ? Buffer.from(chunk, encoding) : chunk);
    if (this.#dropped || bytes === undefined || bytes.length === 0 || !this.#client.writable) {
      done();
    } else if (this.#client.write(bytes)) {
      done();
    } else {
      this.#client.once("drain", done);
    }
  }

  override _final(done: () => void): void {
    if (this.#headWritten && !this.#dropped) this.#client.end();
    done();
  }

  #take(chunk: Buffer): void {
    if (this.#dropped || this.#providerEnded) return;
    const bytes = this.#hooks.toProvider(chunk);
    if (bytes.length > 0 && !this.push(bytes)) this.#client.pause();
  }

  #endProvider(): void {
    if (this.#dropped || this.#providerEnded) return;
    this.#providerEnded = true;
    this.push(null);
  }
}
