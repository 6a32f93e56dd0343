// Room dialects, bedrock-invoke: the encode half as the rest of Outrider uses it: Claude's body, which is Anthropic's Messages API
// with model and streaming in the path and the version in the body.
// Invariant: no other family's body is written or translated: what a client sent in one is refused before anything is asked.

import type { InferenceRequest } from "../../canonical/index.ts";
import { SidecarError } from "../../errors.ts";
import { encoder as messages } from "../anthropic-messages/encoder.ts";
import { locate } from "../anthropic-messages/locate.ts";
import { encodeResponse } from "../anthropic-messages/response-encode.ts";
import type { DialectEncoder, Encoding } from "../encoding.ts";
import type { JsonObject } from "../json/fields.ts";
import { findVendor } from "./model.ts";
import { dialectId } from "./schema.ts";
import { createEventEncoder } from "./stream-encode.ts";

/** Writes requests for Claude at InvokeModel, and answers for its clients. */
export const encoder: DialectEncoder = {
  words: "anthropic-messages",
  fates: messages.fates,
  path: (model, stream) => `/model/${encodeURIComponent(model)}/${stream ? "invoke-with-response-stream" : "invoke"}`,
  headers: [],
  encodeRequest,
  encodeResponse,
  eventEncoder: createEventEncoder,
  streamType: "application/vnd.amazon.eventstream",
  toolResultParts: messages.toolResultParts,
  forOthers: readClaude,
  locate,
};

/** The only version there is (Bedrock user guide, Claude's parameters, read 2026-11-21). */
const version = "bedrock-2023-05-31";

/** @throws SidecarError operation_unsupported for a model of another family; as of the Messages API */
function encodeRequest(request: InferenceRequest, encoding: Encoding): JsonObject {
  const name = encoding.model.slice(encoding.model.lastIndexOf("/") + 1);
  // An ARN of one's own names no vendor.
  if (name.includes(".") && findVendor(name) !== "anthropic")
    throw refuseFamily("of InvokeModel's bodies only Claude's is written");
  const { model: _model, stream: _stream, ...body } = messages.encodeRequest(request, encoding);
  const own: JsonObject = {};
  for (const key in request.extensions?.[dialectId]) own[key] = encoding.take(request, dialectId, key);
  return { anthropic_version: version, ...body, ...own };
}

/** What only Bedrock is told is left out: its version of the body, and a model and a `stream` of which it takes no notice. */
function readClaude(request: InferenceRequest): InferenceRequest {
  const { anthropic_version: stated, model: _model, stream: _stream, ...own } = request.extensions?.[dialectId] ?? {};
  if (stated === undefined) {
    throw refuseFamily(
      "of InvokeModel's bodies only Claude's is translated, which has anthropic_version; other families answer in forms of their own: ask through Converse",
    );
  }
  return { ...request, extensions: { ...request.extensions, [dialectId]: own } };
}

function refuseFamily(message: string): SidecarError {
  return new SidecarError("operation_unsupported", message);
}
