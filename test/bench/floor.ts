// Bench: the floor, a bare relay. node:http in, body collected, undici `dispatch` out with a handler object, nothing read.
// Usage: node test/bench/floor.ts PORT UPSTREAM_ORIGIN.
// Invariant: it does what any correct relay must (hop-by-hop headers, backpressure, abort) and nothing else.
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { type Dispatcher, Pool } from "undici";

const [, , port, upstreamOrigin = ""] = process.argv;
// As many connections as requests in flight: a thousand streams need a thousand.
const pool = new Pool(upstreamOrigin, { pipelining: 1, keepAliveTimeout: 60_000 });

const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

function copyRequestHeaders(rawHeaders: string[]): string[] {
  const headers: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    const lowerName = name.toLowerCase();
    if (lowerName !== "host" && !hopByHop.has(lowerName)) headers.push(name, rawHeaders[i + 1] ?? "");
  }
  return headers;
}

function copyResponseHeaders(from: IncomingHttpHeaders): IncomingHttpHeaders {
  const headers: IncomingHttpHeaders = {};
  for (const name in from) if (!hopByHop.has(name)) headers[name] = from[name];
  return headers;
}

/** Moves one answer from undici to the client. */
class Relay implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse;
  #controller: Dispatcher.DispatchController | undefined;

  constructor(response: ServerResponse) {
    this.#response = response;
    response.on("drain", () => this.#controller?.resume());
    response.on("close", () => {
      if (!response.writableFinished) this.#controller?.abort(new Error("client gone"));
    });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.#response.writeHead(status, copyResponseHeaders(headers));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#response.write(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    this.#response.end();
  }

  onResponseError(): void {
    if (this.#response.headersSent) this.#response.destroy();
    else this.#response.writeHead(502).end();
  }
}

function relay(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const [first] = chunks;
    const body = chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks);
    pool.dispatch(
      {
        path: request.url ?? "/",
        method: request.method ?? "POST",
        headers: copyRequestHeaders(request.rawHeaders),
        body: body.length > 0 ? body : null,
      },
      new Relay(response),
    );
  });
}

const server = createServer({ keepAliveTimeout: 60_000 }, relay);
server.listen({ host: "127.0.0.1", port: Number(port), backlog: 2048 });
// A clean exit lets `node --cpu-prof` write its file.
process.on("SIGTERM", () => process.exit(0));
