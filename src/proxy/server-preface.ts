// Room proxy: tells HTTP/2 with prior knowledge from HTTP/1.1 by the first bytes of a connection (RFC 9113 §3.3, §3.4).
// Invariant: looked at once per connection, before any request; the bytes are put back, so that neither server knows of it.

import type { Server } from "node:http";
import type { Socket } from "node:net";

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

export interface PrefaceSettings {
  /** How long a connection may send nothing, or less than tells its protocol. */
  timeoutMs: number;
  /** `acceptPlainly` gives the connection to the server as if nobody had looked; `bytes` are not put back yet. */
  onHttp1: (socket: Socket, bytes: Buffer, acceptPlainly: (unread: Buffer) => void) => void;
  onHttp2: (socket: Socket) => void;
  /** The time is over; the socket is the callee's. */
  onSilent: (socket: Socket) => void;
}

/** Takes the connections of `server`, and gives each to `onHttp2` or `onHttp1` by its first bytes. */
export function splitProtocols(server: Server, settings: PrefaceSettings): { closeUndecided: () => void } {
  const [acceptHttp1] = server.listeners("connection");
  if (acceptHttp1 === undefined) throw new Error("the server takes no connections");
  const undecided = new Set<Socket>();
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    undecided.add(socket);
    peek(socket, settings.timeoutMs, (found, bytes) => {
      undecided.delete(socket);
      if (found === "gone") {
        socket.destroy();
        return;
      }
      if (found === "silent") {
        settings.onSilent(socket);
        return;
      }
      if (found === "http2") {
        // Whoever half-closes an HTTP/2 connection is gone.
        socket.allowHalfOpen = false;
        socket.pause();
        socket.unshift(bytes);
        settings.onHttp2(socket);
        return;
      }
      settings.onHttp1(socket, bytes, (unread) => {
        socket.pause();
        socket.unshift(unread);
        acceptHttp1.call(server, socket);
        socket.resume();
      });
    });
  });
  return {
    closeUndecided() {
      for (const socket of undecided) socket.destroy();
    },
  };
}

type Found = "http1" | "http2" | "silent" | "gone";

function peek(socket: Socket, timeoutMs: number, done: (found: Found, bytes: Buffer) => void): void {
  let seen: Buffer | undefined;
  const conclude = (found: Found): void => {
    socket.off("data", onData).off("end", onGone).off("close", onGone).off("error", ignore);
    socket.setTimeout(0, onTimeout);
    if (found === "silent" || found === "gone") socket.on("error", ignore);
    done(found, seen ?? Buffer.alloc(0));
  };
  const onData = (chunk: Buffer): void => {
    seen = seen === undefined ? chunk : Buffer.concat([seen, chunk]);
    const length = Math.min(seen.length, preface.length);
    if (seen.compare(preface, 0, length, 0, length) !== 0) conclude("http1");
    else if (length === preface.length) conclude("http2");
  };
  const onGone = (): void => conclude("gone");
  const onTimeout = (): void => conclude("silent");
  const ignore = (): void => undefined;
  socket.on("data", onData).on("end", onGone).on("close", onGone).on("error", ignore);
  socket.setTimeout(timeoutMs, onTimeout);
}
