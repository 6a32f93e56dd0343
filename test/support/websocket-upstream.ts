// A loopback provider that speaks WebSocket as it is told, frame by frame, and keeps every byte it was sent.
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";

export interface WebSocketPeer {
  request: IncomingMessage;
  socket: Socket;
  /** All bytes after the upgrade. */
  received(): Buffer;
  /** How many. */
  size(): number;
  /** Whole text messages so far; frames that are compressed or fragmented are not among them. */
  texts(): string[];
  send(text: string): void;
  isClosed(): boolean;
}

export interface Refusal {
  status: number;
  body: string;
  headers?: Record<string, string>;
  /** More than there are: the answer breaks off. */
  announcedBytes?: number;
}

export interface WebSocketUpstream {
  url: string;
  port: number;
  peers: WebSocketPeer[];
  /** What the next upgrades get; undefined: a 101. */
  refusal: Refusal | undefined;
  /** Do not answer at all. */
  isSilent: boolean;
  /** Keep what comes and look at none of it: no answers to close frames, no `onText`. */
  isDeaf: boolean;
  /** Added to the 101. */
  headers: Record<string, string>;
  onPeer: (peer: WebSocketPeer) => void;
  onText: (peer: WebSocketPeer, text: string) => void;
  close(): Promise<void>;
}

/** One frame; `mask` as clients must. */
export function encodeFrame(
  opcode: number,
  payload: Buffer | string,
  { mask, final = true, compressed = false }: { mask?: Buffer; final?: boolean; compressed?: boolean } = {},
): Buffer {
  const bytes = Buffer.from(payload);
  const first = (final ? 0x80 : 0) | (compressed ? 0x40 : 0) | opcode;
  const bit = mask === undefined ? 0 : 0x80;
  let head: Buffer;
  if (bytes.length < 126) head = Buffer.from([first, bit | bytes.length]);
  else if (bytes.length < 65_536) head = Buffer.from([first, bit | 126, bytes.length >> 8, bytes.length & 255]);
  else {
    head = Buffer.alloc(10);
    head[0] = first;
    head[1] = bit | 127;
    head.writeBigUInt64BE(BigInt(bytes.length), 2);
  }
  if (mask === undefined) return Buffer.concat([head, bytes]);
  const masked = bytes.map((byte, index) => byte ^ (mask[index % 4] as number));
  return Buffer.concat([head, mask, masked]);
}

/** Whole frames at the start of `bytes`, unmasked. */
export function decodeFrames(bytes: Buffer): { opcode: number; compressed: boolean; payload: Buffer }[] {
  const frames: { opcode: number; compressed: boolean; payload: Buffer }[] = [];
  let at = 0;
  while (at + 2 <= bytes.length) {
    const [first, second] = [bytes[at] as number, bytes[at + 1] as number];
    let length = second & 127;
    let start = at + 2;
    if (length === 126) [length, start] = [bytes.length >= at + 4 ? bytes.readUInt16BE(at + 2) : Infinity, at + 4];
    else if (length === 127)
      [length, start] = [bytes.length >= at + 10 ? Number(bytes.readBigUInt64BE(at + 2)) : Infinity, at + 10];
    const mask = (second & 128) === 0 ? undefined : bytes.subarray(start, start + 4);
    if (mask !== undefined) start += 4;
    if (start + length > bytes.length) break;
    const payload = Buffer.from(bytes.subarray(start, start + length));
    if (mask !== undefined) for (let index = 0; index < length; index++) payload[index]! ^= mask[index % 4]!;
    frames.push({ opcode: first & 15, compressed: (first & 0x40) !== 0, payload });
    at = start + length;
  }
  return frames;
}

/** Starts it; answers pings and close frames of clients as a server must. */
export async function startWebSocketUpstream(): Promise<WebSocketUpstream> {
  const server = createServer((_request, response) => response.writeHead(426).end("upgrade required"));
  const upstream: WebSocketUpstream = {
    url: "",
    port: 0,
    peers: [],
    refusal: undefined,
    isSilent: false,
    isDeaf: false,
    headers: {},
    onPeer: () => undefined,
    onText: () => undefined,
    async close() {
      for (const { socket } of upstream.peers) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  server.on("upgrade", (request: IncomingMessage, socket: Socket) => {
    socket.on("error", () => undefined);
    const peer = createPeer(request, socket, upstream);
    upstream.peers.push(peer);
    if (upstream.isSilent) return;
    const { refusal } = upstream;
    if (refusal !== undefined) {
      const extra = Object.entries(refusal.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
      const length = refusal.announcedBytes ?? Buffer.byteLength(refusal.body);
      socket.end(
        `HTTP/1.1 ${refusal.status} Refused\r\ncontent-length: ${length}\r\n${extra.join("")}\r\n${refusal.body}`,
      );
      return;
    }
    const key = String(request.headers["sec-websocket-key"]);
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    const extra = Object.entries(upstream.headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const protocols = (request.headers["sec-websocket-protocol"] ?? "").split(",");
    const chosen = protocols[0] === "" ? "" : `Sec-WebSocket-Protocol: ${protocols[0]?.trim()}\r\n`;
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n` +
        `${chosen}${extra.join("")}\r\n`,
    );
    upstream.onPeer(peer);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  upstream.port = (server.address() as AddressInfo).port;
  upstream.url = `http://127.0.0.1:${upstream.port}`;
  return upstream;
}

function createPeer(request: IncomingMessage, socket: Socket, upstream: WebSocketUpstream): WebSocketPeer {
  const chunks: Buffer[] = [];
  let told = 0;
  let closed = false;
  let size = 0;
  const peer: WebSocketPeer = {
    request,
    socket,
    received: () => Buffer.concat(chunks),
    size: () => size,
    texts: () =>
      decodeFrames(peer.received())
        .filter(({ opcode, compressed }) => opcode === 1 && !compressed)
        .map(({ payload }) => payload.toString()),
    send: (text) => void socket.write(encodeFrame(1, text)),
    isClosed: () => closed,
  };
  socket.on("close", () => (closed = true));
  socket.on("end", () => socket.end());
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    if (upstream.isDeaf) return;
    const frames = decodeFrames(Buffer.concat(chunks));
    for (const { opcode, compressed, payload } of frames.slice(told)) {
      if (opcode === 1 && !compressed) upstream.onText(peer, payload.toString());
      if (opcode === 8) socket.end(encodeFrame(8, payload));
    }
    told = frames.length;
  });
  return peer;
}
