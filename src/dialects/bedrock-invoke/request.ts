// Room dialects, bedrock-invoke: a request body as the canonical request, read by the decoder of the family it belongs to.
// Invariant: model and streaming are the path's, whatever the body says; every field is canonical or in `extensions`.

import type { InferenceRequest } from "../../canonical/index.ts";
import { decodeRequest as decodeAnthropicRequest } from "../anthropic-messages/request.ts";
import { decodeRequest as decodeConverseRequest } from "../bedrock-converse/request.ts";
import type { Operation } from "../dialect.ts";
import type { JsonObject } from "../json/fields.ts";
import { decodeRequest as decodeChatRequest } from "../openai-chat/request.ts";
import { decodeEmbeddingRequest, decodeImageRequest, decodeRerankRequest, type PlainRequest } from "./embedding.ts";
import { findVendor } from "./model.ts";
import { decodePromptRequest } from "./prompt-request.ts";
import { dialectId, optional, ownExtensions } from "./schema.ts";

/** Decodes a body, also one whose content was left out: then the model and the settings tell the family. */
export function decodeRequest(body: JsonObject, operation: Operation): InferenceRequest {
  const { model: stated, stream: statedStream, ...settings } = body;
  const request = decodeFamily(settings, operation);
  // Bodies written for the model's own API repeat both, and Bedrock takes no notice (recorded: `stream: false` of Cohere).
  const beside: JsonObject = {
    ...optional("model", stated === operation.model ? undefined : stated),
    ...optional("stream", statedStream === (operation.stream === true) ? undefined : statedStream),
  };
  const extensions = { ...request.extensions, [dialectId]: { ...request.extensions?.[dialectId], ...beside } };
  return {
    ...request,
    ...optional("model", operation.model),
    stream: operation.stream === true,
    ...(Object.keys(beside).length === 0 ? {} : { extensions }),
  };
}

const promptKeys = ["prompt", "inputText", "message", "textGenerationConfig", "max_gen_len", "max_tokens_to_sample"];

function decodeFamily(body: JsonObject, operation: Operation): PlainRequest {
  switch (operation.kind) {
    case "embeddings":
      return decodeEmbeddingRequest(body);
    case "rerank":
      return decodeRerankRequest(body);
    case "image_generation":
      return decodeImageRequest(body);
  }
  const vendor = findVendor(operation.model ?? "");
  const isPrompt = promptKeys.some((key) => body[key] !== undefined);
  const hasMessages = Array.isArray(body["messages"]);
  if (body["anthropic_version"] !== undefined || (vendor === "anthropic" && !isPrompt)) {
    return decodeClaudeRequest(body);
  }
  if (vendor === "nova" || body["schemaVersion"] !== undefined || body["inferenceConfig"] !== undefined) {
    return decodeConverseRequest(body, operation);
  }
  const isCompletion = operation.kind === "text_completion" || vendor === "cohere" || isPrompt;
  return isCompletion && !hasMessages
    ? decodePromptRequest(body)
    : decodeChatRequest(body, { ...operation, kind: "chat" });
}

/** Amazon's two members of Claude's body, which the Messages API has as headers. */
const amazonMembers = ["anthropic_version", "anthropic_beta"];

function decodeClaudeRequest(body: JsonObject): PlainRequest {
  const [own, messages]: [JsonObject, JsonObject] = [{}, {}];
  for (const key in body) (amazonMembers.includes(key) ? own : messages)[key] = body[key];
  const request = decodeAnthropicRequest(messages);
  const extensions = { ...request.extensions, ...ownExtensions(own).extensions };
  return Object.keys(extensions).length === 0 ? request : { ...request, extensions };
}
