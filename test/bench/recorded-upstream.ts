// Bench: a provider that answers with recorded bytes, chosen by the query member `case`. Usage: node test/bench/recorded-upstream.ts PORT FILE, where the file is
// JSON: {case: [base64 of each write]}. It understands only POST with a content-length.
import { readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";

const headEnd = Buffer.from("\r\n\r\n");

const written = JSON.parse(readFileSync(process.argv[3] ?? "", "utf8")) as Record<string, string[]>;
const answers = new Map(
  Object.entries(written).map(([name, writes]) => [name, writes.map((bytes) => Buffer.from(bytes, "base64"))]),
);

/** Each write in a turn of its own, so that it makes a packet of its own. */
function sendWrites(socket: Socket, writes: readonly Buffer[], index: number): void {
  const bytes = writes[index];
  if (bytes === undefined || socket.destroyed) return;
  socket.write(bytes);
  setImmediate(() => sendWrites(socket, writes, index + 1));
}

/** Answers every whole request in `bytes`; returns what is left over. */
function takeRequests(socket: Socket, bytes: Buffer): Buffer | undefined {
  let rest = bytes;
  while (rest.length > 0) {
    const end = rest.indexOf(headEnd);
    if (end < 0) return rest;
    const head = rest.toString("latin1", 0, end);
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? "0";
    const next = end + headEnd.length + Number(length);
    if (rest.length < next) return rest;
    const answer = answers.get(/[?&]case=(\w+)/.exec(head)?.[1] ?? "");
    if (answer === undefined) socket.end("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    else sendWrites(socket, answer, 0);
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
