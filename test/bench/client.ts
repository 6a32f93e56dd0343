// Bench: one keep-alive HTTP/1.1 client connection on a raw socket, cheap enough that a busy proxy never waits for it.
// Invariant: one request in flight a connection; an answer that is malformed, cut or late ends in `onFail`, once.
import { connect, type Socket } from "node:net";

/** What a request's owner hears. Buffers are only valid during the call. */
export interface AnswerListener {
  /** Status line and headers are there; `head` is their text. */
  onHead?(status: number, head: string): void;
  /** Some decoded body bytes. */
  onBody(bytes: Buffer): void;
  /** The answer is complete. */
  onEnd(): void;
  /** The connection failed before the answer was complete. */
  onFail(error: Error): void;
}

type State = "idle" | "head" | "length" | "chunk-size" | "chunk-bytes" | "chunk-end" | "trailers" | "closed";

const headEnd = Buffer.from("\r\n\r\n");
const lineEnd = Buffer.from("\r\n");

/** How long a subject may stay silent; far more than any pace, so that a subject that hangs ends the run. */
const silenceMs = 10_000;

/** A connection to `port` on loopback; whoever opens it calls `close`. */
export class Connection {
  readonly #socket: Socket;
  #state: State = "idle";
  #listener: AnswerListener | undefined;
  #pending: Buffer | undefined;
  #left = 0;

  constructor(port: number, onConnect?: () => void, onConnectFail?: (error: Error) => void) {
    this.#socket = connect({ host: "127.0.0.1", port, noDelay: true }, onConnect);
    this.#socket.on("data", (bytes: Buffer) => this.#take(bytes));
    this.#socket.on("error", (error) => {
      if (this.#listener === undefined) onConnectFail?.(error);
      this.#fail(error);
    });
    this.#socket.setTimeout(silenceMs, () => this.#fail(new Error(`no byte for ${silenceMs} ms`)));
    this.#socket.on("close", () => this.#fail(new Error("connection closed before the answer was complete")));
  }

  /** Sends one request; the connection must be idle. */
  send(request: Buffer, listener: AnswerListener): void {
    if (this.#state === "closed") return listener.onFail(new Error("connection is closed"));
    this.#listener = listener;
    this.#state = "head";
    this.#socket.write(request);
  }

  /** True when it can take a request. */
  get idle(): boolean {
    return this.#state === "idle";
  }

  /** True when it will never take a request again. */
  get closed(): boolean {
    return this.#state === "closed";
  }

  close(): void {
    this.#state = "closed";
    this.#listener = undefined;
    this.#socket.destroy();
  }

  #fail(error: Error): void {
    const listener = this.#listener;
    this.close();
    listener?.onFail(error);
  }

  #take(bytes: Buffer): void {
    let rest = this.#pending === undefined ? bytes : Buffer.concat([this.#pending, bytes]);
    this.#pending = undefined;
    while (rest.length > 0 && this.#state !== "closed") {
      const used = this.#step(rest);
      if (used < 0) {
        this.#pending = rest;
        return;
      }
      rest = rest.subarray(used);
    }
  }

  /** Reads one element from `bytes`: how many bytes it took, or -1 when more are needed. */
  #step(bytes: Buffer): number {
    switch (this.#state) {
      case "head":
        return this.#readHead(bytes);
      case "length":
      case "chunk-bytes":
        return this.#readBody(bytes);
      case "chunk-size":
        return this.#readChunkSize(bytes);
      case "chunk-end":
        if (bytes.length < 2) return -1;
        this.#state = "chunk-size";
        return 2;
      case "trailers":
        return this.#readTrailerLine(bytes);
      default:
        this.#fail(new Error("bytes after the answer"));
        return bytes.length;
    }
  }

  #readHead(bytes: Buffer): number {
    const end = bytes.indexOf(headEnd);
    if (end < 0) return -1;
    const head = bytes.toString("latin1", 0, end + 2);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head);
    if (length !== null) {
      this.#left = Number(length[1]);
      this.#state = "length";
    } else if (/\r\ntransfer-encoding: *chunked/i.test(head)) this.#state = "chunk-size";
    else this.#fail(new Error("answer without content-length and not chunked"));
    this.#listener?.onHead?.(Number(head.slice(9, 12)), head);
    if (this.#state === "length" && this.#left === 0) this.#end();
    return end + headEnd.length;
  }

  #readBody(bytes: Buffer): number {
    const part = bytes.length <= this.#left ? bytes : bytes.subarray(0, this.#left);
    this.#left -= part.length;
    this.#listener?.onBody(part);
    if (this.#left === 0) {
      if (this.#state === "length") this.#end();
      else if (this.#state === "chunk-bytes") this.#state = "chunk-end";
    }
    return part.length;
  }

  #readChunkSize(bytes: Buffer): number {
    const end = bytes.indexOf(lineEnd);
    if (end < 0) return -1;
    this.#left = Number.parseInt(bytes.toString("latin1", 0, end), 16);
    if (Number.isNaN(this.#left)) this.#fail(new Error("malformed chunk size"));
    else this.#state = this.#left === 0 ? "trailers" : "chunk-bytes";
    return end + 2;
  }

  #readTrailerLine(bytes: Buffer): number {
    const end = bytes.indexOf(lineEnd);
    if (end < 0) return -1;
    if (end === 0) this.#end();
    return end + 2;
  }

  #end(): void {
    const listener = this.#listener;
    this.#listener = undefined;
    this.#state = "idle";
    listener?.onEnd();
  }
}

/** One whole answer, for checks that look at every byte. */
export interface Answer {
  status: number;
  head: string;
  body: Buffer;
}

/** Sends one request on a connection of its own and collects the answer; fails after `timeoutMs`. */
export function fetchAnswer(port: number, request: Buffer, timeoutMs = 5000): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const answer: Answer = { status: 0, head: "", body: Buffer.alloc(0) };
    const parts: Buffer[] = [];
    const timer = setTimeout(() => finish(new Error(`no complete answer within ${timeoutMs} ms`)), timeoutMs);
    const finish = (error?: Error): void => {
      clearTimeout(timer);
      connection.close();
      if (error !== undefined) return reject(error);
      answer.body = Buffer.concat(parts);
      resolve(answer);
    };
    const connection = new Connection(port, undefined, finish);
    connection.send(request, {
      onHead: (status, head) => {
        answer.status = status;
        answer.head = head;
      },
      onBody: (bytes) => parts.push(Buffer.from(bytes)),
      onEnd: () => finish(),
      onFail: finish,
    });
  });
}
