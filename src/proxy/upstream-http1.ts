// Room proxy: connections to providers, kept and shared by origin; undici's connector opens them (TLS, address families, time limit).
// Invariant: at most `maxConnections` an origin; a request waits in order for one to be free; none is used for two requests at once.

import { type Connect, createConnect } from "./connector.ts";
import {
  type AnswerHandler,
  Connection,
  ConnectionError,
  type ConnectionOwner,
  type RequestBytes,
} from "./upstream-http1-connection.ts";

export interface Http1Settings {
  /** Asked for each connection. */
  connectTimeoutMs: () => number;
  maxConnections: number;
}

export class Http1Upstream {
  readonly #settings: Http1Settings;
  readonly #connect: Connect;
  readonly #origins = new Map<string, Origin>();

  constructor(settings: Http1Settings) {
    this.#settings = settings;
    this.#connect = createConnect(settings.connectTimeoutMs);
  }

  /** `origin`: scheme, host and port. `fresh`: on a connection that has carried nothing, whatever the cap. */
  send(origin: string, request: RequestBytes, handler: AnswerHandler, fresh: boolean): Order {
    let pool = this.#origins.get(origin);
    if (pool === undefined) {
      pool = new Origin(origin, this.#settings.maxConnections, this.#connect);
      this.#origins.set(origin, pool);
    }
    const order = new Order(request, handler);
    pool.send(order, fresh);
    return order;
  }

  close(): void {
    for (const pool of this.#origins.values()) pool.close();
    this.#origins.clear();
  }
}

/** A request that waits for its connection, or has it. */
export class Order {
  /** The connection had carried another request before. */
  reused = false;
  /** Given up while it waited. */
  cancelled = false;
  /** Where it waits for its turn, while it does. */
  queue: Order[] | undefined;
  readonly #request: RequestBytes;
  readonly #handler: AnswerHandler;
  #connection: Connection | undefined;

  constructor(request: RequestBytes, handler: AnswerHandler) {
    this.#request = request;
    this.#handler = handler;
  }

  startOn(connection: Connection): void {
    this.#connection = connection;
    this.reused = connection.carried > 0;
    connection.send(this.#request, this.#handler);
  }

  fail(error: Error): void {
    if (!this.cancelled) this.#handler.onError(error, false);
  }

  pause(): void {
    this.#connection?.pause();
  }

  resume(): void {
    this.#connection?.resume();
  }

  /** Ends the request; the handler is told unless it was already. */
  abort(error: Error): void {
    if (this.#connection !== undefined) {
      this.#connection.abort(error);
      return;
    }
    this.fail(error);
    this.cancelled = true;
    // Its body is held no longer than it is wanted.
    const position = this.queue?.indexOf(this) ?? -1;
    if (position !== -1) this.queue?.splice(position, 1);
  }
}

/** One origin's connections. */
class Origin implements ConnectionOwner {
  readonly #target: Parameters<Connect>[0];
  readonly #maxConnections: number;
  readonly #connect: Connect;
  readonly #open = new Set<Connection>();
  /** The last used is taken first, so that the others may end. */
  readonly #idle: Connection[] = [];
  readonly #waiting: Order[] = [];
  #connecting = 0;
  #closed = false;

  constructor(origin: string, maxConnections: number, connect: Connect) {
    const { protocol, hostname, host, port } = new URL(origin);
    this.#target = { protocol, hostname: hostname.replace(/^\[|\]$/g, ""), host, port };
    this.#maxConnections = maxConnections;
    this.#connect = connect;
  }

  send(order: Order, fresh: boolean): void {
    const connection = fresh ? undefined : this.#takeIdle();
    if (connection !== undefined) order.startOn(connection);
    else if (fresh || this.#open.size + this.#connecting < this.#maxConnections) this.#openFor(order);
    else this.#waiting.push(order);
    order.queue = this.#waiting;
  }

  onIdle(connection: Connection): void {
    const order = this.#waiting.shift();
    if (order === undefined) this.#idle.push(connection);
    else order.startOn(connection);
  }

  onClosed(connection: Connection): void {
    this.#open.delete(connection);
    const index = this.#idle.indexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
    this.#openForWaiting();
  }

  close(): void {
    this.#closed = true;
    for (const order of this.#waiting.splice(0)) order.fail(closedError());
    for (const connection of this.#open) connection.destroy();
  }

  #takeIdle(): Connection | undefined {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (connection.usable) return connection;
      connection.destroy();
    }
    return undefined;
  }

  #openFor(order: Order): void {
    this.#connecting += 1;
    this.#connect(this.#target, (error, socket) => {
      this.#connecting -= 1;
      if (error !== null) {
        order.fail(error);
        this.#openForWaiting();
        return;
      }
      if (this.#closed) {
        socket.on("error", () => undefined).destroy();
        order.fail(closedError());
        return;
      }
      const connection = new Connection(socket, this);
      this.#open.add(connection);
      if (order.cancelled) this.onIdle(connection);
      else order.startOn(connection);
    });
  }

  #openForWaiting(): void {
    // Above the cap are those that had to be fresh: another closes first.
    if (this.#closed || this.#open.size + this.#connecting >= this.#maxConnections) return;
    const order = this.#waiting.shift();
    if (order !== undefined) this.#openFor(order);
  }
}

function closedError(): ConnectionError {
  return new ConnectionError("UND_ERR_CLOSED", "the connections were closed");
}
