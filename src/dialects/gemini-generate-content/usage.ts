// Room dialects, gemini-generate-content: usage objects as canonical counts.
// Invariant: a count that the wire leaves out stays absent, though Google leaves out zeros too.

import { mergeRawUsage, type Usage, type UsageCount } from "../../canonical/index.ts";
import { isJsonObject, type JsonObject, readCount } from "../json/fields.ts";

/**
 * Decodes one `usageMetadata`, or several of one stream merged. The cache is part of the prompt; the prompt of server-side
 * tools and the thoughts stand beside prompt and candidates and are added (wire.md §1.13; simonw/llm-gemini#75, vercel/ai#6082).
 */
export function decodeUsage(raw: JsonObject): Usage {
  const usage: Usage = {};
  const prompt = readCount(raw, "promptTokenCount");
  const thoughts = readCount(raw, "thoughtsTokenCount");
  // Without the prompt the whole is not known.
  if (prompt !== undefined) usage.inputTokens = prompt + (readCount(raw, "toolUsePromptTokenCount") ?? 0);
  const output = addCounts(readCount(raw, "candidatesTokenCount"), thoughts);
  if (output !== undefined) usage.outputTokens = output;
  const cached = readCount(raw, "cachedContentTokenCount");
  if (cached !== undefined) usage.cacheReadTokens = cached;
  if (thoughts !== undefined) usage.reasoningTokens = thoughts;
  addModalities(usage, raw["promptTokensDetails"], inputCounts);
  addModalities(usage, raw["promptTokenDetails"], inputCounts);
  addModalities(usage, raw["toolUsePromptTokensDetails"], inputCounts);
  addModalities(usage, raw["cacheTokensDetails"], cacheCounts);
  addModalities(usage, raw["candidatesTokensDetails"], outputCounts);
  addModalities(usage, raw["responseTokensDetails"], outputCounts);
  usage.raw = raw;
  return usage;
}

/** As `mergeRawUsage`, into an object that nobody else has. */
export function restateUsage(usage: JsonObject, stated: JsonObject): void {
  for (const key in stated) {
    const value = stated[key];
    if (value === null || value === undefined) continue;
    const before = usage[key];
    usage[key] = isJsonObject(before) && isJsonObject(value) ? mergeRawUsage(before, value) : value;
  }
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

type ModalityCounts = ReadonlyMap<unknown, UsageCount>;

const inputCounts: ModalityCounts = new Map([
  ["TEXT", "inputTextTokens"],
  ["AUDIO", "inputAudioTokens"],
  ["IMAGE", "inputImageTokens"],
  ["DOCUMENT", "inputImageTokens"],
  ["VIDEO", "inputVideoTokens"],
]);

const cacheCounts: ModalityCounts = new Map([
  ["TEXT", "cacheReadTextTokens"],
  ["AUDIO", "cacheReadAudioTokens"],
  ["IMAGE", "cacheReadImageTokens"],
  ["DOCUMENT", "cacheReadImageTokens"],
]);

const outputCounts: ModalityCounts = new Map([
  ["TEXT", "outputTextTokens"],
  ["AUDIO", "outputAudioTokens"],
  ["IMAGE", "outputImageTokens"],
  ["DOCUMENT", "outputImageTokens"],
  ["VIDEO", "outputVideoTokens"],
]);

function addModalities(usage: Usage, details: unknown, counts: ModalityCounts): void {
  if (!Array.isArray(details)) return;
  for (const detail of details as unknown[]) {
    const tokens = readCount(detail, "tokenCount");
    if (tokens === undefined) continue;
    const { modality } = detail as JsonObject;
    const count = counts.get(typeof modality === "number" ? modalityNames[modality] : modality);
    if (count !== undefined) usage[count] = (usage[count] ?? 0) + tokens;
  }
}

export { readCount } from "../json/fields.ts";
