// Room dialects, openai-responses: its encode half, put together.

import type { Part } from "../../canonical/index.ts";
import type { DialectEncoder } from "../encoding.ts";
import { isPartList } from "./item-encode.ts";
import { locate } from "./locate.ts";
import { encodeRequest, fates } from "./request-encode.ts";
import { encodeResponse } from "./response-encode.ts";
import { createEventEncoder } from "./stream-encode.ts";

/** Writes the Responses API: to a provider that speaks it, and to a client that does. */
export const encoder: DialectEncoder = {
  fates,
  path: () => "/v1/responses",
  headers: [],
  encodeRequest,
  encodeResponse,
  eventEncoder: (encoding) => createEventEncoder(encoding),
  streamType: "text/event-stream",
  toolResultParts,
  locate,
};

/** A text, the parts of a list, or else the JSON text of whatever the output is. */
function toolResultParts(response: unknown): Part[] {
  if (response === null || response === undefined) return [];
  if (typeof response === "string") return [{ type: "text", content: response }];
  return isPartList(response) ? response : [{ type: "text", content: JSON.stringify(response) }];
}
