// Room proxy: sends one request to a provider and pushes the answer at a handler.
// Invariant: exactly one of `onEnd` and `onError` is called, once, also after `abort`; whichever wire carries it does not show.

import type { Readable } from "node:stream";
import { SidecarError } from "../errors.ts";
import { writeField } from "./http1-fields.ts";
import { isConnectionLoss, toSidecarError } from "./upstream-errors.ts";
import { Http1Upstream } from "./upstream-http1.ts";
import type { AnswerHandler } from "./upstream-http1-connection.ts";
import { UndiciUpstream } from "./upstream-undici.ts";

export interface UpstreamRequest {
  /** Scheme, host and port. */
  origin: string;
  /** Path and query, as it goes on the wire. */
  path: string;
  method: string;
  /** Flat list; without host and content-length. */
  headers: string[];
  body: Buffer | Readable | undefined;
  /** Longest wait for the response head, and between two chunks of its body. */
  firstByteTimeoutMs: number;
  idleTimeoutMs: number;
  /** Use a connection that has carried nothing yet. */
  freshConnection: boolean;
}

export interface UpstreamHandler {
  onHead(status: number, rawHeaders: string[]): void;
  onChunk(chunk: Buffer): void;
  onEnd(): void;
  onError(failure: UpstreamFailure): void;
}

export interface UpstreamFailure {
  error: SidecarError;
  /** The connection had served another request and died before any byte of this answer: safe to send once more on a fresh one. */
  staleConnection: boolean;
}

/** The handler's grip on a request under way. */
export interface UpstreamControl {
  pause(): void;
  resume(): void;
  /** Ends it: the connection is closed, and `onError` follows with this error unless the answer had ended. */
  abort(error: SidecarError): void;
}

export interface Upstream {
  send(request: UpstreamRequest, handler: UpstreamHandler): UpstreamControl;
  /** Aborts whatever is under way, each with this error. */
  abortAll(error: SidecarError): void;
  /** Closes idle connections and destroys busy ones. */
  close(): Promise<void>;
}

export interface UpstreamSettings {
  /** Asked for each connection. */
  connectTimeoutMs: () => number;
  maxConnections: number;
}

/** Builds the sender; one per sidecar, owned and closed by it. */
export function createUpstream(settings: UpstreamSettings): Upstream {
  const deliveries = new Deliveries();
  const http1 = new Http1Upstream(settings);
  const undici = new UndiciUpstream(settings);
  return {
    send(request, handler) {
      const delivery = new Delivery(handler, deliveries);
      deliveries.add(delivery);
      try {
        const { body } = request;
        delivery.wire =
          body === undefined || Buffer.isBuffer(body)
            ? http1.send(
                request.origin,
                { ...request, body, head: formatHead(request, body) },
                delivery,
                request.freshConnection,
              )
            : undici.send({ ...request, body }, delivery);
      } catch (cause) {
        delivery.onError(new SidecarError("internal", "the request could not be written", { cause }), false);
      }
      return delivery;
    },
    abortAll(error) {
      for (const delivery of deliveries.list()) delivery.abort(error);
    },
    async close() {
      http1.close();
      await undici.close();
    },
  };
}

const expectsBody = new Set(["POST", "PUT", "PATCH"]);
const notInPath = /[^\x21-\xff]/;

/** The head as it goes on the wire. @throws TypeError for what would split it */
function formatHead({ method, path, origin, headers }: UpstreamRequest, body: Buffer | undefined): string {
  if (notInPath.test(path)) throw new TypeError("the path holds a blank or a control character");
  let head = `${method} ${path} HTTP/1.1\r\n${writeField("host", origin.slice(origin.indexOf("//") + 2))}connection: keep-alive\r\n`;
  for (let index = 0; index < headers.length; index += 2) {
    head += writeField(headers[index] as string, headers[index + 1] as string);
  }
  if (body !== undefined || expectsBody.has(method)) head += `content-length: ${body?.length ?? 0}\r\n`;
  return `${head}\r\n`;
}

/**
 * What is under way. No Set: V8 links each table that a Set outgrew to the next one, so with an entry added and deleted per request the
 * dead tables, once in the old generation, keep every exchange alive until a full collection (a fifth of all CPU time; measured 2026-11-21).
 */
class Deliveries {
  readonly #list: Delivery[] = [];

  add(delivery: Delivery): void {
    delivery.position = this.#list.length;
    this.#list.push(delivery);
  }

  delete(delivery: Delivery): void {
    const last = this.#list.pop();
    if (last === undefined || last === delivery) return;
    this.#list[delivery.position] = last;
    last.position = delivery.position;
  }

  list(): Delivery[] {
    return [...this.#list];
  }
}

/** What carries a request: a connection, or undici. */
export interface UpstreamWire {
  /** The connection had carried another request before. */
  readonly reused: boolean;
  pause(): void;
  resume(): void;
  /** The handler is told, unless it was told of an end before. */
  abort(error: Error): void;
}

/** One request's answer on its way to the exchange, and its control. */
class Delivery implements AnswerHandler, UpstreamControl {
  wire: UpstreamWire | undefined;
  /** Its place among its siblings, who keep it. */
  position = 0;
  readonly #handler: UpstreamHandler;
  readonly #siblings: Deliveries;
  #aborted: SidecarError | undefined;
  #headSeen = false;
  #finished = false;

  constructor(handler: UpstreamHandler, siblings: Deliveries) {
    this.#handler = handler;
    this.#siblings = siblings;
  }

  // After its end the connection is another request's.
  pause(): void {
    if (!this.#finished) this.wire?.pause();
  }

  resume(): void {
    if (!this.#finished) this.wire?.resume();
  }

  abort(error: SidecarError): void {
    if (this.#finished) return;
    this.#aborted ??= error;
    this.wire?.abort(error);
  }

  onHead(status: number, rawHeaders: string[]): void {
    if (this.#finished) return;
    this.#headSeen = true;
    this.#handler.onHead(status, rawHeaders);
  }

  onChunk(chunk: Buffer): void {
    if (!this.#finished) this.#handler.onChunk(chunk);
  }

  onEnd(): void {
    if (this.#finished) return;
    this.#finish();
    try {
      this.#handler.onEnd();
    } catch (cause) {
      const error = new SidecarError("internal", "an unexpected error at the end of an answer", { cause });
      this.#handler.onError({ error, staleConnection: false });
    }
  }

  onError(cause: Error, anyByte: boolean): void {
    if (this.#finished) return;
    this.#finish();
    const error = this.#aborted ?? (cause instanceof SidecarError ? cause : toSidecarError(cause, this.#headSeen));
    const staleConnection = this.wire?.reused === true && !anyByte && isConnectionLoss(cause);
    this.#handler.onError({ error, staleConnection });
  }

  #finish(): void {
    this.#finished = true;
    this.#siblings.delete(this);
  }
}
