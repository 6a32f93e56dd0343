// Room dialects, ollama-chat: its encode half. Requests are written for chat; clients of generate get its answers.
// Invariant: nothing of it is state.

import type { Part } from "../../canonical/index.ts";
import type { DialectEncoder } from "../encoding.ts";
import { locate } from "./locate.ts";
import { encodeRequest, fates } from "./request-encode.ts";
import { encodeResponse } from "./response-encode.ts";
import { createEventEncoder } from "./stream-encode.ts";

/** Writes Ollama's native chat. */
export const encoder: DialectEncoder = {
  fates,
  path: () => "/api/chat",
  headers: [],
  encodeRequest,
  encodeResponse,
  eventEncoder: createEventEncoder,
  streamType: "application/x-ndjson",
  toolResultParts,
  needsBytes: ({ modality }) => modality === "image",
  locate,
};

/** A tool message's content is one text. */
function toolResultParts(response: unknown): Part[] {
  if (response === null || response === undefined) return [];
  return [{ type: "text", content: typeof response === "string" ? response : JSON.stringify(response) }];
}
