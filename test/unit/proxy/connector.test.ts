// The time limit for opening a connection is the one in force when it is opened.
import { createServer, type Socket } from "node:net";
import { expect, it } from "vitest";
import { createConnect } from "../../../src/proxy/connector.ts";

it("gives up on a handshake that stalls after the time limit of that moment", async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  let timeoutMs = 60_000;
  const connect = createConnect(() => timeoutMs);
  const target = { protocol: "https:", hostname: "127.0.0.1", host: `127.0.0.1:${port}`, port: String(port) };
  const ends: string[] = [];
  const open = (name: string): Promise<void> =>
    new Promise((resolve) => {
      connect(target, (...[error]) => {
        ends.push(`${name} ${error instanceof Error ? error.name : "opened"}`);
        resolve();
      });
    });
  const patient = open("patient");
  timeoutMs = 50;
  await open("hasty");
  expect(ends).toEqual(["hasty ConnectTimeoutError"]);
  for (const socket of sockets) socket.destroy();
  await patient;
  server.close();
});
