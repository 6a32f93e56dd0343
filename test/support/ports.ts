// Loopback ports for programs that must be told theirs before they start.
// Invariant: none is of the range that the system itself hands out (32768 and up on Linux), so no server on port 0 and no outgoing connection can take it in between.
import { once } from "node:events";
import { createServer } from "node:net";

const [lowest, highest] = [10_000, 32_000];
/** Every worker of a run has ports of its own; what else runs on the machine is told apart by the trial below. */
const share = 1_000;
const worker = Number(process.env["VITEST_POOL_ID"] ?? process.pid);
const first = lowest + ((worker * share) % (highest - lowest));
let next = Math.floor(Math.random() * share);

/** A loopback port that nobody listens on, another one at every call. */
export async function findFreePort(): Promise<number> {
  for (let tried = 0; tried < share; tried++) {
    const port = first + (next++ % share);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port from ${first} to ${first + share - 1}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}

/** As many different ones. */
export async function findFreePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await findFreePort());
  return ports;
}
