// Room dialects, openai-chat: canonical counts as a usage object.
// Invariant: written from the counts alone, so that every family's arithmetic ends in OpenAI's: totals include their parts.

import type { Usage } from "../../canonical/index.ts";
import type { JsonObject } from "../json/fields.ts";

/** Totals must be there (openai-node 7.55.0); a total that nobody stated is 0. Details only as far as they are known. */
export function encodeUsage(usage: Usage): JsonObject {
  const prompt = usage.inputTokens ?? 0;
  const completion = usage.outputTokens ?? 0;
  const input = known({
    cached_tokens: usage.cacheReadTokens,
    cache_write_tokens: usage.cacheWriteTokens,
    text_tokens: usage.inputTextTokens,
    audio_tokens: usage.inputAudioTokens,
    image_tokens: usage.inputImageTokens,
  });
  const output = known({
    reasoning_tokens: usage.reasoningTokens,
    text_tokens: usage.outputTextTokens,
    audio_tokens: usage.outputAudioTokens,
    image_tokens: usage.outputImageTokens,
  });
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    ...(input === undefined ? {} : { prompt_tokens_details: input }),
    ...(output === undefined ? {} : { completion_tokens_details: output }),
  };
}

function known(counts: Record<string, number | undefined>): JsonObject | undefined {
  const stated = Object.entries(counts).filter(([, count]) => count !== undefined);
  return stated.length === 0 ? undefined : Object.fromEntries(stated);
}
