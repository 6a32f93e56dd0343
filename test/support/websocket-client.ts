// A WebSocket client of bare bytes: it says exactly what it is told, and hears exactly what comes back.
import { connect, type Socket } from "node:net";
import { randomBytes } from "node:crypto";
import { decodeFrames, encodeFrame } from "./websocket-upstream.ts";

export interface RawWebSocket {
  socket: Socket;
  status: number;
  /** Of the answer, as it stands on the wire. */
  head: string;
  /** Bytes after the answer's head. */
  received(): Buffer;
  /** How many. */
  size(): number;
  texts(): string[];
  /** Codes of close frames that came. */
  closeCodes(): number[];
  send(text: string): void;
  isClosed(): boolean;
  closed: Promise<void>;
}

/** Opens a WebSocket; resolves with the answer's head, whatever its status. */
export function openRawWebSocket(
  port: number,
  path: string,
  headers: Record<string, string> = {},
  early: Buffer = Buffer.alloc(0),
): Promise<RawWebSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let chunks: Buffer[] = [];
    let size = 0;
    let opened: RawWebSocket | undefined;
    let closed = false;
    const done = Promise.withResolvers<void>();
    const all = {
      host: `127.0.0.1:${port}`,
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": randomBytes(16).toString("base64"),
      ...headers,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.on("connect", () => {
      socket.write(Buffer.concat([Buffer.from(`GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`), early]));
    });
    socket.on("data", (chunk) => {
      chunks.push(chunk);
      size += chunk.length;
      if (opened !== undefined) return;
      const bytes = Buffer.concat(chunks);
      const end = bytes.indexOf("\r\n\r\n");
      if (end === -1) return;
      chunks = [bytes.subarray(end + 4)];
      size -= end + 4;
      const head = bytes.subarray(0, end).toString("latin1");
      const received = (): Buffer => {
        const all = Buffer.concat(chunks);
        chunks = [all];
        return all;
      };
      opened = {
        socket,
        head,
        status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0),
        received,
        size: () => size,
        texts: () =>
          decodeFrames(received())
            .filter(({ opcode }) => opcode === 1)
            .map(({ payload }) => payload.toString()),
        closeCodes: () =>
          decodeFrames(received())
            .filter(({ opcode }) => opcode === 8)
            .map(({ payload }) => payload.readUInt16BE(0)),
        send: (text) => void socket.write(encodeFrame(1, text, { mask: randomBytes(4) })),
        isClosed: () => closed,
        closed: done.promise,
      };
      resolve(opened);
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      closed = true;
      done.resolve();
      reject(new Error("closed without an answer"));
    });
    socket.on("end", () => socket.end());
  });
}

/** The request id that Outrider gave the session. */
export function requestIdOf(head: string): string {
  return /x-outrider-request-id: (\w+)/i.exec(head)?.[1] ?? "";
}

/** Polls until it holds. */
export async function until(condition: () => boolean, what: string, timeoutMs = 5000): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
