// Room dialects, anthropic-messages: the encode half as the rest of Outrider uses it.
// Invariant: nothing here but the parts of this folder, put together.

import type { InferenceRequest, Part } from "../../canonical/index.ts";
import type { DialectEncoder, Encoding } from "../encoding.ts";
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
  requestHeaders,
  encodeRequest,
  encodeResponse,
  eventEncoder: createEventEncoder,
  streamType: "text/event-stream; charset=utf-8",
  toolResultParts,
  locate,
};

/** Bedrock has the features to try out in the body; here they are a header. */
function requestHeaders(request: InferenceRequest, encoding: Encoding): string[] {
  const features = request.extensions?.["bedrock-invoke"]?.["anthropic_beta"];
  if (!Array.isArray(features) || !features.every((name) => typeof name === "string" && /^[\w.-]+$/.test(name)))
    return [];
  encoding.take(request, "bedrock-invoke", "anthropic_beta");
  return features.length === 0 ? [] : ["anthropic-beta", features.join(",")];
}

/** A tool result of this API is a text or a list of blocks. */
function toolResultParts(response: unknown): Part[] {
  if (response === undefined || response === null) return [];
  if (Array.isArray(response)) return response.map(decodeBlock);
  return [{ type: "text", content: typeof response === "string" ? response : JSON.stringify(response) }];
}
