// Room dialects, images: puts the dialect together. POST /v1/images/generations, /edits and /variations, with and without
// /v1, and below an Azure deployment. Edits and variations are forms; a JSON body is read all the same.

import type { Dialect } from "../dialect.ts";
import { createPathMatcher } from "../paths.ts";
import { decodeError, encodeError, encodeStreamError } from "./error.ts";
import { decodeRequest } from "./request.ts";
import { decodeResponse } from "./response.ts";
import { dialectId } from "./schema.ts";
import { createStreamDecoder } from "./stream.ts";

/** OpenAI's image calls, as spoken by OpenAI and every compatible provider. */
export const images: Dialect = {
  id: dialectId,
  framings: ["sse"],
  contentMembers: new Set(["prompt", "image", "image[]", "images", "mask"]),
  match: (method, path) => match(method, path),
  decodeRequest,
  decodeResponse: (body) => decodeResponse(body),
  eventDecoder: () => createStreamDecoder(),
  decodeError,
  encodeError,
  encodeStreamError,
};

const match = createPathMatcher([
  { kind: "generation", name: "image_generation", path: "images/generations", deployable: true },
  { kind: "edit", name: "image_generation", path: "images/edits", requestFormat: "multipart", deployable: true },
  { kind: "variation", name: "image_generation", path: "images/variations", requestFormat: "multipart" },
]);
