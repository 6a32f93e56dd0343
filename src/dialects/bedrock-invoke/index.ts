// Room dialects, bedrock-invoke: Amazon Bedrock's InvokeModel, whole and streamed: each model's own body behind one path.

import { readCallPath } from "../bedrock-converse/call-path.ts";
import type { Dialect, Operation } from "../dialect.ts";
import { rerankShapes } from "../rerank-shapes.ts";
import { embeddingCodec } from "./embedding-codec.ts";
import { encoder } from "./encoder.ts";
import { decodeError, encodeError, encodeStreamError } from "./error.ts";
import { findKind } from "./model.ts";
import { decodeRequest } from "./request.ts";
import { decodeResponse } from "./response.ts";
import { dialectId } from "./schema.ts";
import { createEventDecoder } from "./stream.ts";
import { decodeUsageHeaders } from "./usage.ts";

/** The wire format of Bedrock's InvokeModel. The model is in the path alone. */
export const bedrockInvoke: Dialect = {
  id: dialectId,
  framings: ["aws-eventstream"],
  contentMembers: new Set([
    "messages",
    "system",
    "tools",
    "toolConfig",
    "prompt",
    "message",
    "chat_history",
    "preamble",
    "documents",
    "query",
    "textToImageParams",
  ]),
  match: (method, path) => (method === "POST" ? matchCall(path) : undefined),
  decodeRequest,
  decodeResponse,
  eventDecoder: createEventDecoder,
  decodeError,
  decodeUsageHeaders,
  encodeError,
  encodeStreamError,
  encoder,
  embeddingCodec,
  rerankShape: () => rerankShapes.bedrock,
};

function matchCall(path: string): Operation | undefined {
  const named = readCallPath(path);
  if (named === undefined) return undefined;
  const isStream = named.action === "invoke-with-response-stream";
  if (!isStream && named.action !== "invoke") return undefined;
  const kind = findKind(named.model);
  const call: Operation = { kind, name: kind, route: named.route, path: named.path, model: named.model };
  return isStream ? { ...call, stream: true } : call;
}
