// Room dialects, moderations: the call never streams.
// Invariant: whatever a provider streams all the same is counted as unrecognized, never an exception.

import type { EventDecoder } from "../dialect.ts";

/** A decoder for a stream that no provider sends. */
export function createStreamDecoder(): EventDecoder {
  return {
    push: (frame) => [
      frame.commentOnly === true ? { type: "keepalive" } : { type: "unrecognized", name: "moderation" },
    ],
    end: () => [],
  };
}
