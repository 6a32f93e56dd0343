// Room dialects, gemini-generate-content: `:embedContent` and `:batchEmbedContents` as source and target of translation.
// Invariant: one input is one call's content, several are a batch; each request of a batch says everything for itself.

import type { InferenceRequest, InferenceResponse } from "../../canonical/index.ts";
import type { AskedEmbeddings, EmbeddingCodec, Refuse, Vectors } from "../embedding-codec.ts";
import {
  type EmbeddingTask,
  loseFormats,
  loseTruncation,
  loseUser,
  readTask,
  readTexts,
} from "../embedding-request.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { findPointer } from "../json/pointer.ts";
import { readVectors } from "../vectors.ts";
import { writePath } from "./encoder.ts";
import { bareModel, optional } from "./schema.ts";

/** Writes and reads Google's embeddings; Vertex's `:predict` has another form and is not answered. */
export const embeddingCodec: EmbeddingCodec = {
  fates: {
    dimensions: "mapped",
    encodingFormats: "approximated",
    taskType: "mapped",
    truncation: "refused",
    user: "refused",
  },
  canAnswer: ({ path }) => !path.endsWith(":predict"),
  path: (model, inputCount) => writePath(model, inputCount === 1 ? "embedContent" : "batchEmbedContents"),
  encodeRequest,
  encodeResponse,
  decodeVectors,
  locate,
};

const taskTypes: Readonly<Record<EmbeddingTask, string>> = {
  search_document: "RETRIEVAL_DOCUMENT",
  search_query: "RETRIEVAL_QUERY",
  classification: "CLASSIFICATION",
  clustering: "CLUSTERING",
  similarity: "SEMANTIC_SIMILARITY",
  question_answering: "QUESTION_ANSWERING",
  fact_verification: "FACT_VERIFICATION",
  code_query: "CODE_RETRIEVAL_QUERY",
};

function encodeRequest(request: InferenceRequest, encoding: Encoding, refuse: Refuse): JsonObject {
  const texts = readTexts(request, encoding, refuse);
  loseTruncation(request, encoding);
  loseFormats(request, encoding);
  loseUser(request, encoding);
  const said = readTask(request, encoding);
  const settings = {
    ...optional("taskType", said === undefined ? undefined : taskTypes[said.task]),
    ...optional("outputDimensionality", request.embedding?.dimensions),
  };
  const items = texts.map((text) => ({ content: { parts: [{ text }] }, ...settings }));
  const [only] = items;
  if (items.length === 1 && only !== undefined) return only;
  const name = bareModel(encoding.model);
  const model = /^(?:tunedModels|projects|publishers)\//.test(name) ? name : `models/${name}`;
  return { requests: items.map((item) => ({ model, ...item })) };
}

function encodeResponse(response: InferenceResponse, vectors: Vectors, { operation }: AskedEmbeddings): JsonObject {
  const values = vectors.map((vector) => ({ values: vector }));
  const inputTokens = response.usage?.inputTokens;
  return {
    ...(operation.kind === "embed_one" ? { embedding: values[0] } : { embeddings: values }),
    ...optional("usageMetadata", inputTokens === undefined ? undefined : { promptTokenCount: inputTokens }),
  };
}

function decodeVectors({ embedding, embeddings }: JsonObject): Vectors | undefined {
  const items = embedding === undefined ? embeddings : [embedding];
  if (!Array.isArray(items) || !items.every(isJsonObject)) return undefined;
  return readVectors(items.map(({ values }) => values));
}

/** A batch says in its first request what a single call says in its body. */
function locate([first, second, ...rest]: CanonicalPath, body: JsonObject): string {
  const isBatch = Array.isArray(body["requests"]);
  if (first === "messages" && second !== undefined) {
    const item = isBatch ? ["requests", second] : [];
    return findPointer(body, [...item, ...(rest.length === 1 ? rest : ["content", ...rest])]);
  }
  if (first === undefined) return "";
  if (first !== "embedding") return findPointer(body, second === undefined ? [first] : [first, second, ...rest]);
  const item = isBatch ? ["requests", 0] : [];
  const pointers = ["outputDimensionality", "output_dimensionality"].map((name) => findPointer(body, [...item, name]));
  return pointers.find((pointer) => !/^$|\/0$/.test(pointer)) ?? "";
}
