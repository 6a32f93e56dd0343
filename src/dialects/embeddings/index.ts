// Room dialects, embeddings: puts the dialect together. POST /v1/embeddings, with and without /v1.

import type { Dialect, Operation } from "../dialect.ts";
import { decodeError, encodeError, encodeStreamError } from "./error.ts";
import { decodeRequest } from "./request.ts";
import { decodeResponse } from "./response.ts";
import { dialectId } from "./schema.ts";
import { createStreamDecoder } from "./stream.ts";

/** OpenAI's embeddings call, as spoken by OpenAI and every compatible provider. */
export const embeddings: Dialect = {
  id: dialectId,
  framings: ["sse"],
  contentMembers: new Set([]),
  match: (method, path) => (method === "POST" ? operations.get(path) : undefined),
  decodeRequest: (body) => decodeRequest(body),
  decodeResponse: (body) => decodeResponse(body),
  eventDecoder: () => createStreamDecoder(),
  decodeError,
  encodeError,
  encodeStreamError,
};

const operations = new Map<string, Operation>(
  ["/v1/embeddings", "/embeddings"].map((route) => [
    route,
    { kind: "embeddings", name: "embeddings", route, path: "embeddings" },
  ]),
);
