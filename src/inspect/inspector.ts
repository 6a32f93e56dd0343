// Room inspect: the last closed exchanges, in memory, and who wants to hear of the next one.
// Invariant: bounded by `capacity` summaries; a subscriber that throws never reaches the exchange.

import type { ExchangeRecord } from "../record/index.ts";
import { summarize, type ExchangeSummary } from "./summary.ts";

/** A ring of summaries. */
export interface Inspector {
  /** Takes a closed record; never throws. */
  add(record: ExchangeRecord): void;
  /** Newest first. */
  list(): ExchangeSummary[];
  /** Calls `listener` with each further summary; the function it gives back ends that. */
  subscribe(listener: (summary: ExchangeSummary) => void): () => void;
}

/** Builds an empty ring. `capacity`: summaries kept, ≥ 1. */
export function createInspector({ capacity }: { capacity: number }): Inspector {
  const ring: ExchangeSummary[] = [];
  const listeners = new Set<(summary: ExchangeSummary) => void>();
  let next = 0;
  return {
    add(record) {
      const summary = summarize(record);
      ring[next] = summary;
      next = (next + 1) % capacity;
      for (const listener of listeners) {
        try {
          listener(summary);
        } catch {
          listeners.delete(listener);
        }
      }
    },
    list: () => [...ring.slice(next), ...ring.slice(0, next)].toReversed(),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
