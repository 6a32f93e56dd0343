// Room proxy: what an exchange sees of the wire. Neither node:http's nor undici's objects pass this line, so either can be replaced.
// Invariant: header lists are flat `[name, value, name, value …]` as received, order and case kept.

import type { Duplex, Readable } from "node:stream";

/** One request from the application, and the way to answer it. */
export interface Inbound {
  readonly method: string;
  /** Request target as received: path and query, never an authority. */
  readonly target: string;
  readonly rawHeaders: readonly string[];
  readonly protocolVersion: string;
  readonly clientAddress: string | undefined;
  readonly clientPort: number | undefined;
  /** First value of a header; the name in lower case. */
  header(name: string): string | undefined;
  /**
   * The whole body, at most `maxBytes`, within `timeoutMs`.
   * @throws SidecarError request_too_large, request_timeout, client_disconnected
   */
  readBody(maxBytes: number, timeoutMs: number): Promise<Buffer>;
  /** The body as a stream, for what is relayed without being read. Use either this or `readBody`. */
  body(): Readable;
  /** Whether the request carries a body at all. */
  readonly hasBody: boolean;
  readonly respond: Responder;
  /** The client asks to switch to WebSocket on this connection. */
  readonly upgrade?: Upgrade;
}

/** A connection that may leave HTTP. */
export interface Upgrade {
  readonly socket: Duplex;
  /** What the client sent already after its request's head. */
  readonly head: Buffer;
  /** Takes the connection from `respond`: from here on its bytes are the caller's. */
  detach(): void;
}

/** The answer's way back. After `end` or `destroy` every further call is ignored. */
export interface Responder {
  readonly headSent: boolean;
  /** Sends the head; with `flush` at once, else together with the first bytes. */
  head(status: number, rawHeaders: string[], flush: boolean): void;
  /** false: the client is slower than the provider; stop until `onDrain`. */
  write(chunk: Buffer | string): boolean;
  /** Ends cleanly. `trailers` only after a head that announced them. */
  end(chunk?: Buffer | string, trailers?: Record<string, string>): void;
  /** Cuts the connection, after what was written has left, so that the client cannot take the answer for whole. */
  destroy(): void;
  /** Cuts it at once, also when the client takes nothing any more. */
  reset(): void;
  onDrain(listener: () => void): void;
  /** Calls once when the client is gone before the answer was complete. */
  onClientGone(listener: () => void): void;
}
