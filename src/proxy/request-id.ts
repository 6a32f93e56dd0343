// Room proxy: the ids of exchanges.
// Invariant: 128 bits from the system's generator each; one call to it fills a page of them, since a call costs more than the id.

import { randomFillSync } from "node:crypto";

const idBytes = 16;
const page = Buffer.alloc(512 * idBytes);
let used = page.length;

/** `x-outrider-request-id`: 32 hex digits. */
export function createRequestId(): string {
  if (used === page.length) {
    randomFillSync(page);
    used = 0;
  }
  used += idBytes;
  return page.toString("hex", used - idBytes, used);
}
