// A policy endpoint for tests: serves one document with an ETag, keeps a ledger, and misbehaves when told to.
// Loopback only; `close()` leaves no socket.
import { createHash } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { findFreePort } from "./ports.ts";

/** Answers in place of the plain way. */
export type Misbehaviour = (request: IncomingMessage, response: ServerResponse) => void;

export interface PolicyEndpoint {
  url: string;
  /** Requests so far, the oldest first. */
  requests: { target: string; headers: IncomingHttpHeaders; status: number }[];
  /** Requests under way, and the most there ever were. */
  underWay: { now: number; most: number };
  /** From now on this document; its ETag is a digest of it unless given. Ends a misbehaviour. */
  serve(document: string | Buffer, etag?: string): void;
  misbehave(how: Misbehaviour | undefined): void;
  /** Down: the port refuses connections. Up again on the same port. */
  setDown(down: boolean): Promise<void>;
  close(): Promise<void>;
}

/** Starts it; until `serve` it answers 404. */
export async function startPolicyEndpoint(): Promise<PolicyEndpoint> {
  let served: { bytes: Buffer; etag: string } | undefined;
  let misbehaviour: Misbehaviour | undefined;
  const requests: PolicyEndpoint["requests"] = [];
  const underWay = { now: 0, most: 0 };
  const port = await findFreePort();

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    if (misbehaviour !== undefined) return misbehaviour(request, response);
    if (served === undefined) {
      response.writeHead(404).end();
    } else if (request.headers["if-none-match"] === served.etag) {
      response.writeHead(304, { etag: served.etag }).end();
    } else {
      response.writeHead(200, { etag: served.etag, "content-length": served.bytes.length }).end(served.bytes);
    }
  };
  const server = createServer((request, response) => {
    underWay.now += 1;
    underWay.most = Math.max(underWay.most, underWay.now);
    response.on("close", () => {
      underWay.now -= 1;
      requests.push({ target: request.url ?? "", headers: request.headers, status: response.statusCode });
    });
    answer(request, response);
  });
  const listen = (): Promise<void> => new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  await listen();

  return {
    url: `http://127.0.0.1:${port}/outrider.yaml`,
    requests,
    underWay,
    serve(document, etag) {
      const bytes = Buffer.from(document);
      served = { bytes, etag: etag ?? `"${createHash("sha256").update(bytes).digest("hex").slice(0, 16)}"` };
      misbehaviour = undefined;
    },
    misbehave(how) {
      misbehaviour = how;
    },
    async setDown(down) {
      if (down && server.listening) await close();
      if (!down && !server.listening) await listen();
    },
    async close() {
      if (server.listening) await close();
    },
  };
}
