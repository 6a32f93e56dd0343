// Room cli: where a sidecar's log lines go. JSON lines for machines; for a person at a terminal only what needs attention.
// Invariant: one call, one line; text from outside is escaped, so that it cannot forge a second one.

import pino from "pino";
import { quote } from "../options.ts";
import type { Log } from "../sidecar.ts";
import type { Shell } from "./shell.ts";

/** `quiet` leaves out what is only information. */
export function createLog(shell: Shell, { quiet = false } = {}): Log {
  return shell.errorIsTerminal ? createTerminalLog(shell) : createJsonLog(quiet);
}

function createJsonLog(quiet: boolean): Log {
  const log = pino(
    {
      level: quiet ? "warn" : "info",
      base: { name: "outrider" },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    pino.destination({ dest: 2, sync: true }),
  );
  return {
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
  };
}

function createTerminalLog(shell: Shell): Log {
  const write = (level: string, fields: Record<string, unknown>, message: string) => {
    const facts = Object.entries(fields).map(([name, value]) => ` ${name}=${quote(plainText(value))}`);
    shell.error(`${level}: ${message}${facts.join("")}\n`);
  };
  return {
    info: () => undefined,
    warn: (fields, message) => write("warning", fields, message),
    error: (fields, message) => write("error", fields, message),
  };
}

function plainText(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}
