// Room dialects, openai-chat: usage objects of the OpenAI shape as canonical counts.
// Rules by wire shape alone, because the decoder does not know the provider.
// Invariant: counts are the provider's own, never corrected; only where a part is stated apart from its total is it added.

import { mergeRawUsage, type Usage, type UsageCount } from "../../canonical/index.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";

/**
 * Decodes one usage object. `prompt_tokens` includes cache reads and writes, `completion_tokens` includes reasoning,
 * with two exceptions that the object itself gives away: xAI adds reasoning on top, so that total = prompt + completion +
 * reasoning (recorded: 65 + 5 + 127 = 197), and Mistral adds audio, so that total = prompt + completion + audio
 * (recorded: 11 + 15 + 375 = 401).
 */
export function decodeUsage(raw: JsonObject): Usage {
  // Merging into nothing drops the members that are null: they state nothing.
  const usage: Usage = { raw: mergeRawUsage({}, raw) };
  const input = detailsOf(
    raw,
    "prompt_tokens_details",
    "prompt_token_details",
    "input_tokens_details",
    "input_token_details",
  );
  const output = detailsOf(
    raw,
    "completion_tokens_details",
    "completion_token_details",
    "output_tokens_details",
    "output_token_details",
  );
  const promptTokens = firstCount(raw["prompt_tokens"], raw["input_tokens"]);
  const completionTokens = firstCount(raw["completion_tokens"], raw["output_tokens"]);
  // Top level: GitHub Copilot (recorded).
  const reasoningTokens = firstCount(output["reasoning_tokens"], raw["reasoning_tokens"]);
  const totalTokens = firstCount(raw["total_tokens"]);
  const isReasoningApart =
    totalTokens !== undefined &&
    reasoningTokens !== undefined &&
    reasoningTokens > 0 &&
    totalTokens === (promptTokens ?? 0) + (completionTokens ?? 0) + reasoningTokens;
  const audioTokens = firstCount(input["audio_tokens"]);
  const isAudioApart =
    totalTokens !== undefined &&
    audioTokens !== undefined &&
    audioTokens > 0 &&
    totalTokens === (promptTokens ?? 0) + (completionTokens ?? 0) + audioTokens;
  set(usage, "inputTokens", isAudioApart ? (promptTokens ?? 0) + (audioTokens ?? 0) : promptTokens);
  set(usage, "outputTokens", isReasoningApart ? (completionTokens ?? 0) + (reasoningTokens ?? 0) : completionTokens);
  set(usage, "reasoningTokens", reasoningTokens);
  set(
    usage,
    "cacheReadTokens",
    firstCount(
      input["cached_tokens"],
      // DeepSeek: hit + miss = prompt_tokens.
      raw["prompt_cache_hit_tokens"],
      // Moonshot, Together, Hugging Face.
      raw["cached_tokens"],
      // Mistral.
      raw["num_cached_tokens"],
      // Databricks, Venice, Doubleword: included in prompt_tokens (recorded: 5280 of 5810).
      raw["cache_read_input_tokens"],
    ),
  );
  set(usage, "cacheWriteTokens", firstCount(input["cache_write_tokens"], raw["cache_creation_input_tokens"]));
  const cacheCreation = detailsOf(raw, "cache_creation");
  set(usage, "cacheWrite5mTokens", firstCount(cacheCreation["ephemeral_5m_input_tokens"]));
  set(usage, "cacheWrite1hTokens", firstCount(cacheCreation["ephemeral_1h_input_tokens"]));
  const cached = detailsOf(input, "cached_tokens_details");
  set(usage, "cacheReadTextTokens", firstCount(cached["text_tokens"]));
  set(usage, "cacheReadAudioTokens", firstCount(cached["audio_tokens"]));
  set(usage, "cacheReadImageTokens", firstCount(cached["image_tokens"]));
  set(usage, "inputTextTokens", firstCount(input["text_tokens"]));
  set(usage, "inputAudioTokens", audioTokens);
  set(usage, "inputImageTokens", firstCount(input["image_tokens"]));
  set(usage, "outputTextTokens", firstCount(output["text_tokens"]));
  set(usage, "outputAudioTokens", firstCount(output["audio_tokens"]));
  set(usage, "outputImageTokens", firstCount(output["image_tokens"]));
  // Mistral (recorded).
  const audioSeconds = raw["prompt_audio_seconds"];
  if (typeof audioSeconds === "number" && audioSeconds >= 0) usage.inputAudioSeconds = audioSeconds;
  // OpenRouter (recorded).
  const serverTools = detailsOf(raw, "server_tool_use_details", "server_tool_use");
  set(usage, "webSearchRequests", firstCount(serverTools["web_search_requests"]));
  return usage;
}

/** The first of the values that is a count: a whole number ≥ 0. */
export function firstCount(...values: unknown[]): number | undefined {
  for (const value of values) {
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  }
  return undefined;
}

const nothing: JsonObject = {};

function detailsOf(raw: JsonObject, ...keys: string[]): JsonObject {
  for (const key of keys) {
    const details = raw[key];
    if (isJsonObject(details)) return details;
  }
  return nothing;
}

function set(usage: Usage, key: UsageCount, count: number | undefined): void {
  if (count !== undefined) usage[key] = count;
}
