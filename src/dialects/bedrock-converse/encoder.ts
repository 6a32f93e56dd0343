// Room dialects, bedrock-converse: the encode half as the rest of Outrider uses it.
// Invariant: the model is in the path alone, percent-encoded, because ARNs have slashes.

import type { Part } from "../../canonical/index.ts";
import type { DialectEncoder } from "../encoding.ts";
import { isJsonObject } from "../json/fields.ts";
import { decodeBlock } from "./block.ts";
import { locate } from "./locate.ts";
import { isInStorage } from "./media-encode.ts";
import { encodeRequest, fates } from "./request-encode.ts";
import { encodeResponse } from "./response-encode.ts";
import { createEventEncoder } from "./stream-encode.ts";

/** Writes requests for Bedrock's Converse and answers for its clients. */
export const encoder: DialectEncoder = {
  fates,
  path: (model, stream) => `/model/${encodeURIComponent(model)}/${stream ? "converse-stream" : "converse"}`,
  headers: [],
  encodeRequest,
  encodeResponse,
  eventEncoder: createEventEncoder,
  streamType: "application/vnd.amazon.eventstream",
  toolResultParts,
  needsBytes: ({ uri }) => !isInStorage(uri),
  locate,
};

/** A result is a list of blocks; those of JSON read as its text. */
function toolResultParts(response: unknown): Part[] {
  if (response === undefined || response === null) return [];
  if (Array.isArray(response)) return response.map(decodeResultBlock);
  return [{ type: "text", content: typeof response === "string" ? response : JSON.stringify(response) }];
}

function decodeResultBlock(block: unknown): Part {
  if (isJsonObject(block) && block["json"] !== undefined)
    return { type: "text", content: JSON.stringify(block["json"]) };
  return decodeBlock(block);
}
