// Room dialects, ollama-chat: `/api/embed` as source and target of translation, and the older `/api/embeddings` as source.
// Invariant: Ollama's vectors are lists of floats, and it has no word for what they are for.

import type { InferenceRequest, InferenceResponse } from "../../canonical/index.ts";
import type { AskedEmbeddings, EmbeddingCodec, Refuse, Vectors } from "../embedding-codec.ts";
import { loseFormats, loseTask, loseUser, readTexts, readTruncation } from "../embedding-request.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import type { JsonObject } from "../json/fields.ts";
import { findPointer } from "../json/pointer.ts";
import { readVectors } from "../vectors.ts";
import { optional } from "./schema.ts";

/** Writes and reads Ollama's embeddings. */
export const embeddingCodec: EmbeddingCodec = {
  fates: {
    dimensions: "mapped",
    encodingFormats: "approximated",
    taskType: "refused",
    truncation: "approximated",
    user: "refused",
  },
  canAnswer: () => true,
  path: () => "/api/embed",
  encodeRequest,
  encodeResponse,
  decodeVectors: (body) => readVectors(body["embeddings"]),
  locate,
};

function encodeRequest(request: InferenceRequest, encoding: Encoding, refuse: Refuse): JsonObject {
  const input = readTexts(request, encoding, refuse);
  loseTask(request, encoding);
  loseFormats(request, encoding);
  loseUser(request, encoding);
  const said = readTruncation(request, encoding);
  if (said?.truncation === "start") {
    encoding.lose([said.name], "approximated", "Ollama cuts off the end of a text that is too long", "tuning");
  }
  return {
    model: encoding.model,
    input,
    ...optional("dimensions", request.embedding?.dimensions),
    ...optional("truncate", said === undefined ? undefined : said.truncation !== "none"),
  };
}

function encodeResponse(
  response: InferenceResponse,
  vectors: Vectors,
  { operation }: AskedEmbeddings,
  encoding: Encoding,
): JsonObject {
  // The older call has one vector and says nothing else.
  if (operation.kind === "embeddings") return { embedding: vectors[0] };
  return {
    model: response.model ?? encoding.model,
    embeddings: vectors,
    ...optional("prompt_eval_count", response.usage?.inputTokens),
  };
}

function locate([first, ...rest]: CanonicalPath, body: JsonObject): string {
  if (first === "messages") return findPointer(body, ["input", ...rest.slice(0, 1)]) || findPointer(body, ["prompt"]);
  return findPointer(body, first === "embedding" ? ["dimensions"] : first === undefined ? [] : [first, ...rest]);
}
