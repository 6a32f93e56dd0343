// Room cli: `outrider simulate`: the simulated providers alone.
// Invariant: loopback only, until a signal ends it.

import { startSimulator } from "../simulator/index.ts";
import { holdUntilStopped } from "./lifetime.ts";
import { createLog } from "./log.ts";
import type { Shell } from "./shell.ts";

/** Resolves with the exit code once a signal ended it. */
export async function simulate({ port }: { port: number }, shell: Shell): Promise<number> {
  const simulator = await startSimulator({ port });
  shell.out(
    [
      "Simulated providers; any key will do. Models named sim-… order a fault: docs/simulator.md",
      `  OpenAI     ${simulator.url}/v1`,
      `  Anthropic  ${simulator.url}`,
      "",
    ].join("\n"),
  );
  return holdUntilStopped(() => simulator.close(), createLog(shell, { quiet: true }));
}
