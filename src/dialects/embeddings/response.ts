// Room dialects, embeddings: answers as canonical responses.
// Invariant: the vectors are never kept, only their length.

import { mergeRawUsage, type InferenceResponse, type Usage } from "../../canonical/index.ts";
import type { AnswerDetail } from "../dialect.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { measureNumbers } from "../vector-elision.ts";
import { ownExtensions } from "./schema.ts";

/** Decodes a parsed answer. It has no choices. */
export function decodeResponse(body: JsonObject, detail: AnswerDetail = "whole"): InferenceResponse {
  const fields = new FieldReader(body);
  const id = fields.filledString("id");
  const model = fields.filledString("model");
  const usage = fields.object("usage");
  const embeddingDimensions = measureVector(fields.array("data")?.[0]);
  fields.skip("object");
  return {
    ...(id === undefined ? {} : { id }),
    ...(model === undefined ? {} : { model }),
    choices: [],
    ...(usage === undefined ? {} : { usage: decodeUsage(usage) }),
    ...(embeddingDimensions === undefined ? {} : { embeddingDimensions }),
    ...(detail === "facts" ? {} : ownExtensions(fields.rest())),
  };
}

/** Decodes a usage object. Voyage states `total_tokens` alone, which is the input (recorded); output there is none. */
function decodeUsage(raw: JsonObject): Usage {
  const inputTokens = readCount(raw["prompt_tokens"]) ?? readCount(raw["total_tokens"]);
  return { ...(inputTokens === undefined ? {} : { inputTokens }), raw: mergeRawUsage({}, raw) };
}

function readCount(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function measureVector(item: unknown): number | undefined {
  const vector = isJsonObject(item) ? item["embedding"] : undefined;
  return typeof vector === "string" ? measureBase64(vector) : measureNumbers(vector);
}

const sampleCharacters = 88;
const bytesPerFloat = 4;

/**
 * Length of a base64 vector of little-endian float32, which is what OpenAI means by `base64`. Undefined when the numbers
 * make no sense as such: Perplexity sends int8 in base64 (recorded), and nothing in the answer says so.
 */
function measureBase64(text: string): number | undefined {
  const sample = Buffer.from(text.slice(0, sampleCharacters), "base64");
  for (let offset = 0; offset + bytesPerFloat <= sample.length; offset += bytesPerFloat) {
    const size = Math.abs(sample.readFloatLE(offset));
    const isPlausible = size === 0 || (size > 1e-9 && size < 1000);
    if (!isPlausible) return undefined;
  }
  const bytes = Buffer.byteLength(text, "base64");
  return bytes > 0 && bytes % bytesPerFloat === 0 ? bytes / bytesPerFloat : undefined;
}
