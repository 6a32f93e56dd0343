// Room cli: `outrider tail`: a running sidecar's exchanges, one a line, until Ctrl-C. Connects again when the sidecar restarts.
// Invariant: stdout carries exchanges only; what concerns the connection is on stderr.

import { request } from "undici";
import type { ExchangeSummary } from "../inspect/index.ts";
import { createPaint, formatExchange } from "./exchange-line.ts";
import { exitCodes, type Shell } from "./shell.ts";

const firstRetryMs = 250;
const longestRetryMs = 5000;
/** Twice the admin port's heartbeat, and some. */
const silenceMs = 35_000;
const maxEventCharacters = 1_048_576;

/** `admin`: `host:port` of the admin port. Resolves with the exit code. */
export async function tailExchanges({ admin }: { admin: string }, shell: Shell): Promise<number> {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort());
  const paint = createPaint(shell.outIsTerminal);
  const url = `http://${admin}/exchanges`;
  let retryMs = firstRetryMs;
  let lastId: string | undefined;
  let connected = false;

  while (!stop.signal.aborted) {
    let cause = "the connection ended";
    try {
      for await (const { id, data } of readEvents(url, lastId, stop.signal, () => {
        retryMs = firstRetryMs;
        connected = true;
        shell.error(`following ${url}\n`);
      })) {
        lastId = id;
        shell.out(`${formatExchange(JSON.parse(data) as ExchangeSummary, paint)}\n`);
      }
    } catch (error) {
      cause = describeFailure(error);
    }
    if (stop.signal.aborted) break;
    if (connected || retryMs === firstRetryMs) shell.error(`${url}: ${cause}; trying again\n`);
    connected = false;
    await pause(retryMs, stop.signal);
    retryMs = Math.min(retryMs * 2, longestRetryMs);
  }
  return exitCodes.ok;
}

/** The `exchange` events of one connection. */
async function* readEvents(
  url: string,
  lastId: string | undefined,
  signal: AbortSignal,
  onOpen: () => void,
): AsyncGenerator<{ id: string; data: string }> {
  const { statusCode, body } = await request(url, {
    headers: { accept: "text/event-stream", ...(lastId === undefined ? {} : { "last-event-id": lastId }) },
    headersTimeout: 5000,
    bodyTimeout: silenceMs,
    signal,
  });
  if (statusCode !== 200) {
    await body.dump();
    throw new Error(`answered ${statusCode}`);
  }
  onOpen();
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body as AsyncIterable<Buffer>) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    if (text.length > maxEventCharacters) throw new Error("sent an event without end");
    for (const block of blocks) {
      const fields = new Map(
        block.split("\n").map((line): [string, string] => [line.split(":", 1)[0] ?? "", line.replace(/^[^:]*: ?/, "")]),
      );
      const data = fields.get("data");
      if (fields.get("event") === "exchange" && data !== undefined) yield { id: fields.get("id") ?? "", data };
    }
  }
}

function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return "failed";
  return "code" in error && error.code === "ECONNREFUSED" ? "nothing listens there" : error.message;
}

function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, durationMs);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
  });
}
