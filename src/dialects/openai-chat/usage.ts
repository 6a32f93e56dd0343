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
  const input =
    detailsIn(raw, "prompt_tokens_details") ??
    detailsIn(raw, "prompt_token_details") ??
    detailsIn(raw, "input_tokens_details") ??
    detailsIn(raw, "input_token_details");
  const output =
    detailsIn(raw, "completion_tokens_details") ??
    detailsIn(raw, "completion_token_details") ??
    detailsIn(raw, "output_tokens_details") ??
    detailsIn(raw, "output_token_details");
  const promptTokens = toCount(raw["prompt_tokens"]) ?? toCount(raw["input_tokens"]);
  const completionTokens = toCount(raw["completion_tokens"]) ?? toCount(raw["output_tokens"]);
  // Top level: GitHub Copilot (recorded).
  const reasoningTokens = toCount(output?.["reasoning_tokens"]) ?? toCount(raw["reasoning_tokens"]);
  const audioTokens = toCount(input?.["audio_tokens"]);
  const totalTokens = toCount(raw["total_tokens"]);
  const extra = totalTokens === undefined ? 0 : totalTokens - (promptTokens ?? 0) - (completionTokens ?? 0);
  const isReasoningApart = extra > 0 && extra === reasoningTokens;
  const isAudioApart = extra > 0 && extra === audioTokens;
  set(usage, "inputTokens", isAudioApart ? (promptTokens ?? 0) + extra : promptTokens);
  set(usage, "outputTokens", isReasoningApart ? (completionTokens ?? 0) + extra : completionTokens);
  set(usage, "reasoningTokens", reasoningTokens);
  set(
    usage,
    "cacheReadTokens",
    toCount(input?.["cached_tokens"]) ??
      // DeepSeek: hit + miss = prompt_tokens.
      toCount(raw["prompt_cache_hit_tokens"]) ??
      // Moonshot, Together, Hugging Face.
      toCount(raw["cached_tokens"]) ??
      // Mistral.
      toCount(raw["num_cached_tokens"]) ??
      // Databricks, Venice, Doubleword: included in prompt_tokens (recorded: 5280 of 5810).
      toCount(raw["cache_read_input_tokens"]),
  );
  set(usage, "cacheWriteTokens", toCount(input?.["cache_write_tokens"]) ?? toCount(raw["cache_creation_input_tokens"]));
  const cacheCreation = detailsIn(raw, "cache_creation");
  if (cacheCreation !== undefined) {
    set(usage, "cacheWrite5mTokens", toCount(cacheCreation["ephemeral_5m_input_tokens"]));
    set(usage, "cacheWrite1hTokens", toCount(cacheCreation["ephemeral_1h_input_tokens"]));
  }
  if (input !== undefined) {
    const cached = detailsIn(input, "cached_tokens_details");
    if (cached !== undefined) {
      set(usage, "cacheReadTextTokens", toCount(cached["text_tokens"]));
      set(usage, "cacheReadAudioTokens", toCount(cached["audio_tokens"]));
      set(usage, "cacheReadImageTokens", toCount(cached["image_tokens"]));
    }
    set(usage, "inputTextTokens", toCount(input["text_tokens"]));
    set(usage, "inputAudioTokens", audioTokens);
    set(usage, "inputImageTokens", toCount(input["image_tokens"]));
  }
  if (output !== undefined) {
    set(usage, "outputTextTokens", toCount(output["text_tokens"]));
    set(usage, "outputAudioTokens", toCount(output["audio_tokens"]));
    set(usage, "outputImageTokens", toCount(output["image_tokens"]));
  }
  // Mistral (recorded).
  const audioSeconds = raw["prompt_audio_seconds"];
  if (typeof audioSeconds === "number" && audioSeconds >= 0) usage.inputAudioSeconds = audioSeconds;
  // OpenRouter (recorded).
  const serverTools = detailsIn(raw, "server_tool_use_details") ?? detailsIn(raw, "server_tool_use");
  if (serverTools !== undefined) set(usage, "webSearchRequests", toCount(serverTools["web_search_requests"]));
  return usage;
}

function toCount(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function detailsIn(raw: JsonObject, key: string): JsonObject | undefined {
  const details = raw[key];
  return isJsonObject(details) ? details : undefined;
}

/** The first of the values that is a count: a whole number ≥ 0. */
export function firstCount(...values: unknown[]): number | undefined {
  for (const value of values) {
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  }
  return undefined;
}

function set(usage: Usage, key: UsageCount, count: number | undefined): void {
  if (count !== undefined) usage[key] = count;
}
