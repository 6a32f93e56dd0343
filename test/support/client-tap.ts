// A port that passes everything on to another one and keeps what clients sent: the proof that a test's bytes were really sent.
import { connect, createServer, type Socket } from "node:net";

export interface ClientTap {
  port: number;
  sent: Buffer[];
  close(): Promise<void>;
}

/** Starts on a free loopback port; the caller closes it once its clients are gone. */
export async function startClientTap(targetPort: number): Promise<ClientTap> {
  const sent: Buffer[] = [];
  const server = createServer((client: Socket) => {
    const target = connect(targetPort, "127.0.0.1");
    client.on("data", (chunk) => sent.push(chunk));
    client.on("error", () => target.destroy());
    target.on("error", () => client.destroy());
    client.pipe(target).pipe(client);
    client.on("close", () => target.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return { port, sent, close: () => new Promise((resolve) => server.close(() => resolve())) };
}
