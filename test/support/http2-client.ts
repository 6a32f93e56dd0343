// HTTP/2 with prior knowledge, twice: Node's own client for what is well-formed, and frames by hand (RFC 9113 §4.1) for what is not.
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from "node:http2";
import { connect as connectSocket, type Socket } from "node:net";

export interface Http2Answer {
  /** 0 when no head came. */
  status: number;
  headers: Record<string, unknown>;
  trailers: Record<string, unknown>;
  body: string;
  /** RST_STREAM's code, or 0. */
  rstCode: number;
  /** END_STREAM came: the answer is whole. */
  whole: boolean;
}

export interface Http2Call {
  /** Resolves at the first bytes of the body, or at the end when there are none. */
  begun: Promise<void>;
  ended: Promise<Http2Answer>;
  /** RST_STREAM with CANCEL. */
  abort(): void;
}

/** A session over a connection of its own; its errors show in the calls that they end. */
export function openHttp2(url: string): ClientHttp2Session {
  const session = connect(url);
  session.on("error", () => undefined);
  return session;
}

/** One POST, or a GET without a body. */
export function callHttp2(
  session: ClientHttp2Session,
  path: string,
  { headers = {}, body }: { headers?: OutgoingHttpHeaders; body?: string | Buffer } = {},
): Http2Call {
  const method = body === undefined ? "GET" : "POST";
  const stream = session.request({ ":method": method, ":path": path, ...headers }, { endStream: body === undefined });
  const begun = Promise.withResolvers<void>();
  const answer: Http2Answer = { status: 0, headers: {}, trailers: {}, body: "", rstCode: 0, whole: false };
  const ended = new Promise<Http2Answer>((resolve) => {
    stream.on("response", (received) => {
      answer.headers = { ...received };
      answer.status = Number(received[":status"]);
    });
    stream.on("trailers", (received) => {
      answer.trailers = { ...received };
    });
    stream.setEncoding("utf8");
    stream.on("data", (piece: string) => {
      answer.body += piece;
      begun.resolve();
    });
    stream.on("end", () => {
      answer.whole = true;
    });
    stream.on("error", () => undefined);
    stream.on("close", () => {
      begun.resolve();
      answer.rstCode = stream.rstCode ?? 0;
      answer.whole &&= answer.rstCode === 0 && answer.status > 0;
      resolve(answer);
    });
  });
  if (body !== undefined) stream.end(body);
  return { begun: begun.promise, ended, abort: () => stream.close(8) };
}

export const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
export const frameTypes = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, continuation: 9 } as const;

/** One frame as it stands on the wire. */
export function formatFrame(type: number, flags: number, streamId: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** A header block of literals without indexing and without Huffman coding (RFC 7541 §6.2.2); values up to 16 KiB. */
export function formatHeaderBlock(headers: readonly (readonly [string, string])[]): Buffer {
  const text = (value: string): Buffer => {
    const bytes = Buffer.from(value, "latin1");
    if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
    const rest = bytes.length - 127;
    const length = rest < 128 ? [127, rest] : [127, (rest & 127) | 128, rest >> 7];
    return Buffer.concat([Buffer.from(length), bytes]);
  };
  return Buffer.concat(headers.map(([name, value]) => Buffer.concat([Buffer.from([0]), text(name), text(value)])));
}

export interface RawHttp2 {
  socket: Socket;
  /** Frames that came whole. */
  frames: { type: number; flags: number; streamId: number; payload: Buffer }[];
  closed: Promise<void>;
}

/** A connection that has sent `first` and reads frames. */
export function openRawHttp2(port: number, first: string | Buffer): RawHttp2 {
  const socket = connectSocket(port, "127.0.0.1");
  const frames: RawHttp2["frames"] = [];
  let buffered: Buffer = Buffer.alloc(0);
  socket.on("error", () => undefined);
  socket.on("data", (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    while (buffered.length >= 9) {
      const length = buffered.readUIntBE(0, 3);
      if (buffered.length < 9 + length) return;
      const [type = 0, flags = 0] = buffered.subarray(3, 5);
      const payload = buffered.subarray(9, 9 + length);
      frames.push({ type, flags, streamId: buffered.readUInt32BE(5) & 0x7fff_ffff, payload });
      buffered = buffered.subarray(9 + length);
    }
  });
  socket.write(first);
  return { socket, frames, closed: new Promise((resolve) => socket.on("close", () => resolve())) };
}
