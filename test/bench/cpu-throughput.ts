// Bench: requests a second of a subject's own CPU time, whatever else the machine does, of two subjects in turn.
// Invariant: a round is so many whole passes through the exchanges, so that both subjects answer the same mix. The machine may change its
// speed from second to second (by 1.7, measured 2026-11-22), so a round is only compared with the one right beside it.
import { Connection } from "./client.ts";
import { takeMedian } from "./measures.ts";
import { readCpuSeconds, type Running } from "./processes.ts";

const connections = 16;

/** A request, and the least length of the right answer to it. */
export interface CpuExchange {
  request: Buffer;
  minBytes: number;
}

/** What is sent back to back, in turn. */
export interface CpuCase {
  name: string;
  exchanges: readonly CpuExchange[];
}

export interface CpuEffort {
  warmUpMs: number;
  roundMs: number;
  rounds: number;
}

/** Connections that stay open from round to round. */
class CpuLoad {
  readonly #subject: Running;
  readonly #case: CpuCase;
  /** Opened when they are needed: one on which nothing comes for long is closed. */
  #connections: Connection[] = [];

  constructor(subject: Running, one: CpuCase) {
    this.#subject = subject;
    this.#case = one;
  }

  /** Requests a second of CPU time, over whole passes for at least so long. Throws on a wrong answer. */
  async run(durationMs: number): Promise<number> {
    const { name, exchanges } = this.#case;
    const { port } = this.#subject;
    this.#connections = this.#connections.filter(({ closed }) => !closed);
    while (this.#connections.length < connections) this.#connections.push(new Connection(port));
    const deadline = performance.now() + durationMs;
    const cpuBefore = readCpuSeconds(this.#subject.pid) ?? 0;
    let sent = 0;
    const runOne = (connection: Connection): Promise<void> =>
      new Promise((resolve, reject) => {
        const next = (): void => {
          const place = sent % exchanges.length;
          if (place === 0 && performance.now() >= deadline) return resolve();
          sent += 1;
          const { request, minBytes } = exchanges[place] as CpuExchange;
          let [status, length] = [0, 0];
          connection.send(request, {
            onHead: (code) => (status = code),
            onBody: (bytes) => (length += bytes.length),
            onFail: reject,
            onEnd: () => {
              if (status === 200 && length >= minBytes) return next();
              reject(new Error(`${name}: status ${status}, ${length} of ${minBytes} bytes`));
            },
          });
        };
        next();
      });
    await Promise.all(this.#connections.map(runOne));
    return sent / ((readCpuSeconds(this.#subject.pid) ?? 0) - cpuBefore);
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }
}

/** Requests a second of CPU time, by round, of each of two subjects. */
export interface Rounds {
  plain: number[];
  other: number[];
}

/** Two subjects under the same requests, in turn. Throws on a wrong answer. */
export async function compareCpuThroughput(
  [plain, other]: readonly [Running, Running],
  one: CpuCase,
  { warmUpMs, roundMs, rounds }: CpuEffort,
): Promise<Rounds> {
  const loads = { plain: new CpuLoad(plain, one), other: new CpuLoad(other, one) };
  await loads.plain.run(warmUpMs);
  await loads.other.run(warmUpMs);
  const figures: Rounds = { plain: [], other: [] };
  for (let round = 0; round < rounds; round++) {
    // What the first of a pair leaves behind must not always meet the same one.
    const order = round % 2 === 0 ? (["plain", "other"] as const) : (["other", "plain"] as const);
    for (const which of order) figures[which].push(await loads[which].run(roundMs));
  }
  loads.plain.close();
  loads.other.close();
  return figures;
}

/** What each subject does, and the share that the other loses: medians, the latter of each round beside the one taken in the same turn. */
export function summariseRounds(figures: readonly Rounds[]): { plain: number; other: number; cost: number } {
  const costs = figures.flatMap((each) => each.plain.map((plain, turn) => 1 - (each.other[turn] ?? 0) / plain));
  return {
    plain: takeMedian(figures.flatMap((each) => each.plain)),
    other: takeMedian(figures.flatMap((each) => each.other)),
    cost: takeMedian(costs),
  };
}
