// Room dialects, ollama-chat: Ollama's native chat, generate, embed and older embeddings.
// Other calls of the API (tags, show, ps, pull …) are not this dialect's: they match nothing.

import type { Dialect, Operation } from "../dialect.ts";
import { embeddingCodec } from "./embedding-codec.ts";
import { encoder } from "./encoder.ts";
import { decodeError, encodeError, encodeStreamError } from "./error.ts";
import { decodeRequest } from "./request.ts";
import { decodeResponse } from "./response.ts";
import { dialectId } from "./schema.ts";
import { createEventDecoder } from "./stream.ts";

const operations: ReadonlyMap<string, Operation> = new Map([
  ["/api/chat", { kind: "chat", name: "chat", route: "/api/chat", path: "api/chat" }],
  ["/api/generate", { kind: "generate", name: "text_completion", route: "/api/generate", path: "api/generate" }],
  ["/api/embed", { kind: "embed", name: "embeddings", route: "/api/embed", path: "api/embed" }],
  ["/api/embeddings", { kind: "embeddings", name: "embeddings", route: "/api/embeddings", path: "api/embeddings" }],
]);

/** The wire format of Ollama's native API (as of 2026-11-21), local and in its cloud. */
export const ollamaChat: Dialect = {
  id: dialectId,
  framings: ["ndjson"],
  contentMembers: new Set(["messages", "tools", "prompt", "suffix", "system", "template", "context", "images"]),
  match: (method, path) => (method === "POST" ? operations.get(path) : undefined),
  decodeRequest,
  decodeResponse,
  eventDecoder: createEventDecoder,
  decodeError,
  encodeError,
  encodeStreamError,
  encoder,
  embeddingCodec,
};
