// Bench: requests a second of a subject's own CPU time, whatever else the machine does; the same request back to back.
import { Connection } from "./client.ts";
import { readCpuSeconds, type Running } from "./processes.ts";

const connections = 16;

/** One request, and what a right answer to it is. */
export interface CpuCase {
  name: string;
  request: Buffer;
  /** Of the answer. */
  bodyBytes: number;
}

/** Throws on a wrong answer. */
export async function measureCpuThroughput(subject: Running, one: CpuCase, durationMs: number): Promise<number> {
  const deadline = performance.now() + durationMs;
  const cpuBefore = readCpuSeconds(subject.pid) ?? 0;
  let requests = 0;
  const runOne = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const connection = new Connection(subject.port);
      const next = (): void => {
        let [status, length] = [0, 0];
        connection.send(one.request, {
          onHead: (code) => (status = code),
          onBody: (bytes) => (length += bytes.length),
          onFail: reject,
          onEnd: () => {
            if (status !== 200 || length !== one.bodyBytes) {
              return reject(new Error(`${one.name}: status ${status}, ${length} of ${one.bodyBytes} bytes`));
            }
            requests += 1;
            if (performance.now() < deadline) return next();
            connection.close();
            resolve();
          },
        });
      };
      next();
    });
  await Promise.all(Array.from({ length: connections }, runOne));
  return requests / ((readCpuSeconds(subject.pid) ?? 0) - cpuBefore);
}
