// Room dialects, gemini-generate-content: embeddings, in the shapes of both APIs (wire.md §1.9).
// Invariant: the vectors are never kept, only their length; one message per text or content that is embedded.

import type { InferenceRequest, InferenceResponse, Message, Usage } from "../../canonical/index.ts";
import type { Operation } from "../dialect.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { measureNumbers } from "../vector-elision.ts";
import { decodeContent } from "./message.ts";
import { bareModel, optional, ownExtensions, spelled } from "./schema.ts";
import { addCounts, decodeUsage, readCount } from "./usage.ts";

/** Decodes a body of `:embedContent`, `:batchEmbedContents` or Vertex's `:predict`. A batch may ask for one length only once. */
export function decodeEmbeddingRequest(body: JsonObject, operation: Operation): InferenceRequest {
  const fields = new FieldReader(body);
  const items = operation.kind === "embed_one" ? undefined : (fields.array("requests") ?? fields.array("instances"));
  const messages = items?.map(decodeItem) ?? decodeOne(fields);
  const parameters = fields.nested("parameters") ?? fields;
  const dimensions = parameters.number(spelled(parameters, "outputDimensionality")) ?? sharedDimensions(items);
  // Without capture the content of a single call is not read, but there is always one.
  const inputCount = items?.length ?? (operation.kind === "embed_one" ? 1 : undefined);
  return {
    ...optional("model", operation.model ?? readModel(fields)),
    stream: false,
    messages,
    embedding: { ...optional("inputCount", inputCount), ...optional("dimensions", dimensions) },
    ...ownExtensions(fields.rest()),
  };
}

function readModel(fields: FieldReader): string | undefined {
  const model = fields.string("model");
  return model === undefined ? undefined : bareModel(model);
}

function decodeOne(fields: FieldReader): Message[] {
  const content = fields.object("content");
  return content === undefined ? [] : [decodeContent(content)];
}

/** One of `requests` (a content object) or of `instances` (Vertex: a text). What stands beside the content stays at the message. */
function decodeItem(wire: unknown): Message {
  if (!isJsonObject(wire)) return { role: "user", parts: [], ...ownExtensions({ value: wire }) };
  const fields = new FieldReader(wire);
  const text = fields.string("content");
  const content = fields.object("content");
  const message: Message =
    text !== undefined
      ? { role: "user", parts: [{ type: "text", content: text }] }
      : content === undefined
        ? { role: "user", parts: [] }
        : decodeContent(content);
  const rest = fields.rest();
  return rest === undefined ? message : { ...message, ...ownExtensions({ ...ownBag(message), ...rest }) };
}

function ownBag(message: Message): JsonObject {
  return Object.assign({}, ...Object.values(message.extensions ?? {})) as JsonObject;
}

function sharedDimensions(items: readonly unknown[] | undefined): number | undefined {
  const first = items?.[0];
  if (!isJsonObject(first)) return undefined;
  const dimensions = first["outputDimensionality"] ?? first["output_dimensionality"];
  return typeof dimensions === "number" ? dimensions : undefined;
}

/** Decodes an answer of any of the three calls. It has no choices. */
export function decodeEmbeddingResponse(body: JsonObject): InferenceResponse {
  const fields = new FieldReader(body);
  const vectors = [body["embedding"], first(body["embeddings"]), ...predictedVectors(first(body["predictions"]))];
  const dimensions = vectors.map(measureVector).find((length) => length !== undefined);
  if (dimensions !== undefined) fields.skip("embedding", "embeddings", "predictions");
  const usage = fields.object("usageMetadata");
  return {
    choices: [],
    ...optional("usage", usage === undefined ? sumStatistics(body, fields) : decodeUsage(usage)),
    ...optional("embeddingDimensions", dimensions),
    ...ownExtensions(fields.rest()),
  };
}

/** Text models say `embeddings`; the multimodal one has a vector per medium, all of one length. */
function predictedVectors(prediction: unknown): unknown[] {
  if (!isJsonObject(prediction)) return [];
  return [prediction["embeddings"], prediction["textEmbedding"], prediction["imageEmbedding"]];
}

function first(list: unknown): unknown {
  return Array.isArray(list) ? (list as unknown[])[0] : undefined;
}

function measureVector(wire: unknown): number | undefined {
  return measureNumbers(isJsonObject(wire) && Object.hasOwn(wire, "values") ? wire["values"] : wire);
}

/** Vertex's `:predict` counts the tokens of each text by itself, and the characters it bills of all (wire.md §1.9). */
function sumStatistics(body: JsonObject, fields: FieldReader): Usage | undefined {
  const predictions = Array.isArray(body["predictions"]) ? (body["predictions"] as unknown[]) : [];
  const statistics = predictions.flatMap((prediction) => {
    const embeddings = isJsonObject(prediction) ? prediction["embeddings"] : undefined;
    const stated = isJsonObject(embeddings) ? embeddings["statistics"] : undefined;
    return isJsonObject(stated) ? [stated] : [];
  });
  let inputTokens: number | undefined;
  for (const stated of statistics) inputTokens = addCounts(inputTokens, readCount(stated, "token_count"));
  const metadata = fields.object("metadata");
  const inputCharacters = readCount(metadata, "billableCharacterCount");
  if (statistics.length === 0 && metadata === undefined) return undefined;
  return {
    ...optional("inputTokens", inputTokens),
    ...optional("inputCharacters", inputCharacters),
    raw: { ...(statistics.length === 0 ? {} : { statistics }), ...optional("metadata", metadata) },
  };
}
