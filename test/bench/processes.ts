// Bench: starting, pinning, reading and ending processes. Facts come from /proc, so on other systems they are absent.
// Invariant: every process started here is ended here, by its pid, also when the bench itself is interrupted.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** The cores of this run: the proxy under test has one to itself, the harness shares the other. */
export interface Cores {
  subject: number;
  harness: number;
}

/** Two cores this process may use, or undefined when there is no taskset or only one core. */
export function findCores(): Cores | undefined {
  try {
    const list =
      execFileSync("taskset", ["-cp", String(process.pid)], { encoding: "utf8" })
        .split(":")
        .pop() ?? "";
    const allowed = list.split(",").flatMap((range) => {
      const [from = 0, to = from] = range.split("-").map(Number);
      return Array.from({ length: to - from + 1 }, (_, i) => from + i);
    });
    const [subject, harness] = allowed;
    return subject === undefined || harness === undefined ? undefined : { subject, harness };
  } catch {
    return undefined;
  }
}

/** Moves this process, with all its threads, to one core. */
export function pinSelf(core: number): void {
  execFileSync("taskset", ["-acp", String(core), String(process.pid)], { stdio: "ignore" });
}

/** A started process that listens on `port`. */
export interface Running {
  pid: number;
  port: number;
  /** Ends it: SIGTERM, then SIGKILL after `graceMs` (0 = SIGKILL at once). Safe to call twice. */
  stop(graceMs?: number): Promise<void>;
  /** True when it exited, whoever ended it. */
  hasEnded(): boolean;
  /** The beginning of what it wrote to its standard error, for messages. */
  readErrors(): string;
}

const maxErrorCharacters = 4_000_000;

/** The first lines; a bundle's own lines are so long that they would hide the message. */
function shortenLines(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && line.length < 400);
  return lines.slice(0, 12).join("\n");
}

const alive = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

/** Starts node with `args` on `core`, with nothing of this process's environment but PATH and HOME. */
export function startNode(
  args: string[],
  port: number,
  core: number | undefined,
  env: Record<string, string> = {},
): Running {
  const command =
    core === undefined ? [process.execPath, ...args] : ["taskset", "-c", String(core), process.execPath, ...args];
  const [file = "", ...rest] = command;
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(file, rest, { env: { PATH, HOME, ...env }, stdio: ["ignore", "ignore", "pipe"] });
  alive.add(child);
  let errors = "";
  child.stderr.on("data", (bytes: Buffer) => {
    if (errors.length < maxErrorCharacters) errors += bytes.toString();
  });
  const ended = new Promise<void>((resolve) => {
    child.on("error", () => resolve());
    child.on("exit", () => resolve());
  }).then(() => void alive.delete(child));
  return {
    pid: child.pid ?? 0,
    port,
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    readErrors: () => shortenLines(errors),
    stop: async (graceMs = 10_000) => {
      child.kill(graceMs === 0 ? "SIGKILL" : "SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    const finish = (connected: boolean): void => {
      socket.destroy();
      resolve(connected);
    };
    socket.on("connect", () => finish(true));
    socket.on("error", () => finish(false));
  });
}

/** Resolves when the process accepts connections; fails with its last words after `timeoutMs`. */
export async function waitUntilListening(running: Running, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await canConnect(running.port))) {
    const ended = running.hasEnded();
    // What an ended process wrote may still be on its way here.
    if (ended) await sleep(50);
    if (ended || performance.now() > deadline) {
      const state = ended ? "it ended" : `it still runs after ${timeoutMs} ms`;
      throw new Error(
        `process ${running.pid} does not listen on port ${running.port}, ${state}: ${running.readErrors()}`,
      );
    }
    await sleep(2);
  }
}

// Linux tells CPU time in 1/100 s in user space on every architecture Node runs on.
const ticksPerSecond = 100;

/** CPU seconds of a process, user and system: where the kernel tells it exactly, of the threads that live now; else of all, to 0.01 s. Undefined without /proc. */
export function readCpuSeconds(pid: number): number | undefined {
  try {
    return readExactCpuSeconds(pid) ?? readCpuTicks(pid) / ticksPerSecond;
  } catch {
    return undefined;
  }
}

/** Undefined where the kernel was built without scheduler debugging. */
function readExactCpuSeconds(pid: number): number | undefined {
  let milliseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const path = `/proc/${pid}/task/${thread}/sched`;
    const line = existsSync(path) ? /^se\.sum_exec_runtime\s+:\s+([\d.]+)$/m.exec(readFileSync(path, "latin1")) : null;
    if (line === null) return undefined;
    milliseconds += Number(line[1]);
  }
  return milliseconds / 1000;
}

function readCpuTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // The command name is in parentheses and may hold spaces; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** Resident memory of a process in MiB, now (`VmRSS`) or its highest so far (`VmHWM`); undefined without /proc. */
export function readMemoryMib(pid: number, field: "VmRSS" | "VmHWM"): number | undefined {
  try {
    const line = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "latin1"));
    return line === null ? undefined : Number(line[1]) / 1024;
  } catch {
    return undefined;
  }
}
