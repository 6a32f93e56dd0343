// Room dialects, embeddings: puts the dialect together. POST /v1/embeddings, with and without /v1,
// and below an Azure deployment.

import type { Dialect } from "../dialect.ts";
import { createPathMatcher } from "../paths.ts";
import { embeddingCodec } from "./embedding-codec.ts";
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
  match: (method, path) => match(method, path),
  decodeRequest,
  decodeResponse: (body, _operation, detail) => decodeResponse(body, detail),
  eventDecoder: () => createStreamDecoder(),
  decodeError,
  encodeError,
  encodeStreamError,
  embeddingCodec,
};

const match = createPathMatcher([{ kind: "embeddings", name: "embeddings", path: "embeddings", deployable: true }]);
