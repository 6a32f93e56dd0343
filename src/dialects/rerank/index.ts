// Room dialects, rerank: puts the dialect together. POST /v2/rerank, /v1/rerank, and both of llama.cpp's names for it.

import type { Dialect, Operation } from "../dialect.ts";
import { findRerankShape } from "../rerank-shapes.ts";
import { decodeError, encodeError, encodeStreamError } from "./error.ts";
import { decodeRequest } from "./request.ts";
import { decodeResponse } from "./response.ts";
import { dialectId } from "./schema.ts";
import { createStreamDecoder } from "./stream.ts";

const operations = new Map<string, Operation>(
  ["/v2/rerank", "/v1/rerank", "/rerank", "/v1/reranking", "/reranking"].map((route) => [
    route,
    { kind: "rerank", name: "rerank", route, path: "rerank" },
  ]),
);

/** Cohere's rerank call, as spoken by Cohere and those who copied it. */
export const rerank: Dialect = {
  id: dialectId,
  framings: ["sse"],
  contentMembers: new Set(["query", "documents", "input"]),
  match: (method, path) => (method === "POST" ? operations.get(path) : undefined),
  decodeRequest: (body) => decodeRequest(body),
  decodeResponse: (body) => decodeResponse(body),
  eventDecoder: () => createStreamDecoder(),
  decodeError,
  encodeError,
  encodeStreamError,
  rerankShape: findRerankShape,
};
