// Room dialects, moderations: puts the dialect together. POST /v1/moderations, with and without /v1.

import type { Dialect } from "../dialect.ts";
import { createPathMatcher } from "../paths.ts";
import { decodeError, encodeError, encodeStreamError } from "./error.ts";
import { decodeRequest } from "./request.ts";
import { decodeResponse } from "./response.ts";
import { dialectId } from "./schema.ts";
import { createStreamDecoder } from "./stream.ts";

/** OpenAI's moderation call. */
export const moderations: Dialect = {
  id: dialectId,
  framings: ["sse"],
  contentMembers: new Set(["input"]),
  match: (method, path) => match(method, path),
  decodeRequest,
  decodeResponse: (body) => decodeResponse(body),
  eventDecoder: () => createStreamDecoder(),
  decodeError,
  encodeError,
  encodeStreamError,
};

const match = createPathMatcher([{ kind: "moderation", name: "moderation", path: "moderations" }]);
