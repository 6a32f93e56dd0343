// Room dialects, bedrock-invoke: a whole answer as the canonical response, read by the decoder of the shape it has.
// Invariant: every field of the body is canonical or in `extensions`; nothing throws.

import type { InferenceResponse } from "../../canonical/index.ts";
import { decodeResponse as decodeAnthropicResponse } from "../anthropic-messages/response.ts";
import { decodeResponse as decodeConverseResponse } from "../bedrock-converse/response.ts";
import type { AnswerDetail, Operation } from "../dialect.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { decodeResponse as decodeChatResponse } from "../openai-chat/response.ts";
import { decodeCompletion } from "./completion.ts";
import { decodeEmbeddingResponse, decodeImageResponse } from "./embedding.ts";
import { dialectId, isIntervened, ownExtensions, splitAmazonMembers } from "./schema.ts";
import { addMetrics } from "./usage.ts";

/** Decodes an answer; what Amazon added to it is in the extensions. */
export function decodeResponse(
  whole: JsonObject,
  operation: Operation,
  detail: AnswerDetail = "whole",
): InferenceResponse {
  const { body, metrics, facts } = splitAmazonMembers(whole);
  const decoded = decodeFamily(body, operation, isIntervened(facts), detail);
  const usage = addMetrics(decoded.usage, metrics);
  const response = usage === undefined ? decoded : { ...decoded, usage };
  if (facts === undefined || detail === "facts") return response;
  const own = { ...response.extensions?.[dialectId], ...facts };
  return { ...response, extensions: { ...response.extensions, [dialectId]: own } };
}

function decodeFamily(
  body: JsonObject,
  operation: Operation,
  isFiltered: boolean,
  detail: AnswerDetail,
): InferenceResponse {
  switch (operation.kind) {
    case "embeddings":
      return decodeEmbeddingResponse(body);
    case "rerank":
      return { choices: [], ...ownExtensions(body) };
    case "image_generation":
      return decodeImageResponse(body);
  }
  if (Array.isArray(body["content"])) return decodeAnthropicResponse(body, operation, detail);
  if (isJsonObject(body["output"])) return decodeConverseResponse(body, operation, detail);
  if (Array.isArray(body["choices"])) return decodeChatResponse(nameFinishReasons(body), operation, detail);
  return decodeCompletion(body, isFiltered, detail);
}

/**
 * Mistral and DeepSeek on Bedrock write `stop_reason` where the chat wire has `finish_reason` (Bedrock user guide, read
 * 2026-11-21). A body without such a choice comes back as it is.
 */
export function nameFinishReasons(body: JsonObject): JsonObject {
  const { choices } = body;
  if (!Array.isArray(choices) || !choices.some(isMisnamed)) return body;
  return {
    ...body,
    choices: (choices as unknown[]).map((choice) => (isMisnamed(choice) ? renameReason(choice) : choice)),
  };
}

function isMisnamed(choice: unknown): choice is JsonObject {
  return (
    isJsonObject(choice) && typeof choice["stop_reason"] === "string" && typeof choice["finish_reason"] !== "string"
  );
}

function renameReason({ stop_reason: reason, ...choice }: JsonObject): JsonObject {
  return { ...choice, finish_reason: reason };
}
