// Room dialects, anthropic-messages: the encode half as the rest of Outrider uses it.
// Invariant: nothing here but the parts of this folder, put together.

import type { Part } from "../../canonical/index.ts";
import type { DialectEncoder } from "../encoding.ts";
import { locate } from "./locate.ts";
import { decodeBlock } from "./message.ts";
import { encodeRequest, fates } from "./request-encode.ts";
import { encodeResponse } from "./response-encode.ts";
import { createEventEncoder } from "./stream-encode.ts";

/** Writes requests for Anthropic and answers for its clients. */
export const encoder: DialectEncoder = {
  fates,
  path: () => "/v1/messages",
  // The only version there is (Messages API reference, read 2026-11-21).
  headers: ["anthropic-version", "2023-06-01"],
  encodeRequest,
  encodeResponse,
  eventEncoder: createEventEncoder,
  streamType: "text/event-stream; charset=utf-8",
  toolResultParts,
  locate,
};

/** A tool result of this API is a text or a list of blocks. */
function toolResultParts(response: unknown): Part[] {
  if (response === undefined || response === null) return [];
  if (Array.isArray(response)) return response.map(decodeBlock);
  return [{ type: "text", content: typeof response === "string" ? response : JSON.stringify(response) }];
}
