// A command of the built bundle as a process: what it prints and how it ends.
import { type ChildProcess, spawn } from "node:child_process";

export interface OutriderCommand {
  child: ChildProcess;
  /** Both streams, so far. */
  output(): string;
  ended: Promise<{ output: string; code: number | null }>;
}

/** Starts it with nothing in its environment but PATH and what is given. */
export function startOutriderCommand(args: string[], environment: Record<string, string> = {}): OutriderCommand {
  const child = spawn(process.execPath, ["dist/outrider.mjs", ...args], {
    env: { PATH: process.env["PATH"] ?? "", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const from of [child.stdout, child.stderr]) from.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<{ output: string; code: number | null }>((resolve) =>
    child.on("close", (code) => resolve({ output, code })),
  );
  return { child, output: () => output, ended };
}
