// Room cli: how a process with a sidecar in it ends: by signal, by crash, or because its work is done.
// Invariant: whatever the cause, `close` is called, and the process ends also when it does not return.

import { constants } from "node:os";
import type { Log, Sidecar } from "../sidecar.ts";
import { exitCodes } from "./shell.ts";

/** What is closed at the end. `now`: without waiting for exchanges under way. */
export type Close = (how: { now: boolean }) => Promise<void>;

const stopSignals = ["SIGTERM", "SIGINT"] as const;
const crashCloseMs = 5000;

/**
 * Resolves with 0 once a stop signal came and `close` is done. A second signal closes at once.
 * With `accounting` the last line says what telemetry was lost.
 */
export async function holdUntilStopped(close: Close, log: Log, accounting?: Sidecar["accounting"]): Promise<number> {
  await new Promise<void>((resolve) => {
    let signals = 0;
    const stop = (signal: NodeJS.Signals) => {
      signals += 1;
      log.info({ signal }, signals === 1 ? "stopping: waiting for exchanges under way" : "stopping at once");
      if (signals > 2) process.exit(exitCodes.ok);
      void close({ now: signals > 1 }).then(resolve, resolve);
    };
    for (const signal of stopSignals) process.on(signal, stop);
  });
  tellStopped(log, accounting?.());
  return exitCodes.ok;
}

/** The last line; a warning when telemetry was lost. */
export function tellStopped(log: Log, accounting: ReturnType<Sidecar["accounting"]> | undefined): void {
  if (accounting === undefined) return log.info({}, "stopped");
  const { traces, logs, metrics } = accounting;
  const undelivered = {
    spans: traces.dropped + traces.queued,
    logRecords: logs.dropped + logs.queued,
    dataPoints: metrics.dropped + metrics.queued,
  };
  const lost = Object.values(undelivered).some((count) => count > 0);
  if (lost) log.warn({ undelivered }, "stopped; not all telemetry was delivered");
  else log.info({ undelivered }, "stopped");
}

/**
 * After an error that nobody caught, state cannot be trusted: log it, close, exit 1.
 * The error's message is left out, since it may quote a request (a JSON parser's does).
 */
export function installCrashHandlers(close: Close, log: Log): void {
  let crashes = 0;
  const exit = () => process.exit(exitCodes.failed);
  const crash = (kind: string, defect: unknown) => {
    crashes += 1;
    log.error({ kind, crashes, ...describeCrash(defect) }, "a defect in Outrider; stopping");
    if (crashes > 1) return;
    setTimeout(exit, crashCloseMs).unref();
    void close({ now: true }).then(exit, exit);
  };
  process.on("uncaughtException", (defect) => crash("uncaughtException", defect));
  process.on("unhandledRejection", (defect) => crash("unhandledRejection", defect));
}

/** Name, code and stack frames of an error, without its message. */
export function describeCrash(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { error: typeof error };
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  return {
    error: error.constructor.name,
    ...("code" in error && typeof error.code === "string" ? { code: error.code } : {}),
    stack: frames.map((line) => line.trim()).slice(0, 12),
  };
}

/** What a shell reports for a child that a signal ended: 128 plus its number. */
export function signalExitCode(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
