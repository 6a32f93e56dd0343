// Room dialects, openai-chat: a canonical request as the body of a chat completion, from any dialect.
// Invariant: every canonical field is written or its loss is told; an own request comes back as the client wrote it.

import type { InferenceRequest } from "../../canonical/index.ts";
import type { DialectId } from "../dialect.ts";
import type { Encoding, RequestFates } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { loseFields } from "../unsupported-fields.ts";
import { encodeMessages } from "./conversation-encode.ts";
import { dialectId, tokenLimitMark } from "./schema.ts";
import { encodeOutputFormat, encodeTools } from "./tools-encode.ts";

/** What becomes of each field here. */
export const fates = {
  model: "mapped",
  stream: "mapped",
  systemInstructions: "mapped",
  messages: "mapped",
  tools: "mapped",
  toolChoice: "mapped",
  parallelToolCalls: "mapped",
  maxOutputTokens: "mapped",
  temperature: "mapped",
  topP: "mapped",
  topK: "refused",
  seed: "mapped",
  frequencyPenalty: "mapped",
  presencePenalty: "mapped",
  stopSequences: "mapped",
  choiceCount: "mapped",
  logprobs: "mapped",
  topLogprobs: "mapped",
  logitBias: "mapped",
  outputFormat: "mapped",
  reasoning: "approximated",
  serviceTier: "mapped",
  user: "mapped",
  metadata: "mapped",
  previousResponseId: "refused",
  conversationId: "refused",
  streamUsage: "mapped",
  inputCharacters: "refused",
  embedding: "refused",
  extensions: "mapped",
} as const satisfies RequestFates;

/**
 * The body. Fields that mean the same under the same word are copied; `top_k` is none of OpenAI's, so only an own one is.
 * @throws SidecarError request_lossy for a tool result without its call
 */
export function encodeRequest(request: InferenceRequest, encoding: Encoding): JsonObject {
  const isHome = encoding.source === dialectId;
  const { [tokenLimitMark]: limitMark, stream_options: streamOptions, ...own } = encoding.own(request);
  const effort = encodeEffort(request, encoding);
  const limitKey = limitMark === undefined ? "max_completion_tokens" : "max_tokens";
  const body: JsonObject = {
    model: encoding.model,
    messages: encodeMessages(request, encoding),
    ...(request.stream ? { stream: true } : {}),
    ...encodeStreamOptions(request, streamOptions, encoding),
    [limitKey]: request.maxOutputTokens,
    temperature: request.temperature,
    top_p: request.topP,
    top_k: isHome ? request.topK : undefined,
    seed: request.seed,
    frequency_penalty: request.frequencyPenalty,
    presence_penalty: request.presencePenalty,
    stop: encodeStop(request, encoding),
    n: request.choiceCount,
    logprobs: request.logprobs ?? (isHome || (request.topLogprobs ?? 0) === 0 ? undefined : true),
    top_logprobs: isHome || (request.topLogprobs ?? 0) > 0 ? request.topLogprobs : undefined,
    logit_bias: request.logitBias,
    response_format: encodeOutputFormat(request.outputFormat, encoding),
    reasoning_effort: effort,
    service_tier: encodeServiceTier(request.serviceTier, encoding),
    user: request.user,
    metadata: request.metadata,
    ...encodeTools(request, encoding),
    ...own,
  };
  if (!isHome) {
    Object.assign(body, takeShared(request, encoding));
    takeSaid(request, "anthropic-messages", "thinking", "type", encoding);
    takeSaid(request, "gemini-generate-content", "systemInstruction", "role", encoding);
    takeGenerationConfig(request, encoding);
  }
  loseFields(request, encoding, [
    ...(isHome ? [] : (["topK"] as const)),
    "previousResponseId",
    "conversationId",
    "inputCharacters",
    "embedding",
  ]);
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}

function encodeStreamOptions(request: InferenceRequest, own: unknown, encoding: Encoding): JsonObject {
  const options: JsonObject = isJsonObject(own) ? own : {};
  if (request.streamUsage !== undefined) return { stream_options: { include_usage: request.streamUsage, ...options } };
  if (!request.stream || encoding.source === dialectId) return own === undefined ? {} : { stream_options: own };
  encoding.lose(["streamUsage"], "injected", "chat streams tell their usage only when asked to");
  return { stream_options: { include_usage: true } };
}

/** OpenAI takes four (general knowledge, not verified). */
const maxStopSequences = 4;

function encodeStop({ stopSequences }: InferenceRequest, encoding: Encoding): string[] | undefined {
  if (stopSequences === undefined || encoding.source === dialectId) return stopSequences;
  if (stopSequences.length === 0) return undefined;
  if (stopSequences.length > maxStopSequences) {
    encoding.lose(
      ["stopSequences"],
      "unsupported",
      `chat takes ${maxStopSequences} stop sequences: the first ones are kept`,
    );
  }
  return stopSequences.slice(0, maxStopSequences);
}

const efforts: ReadonlySet<string> = new Set(["none", "minimal", "low", "medium", "high", "xhigh", "max"]);

/** Fewer tokens of thought than this are `low`, fewer than the second `medium`: OpenAI names no numbers. */
const budgetSteps = { low: 4096, medium: 16_384 };

/** The effort: the word where one is given, else the nearest to a budget; undefined leaves it to the model. */
function encodeEffort({ reasoning }: InferenceRequest, encoding: Encoding): string | undefined {
  if (encoding.source === dialectId) return reasoning?.effort;
  if (reasoning === undefined) return undefined;
  if (reasoning.enabled === false) return "none";
  const word = reasoning.effort?.toLowerCase();
  if (word !== undefined && efforts.has(word)) return word;
  if (word !== undefined) encoding.lose(["reasoning"], "unsupported", "chat does not know this word for the effort");
  const budget = reasoning.budgetTokens;
  if (budget === undefined) return undefined;
  const effort = budget < budgetSteps.low ? "low" : budget < budgetSteps.medium ? "medium" : "high";
  encoding.lose(
    ["reasoning"],
    "approximated",
    `a budget of ${budget} tokens of thought is the effort ${effort} in chat`,
  );
  return effort;
}

const serviceTiers: ReadonlySet<string> = new Set(["auto", "default", "flex", "scale", "priority", "fast"]);

function encodeServiceTier(tier: string | undefined, encoding: Encoding): string | undefined {
  if (tier === undefined || encoding.source === dialectId) return tier;
  const word = tier.toLowerCase();
  if (word === "standard_only" || word === "standard") return "default";
  if (serviceTiers.has(word)) return word;
  encoding.lose(["serviceTier"], "unsupported", "chat does not know this service tier");
  return undefined;
}

/** Fields of Responses that chat has under the same or another word, and those that say what is so anyway. */
function takeShared(request: InferenceRequest, encoding: Encoding): JsonObject {
  const dialect = "openai-responses";
  const bag = request.extensions?.[dialect];
  if (bag === undefined) return {};
  const shared: JsonObject = {};
  for (const name of sharedFields) if (name in bag) shared[name] = encoding.take(request, dialect, name);
  const { text } = bag;
  if (isJsonObject(text) && Object.keys(text).join() === "verbosity") {
    encoding.take(request, dialect, "text");
    shared["verbosity"] = text["verbosity"];
  }
  const { reasoning } = bag;
  if (isJsonObject(reasoning) && Object.keys(reasoning).join() === "summary") {
    encoding.take(request, dialect, "reasoning");
    encoding.lose(["reasoning", "summary"], "unsupported", "chat cannot ask for summaries of reasoning", "tuning");
  }
  if (bag["background"] === false) encoding.take(request, dialect, "background");
  if (bag["truncation"] === "disabled") encoding.take(request, dialect, "truncation");
  takeInclude(request, encoding);
  return shared;
}

/** Takes a foreign field of which only that member is left that a canonical field has read already. */
function takeSaid(
  request: InferenceRequest,
  dialect: DialectId,
  name: string,
  member: string,
  encoding: Encoding,
): void {
  const value = request.extensions?.[dialect]?.[name];
  if (isJsonObject(value) && Object.keys(value).join() === member) encoding.take(request, dialect, name);
}

/** What is left of Gemini's settings: each is told by its own name. */
function takeGenerationConfig(request: InferenceRequest, encoding: Encoding): void {
  const config = encoding.take(request, "gemini-generate-content", "generationConfig");
  if (!isJsonObject(config)) return;
  for (const [name, value] of Object.entries(config)) {
    // The schema is the output format already.
    if (name === "responseSchema") continue;
    const isText = name === "responseModalities" && String(value).toUpperCase() === "TEXT";
    const isTuning = isText || name === "thinkingConfig";
    const detail = `chat has no place for ${name}`;
    encoding.lose(["generationConfig", name], "unsupported", detail, isTuning ? "tuning" : "semantic");
  }
}

const sharedFields = ["prompt_cache_key", "prompt_cache_retention", "safety_identifier"];

/** Log probabilities have a field of their own; a chat provider has no encrypted reasoning to include. */
function takeInclude(request: InferenceRequest, encoding: Encoding): void {
  const include = encoding.take(request, "openai-responses", "include");
  if (!Array.isArray(include)) return;
  for (const word of include as unknown[]) {
    if (word === "message.output_text.logprobs") continue;
    const isReasoning = word === "reasoning.encrypted_content";
    encoding.lose(
      ["include"],
      "unsupported",
      "chat cannot include this in its answer",
      isReasoning ? "tuning" : "semantic",
    );
  }
}
