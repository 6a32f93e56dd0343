// Room dialects, cohere-chat: Cohere's chat and embed, v2 and v1, and v1's generate.
// Other calls of the API (rerank: the dialect of that name; models, datasets, tokenize) match nothing here.

import type { Dialect, Operation } from "../dialect.ts";
import { embeddingCodec } from "./embedding-codec.ts";
import { encoder } from "./encoder.ts";
import { decodeError, encodeError, encodeStreamError } from "./error.ts";
import { createOlderDecoder } from "./older-stream.ts";
import { decodeRequest } from "./request.ts";
import { decodeResponse } from "./response.ts";
import { dialectId } from "./schema.ts";
import { createChatDecoder } from "./stream.ts";

// Cohere's base URL carries no version: the path does.
const operations: ReadonlyMap<string, Operation> = new Map([
  ["/v2/chat", { kind: "chat", name: "chat", route: "/v2/chat", path: "v2/chat" }],
  ["/v1/chat", { kind: "chat_v1", name: "chat", route: "/v1/chat", path: "v1/chat" }],
  ["/v1/generate", { kind: "generate", name: "text_completion", route: "/v1/generate", path: "v1/generate" }],
  ["/v2/embed", { kind: "embed", name: "embeddings", route: "/v2/embed", path: "v2/embed" }],
  ["/v1/embed", { kind: "embed", name: "embeddings", route: "/v1/embed", path: "v1/embed" }],
]);

/** The wire format of Cohere's API (v2 as of 2026-11-21; of v1 what telemetry needs). */
export const cohereChat: Dialect = {
  id: dialectId,
  framings: ["sse", "ndjson"],
  // Not `texts`, `images` and `inputs`: their number is a fact.
  contentMembers: new Set([
    "messages",
    "documents",
    "tools",
    "message",
    "chat_history",
    "preamble",
    "prompt",
    "tool_results",
  ]),
  match: (method, path) => (method === "POST" ? operations.get(path) : undefined),
  decodeRequest,
  decodeResponse,
  eventDecoder: (operation) => (operation.kind === "chat" ? createChatDecoder() : createOlderDecoder(operation)),
  decodeError,
  encodeError,
  encodeStreamError,
  encoder,
  embeddingCodec,
};
