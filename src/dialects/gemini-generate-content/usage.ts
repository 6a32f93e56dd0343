// Room dialects, gemini-generate-content: usage objects as canonical counts.
// Invariant: a count that the wire leaves out stays absent, though Google leaves out zeros too.

import type { Usage } from "../../canonical/index.ts";
import { compact, isJsonObject, type JsonObject, readCount } from "../json/fields.ts";

/**
 * Decodes one `usageMetadata`, or several of one stream merged. The cache is part of the prompt; the prompt of server-side
 * tools and the thoughts stand beside prompt and candidates and are added (wire.md §1.13; simonw/llm-gemini#75, vercel/ai#6082).
 */
export function decodeUsage(raw: JsonObject): Usage {
  const prompt = readCount(raw, "promptTokenCount");
  const toolPrompt = readCount(raw, "toolUsePromptTokenCount");
  const thoughts = readCount(raw, "thoughtsTokenCount");
  const input = addModalities(raw, "promptTokensDetails", "promptTokenDetails", "toolUsePromptTokensDetails");
  const cached = addModalities(raw, "cacheTokensDetails");
  const output = addModalities(raw, "candidatesTokensDetails", "responseTokensDetails");
  return compact<Usage>({
    // Without the prompt the whole is not known.
    inputTokens: prompt === undefined ? undefined : prompt + (toolPrompt ?? 0),
    outputTokens: addCounts(readCount(raw, "candidatesTokenCount"), thoughts),
    cacheReadTokens: readCount(raw, "cachedContentTokenCount"),
    reasoningTokens: thoughts,
    inputTextTokens: input.get("TEXT"),
    inputAudioTokens: input.get("AUDIO"),
    inputImageTokens: input.get("IMAGE"),
    inputVideoTokens: input.get("VIDEO"),
    cacheReadTextTokens: cached.get("TEXT"),
    cacheReadAudioTokens: cached.get("AUDIO"),
    cacheReadImageTokens: cached.get("IMAGE"),
    outputTextTokens: output.get("TEXT"),
    outputAudioTokens: output.get("AUDIO"),
    outputImageTokens: output.get("IMAGE"),
    outputVideoTokens: output.get("VIDEO"),
    raw,
  });
}

/** The tier that answered, as only the usage says it. */
export function readServiceTier(raw: JsonObject | undefined): string | undefined {
  const tier = raw?.["serviceTier"];
  return typeof tier === "string" ? tier : undefined;
}

/** Both counts together; undefined when neither is stated. */
export function addCounts(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0);
}

/**
 * As numbers under `$alt=json;enum-encoding=int` (recorded). The pages of a document are read as images, 258 tokens each
 * (recorded), and count as such with genai-prices too (its usage oracle).
 */
const modalityNames = ["MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "VIDEO", "AUDIO", "IMAGE"];

function addModalities(raw: JsonObject, ...keys: string[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const key of keys) {
    const details = raw[key];
    if (!Array.isArray(details)) continue;
    for (const detail of details as unknown[]) {
      const count = readCount(detail, "tokenCount");
      const stated = isJsonObject(detail) ? detail["modality"] : undefined;
      const name = typeof stated === "number" ? modalityNames[stated] : stated === "DOCUMENT" ? "IMAGE" : stated;
      if (typeof name === "string" && count !== undefined) sums.set(name, (sums.get(name) ?? 0) + count);
    }
  }
  return sums;
}

export { readCount } from "../json/fields.ts";
