// Room proxy: sends what is uploaded as a stream, on undici's `dispatch`.
// Invariant: undici's objects do not leave this file.

import type { Readable } from "node:stream";
import { type Dispatcher, Pool } from "undici";
import { createConnect } from "./connector.ts";
import type { UpstreamRequest, UpstreamSettings, UpstreamWire } from "./upstream.ts";
import type { AnswerHandler } from "./upstream-http1-connection.ts";

export class UndiciUpstream {
  readonly #pools = new Map<string, Pool>();
  readonly #settings: UpstreamSettings;

  constructor(settings: UpstreamSettings) {
    this.#settings = settings;
  }

  send(request: UpstreamRequest & { body: Readable }, handler: AnswerHandler): UpstreamWire {
    const dispatched = new Dispatched(handler);
    this.#poolFor(request.origin).dispatch(
      {
        path: request.path,
        method: request.method,
        headers: request.headers,
        body: request.body,
        headersTimeout: request.firstByteTimeoutMs,
        bodyTimeout: request.idleTimeoutMs,
      },
      dispatched,
    );
    return dispatched;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy().catch(() => undefined)));
    this.#pools.clear();
  }

  #poolFor(origin: string): Pool {
    let pool = this.#pools.get(origin);
    if (pool === undefined) {
      pool = new Pool(origin, {
        connections: this.#settings.maxConnections,
        // The wire attempt's own timers are given with each request; these are only the connection's.
        pipelining: 1,
        keepAliveTimeout: 4000,
        keepAliveMaxTimeout: 30_000,
        allowH2: false,
        strictContentLength: true,
        maxHeaderSize: 65_536,
        connect: createConnect(this.#settings.connectTimeoutMs),
      });
      this.#pools.set(origin, pool);
    }
    return pool;
  }
}

/** One request's undici handler. */
class Dispatched implements Dispatcher.DispatchHandler, UpstreamWire {
  /** A stream cannot be sent again, so it does not matter. */
  readonly reused = false;
  readonly #handler: AnswerHandler;
  #controller: Dispatcher.DispatchController | undefined;
  #aborted: Error | undefined;

  constructor(handler: AnswerHandler) {
    this.#handler = handler;
  }

  pause(): void {
    this.#controller?.pause();
  }

  resume(): void {
    this.#controller?.resume();
  }

  abort(error: Error): void {
    this.#aborted ??= error;
    if (this.#controller !== undefined) this.#controller.abort(error);
    // Still waiting for a connection: told now, refused at onRequestStart.
    else this.#handler.onError(error, false);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#aborted !== undefined) controller.abort(this.#aborted);
  }

  onResponseStart(controller: Dispatcher.DispatchController, statusCode: number): void {
    if (statusCode < 200) return;
    const received = controller.rawHeaders as Buffer[];
    this.#handler.onHead(
      statusCode,
      received.map((bytes) => bytes.toString("latin1")),
    );
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#handler.onChunk(chunk);
  }

  onResponseEnd(): void {
    this.#handler.onEnd();
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    this.#handler.onError(error, true);
  }
}
