// A fake upstream for tests: does exactly what its script says, byte for byte, and keeps a ledger of what it saw.
// On node:net, so that every fault of the wire can be played. Loopback only; `close()` leaves no socket and no timer.

import { createSeededRandom } from "./random.ts";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { createRequestReader, headerValue } from "./http-request-reader.ts";
import { responseBytes, type Recording } from "./recordings.ts";

/** Bytes to send, `afterMs` milliseconds after the ones before them. Without `afterMs` they follow at once. */
export interface PlanChunk {
  bytes: Uint8Array | string;
  afterMs?: number;
}

/**
 * What follows the last chunk. `end`: the message is finished and the connection kept. `close`: finished, then FIN.
 * `destroy`: FIN with the message unfinished. `reset`: RST. `stall`: nothing, until the client leaves.
 */
export type PlanEnd = "end" | "close" | "destroy" | "reset" | "stall";

interface PlanTail {
  chunks?: readonly (PlanChunk | Uint8Array | string)[];
  /** Default `end`. */
  ending?: PlanEnd;
  /** Wait before the first byte, in milliseconds. */
  delayMs?: number;
  /** When the connection is reused after this answer: close or reset it at the next request's first byte, unanswered. */
  onReuse?: "destroy" | "reset";
}

/** An HTTP answer. Chunked unless `contentLength` or `untilClose` says otherwise. */
export interface ResponsePlan extends PlanTail {
  kind?: "http";
  status?: number;
  headers?: Readonly<Record<string, string>> | readonly (readonly [string, string])[];
  /** `true`: the body's true length. A number is sent as it is, be it a lie. */
  contentLength?: number | true;
  /** No framing at all: the body ends with the connection (`ending` is `close` unless given). */
  untilClose?: boolean;
  /** Number of `103 Early Hints` before the answer. */
  earlyHints?: number;
}

/** Bytes straight onto the socket: status line, headers and framing are the script's own affair. */
export interface RawPlan extends PlanTail {
  kind: "raw";
}

/** What to do with one request. */
export type Plan = ResponsePlan | RawPlan;

/** One request as the upstream saw it. Times are `performance.now()` milliseconds. */
export interface UpstreamRequest {
  /** Position in the ledger, from 0. */
  index: number;
  socketId: number;
  method: string;
  /** The request target, query string included. */
  path: string;
  /** Name, value, name, value …, exactly as sent. */
  rawHeaders: string[];
  /** First value of a header, by lower-case name. */
  header: (name: string) => string | undefined;
  /** The body so far: whole once `bodyEndedAt` is set. */
  body: Buffer;
  startedAt: number;
  bodyEndedAt?: number;
  /** All the script's bytes were written and its end was done. */
  endedAt?: number;
  /** The client closed the connection before `endedAt`. */
  abortedAt?: number;
  /** Bytes written to the socket for this request, head and framing included. */
  bytesSent: number;
}

/** Chooses the plan of a request. A map is looked up by `POST /path`, then `/path` (no query), then `*`. */
export type Script = Plan | Readonly<Record<string, Plan>> | ((request: UpstreamRequest) => Plan | Promise<Plan>);

/** A running upstream with its ledger; the test closes it. */
export interface ScriptedUpstream {
  port: number;
  /** `http://127.0.0.1:port`, no trailing slash. */
  url: string;
  requests: UpstreamRequest[];
  /** Connections so far; `reused` counts requests that were cut by `onReuse`. */
  sockets: { opened: number; closed: number; reused: number };
  setScript: (script: Script) => void;
  /** Resolves once the predicate holds; looks every 5 ms and rejects after `timeoutMs` (default 2,000). */
  waitFor: (predicate: () => boolean, timeoutMs?: number) => Promise<void>;
  /** Ends every connection and timer. */
  close: () => Promise<void>;
}

const isPlan = (script: object): script is Plan =>
  ["kind", "status", "headers", "chunks", "ending", "delayMs", "contentLength"].some((key) => key in script);

function choosePlan(script: Script, request: UpstreamRequest): Plan | Promise<Plan> {
  if (typeof script === "function") return script(request);
  if (isPlan(script)) return script;
  const path = request.path.split("?")[0] ?? "";
  const found = script[`${request.method} ${path}`] ?? script[path] ?? script["*"];
  return (
    found ?? {
      status: 404,
      headers: { "content-type": "text/plain" },
      chunks: [`no script for ${request.method} ${path}`],
    }
  );
}

const bytesOf = (chunk: PlanChunk | Uint8Array | string): Uint8Array => {
  const bytes = typeof chunk === "string" || chunk instanceof Uint8Array ? chunk : chunk.bytes;
  return typeof bytes === "string" ? Buffer.from(bytes) : bytes;
};

const afterMsOf = (chunk: PlanChunk | Uint8Array | string): number =>
  typeof chunk === "string" || chunk instanceof Uint8Array ? 0 : (chunk.afterMs ?? 0);

function headOf(plan: ResponsePlan): string {
  const status = plan.status ?? 200;
  const pairs = Array.isArray(plan.headers) ? plan.headers : Object.entries(plan.headers ?? {});
  const lines = pairs.map(([name, value]) => `${name}: ${value}`);
  if (plan.contentLength !== undefined) {
    const length =
      plan.contentLength === true
        ? (plan.chunks ?? []).reduce((sum, chunk) => sum + bytesOf(chunk).length, 0)
        : plan.contentLength;
    lines.push(`content-length: ${length}`);
  } else if (plan.untilClose !== true) lines.push("transfer-encoding: chunked");
  const hints = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n".repeat(plan.earlyHints ?? 0);
  return `${hints}HTTP/1.1 ${status} Scripted\r\n${lines.join("\r\n")}${lines.length > 0 ? "\r\n" : ""}\r\n`;
}

/** A connection and the one timer that may be running for it. */
interface Connection {
  socket: net.Socket;
  timer?: NodeJS.Timeout;
}

/** Plays one plan onto a connection; `done` is called once unless the plan stalls or the client leaves. */
function playPlan(connection: Connection, plan: Plan, entry: UpstreamRequest, done: (reusable: boolean) => void): void {
  const { socket } = connection;
  const http = plan.kind === "raw" ? undefined : plan;
  const chunked = http !== undefined && http.contentLength === undefined && http.untilClose !== true;
  const chunks = plan.chunks ?? [];
  const end = plan.ending ?? (http?.untilClose === true ? "close" : "end");
  let next = 0;

  const send = (bytes: Uint8Array | string): boolean => {
    entry.bytesSent += typeof bytes === "string" ? Buffer.byteLength(bytes) : bytes.length;
    return socket.write(bytes);
  };
  const finish = (): void => {
    if (chunked && (end === "end" || end === "close")) send("0\r\n\r\n");
    if (end === "stall") return;
    entry.endedAt = performance.now();
    if (end === "reset") socket.resetAndDestroy();
    else if (end !== "end") socket.end();
    done(end === "end");
  };
  /** Sends what is due now and returns; a timer or `drain` calls it again. Big scripts stay cheap: no promise per chunk. */
  const pump = (waited: boolean): void => {
    let rested = waited;
    while (!socket.destroyed) {
      const chunk = chunks[next];
      const afterMs = chunk === undefined ? 0 : afterMsOf(chunk);
      if (afterMs > 0 && !rested) {
        connection.timer = setTimeout(pump, afterMs, true);
        return;
      }
      if (chunk === undefined) return finish();
      rested = false;
      next += 1;
      const bytes = bytesOf(chunk);
      if (bytes.length === 0) continue;
      if (chunked) socket.cork();
      if (chunked) send(`${bytes.length.toString(16)}\r\n`);
      let writable = send(bytes);
      if (chunked) writable = send("\r\n");
      if (chunked) socket.uncork();
      if (!writable) {
        socket.once("drain", () => pump(false));
        return;
      }
    }
  };
  const begin = (): void => {
    if (socket.destroyed) return;
    if (http !== undefined) send(headOf(http));
    pump(false);
  };
  if (plan.delayMs === undefined) begin();
  else connection.timer = setTimeout(begin, plan.delayMs);
}

/** Starts the upstream on a free loopback port. The caller closes it. */
export async function startScriptedUpstream(script: Script = {}): Promise<ScriptedUpstream> {
  let current = script;
  const requests: UpstreamRequest[] = [];
  const sockets = { opened: 0, closed: 0, reused: 0 };
  const open = new Set<net.Socket>();

  const server = net.createServer({ noDelay: true }, (socket) => {
    const socketId = sockets.opened++;
    open.add(socket);
    const connection: Connection = { socket };
    let entry: UpstreamRequest | undefined;
    let body: Buffer[] = [];
    let onReuse: "destroy" | "reset" | undefined;

    const noteAbort = (): void => {
      if (entry !== undefined && entry.endedAt === undefined) entry.abortedAt ??= performance.now();
    };
    const answer = async (request: UpstreamRequest): Promise<void> => {
      const plan = await choosePlan(current, request);
      playPlan(connection, plan, request, (reusable) => {
        onReuse = plan.onReuse;
        if (reusable) queueMicrotask(() => reader.resume());
      });
    };
    const reader = createRequestReader({
      head(head) {
        body = [];
        entry = {
          ...head,
          index: requests.length,
          socketId,
          header: (name) => headerValue(head.rawHeaders, name),
          body: Buffer.alloc(0),
          startedAt: performance.now(),
          bytesSent: 0,
        };
        requests.push(entry);
      },
      body: (bytes) => void body.push(bytes),
      end() {
        if (entry === undefined) return;
        entry.body = Buffer.concat(body);
        entry.bodyEndedAt = performance.now();
        answer(entry).catch((error: unknown) =>
          socket.destroy(error instanceof Error ? error : new Error(String(error))),
        );
      },
    });

    socket.on("data", (bytes) => {
      if (onReuse !== undefined) {
        sockets.reused += 1;
        if (onReuse === "reset") socket.resetAndDestroy();
        else socket.destroy();
        return;
      }
      try {
        reader.push(bytes);
      } catch {
        socket.destroy();
      }
    });
    socket.on("end", noteAbort);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      noteAbort();
      clearTimeout(connection.timer);
      open.delete(socket);
      sockets.closed += 1;
    });
  });

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");

  return {
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    requests,
    sockets,
    setScript(next) {
      current = next;
    },
    async waitFor(predicate, timeoutMs = 2000) {
      const deadline = performance.now() + timeoutMs;
      while (!predicate()) {
        if (performance.now() > deadline)
          throw new Error(`waitFor: not within ${timeoutMs} ms: ${predicate.toString()}`);
        await sleep(5);
      }
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

/** Cuts bytes into pieces of 1 to `maxBytes` at seeded places; joined they are the input again. */
export function splitBytes(bytes: Uint8Array, seed: number, maxBytes = 64): Uint8Array[] {
  const random = createSeededRandom(seed);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = 1 + Math.floor(random() * maxBytes);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

/** How a recording is played. */
export interface ReplayOptions {
  /** Split at seeded places; without it the body is one chunk. */
  split?: { seed: number; maxBytes?: number };
  /** Pause before each piece, in milliseconds. */
  chunkMs?: number;
  /** Send `content-length` instead of chunks. Default: by what the recording was, a stream or not. */
  contentLength?: boolean;
}

const framingHeaders = new Set(["content-length", "transfer-encoding", "connection", "content-encoding", "keep-alive"]);

/** The plan that plays a recorded answer byte-exact: its status, its headers without framing, its body. */
export function planRecording(recording: Recording, options: ReplayOptions = {}): ResponsePlan {
  const bytes = responseBytes(recording);
  const pieces = options.split === undefined ? [bytes] : splitBytes(bytes, options.split.seed, options.split.maxBytes);
  const chunkMs = options.chunkMs ?? 0;
  const withLength = options.contentLength ?? !recording.streaming;
  return {
    status: recording.response.status,
    headers: Object.entries(recording.response.headers).filter(([name]) => !framingHeaders.has(name)),
    chunks: pieces.map((piece) => (chunkMs > 0 ? { bytes: piece, afterMs: chunkMs } : piece)),
    ...(withLength ? { contentLength: true } : {}),
  };
}

/** Codings Node can write. */
export type ContentCoding = "gzip" | "deflate" | "br" | "zstd";

/** Applies codings in order, as `content-encoding: a, b, c` lists them; may be stacked. */
export function encodeContent(bytes: Uint8Array, codings: readonly ContentCoding[]): Uint8Array {
  const encoders = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync, zstd: zstdCompressSync };
  return codings.reduce<Uint8Array>((encoded, coding) => encoders[coding](encoded), bytes);
}
