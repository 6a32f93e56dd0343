// Room dialects, embeddings: OpenAI's call as source and target of translation.
// Invariant: floats are always asked for; whether the client gets base64 is decided by its own request.

import type { InferenceRequest, InferenceResponse } from "../../canonical/index.ts";
import type { AskedEmbeddings, EmbeddingCodec, Refuse, Vectors } from "../embedding-codec.ts";
import { loseFormats, loseTask, loseTruncation, readTexts } from "../embedding-request.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, isNumber, type JsonObject, optional } from "../json/fields.ts";
import { findPointer } from "../json/pointer.ts";
import { readVectors, writeFloats } from "../vectors.ts";

/** Writes and reads `/v1/embeddings`. */
export const embeddingCodec: EmbeddingCodec = {
  fates: {
    dimensions: "mapped",
    encodingFormats: "approximated",
    taskType: "refused",
    truncation: "refused",
    user: "mapped",
  },
  canAnswer: () => true,
  path: () => "/v1/embeddings",
  encodeRequest,
  encodeResponse,
  decodeVectors,
  locate,
};

/** Without `encoding_format` every server gives floats, but not every one takes the word. */
function encodeRequest(request: InferenceRequest, encoding: Encoding, refuse: Refuse): JsonObject {
  const input = readTexts(request, encoding, refuse);
  loseTask(request, encoding);
  loseTruncation(request, encoding);
  loseFormats(request, encoding);
  return {
    model: encoding.model,
    input,
    ...optional("dimensions", request.embedding?.dimensions),
    ...optional("user", request.user),
  };
}

function encodeResponse(
  response: InferenceResponse,
  vectors: Vectors,
  { request }: AskedEmbeddings,
  encoding: Encoding,
): JsonObject {
  const asText = request.embedding?.encodingFormats?.includes("base64") === true;
  const inputTokens = response.usage?.inputTokens;
  if (inputTokens === undefined) {
    // Required in OpenAI's type, and read by its clients without a look.
    encoding.lose(["usage"], "injected", "the provider states no usage: the counts are 0", "tuning");
  }
  return {
    object: "list",
    data: vectors.map((vector, index) => ({
      object: "embedding",
      index,
      embedding: asText ? writeFloats(vector) : vector,
    })),
    model: response.model ?? encoding.model,
    usage: { prompt_tokens: inputTokens ?? 0, total_tokens: inputTokens ?? 0 },
  };
}

/** In the order of `index`; where an item has none, as they come. */
function decodeVectors(body: JsonObject): Vectors | undefined {
  const { data } = body;
  if (!Array.isArray(data) || !data.every(isJsonObject)) return undefined;
  const items = data.every(({ index }) => isNumber(index))
    ? data.toSorted((one, other) => Number(one["index"]) - Number(other["index"]))
    : data;
  return readVectors(items.map(({ embedding }) => embedding));
}

/** A list of token numbers is one input, and so is a text. */
function locate([first, second, ...rest]: CanonicalPath, body: JsonObject): string {
  const { input } = body;
  if (first === "messages") {
    const isList = Array.isArray(input) && !isNumber(input[0]);
    return findPointer(body, isList && second !== undefined ? ["input", second] : ["input"]);
  }
  if (first !== "embedding")
    return first === undefined ? "" : findPointer(body, [first, ...optionalStep(second), ...rest]);
  if (second === "encodingFormats") return findPointer(body, ["encoding_format"]);
  return findPointer(body, ["dimensions"]) || findPointer(body, ["output_dimension"]);
}

function optionalStep(step: string | number | undefined): (string | number)[] {
  return step === undefined ? [] : [step];
}
