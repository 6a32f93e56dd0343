// Room dialects, anthropic-messages: a canonical request of any source as a body of the Messages API.
// Invariant: every canonical field is written or told; the client's own extensions go back where they were.

import type { InferenceRequest } from "../../canonical/index.ts";
import { SidecarError } from "../../errors.ts";
import type { Encoding, RequestFates } from "../encoding.ts";
import { isJsonObject, type JsonObject, optional } from "../json/fields.ts";
import { mergeOwn } from "../json/merge.ts";
import { toJsonSchema } from "../json/open-api-schema.ts";
import { takeRequestForm } from "./foreign-form.ts";
import { encodeConversation } from "./message-encode.ts";
import { dialectId } from "./schema.ts";
import { encodeSampling, encodeThinking } from "./thinking-encode.ts";
import { encodeTools } from "./tool-encode.ts";

/** What becomes of each canonical field. */
export const fates = {
  model: "mapped",
  stream: "mapped",
  systemInstructions: "mapped",
  messages: "mapped",
  tools: "mapped",
  toolChoice: "mapped",
  parallelToolCalls: "mapped",
  maxOutputTokens: "mapped",
  temperature: "approximated",
  topP: "mapped",
  topK: "mapped",
  seed: "refused",
  frequencyPenalty: "refused",
  presencePenalty: "refused",
  stopSequences: "mapped",
  choiceCount: "refused",
  logprobs: "refused",
  topLogprobs: "refused",
  logitBias: "refused",
  outputFormat: "mapped",
  reasoning: "approximated",
  serviceTier: "mapped",
  user: "mapped",
  metadata: "refused",
  previousResponseId: "refused",
  conversationId: "refused",
  // Usage always comes.
  streamUsage: "mapped",
  inputCharacters: "refused",
  embedding: "refused",
  extensions: "refused",
} satisfies RequestFates;

/**
 * Encodes a request. From this very dialect it gives the client's JSON again.
 * @throws SidecarError request_lossy without any maximum of output tokens, or for a tool result without a call
 */
export function encodeRequest(request: InferenceRequest, encoding: Encoding): JsonObject {
  const isOwn = encoding.source === dialectId;
  const maxTokens = isOwn ? request.maxOutputTokens : requireMaxTokens(request, encoding);
  const { system, messages, calledTools } = encodeConversation(request, encoding);
  const { thinking, effort } = encodeThinking(request, messages, maxTokens ?? 0, encoding);
  const own = encoding.own(request);
  if (!isOwn) {
    takeRequestForm(request, encoding);
    loseRefused(request, encoding);
  }
  const body: JsonObject = {
    model: encoding.model,
    ...optional("max_tokens", maxTokens),
    ...optional("system", system),
    messages,
    ...encodeTools(request, calledTools, encoding),
    ...encodeSampling(request, thinking, encoding),
    ...optional("stop_sequences", encodeStop(request, encoding)),
    ...optional("thinking", thinking),
    ...encodeOutput(request, effort, own, encoding),
    ...optional("service_tier", encodeServiceTier(request, encoding)),
    ...optional("metadata", encodeUser(request, encoding)),
    ...(request.stream ? { stream: true } : {}),
  };
  return mergeOwn(body, own);
}

function requireMaxTokens({ maxOutputTokens }: InferenceRequest, encoding: Encoding): number {
  if (maxOutputTokens !== undefined) return maxOutputTokens;
  const known = encoding.maxOutputTokens;
  if (known === undefined) {
    throw new SidecarError(
      "request_lossy",
      "Anthropic must be told how many tokens the answer may have: set the maximum of output tokens in the request (max_tokens), or one for the model in the configuration",
      { details: { pointer: "/max_tokens" } },
    );
  }
  encoding.lose(["maxOutputTokens"], "injected", `Anthropic must be told a maximum: max_tokens is ${known}`);
  return known;
}

/** What this API has no place for; a value that changes nothing is no loss. */
function loseRefused(request: InferenceRequest, encoding: Encoding): void {
  const { seed, frequencyPenalty, presencePenalty, choiceCount, logprobs, topLogprobs, logitBias, metadata } = request;
  const refused: Partial<Record<keyof InferenceRequest, boolean>> = {
    seed: seed !== undefined,
    frequencyPenalty: (frequencyPenalty ?? 0) !== 0,
    presencePenalty: (presencePenalty ?? 0) !== 0,
    choiceCount: (choiceCount ?? 1) !== 1,
    logprobs: logprobs === true,
    topLogprobs: (topLogprobs ?? 0) !== 0,
    logitBias: Object.keys(logitBias ?? {}).length > 0,
    metadata: Object.keys(metadata ?? {}).length > 0,
    previousResponseId: request.previousResponseId !== undefined,
    conversationId: request.conversationId !== undefined,
    inputCharacters: request.inputCharacters !== undefined,
    embedding: request.embedding !== undefined,
  };
  for (const [field, isLost] of Object.entries(refused)) {
    if (isLost) encoding.lose([field], "unsupported", `Anthropic's messages have no ${field}`);
  }
}

function encodeStop({ stopSequences }: InferenceRequest, encoding: Encoding): string[] | undefined {
  if (stopSequences === undefined || encoding.source === dialectId) return stopSequences;
  const kept = stopSequences.filter((stop, index) => {
    const isBlank = stop.trim() === "";
    // The API refuses them (wire.md §2.1).
    if (isBlank)
      encoding.lose(["stopSequences", index], "unsupported", "Anthropic takes no stop sequence of blanks alone");
    return !isBlank;
  });
  return kept.length === 0 ? undefined : kept;
}

function encodeOutput(
  request: InferenceRequest,
  effort: string | undefined,
  own: JsonObject,
  encoding: Encoding,
): { output_config?: JsonObject; output_format?: JsonObject } {
  const format = encodeFormat(request, encoding);
  // The beta's older place, which the client's own leftovers still name.
  if (format !== undefined && isJsonObject(own["output_format"])) {
    return { output_format: format, ...(effort === undefined ? {} : { output_config: { effort } }) };
  }
  if (format === undefined && effort === undefined) return {};
  return { output_config: { ...optional("effort", effort), ...optional("format", format) } };
}

function encodeFormat({ outputFormat }: InferenceRequest, encoding: Encoding): JsonObject | undefined {
  if (outputFormat === undefined || outputFormat.type === "text") return undefined;
  if (outputFormat.type === "json") {
    encoding.lose(["outputFormat"], "unsupported", "Anthropic gives JSON only by a schema");
    return undefined;
  }
  const { schema, name, description, strict } = outputFormat;
  if (!isJsonObject(schema)) {
    encoding.lose(["outputFormat", "schema"], "unsupported", "Anthropic takes only a schema that is an object");
    return undefined;
  }
  if (name !== undefined) encoding.lose(["outputFormat", "name"], "unsupported", "schemas have no name here", "tuning");
  if (description !== undefined) {
    encoding.lose(["outputFormat", "description"], "unsupported", "schemas have no description here", "tuning");
  }
  if (strict === false) {
    encoding.lose(["outputFormat", "strict"], "approximated", "Anthropic always keeps to the schema", "tuning");
  }
  const isGoogle = encoding.source === "gemini-generate-content";
  return { type: "json_schema", schema: isGoogle ? toJsonSchema(schema) : schema };
}

const serviceTiers: ReadonlyMap<string, string> = new Map([
  ["auto", "auto"],
  ["default", "standard_only"],
  ["standard_only", "standard_only"],
]);

function encodeServiceTier({ serviceTier }: InferenceRequest, encoding: Encoding): string | undefined {
  if (serviceTier === undefined || encoding.source === dialectId) return serviceTier;
  const word = serviceTiers.get(serviceTier);
  // Not `speed`: that costs more, which nobody asked for (wire.md §2.1).
  if (word === undefined) encoding.lose(["serviceTier"], "unsupported", "Anthropic has no such tier");
  return word;
}

/** OpenAI's newer word for the user is taken where the older one is not there. */
function encodeUser(request: InferenceRequest, encoding: Encoding): JsonObject | undefined {
  if (request.user !== undefined) return { user_id: request.user };
  const stated =
    encoding.take(request, "openai-chat", "safety_identifier") ??
    encoding.take(request, "openai-responses", "safety_identifier");
  return typeof stated === "string" ? { user_id: stated } : undefined;
}
