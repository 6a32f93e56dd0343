// Room dialects, gemini-generate-content: the encode half.
// Invariant: the model is in the path alone, as one segment, unless its name is a whole resource of Google's.

import type { Part } from "../../canonical/index.ts";
import type { DialectEncoder } from "../encoding.ts";
import { isJsonObject } from "../json/fields.ts";
import { joinPieces } from "./joined-pieces.ts";
import { locate } from "./locate.ts";
import { isOwnAddress } from "./part-encode.ts";
import { encodeRequest, fates } from "./request-encode.ts";
import { encodeResponse } from "./response-encode.ts";
import { bareModel } from "./schema.ts";
import { createEventEncoder } from "./stream-encode.ts";

/** Writes generateContent. */
export const encoder: DialectEncoder = {
  fates,
  path: (model, stream) => writePath(model, stream ? "streamGenerateContent?alt=sse" : "generateContent"),
  headers: [],
  encodeRequest,
  encodeResponse,
  eventEncoder: createEventEncoder,
  streamType: "text/event-stream",
  toolResultParts,
  forOthers: joinPieces,
  needsBytes: ({ uri }) => !isOwnAddress(uri),
  locate,
};

/**
 * Path and query of a call. A base model is `/v1beta/models/{model}`. A name that is a whole resource is its own path: `tunedModels/…`, and at Vertex AI
 * `publishers/google/models/…` or `projects/…`, which are served under v1.
 */
export function writePath(model: string, verb: string): string {
  const name = bareModel(model);
  const [collection] = name.split("/");
  if (collection === "tunedModels") return `/v1beta/${encodeSegments(name)}:${verb}`;
  if (collection === "projects" || collection === "publishers") return `/v1/${encodeSegments(name)}:${verb}`;
  return `/v1beta/models/${encodeURIComponent(name)}:${verb}`;
}

function encodeSegments(name: string): string {
  return name.split("/").map(encodeURIComponent).join("/");
}

/** A result of Google's is an object; a text alone under its word for it, or under the SDKs' own, is that text. */
function toolResultParts(response: unknown): Part[] {
  if (response === null || response === undefined) return [];
  if (typeof response === "string") return [{ type: "text", content: response }];
  if (isJsonObject(response) && Object.keys(response).length === 1) {
    const text = response["output"] ?? response["result"];
    if (typeof text === "string") return [{ type: "text", content: text }];
  }
  return [{ type: "text", content: JSON.stringify(response) }];
}
