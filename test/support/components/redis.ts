// Redis: the shared budget store.
import { connect } from "node:net";
import { ensureComponents } from "../../../scripts/components.mjs";
import { findFreePorts } from "../ports.ts";
import { startChild } from "./child.ts";
import type { RunningComponent } from "./child.ts";

export interface Redis extends RunningComponent {
  /** redis://host:port */
  url: string;
  port: number;
}

/** Starts a Redis that keeps nothing on disk and at most 64 MB in memory. */
export async function startRedis(): Promise<Redis> {
  const { redisServer } = (await ensureComponents(["redis"])).redis;
  const [port] = (await findFreePorts(1)) as [number];
  const child = await startChild({
    name: "redis",
    command: redisServer,
    args: [
      "--port",
      String(port),
      "--bind",
      "127.0.0.1",
      "--save",
      "",
      "--appendonly",
      "no",
      "--maxmemory",
      "64mb",
      "--daemonize",
      "no",
    ],
    isReady: () => answersPing(port),
  });
  return { ...child, url: `redis://127.0.0.1:${port}`, port };
}

function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    socket.setTimeout(1_000, () => socket.destroy(new Error("no answer")));
    socket.once("error", reject);
    socket.once("data", (answer) => {
      socket.destroy();
      resolve(answer.toString().startsWith("+PONG"));
    });
  });
}
