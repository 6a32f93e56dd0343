// Room proxy: `/exchanges` as server-sent events. Each closed exchange is one `exchange` event whose id is the exchange's.
// Invariant: a reader that falls behind is cut, never buffered for.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { ExchangeSummary, Inspector } from "../inspect/index.ts";

const maxReaders = 32;
const maxUnsentBytes = 262_144;
const heartbeatMs = 15_000;

/** The open event streams of one admin server. */
export interface ExchangeStreams {
  /** Whether one more reader may come. */
  readonly full: boolean;
  /** Takes the response over; sends what came after `Last-Event-ID` where the ring still has it. */
  open(request: IncomingMessage, response: ServerResponse): void;
  /** Ends every stream. */
  close(): void;
}

/** Subscribes to the inspector while anybody reads. */
export function createExchangeStreams(inspector: Inspector): ExchangeStreams {
  const readers = new Set<ServerResponse>();
  let unsubscribe: (() => void) | undefined;
  let heartbeat: NodeJS.Timeout | undefined;

  function send(response: ServerResponse, text: string): void {
    if (response.writableLength > maxUnsentBytes) {
      response.destroy();
      return;
    }
    response.write(text);
  }

  function start(): void {
    unsubscribe = inspector.subscribe((summary) => {
      const text = eventText(summary);
      for (const reader of readers) send(reader, text);
    });
    heartbeat = setInterval(() => {
      for (const reader of readers) send(reader, ": still here\n\n");
    }, heartbeatMs);
    heartbeat.unref();
  }

  function stop(): void {
    unsubscribe?.();
    unsubscribe = undefined;
    clearInterval(heartbeat);
  }

  return {
    get full() {
      return readers.size >= maxReaders;
    },
    open(request, response) {
      if (readers.size === 0) start();
      readers.add(response);
      response.on("error", () => undefined);
      response.on("close", () => {
        readers.delete(response);
        if (readers.size === 0) stop();
      });
      response.flushHeaders();
      response.write("retry: 1000\n\n");
      for (const summary of missedSince(inspector, request.headers["last-event-id"]))
        send(response, eventText(summary));
    },
    close() {
      for (const reader of readers) reader.end();
    },
  };
}

function eventText(summary: ExchangeSummary): string {
  return `event: exchange\nid: ${summary.id}\ndata: ${JSON.stringify(summary)}\n\n`;
}

function missedSince(inspector: Inspector, lastId: string | string[] | undefined): ExchangeSummary[] {
  if (typeof lastId !== "string") return [];
  const list = inspector.list();
  const position = list.findIndex((summary) => summary.id === lastId);
  return position === -1 ? [] : list.slice(0, position).toReversed();
}
