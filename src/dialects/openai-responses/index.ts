// Room dialects, openai-responses: puts the dialect together. Responses created, compacted, fetched, cancelled and counted.
// Other calls (deletion, input items, conversations) are not this dialect's: they match nothing and are tunnelled.

import type { Dialect, Operation } from "../dialect.ts";
import { createPathMatcher } from "../paths.ts";
import { decodeError, encodeError, encodeStreamError } from "./error.ts";
import { encoder } from "./encoder.ts";
import { decodeRequest } from "./request.ts";
import { decodeResponse } from "./response.ts";
import { dialectId } from "./schema.ts";
import { createStreamDecoder } from "./stream.ts";

/** OpenAI's Responses API, as spoken by OpenAI and compatible providers. */
export const openaiResponses: Dialect = {
  id: dialectId,
  framings: ["sse"],
  contentMembers: new Set(["input", "instructions", "tools", "prompt"]),
  match,
  decodeRequest: (body) => decodeRequest(body),
  decodeResponse,
  eventDecoder: createStreamDecoder,
  decodeError,
  encodeError,
  encodeStreamError,
  encoder,
};

const matchPost = createPathMatcher([
  { kind: "chat", name: "chat", path: "responses" },
  { kind: "compaction", path: "responses/compact" },
  { kind: "count_tokens", path: "responses/input_tokens" },
]);

/** Words after `responses/` that are calls of their own, so no response's id. */
const reserved: ReadonlySet<string> = new Set(["compact", "input_tokens"]);

function match(method: string, path: string): Operation | undefined {
  if (method !== "POST" && method !== "GET") return undefined;
  const known = matchPost(method, path);
  if (known !== undefined) return known;
  const found = /^(\/v1)?\/responses\/([^/]+)(\/cancel)?$/.exec(path);
  const id = found?.[2];
  if (found === null || id === undefined || reserved.has(id)) return undefined;
  const tail = found[3] ?? "";
  // GET fetches, POST cancels.
  if ((method === "GET") !== (tail === "")) return undefined;
  return {
    kind: "fetch",
    name: "fetch_response",
    route: `${found[1] ?? ""}/responses/{response_id}${tail}`,
    path: `responses/${id}${tail}`,
    requestFormat: "none",
  };
}
