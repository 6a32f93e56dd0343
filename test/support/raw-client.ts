// A client that says exactly the bytes it is told, and hears exactly what comes back.
import { connect, type Socket } from "node:net";

export interface RawAnswer {
  /** 0 when nothing came. */
  status: number;
  head: string;
  body: string;
  /** How the connection ended. */
  ending: "closed" | "reset" | "open";
}

/** Sends `bytes` to a loopback port and reads until the connection ends or `timeoutMs` pass. */
export function exchangeRaw(
  port: number,
  bytes: string | Buffer,
  options: { timeoutMs?: number; onConnected?: (socket: Socket) => void } = {},
): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, "127.0.0.1");
    let ending: RawAnswer["ending"] = "open";
    const finish = (): void => {
      clearTimeout(timer);
      socket.destroy();
      const text = Buffer.concat(chunks).toString("latin1");
      const cut = text.indexOf("\r\n\r\n");
      resolve({
        status: Number(/^HTTP\/1\.\d (\d{3})/.exec(text)?.[1] ?? 0),
        head: cut === -1 ? text : text.slice(0, cut),
        body: cut === -1 ? "" : text.slice(cut + 4),
        ending,
      });
    };
    const timer = setTimeout(finish, options.timeoutMs ?? 2000);
    socket.on("connect", () => {
      socket.write(bytes);
      options.onConnected?.(socket);
    });
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", () => {
      ending = "reset";
      finish();
    });
    socket.on("close", () => {
      if (ending === "open") ending = "closed";
      finish();
    });
  });
}

/** A POST of JSON with the headers a client would send. */
export function formatPost(path: string, body: string, headers: Record<string, string> = {}): string {
  const all = {
    host: "127.0.0.1",
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
}
