// Room cli: what a command sees of the process: its environment and its two outputs.
// Invariant: commands read variables and print only through it, so that a test can stand in.

import type { Environment } from "./option-environment.ts";

export interface Shell {
  environment: Environment;
  /** Writes to stdout as it is. */
  out: (text: string) => void;
  /** Writes to stderr as it is. */
  error: (text: string) => void;
  /** Whether a person looks at it, so that colours and a banner make sense. */
  outIsTerminal: boolean;
  errorIsTerminal: boolean;
}

/** The real one. A reader that goes away (`outrider tail | head`) ends the process quietly. */
export function processShell(): Shell {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(0);
    });
  }
  return {
    environment: { ...process.env },
    out: (text) => void process.stdout.write(text),
    error: (text) => void process.stderr.write(text),
    outIsTerminal: process.stdout.isTTY && !process.env["NO_COLOR"],
    errorIsTerminal: process.stderr.isTTY,
  };
}

/** Exit codes of every command. */
export const exitCodes = { ok: 0, failed: 1, misused: 2 } as const;
