// Room dialects, bedrock-invoke: calls that answer with no text of a model: embeddings (Titan, Nova, Cohere, Marengo), rerank
// (Cohere, Amazon) and images (Titan, Nova Canvas, Stability).
// Invariant: vectors and pictures are never kept, only their length and number.

import type { InferenceRequest, InferenceResponse, Message } from "../../canonical/index.ts";
import { FieldReader, isJsonObject, isString, type JsonObject } from "../json/fields.ts";
import { measureNumbers } from "../vector-elision.ts";
import { optional, ownExtensions } from "./schema.ts";
import { collectCounts, decodeCounts } from "./usage.ts";

/** What such a request says, without model and streaming. */
export type PlainRequest = Omit<InferenceRequest, "stream" | "model">;

/** Decodes a request for embeddings: one message per input. */
export function decodeEmbeddingRequest(body: JsonObject): PlainRequest {
  const fields = new FieldReader(body);
  const one = fields.string("inputText");
  // Nova puts one input, of any kind, in an object of its own (recorded).
  const nova = fields.nested("singleEmbeddingParams");
  const novaText = nova?.nested("text")?.string("value");
  const texts = fields.arrayOf("texts", isString) ?? [one, novaText].filter((text) => text !== undefined);
  const others = [body["images"], body["inputs"]].flatMap((list) => (Array.isArray(list) ? (list as unknown[]) : []));
  const inputCount = texts.length + others.length;
  const dimensions =
    fields.number("dimensions") ??
    fields.number("output_dimension") ??
    nova?.number("embeddingDimension") ??
    fields.nested("embeddingConfig")?.number("outputEmbeddingLength");
  const formats = fields.arrayOf("embedding_types", isString) ?? fields.arrayOf("embeddingTypes", isString);
  return {
    messages: texts.map(userMessage),
    embedding: {
      // Of media alone the number is not known.
      ...optional("inputCount", inputCount === 0 ? undefined : inputCount),
      ...optional("dimensions", dimensions),
      ...optional("encodingFormats", formats),
    },
    ...ownExtensions(fields.rest()),
  };
}

/** Decodes embeddings: the length of the first vector, in whichever of the families' shapes. */
export function decodeEmbeddingResponse(body: JsonObject): InferenceResponse {
  const fields = new FieldReader(body);
  const id = fields.string("id");
  fields.skip("embedding", "embeddings", "embeddingsByType", "data", "inputTextTokenCount");
  const dimensions = ["embedding", "embeddings", "embeddingsByType", "data"]
    .map((key) => measureVector(body[key], 0))
    .find((length) => length !== undefined);
  const counts = collectCounts(body);
  return {
    ...optional("id", id),
    choices: [],
    ...optional("usage", counts === undefined ? undefined : decodeCounts(counts)),
    ...optional("embeddingDimensions", dimensions),
    ...ownExtensions(fields.rest()),
  };
}

/** Decodes a request to rerank: the query is the first message, each document one more. */
export function decodeRerankRequest(body: JsonObject): PlainRequest {
  const fields = new FieldReader(body);
  const query = fields.string("query");
  const documents = fields.arrayOf("documents", isString) ?? [];
  return {
    messages: [...(query === undefined ? [] : [query]), ...documents].map(userMessage),
    ...ownExtensions(fields.rest()),
  };
}

/** Decodes a request for images: its prompt. */
export function decodeImageRequest(body: JsonObject): PlainRequest {
  const fields = new FieldReader(body);
  const prompt = fields.string("prompt") ?? fields.nested("textToImageParams")?.string("text");
  return { messages: prompt === undefined ? [] : [userMessage(prompt)], ...ownExtensions(fields.rest()) };
}

/** Decodes images: how many were made, which is what they are billed by. */
export function decodeImageResponse(body: JsonObject): InferenceResponse {
  const fields = new FieldReader(body);
  const images = fields.array("images") ?? fields.array("artifacts");
  return {
    choices: [],
    ...optional("usage", images === undefined ? undefined : { outputImages: images.length }),
    ...ownExtensions(fields.rest()),
  };
}

const userMessage = (content: string): Message => ({ role: "user", parts: [{ type: "text", content }] });

const maxShapeDepth = 4;

/** Length of the first list of numbers below: vectors stand in lists, by type, or in objects with a member `embedding`. */
function measureVector(value: unknown, depth: number): number | undefined {
  if (depth > maxShapeDepth) return undefined;
  if (Array.isArray(value)) {
    const [first] = value as unknown[];
    return typeof first === "number" ? value.length : measureVector(first, depth + 1);
  }
  if (!isJsonObject(value)) return undefined;
  const elided = measureNumbers(value);
  if (elided !== undefined) return elided;
  const inner =
    value["embedding"] ?? value["float"] ?? Object.values(value).find((member) => measureNumbers(member) !== undefined);
  return measureVector(inner, depth + 1);
}
