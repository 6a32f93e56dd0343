// Room dialects, openai-chat: usage objects of the OpenAI shape as canonical counts.
// Rules by wire shape alone, because the decoder does not know the provider.
// Invariant: counts are the provider's own, never corrected; only where a part is stated apart from its total is it added.

import { mergeRawUsage, type Usage } from "../../canonical/index.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";

/**
 * Decodes one usage object. `prompt_tokens` includes cache reads and writes, `completion_tokens` includes reasoning,
 * with two exceptions that the object itself gives away: xAI adds reasoning on top, so that total = prompt + completion +
 * reasoning (recorded: 65 + 5 + 127 = 197), and Mistral adds audio, so that total = prompt + completion + audio
 * (recorded: 11 + 15 + 375 = 401).
 */
export function decodeUsage(raw: JsonObject): Usage {
  const usage: Usage = { raw: withoutNulls(raw) };
  const input =
    detailsIn(raw["prompt_tokens_details"]) ??
    detailsIn(raw["prompt_token_details"]) ??
    detailsIn(raw["input_tokens_details"]) ??
    detailsIn(raw["input_token_details"]);
  const output =
    detailsIn(raw["completion_tokens_details"]) ??
    detailsIn(raw["completion_token_details"]) ??
    detailsIn(raw["output_tokens_details"]) ??
    detailsIn(raw["output_token_details"]);
  let inputTokens = toCount(raw["prompt_tokens"]) ?? toCount(raw["input_tokens"]);
  let outputTokens = toCount(raw["completion_tokens"]) ?? toCount(raw["output_tokens"]);
  // Top level: GitHub Copilot (recorded).
  const reasoningTokens = toCount(output?.["reasoning_tokens"]) ?? toCount(raw["reasoning_tokens"]);
  const totalTokens = toCount(raw["total_tokens"]);
  const extra = totalTokens === undefined ? 0 : totalTokens - (inputTokens ?? 0) - (outputTokens ?? 0);
  if (extra > 0 && extra === toCount(input?.["audio_tokens"])) inputTokens = (inputTokens ?? 0) + extra;
  if (extra > 0 && extra === reasoningTokens) outputTokens = (outputTokens ?? 0) + extra;
  const cacheReadTokens =
    toCount(input?.["cached_tokens"]) ??
    // DeepSeek: hit + miss = prompt_tokens.
    toCount(raw["prompt_cache_hit_tokens"]) ??
    // Moonshot, Together, Hugging Face.
    toCount(raw["cached_tokens"]) ??
    // Mistral.
    toCount(raw["num_cached_tokens"]) ??
    // Databricks, Venice, Doubleword: included in prompt_tokens (recorded: 5280 of 5810).
    toCount(raw["cache_read_input_tokens"]);
  const cacheWriteTokens = toCount(input?.["cache_write_tokens"]) ?? toCount(raw["cache_creation_input_tokens"]);
  // Each by its own name: a store under a computed one costs several times as much.
  if (inputTokens !== undefined) usage.inputTokens = inputTokens;
  if (outputTokens !== undefined) usage.outputTokens = outputTokens;
  if (reasoningTokens !== undefined) usage.reasoningTokens = reasoningTokens;
  if (cacheReadTokens !== undefined) usage.cacheReadTokens = cacheReadTokens;
  if (cacheWriteTokens !== undefined) usage.cacheWriteTokens = cacheWriteTokens;
  const cacheCreation = detailsIn(raw["cache_creation"]);
  if (cacheCreation !== undefined) splitCacheWrites(cacheCreation, usage);
  if (input !== undefined) splitInput(input, usage);
  if (output !== undefined) splitOutput(output, usage);
  // Mistral (recorded).
  const audioSeconds = raw["prompt_audio_seconds"];
  if (typeof audioSeconds === "number" && audioSeconds >= 0) usage.inputAudioSeconds = audioSeconds;
  // OpenRouter (recorded).
  const serverTools = detailsIn(raw["server_tool_use_details"]) ?? detailsIn(raw["server_tool_use"]);
  const searches = toCount(serverTools?.["web_search_requests"]);
  if (searches !== undefined) usage.webSearchRequests = searches;
  return usage;
}

function splitCacheWrites(creation: JsonObject, usage: Usage): void {
  const fiveMinutes = toCount(creation["ephemeral_5m_input_tokens"]);
  const oneHour = toCount(creation["ephemeral_1h_input_tokens"]);
  if (fiveMinutes !== undefined) usage.cacheWrite5mTokens = fiveMinutes;
  if (oneHour !== undefined) usage.cacheWrite1hTokens = oneHour;
}

function splitInput(input: JsonObject, usage: Usage): void {
  const cached = detailsIn(input["cached_tokens_details"]);
  if (cached !== undefined) splitCacheReads(cached, usage);
  const text = toCount(input["text_tokens"]);
  const audio = toCount(input["audio_tokens"]);
  const image = toCount(input["image_tokens"]);
  if (text !== undefined) usage.inputTextTokens = text;
  if (audio !== undefined) usage.inputAudioTokens = audio;
  if (image !== undefined) usage.inputImageTokens = image;
}

function splitCacheReads(cached: JsonObject, usage: Usage): void {
  const text = toCount(cached["text_tokens"]);
  const audio = toCount(cached["audio_tokens"]);
  const image = toCount(cached["image_tokens"]);
  if (text !== undefined) usage.cacheReadTextTokens = text;
  if (audio !== undefined) usage.cacheReadAudioTokens = audio;
  if (image !== undefined) usage.cacheReadImageTokens = image;
}

function splitOutput(output: JsonObject, usage: Usage): void {
  const text = toCount(output["text_tokens"]);
  const audio = toCount(output["audio_tokens"]);
  const image = toCount(output["image_tokens"]);
  if (text !== undefined) usage.outputTextTokens = text;
  if (audio !== undefined) usage.outputAudioTokens = audio;
  if (image !== undefined) usage.outputImageTokens = image;
}

/** Members that are null state nothing; the object itself where it has none. */
function withoutNulls(raw: JsonObject): JsonObject {
  for (const key in raw) if (raw[key] === null) return mergeRawUsage({}, raw);
  return raw;
}

/** A whole number ≥ 0; undefined for anything else. */
export function toCount(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function detailsIn(details: unknown): JsonObject | undefined {
  return isJsonObject(details) ? details : undefined;
}
