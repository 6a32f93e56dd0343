// Room dialects, cohere-chat: `/v2/embed` as source and target of translation.
// Invariant: `input_type` is always written, since models from v3 on refuse a call without it (wire.md §1.9).

import type { InferenceRequest, InferenceResponse } from "../../canonical/index.ts";
import type { AskedEmbeddings, EmbeddingCodec, Refuse, Vectors } from "../embedding-codec.ts";
import {
  type EmbeddingTask,
  loseFormats,
  loseUser,
  readTask,
  readTexts,
  readTruncation,
} from "../embedding-request.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { findPointer } from "../json/pointer.ts";
import { readVectors, writeFloats } from "../vectors.ts";
import { optional } from "./schema.ts";

/** Writes and reads Cohere's embed. */
export const embeddingCodec: EmbeddingCodec = {
  fates: {
    dimensions: "mapped",
    encodingFormats: "approximated",
    taskType: "approximated",
    truncation: "mapped",
    user: "refused",
  },
  // The older call answers with a list where this one has an object by type.
  canAnswer: ({ route }) => route === "/v2/embed",
  path: () => "/v2/embed",
  encodeRequest: (request, encoding, refuse) => ({
    model: encoding.model,
    ...encodeEmbedBody(request, encoding, refuse),
  }),
  encodeResponse,
  decodeVectors: decodeEmbedVectors,
  locate: locateInEmbed,
};

/** Cohere's words for tasks; those in the second place are the nearest. */
const inputTypes: Readonly<Record<EmbeddingTask, readonly [word: string, isNearest?: true]>> = {
  search_document: ["search_document"],
  search_query: ["search_query"],
  classification: ["classification"],
  clustering: ["clustering"],
  similarity: ["clustering", true],
  question_answering: ["search_query", true],
  fact_verification: ["search_query", true],
  code_query: ["search_query", true],
};

/** The body of embed without its model, which Bedrock takes in the path. */
export function encodeEmbedBody(request: InferenceRequest, encoding: Encoding, refuse: Refuse): JsonObject {
  const texts = readTexts(request, encoding, refuse);
  loseFormats(request, encoding);
  loseUser(request, encoding);
  return {
    texts,
    input_type: encodeTask(request, encoding),
    embedding_types: ["float"],
    ...optional("output_dimension", request.embedding?.dimensions),
    ...optional("truncate", readTruncation(request, encoding)?.truncation.toUpperCase()),
  };
}

function encodeTask(request: InferenceRequest, encoding: Encoding): string {
  const said = readTask(request, encoding);
  if (said === undefined) {
    const detail = "Cohere must be told what vectors are for: input_type is search_document";
    encoding.lose(["input_type"], "injected", detail, "tuning");
    return "search_document";
  }
  const [word, isNearest] = inputTypes[said.task];
  if (isNearest === true) encoding.lose(said.path, "approximated", `the nearest of Cohere's is ${word}`, "tuning");
  return word;
}

function encodeResponse(
  response: InferenceResponse,
  vectors: Vectors,
  { request }: AskedEmbeddings,
  encoding: Encoding,
): JsonObject {
  const inputTokens = response.usage?.inputTokens;
  const billed = inputTokens === undefined ? undefined : { input_tokens: inputTokens };
  return {
    id: response.id ?? encoding.exchangeId,
    embeddings: writeByType(vectors, request.embedding?.encodingFormats),
    texts: readOwnTexts(request),
    meta: { api_version: { version: "2" }, ...optional("billed_units", billed) },
    response_type: "embeddings_by_type",
  };
}

/** Vectors in each form that was asked for and that floats can be written in; as floats when that is none. */
export function writeByType(vectors: Vectors, formats: readonly string[] = []): JsonObject {
  const asText = formats.includes("base64");
  return {
    ...(formats.includes("float") || !asText ? { float: vectors } : {}),
    ...(asText ? { base64: vectors.map(writeFloats) } : {}),
  };
}

/** The client's own texts, which Cohere gives back. */
export function readOwnTexts(request: InferenceRequest): string[] {
  return request.messages.flatMap(({ parts }) => parts.flatMap((part) => (part.type === "text" ? [part.content] : [])));
}

/** By type, or one list where no type was asked for. */
export function decodeEmbedVectors({ embeddings }: JsonObject): Vectors | undefined {
  return readVectors(isJsonObject(embeddings) ? (embeddings["float"] ?? embeddings["base64"]) : embeddings);
}

/** As `EmbeddingCodec.locate`. */
export function locateInEmbed([first, second, ...rest]: CanonicalPath, body: JsonObject): string {
  if (first === "messages") {
    const key = ["texts", "images", "inputs"].find((name) => body[name] !== undefined);
    return key === undefined || second === undefined ? "" : findPointer(body, [key, second]);
  }
  if (first !== "embedding")
    return first === undefined ? "" : findPointer(body, [first, ...(second === undefined ? [] : [second]), ...rest]);
  return findPointer(body, [second === "encodingFormats" ? "embedding_types" : "output_dimension"]);
}
