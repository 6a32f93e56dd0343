// Bench: the load generator: closed loop, fixed rate, and many paced streams, each against one port on loopback.
// Invariant: every answer is checked (status, length, events); a wrong one is counted and its reason kept, never dropped.
import { setTimeout as sleep } from "node:timers/promises";
import { Connection } from "./client.ts";
import {
  completionBody,
  countStreamEvents,
  encodePace,
  encodeRequest,
  type Pace,
  paceHeader,
  requestBody,
  streamRequestBody,
} from "./traffic.ts";

/** Wrong answers: how many, and the reasons of the first few. */
export interface Failures {
  count: number;
  reasons: string[];
}

/** Where load goes: `name` says so in the reason of a failure. */
export interface Target {
  name: string;
  port: number;
}

/** No failures yet. */
export function createFailures(): Failures {
  return { count: 0, reasons: [] };
}

/** Counts one failure of a target. */
export function addFailure(failures: Failures, target: Target, reason: string): void {
  failures.count += 1;
  if (failures.reasons.length < 5) failures.reasons.push(`${target.name}: ${reason}`);
}

/** Sends one completion request and reports when it is over, and whether it was answered as the upstream answers. */
function sendCompletion(
  target: Target,
  connection: Connection,
  request: Buffer,
  failures: Failures,
  onEnd: (ok: boolean) => void,
): void {
  let status = 0;
  let length = 0;
  connection.send(request, {
    onHead: (code) => {
      status = code;
    },
    onBody: (bytes) => {
      length += bytes.length;
    },
    onEnd: () => {
      const ok = status === 200 && length === completionBody.length;
      if (!ok) addFailure(failures, target, `status ${status}, ${length} body bytes`);
      onEnd(ok);
    },
    onFail: (error) => {
      addFailure(failures, target, error.message);
      onEnd(false);
    },
  });
}

/**
 * Sends requests back to back on `connections` connections for `durationMs`, or until `maxRequests` were answered;
 * returns requests answered a second.
 */
export async function runClosedLoop(
  target: Target,
  connections: number,
  durationMs: number,
  failures: Failures,
  maxRequests = Number.POSITIVE_INFINITY,
): Promise<{ requests: number; perSecond: number }> {
  const request = encodeRequest(target.port, requestBody);
  const startedAt = performance.now();
  const deadline = startedAt + durationMs;
  let requests = 0;
  const runOne = (): Promise<void> =>
    new Promise((resolve) => {
      const connection = new Connection(target.port);
      const next = (): void => {
        sendCompletion(target, connection, request, failures, (ok) => {
          if (ok) requests += 1;
          if (ok && requests < maxRequests && performance.now() < deadline) return next();
          connection.close();
          resolve();
        });
      };
      next();
    });
  await Promise.all(Array.from({ length: connections }, runOne));
  return { requests, perSecond: (requests * 1000) / (performance.now() - startedAt) };
}

/**
 * Sends `perSecond` requests a second to each target in turn, evenly spaced and on schedule whatever the answers do;
 * returns the latencies of each in ms. They share the time window, so that the machine's noise meets all alike.
 */
export async function runAtRate(
  targets: readonly Target[],
  perSecond: number,
  durationMs: number,
  failures: Failures,
): Promise<number[][]> {
  const lanes = targets.map((target) => ({
    target,
    request: encodeRequest(target.port, requestBody),
    pool: [] as Connection[],
    latenciesMs: [] as number[],
  }));
  const pending: Promise<void>[] = [];
  const stepMs = 1000 / perSecond / lanes.length;
  const startedAt = performance.now();
  const steps = Math.round(durationMs / stepMs);
  for (let step = 0; step < steps; step++) {
    const lane = lanes[step % lanes.length];
    if (lane === undefined) break;
    const waitMs = startedAt + step * stepMs - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    let connection = lane.pool.find((candidate) => candidate.idle);
    if (connection === undefined) {
      connection = new Connection(lane.target.port);
      lane.pool.push(connection);
    }
    const chosen = connection;
    const sentAt = performance.now();
    pending.push(
      new Promise((resolve) => {
        sendCompletion(lane.target, chosen, lane.request, failures, (ok) => {
          if (ok) lane.latenciesMs.push(performance.now() - sentAt);
          resolve();
        });
      }),
    );
  }
  await Promise.race([Promise.all(pending), sleep(5000, undefined, { ref: false })]);
  for (const lane of lanes) for (const connection of lane.pool) connection.close();
  return lanes.map((lane) => lane.latenciesMs);
}

/** How many streams, how paced, and for how long new ones start. */
export interface StreamLoadOptions {
  concurrent: number;
  pace: Pace;
  /** Over how long the first streams are started. */
  rampMs: number;
  /** Until when a finished stream is followed by another one on its connection; 0 = one stream each. */
  repeatMs: number;
}

/** Counts the blank lines that end server-sent events, also when one falls on two buffers. */
class EventCounter {
  events = 0;
  #endedInNewline = false;

  push(bytes: Buffer): void {
    let at = 0;
    if (this.#endedInNewline && bytes[0] === 10) {
      this.events += 1;
      at = 1;
    }
    for (;;) {
      const found = bytes.indexOf("\n\n", at, "latin1");
      if (found < 0) break;
      this.events += 1;
      at = found + 2;
    }
    this.#endedInNewline = at < bytes.length && bytes[bytes.length - 1] === 10;
  }
}

/** Many paced streams at once. Read the public counters while it runs; `done` resolves when every stream is over. */
export class StreamLoad {
  readonly #target: Target;
  readonly #options: StreamLoadOptions;
  readonly #request: Buffer;
  readonly #startedAt = performance.now();
  readonly #failures: Failures;
  /** Server-sent events received so far. */
  events = 0;
  /** Streams that are running now. */
  open = 0;
  /** Time from sending a request to the first body byte of its answer, in ms. */
  readonly firstChunkMs: number[] = [];
  readonly done: Promise<void>;

  constructor(target: Target, options: StreamLoadOptions, failures: Failures) {
    this.#target = target;
    this.#options = options;
    this.#failures = failures;
    this.#request = encodeRequest(target.port, streamRequestBody, { [paceHeader]: encodePace(options.pace) });
    this.done = this.#run();
  }

  async #run(): Promise<void> {
    const streams: Promise<void>[] = [];
    const { concurrent, rampMs } = this.#options;
    for (let i = 0; i < concurrent; i++) {
      const waitMs = this.#startedAt + (i * rampMs) / concurrent - performance.now();
      if (waitMs > 1) await sleep(waitMs);
      streams.push(this.#runConnection());
    }
    await Promise.all(streams);
  }

  async #runConnection(): Promise<void> {
    const connection = new Connection(this.#target.port);
    do await this.#runStream(connection);
    while (!connection.closed && performance.now() < this.#startedAt + this.#options.repeatMs);
    connection.close();
  }

  #runStream(connection: Connection): Promise<void> {
    return new Promise((resolve) => {
      const counter = new EventCounter();
      const sentAt = performance.now();
      let status = 0;
      this.open += 1;
      const finish = (failure?: string): void => {
        this.open -= 1;
        if (failure !== undefined) addFailure(this.#failures, this.#target, failure);
        resolve();
      };
      connection.send(this.#request, {
        onHead: (code) => {
          status = code;
        },
        onBody: (bytes) => {
          if (counter.events === 0) this.firstChunkMs.push(performance.now() - sentAt);
          const before = counter.events;
          counter.push(bytes);
          this.events += counter.events - before;
        },
        onEnd: () => {
          const expected = countStreamEvents(this.#options.pace.chunks);
          const ok = status === 200 && counter.events === expected;
          finish(ok ? undefined : `stream with status ${status} and ${counter.events} of ${expected} events`);
        },
        onFail: (error) => finish(`stream after ${counter.events} events: ${error.message}`),
      });
    });
  }
}
