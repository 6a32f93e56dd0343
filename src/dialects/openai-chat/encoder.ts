// Room dialects, openai-chat: puts the encode half together.

import type { Part } from "../../canonical/index.ts";
import type { DialectEncoder } from "../encoding.ts";
import { isJsonObject } from "../json/fields.ts";
import { locate } from "./locate.ts";
import { encodeRequest, fates } from "./request-encode.ts";
import { encodeResponse } from "./response-encode.ts";
import { createEventEncoder } from "./stream-encode.ts";

/** Any dialect's requests as chat completions, and any provider's answers for clients of chat and legacy completions. */
export const encoder: DialectEncoder = {
  fates,
  path: () => "/v1/chat/completions",
  headers: [],
  encodeRequest,
  encodeResponse,
  eventEncoder: createEventEncoder,
  streamType: "text/event-stream",
  toolResultParts,
  needsBytes: ({ modality }) => modality === "document" || modality === "audio",
  locate,
};

/** A result is a text, or a list of parts that were decoded already; any other value is its JSON text. */
function toolResultParts(response: unknown): Part[] {
  if (response === undefined || response === null) return [];
  if (typeof response === "string") return [{ type: "text", content: response }];
  if (Array.isArray(response) && response.every(isPart)) return response;
  return [{ type: "text", content: JSON.stringify(response) }];
}

function isPart(value: unknown): value is Part {
  return isJsonObject(value) && typeof value["type"] === "string";
}
