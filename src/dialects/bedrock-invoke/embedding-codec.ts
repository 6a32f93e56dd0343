// Room dialects, bedrock-invoke: Titan's and Cohere's embedding models at Bedrock as source and target of translation.
// Invariant: the model is in the path alone and its id says which family's body it takes; Titan takes one text a call.

import type { InferenceRequest, InferenceResponse } from "../../canonical/index.ts";
import {
  decodeEmbedVectors,
  encodeEmbedBody,
  locateInEmbed,
  readOwnTexts,
  writeByType,
} from "../cohere-chat/embedding-codec.ts";
import type { AskedEmbeddings, EmbeddingCodec, Refuse, Vectors } from "../embedding-codec.ts";
import { loseFormats, loseTask, loseTruncation, loseUser, readTexts } from "../embedding-request.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { findPointer } from "../json/pointer.ts";
import { readVector } from "../vectors.ts";
import { dialectId, optional } from "./schema.ts";

/** Writes and reads InvokeModel's embeddings. */
export const embeddingCodec: EmbeddingCodec = {
  fates: {
    dimensions: "mapped",
    encodingFormats: "approximated",
    taskType: "approximated",
    truncation: "approximated",
    user: "refused",
  },
  canAnswer: () => true,
  path: (model) => `/model/${encodeURIComponent(model)}/invoke`,
  encodeRequest,
  encodeResponse,
  decodeVectors,
  locate,
};

function encodeRequest(request: InferenceRequest, encoding: Encoding, refuse: Refuse): JsonObject {
  if (/cohere\.embed/.test(encoding.model)) return encodeEmbedBody(request, encoding, refuse);
  if (/amazon\.titan-embed/.test(encoding.model)) return encodeTitan(request, encoding, refuse);
  return refuse([], "of Bedrock's embedding models only Amazon Titan's and Cohere's are translated to");
}

function encodeTitan(request: InferenceRequest, encoding: Encoding, refuse: Refuse): JsonObject {
  const [inputText, ...more] = readTexts(request, encoding, refuse);
  if (more.length > 0) return refuse(["messages", 1], "Titan embeds one text a call");
  loseTask(request, encoding);
  loseTruncation(request, encoding);
  loseFormats(request, encoding);
  loseUser(request, encoding);
  const dimensions = request.embedding?.dimensions;
  // The multimodal model has a place of its own for it, and the first text model none (Bedrock user guide, read 2026-11-21).
  if (encoding.model.includes("titan-embed-image")) {
    return {
      inputText,
      ...optional("embeddingConfig", dimensions === undefined ? undefined : { outputEmbeddingLength: dimensions }),
    };
  }
  if (!encoding.model.includes("titan-embed-text-v1")) return { inputText, ...optional("dimensions", dimensions) };
  if (dimensions !== undefined) {
    encoding.lose(["embedding", "dimensions"], "unsupported", "vectors of this model have one length");
  }
  return { inputText };
}

function encodeResponse(
  response: InferenceResponse,
  vectors: Vectors,
  { request }: AskedEmbeddings,
  encoding: Encoding,
): JsonObject {
  const formats = request.embedding?.encodingFormats;
  const inputTokens = response.usage?.inputTokens;
  // The client's model is another provider's: its body tells the family. Cohere's always says what its vectors are for.
  if (request.extensions?.[dialectId]?.["input_type"] === undefined) {
    return {
      embedding: vectors[0],
      ...(formats === undefined ? {} : { embeddingsByType: { float: vectors[0] } }),
      ...optional("inputTextTokenCount", inputTokens),
    };
  }
  return {
    id: response.id ?? encoding.exchangeId,
    embeddings: formats === undefined ? vectors : writeByType(vectors, formats),
    texts: readOwnTexts(request),
    response_type: formats === undefined ? "embeddings_floats" : "embeddings_by_type",
  };
}

function decodeVectors(body: JsonObject): Vectors | undefined {
  const { embedding, embeddingsByType } = body;
  const vector = readVector(embedding ?? (isJsonObject(embeddingsByType) ? embeddingsByType["float"] : undefined));
  return vector === undefined ? decodeEmbedVectors(body) : [vector];
}

function locate(path: CanonicalPath, body: JsonObject): string {
  if (body["texts"] !== undefined) return locateInEmbed(path, body);
  const [first, second] = path;
  if (first === "messages") return findPointer(body, ["inputText"]);
  if (first !== "embedding") return findPointer(body, path);
  const names = second === "encodingFormats" ? ["embeddingTypes"] : ["dimensions", "embeddingConfig"];
  return names.map((name) => findPointer(body, [name])).find((pointer) => pointer !== "") ?? "";
}
