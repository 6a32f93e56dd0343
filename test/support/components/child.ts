// Real components as child processes: free loopback ports, start, wait until ready, end.
// A child is ended by its pid, at the latest when this process exits; its output stays in a file for whoever debugs.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** What every started component has. The starter owns it and calls `stop`, which may be called twice. */
export interface RunningComponent {
  pid: number;
  /** Both output streams of the process; kept after `stop`. */
  logPath: string;
  /** Ends the process (SIGTERM, after 5 s SIGKILL) and resolves when it has exited. */
  stop(): Promise<void>;
}

export interface ChildOptions {
  name: string;
  command: string;
  args: string[];
  env?: Record<string, string>;
  cwd?: string;
  /** Asked every 50 ms until it resolves to true; a rejection counts as "not yet". */
  isReady(): Promise<boolean>;
  /** Default 20 s. */
  readyTimeoutMs?: number;
}

const stopTimeoutMs = 5_000;

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a process and resolves when it is ready; throws with the end of its output if it exits or takes too long. */
export async function startChild(options: ChildOptions): Promise<RunningComponent> {
  const { name, command, args, env = {}, cwd, isReady, readyTimeoutMs = 20_000 } = options;
  const logPath = join(createTempDir(name), "output.log");
  const log = openSync(logPath, "a");
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", log, log] });
  closeSync(log);
  await once(child, "spawn");
  const exited = once(child, "exit");
  running.add(child);
  child.once("exit", () => running.delete(child));
  const hasExited = () => child.exitCode !== null || child.signalCode !== null;

  async function stop(): Promise<void> {
    if (hasExited()) return;
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
    await exited;
    clearTimeout(timer);
  }

  const deadlineMs = Date.now() + readyTimeoutMs;
  while (!(await isReady().catch(() => false))) {
    if (!hasExited() && Date.now() < deadlineMs) {
      await sleep(50);
      continue;
    }
    const why = hasExited()
      ? `exited (${child.exitCode ?? child.signalCode})`
      : `was not ready in ${readyTimeoutMs} ms`;
    await stop();
    const end = readFileSync(logPath, "utf8").trimEnd().split("\n").slice(-30).join("\n");
    throw new Error(`${name} ${why}; the end of ${logPath}:\n${end}`);
  }
  return { pid: child.pid as number, logPath, stop };
}

/** Whether a GET of the URL is answered with 200 within a second. */
export async function answersOk(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(1_000) });
  await response.body?.cancel();
  return response.status === 200;
}

/** A new folder for one component's files, in the system's temporary folder. */
export function createTempDir(name: string): string {
  return mkdtempSync(join(tmpdir(), `outrider-${name}-`));
}
