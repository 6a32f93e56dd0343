// Test support: a client's connection that stays open: it says exactly the bytes it is told, and reads the answers off one by one.
// It knows lengths and chunks and nothing else.
import { connect, type Socket } from "node:net";

export interface ReadAnswer {
  status: number;
  /** Status line and fields, in lower case. */
  head: string;
  body: Buffer;
}

export interface RawConnection {
  socket: Socket;
  say: (bytes: string | Buffer) => void;
  /** The next answer; rejects when the connection ends before it does. */
  answer: () => Promise<ReadAnswer>;
  /** How it ended. */
  ended: Promise<"closed" | "reset">;
  /** What came and was not read off. */
  unread: () => Buffer;
}

/** Opens one to a loopback port; the caller ends it. */
export function openConnection(port: number): RawConnection {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  let chunks: Buffer[] = [];
  let size = 0;
  let tail = "";
  /** A long answer is looked at only where it may end, so that it costs no more than its length. */
  let needed = 0;
  let isOver = false;
  let wanted: { resolve: (answer: ReadAnswer) => void; reject: (error: Error) => void } | undefined;
  const look = (): void => {
    const mayBeWhole = needed === 0 || size < 65_536 || size === needed || tail === "0\r\n\r\n";
    if (wanted === undefined || (!mayBeWhole && !isOver)) return;
    const bytes = Buffer.concat(chunks);
    chunks = [bytes];
    const found = readAnswer(bytes);
    if (typeof found === "number") {
      needed = found;
      if (isOver) wanted.reject(new Error(`the connection ended with ${size} bytes of an answer`));
      return;
    }
    const { resolve } = wanted;
    wanted = undefined;
    needed = 0;
    chunks = [bytes.subarray(found.length)];
    size = bytes.length - found.length;
    resolve(found.answer);
  };
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    tail = (tail + chunk.toString("latin1", Math.max(chunk.length - 5, 0))).slice(-5);
    look();
  });
  let ending: "closed" | "reset" = "closed";
  socket.on("error", () => (ending = "reset"));
  const ended = new Promise<"closed" | "reset">((resolve) =>
    socket.on("close", () => {
      isOver = true;
      look();
      resolve(ending);
    }),
  );
  return {
    socket,
    say: (bytes) => void socket.write(bytes),
    answer: () =>
      new Promise((resolve, reject) => {
        wanted = { resolve, reject };
        look();
      }),
    ended,
    unread: () => Buffer.concat(chunks),
  };
}

/** A number: how long it is at least, not being whole. */
function readAnswer(bytes: Buffer): { answer: ReadAnswer; length: number } | number {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd === -1) return 0;
  const head = bytes.toString("latin1", 0, headEnd).toLowerCase();
  const status = Number(head.slice(9, 12));
  const start = headEnd + 4;
  if (!head.includes("\r\ntransfer-encoding: chunked")) {
    const end = start + Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0);
    return bytes.length < end ? end : { answer: { status, head, body: bytes.subarray(start, end) }, length: end };
  }
  const pieces: Buffer[] = [];
  for (let at = start; ;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd === -1) return 0;
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    const end = lineEnd + 2 + size + 2;
    if (bytes.length < end) return end;
    if (size === 0) return { answer: { status, head, body: Buffer.concat(pieces) }, length: end };
    pieces.push(bytes.subarray(lineEnd + 2, end - 2));
    at = end;
  }
}
