// Reads a running Outrider's `/exchanges` and `/status`, for tests that ask what was recorded.
import type { ExchangeSummary } from "../../src/inspect/index.ts";
import type { OutriderProcess } from "./outrider-process.ts";

export interface Status {
  exchanges: { started: number; ended: number; inFlight: number };
  telemetry: Record<
    "traces" | "logs" | "metrics",
    { produced: number; exported: number; dropped: number; queued: number }
  >;
}

/** All remembered exchanges, newest first. */
export async function readExchanges(outrider: OutriderProcess): Promise<ExchangeSummary[]> {
  const response = await fetch(`${outrider.adminUrl}/exchanges`, { headers: { accept: "application/json" } });
  return (await response.json()) as ExchangeSummary[];
}

/** Waits until the exchange with this id is closed. */
export async function waitForExchange(
  outrider: OutriderProcess,
  id: string,
  timeoutMs = 5000,
): Promise<ExchangeSummary> {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    const found = (await readExchanges(outrider)).find((exchange) => exchange.id === id);
    if (found !== undefined) return found;
    if (Date.now() > deadlineMs) throw new Error(`exchange ${id} was not closed within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits for the first exchange that passes `test`. */
export async function waitForExchangeWhere(
  outrider: OutriderProcess,
  test: (exchange: ExchangeSummary) => boolean,
  timeoutMs = 5000,
): Promise<ExchangeSummary> {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    const found = (await readExchanges(outrider)).find(test);
    if (found !== undefined) return found;
    if (Date.now() > deadlineMs) throw new Error(`no such exchange within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** `/status` as it stands. */
export async function readStatus(outrider: OutriderProcess): Promise<Status> {
  return (await (await fetch(`${outrider.adminUrl}/status`)).json()) as Status;
}
