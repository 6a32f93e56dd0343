// Bench: a provider that costs next to nothing, HTTP/1.1 written by hand on node:net, so that the proxy is what is measured.
// Usage: node test/bench/upstream.ts PORT. It understands only the bench's own requests: POST with a content-length.
// Invariant: one shared timer per pace moves every stream; no stream has a timer of its own.
import { createHash } from "node:crypto";
import { createServer, type Socket } from "node:net";
import {
  completionBody,
  decodePace,
  digestAnswerHeader,
  digestHeader,
  framesWithoutUsage,
  framesWithUsage,
  paceHeader,
  type StreamFrames,
} from "./traffic.ts";

const headEnd = Buffer.from("\r\n\r\n");
const completionHead = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_bench\r\n";
const completion = Buffer.concat([
  Buffer.from(`${completionHead}content-length: ${completionBody.length}\r\n\r\n`),
  completionBody,
]);
const streamHead = Buffer.from(
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nx-request-id: req_bench\r\n" +
    "cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n",
);

interface ChunkedFrames {
  opening: Buffer;
  content: Buffer;
  closing: Buffer;
}

function encodeChunk(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
}

function encodeChunked(frames: StreamFrames): ChunkedFrames {
  return {
    opening: Buffer.concat([streamHead, encodeChunk(frames.first)]),
    content: encodeChunk(frames.content),
    closing: Buffer.concat([encodeChunk(frames.last), Buffer.from("0\r\n\r\n")]),
  };
}

const chunkedWithUsage = encodeChunked(framesWithUsage);
const chunkedWithoutUsage = encodeChunked(framesWithoutUsage);

interface Stream {
  socket: Socket;
  frames: ChunkedFrames;
  left: number;
}

const slotsPerPeriod = 16;

/** Sends the next frame of every stream of one pace, a sixteenth of them at a time. */
class Wheel {
  readonly #slots: Set<Stream>[] = Array.from({ length: slotsPerPeriod }, () => new Set());
  readonly #slotMs: number;
  #next = 0;
  #dueAt = 0;
  #size = 0;

  constructor(perSecond: number) {
    this.#slotMs = 1000 / perSecond / slotsPerPeriod;
  }

  add(stream: Stream): void {
    this.#slots[(this.#next + slotsPerPeriod - 1) % slotsPerPeriod]?.add(stream);
    this.#size += 1;
    if (this.#size === 1) {
      this.#dueAt = performance.now() + this.#slotMs;
      this.#schedule();
    }
  }

  #schedule(): void {
    setTimeout(() => this.#turn(), Math.max(1, this.#dueAt - performance.now()));
  }

  #turn(): void {
    const now = performance.now();
    while (this.#dueAt <= now) {
      const slot = this.#slots[this.#next];
      for (const stream of slot ?? []) {
        if (sendFrame(stream)) continue;
        slot?.delete(stream);
        this.#size -= 1;
      }
      this.#next = (this.#next + 1) % slotsPerPeriod;
      this.#dueAt += this.#slotMs;
    }
    if (this.#size > 0) this.#schedule();
  }
}

/** Sends one frame; false when the stream is over. */
function sendFrame(stream: Stream): boolean {
  if (stream.socket.destroyed) return false;
  if (stream.left > 0) {
    stream.left -= 1;
    stream.socket.write(stream.frames.content);
    return true;
  }
  stream.socket.write(stream.frames.closing);
  return false;
}

const wheels = new Map<number, Wheel>();

function startStream(socket: Socket, pace: string, body: string): void {
  const { chunks, perSecond } = decodePace(pace);
  const frames = body.includes('"include_usage":true') ? chunkedWithUsage : chunkedWithoutUsage;
  socket.write(frames.opening);
  let wheel = wheels.get(perSecond);
  if (wheel === undefined) {
    wheel = new Wheel(perSecond);
    wheels.set(perSecond, wheel);
  }
  wheel.add({ socket, frames, left: chunks - 1 });
}

function findHeader(head: string, name: string): string | undefined {
  const start = head.indexOf(`\r\n${name}: `);
  if (start < 0) return undefined;
  const valueStart = start + name.length + 4;
  return head.slice(valueStart, head.indexOf("\r\n", valueStart));
}

function answer(socket: Socket, head: string, body: Buffer): void {
  const pace = findHeader(head, paceHeader);
  if (pace !== undefined) return startStream(socket, pace, body.toString("latin1"));
  if (findHeader(head, digestHeader) === undefined) return void socket.write(completion);
  const digest = createHash("sha256").update(body).digest("hex");
  socket.write(`${completionHead}${digestAnswerHeader}: ${digest}\r\ncontent-length: ${completionBody.length}\r\n\r\n`);
  socket.write(completionBody);
}

/** Answers every whole request in `bytes`; returns what is left over. */
function takeRequests(socket: Socket, bytes: Buffer): Buffer | undefined {
  let rest = bytes;
  while (rest.length > 0) {
    const end = rest.indexOf(headEnd);
    if (end < 0) return rest;
    // The two bytes of the last line's end stay, so that every header ends in CRLF. Names arrive in any case.
    const head = rest.toString("latin1", 0, end + 2).toLowerCase();
    const length = findHeader(head, "content-length");
    if (length === undefined) {
      socket.end("HTTP/1.1 411 Length Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
      return undefined;
    }
    const bodyStart = end + headEnd.length;
    const next = bodyStart + Number(length);
    if (rest.length < next) return rest;
    answer(socket, head, rest.subarray(bodyStart, next));
    rest = rest.subarray(next);
  }
  return undefined;
}

const server = createServer({ noDelay: true }, (socket) => {
  let pending: Buffer | undefined;
  socket.on("data", (chunk: Buffer) => {
    pending = takeRequests(socket, pending === undefined ? chunk : Buffer.concat([pending, chunk]));
  });
  socket.on("error", () => socket.destroy());
});
server.listen({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 2048 });
process.on("SIGTERM", () => process.exit(0));
