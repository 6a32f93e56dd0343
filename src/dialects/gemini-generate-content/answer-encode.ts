// Room dialects, gemini-generate-content: what a whole answer and a stream's chunks have in common on the wire.
// Invariant: prompt + candidates + thoughts = total; a count that the provider did not state is not written.

import type { FinishReason, Usage } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject, optional } from "../json/fields.ts";
import { readFinishReason } from "./schema.ts";

/** The wire's word for why a candidate ended. A call is a clean stop here; the provider's own word stays where it is one of Google's. */
export function encodeFinishReason({ unified, raw }: FinishReason, encoding: Encoding): string | number {
  // Written as a number under `$alt=json;enum-encoding=int`.
  if (raw !== undefined && encoding.source === encoding.target) return /^\d+$/.test(raw) ? Number(raw) : raw;
  if (raw !== undefined && googleWords.has(raw)) {
    const read = readFinishReason(raw, unified === "tool_call");
    if (read?.unified === unified) return raw;
  }
  switch (unified) {
    case "stop":
    case "tool_call":
    case "compaction":
      return "STOP";
    case "length":
      return "MAX_TOKENS";
    case "content_filter":
      return "SAFETY";
    case "error":
      return "OTHER";
  }
}

const googleWords: ReadonlySet<string> = new Set([
  "STOP",
  "MAX_TOKENS",
  "SAFETY",
  "RECITATION",
  "LANGUAGE",
  "OTHER",
  "BLOCKLIST",
  "PROHIBITED_CONTENT",
  "SPII",
  "MALFORMED_FUNCTION_CALL",
  "UNEXPECTED_TOOL_CALL",
]);

const blockWords: ReadonlySet<string> = new Set(["SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY"]);

/** What says that the prompt itself was refused; such an answer has no candidates. */
export function encodeBlock({ raw }: FinishReason, encoding: Encoding): JsonObject {
  const isWord = raw !== undefined && (encoding.source === encoding.target || blockWords.has(raw));
  return { blockReason: isWord ? raw : "SAFETY" };
}

/** `usageMetadata` in Google's arithmetic: the thoughts stand beside the candidates, the cache is part of the prompt (wire.md §1.13). */
export function encodeUsage(usage: Usage, tier: string | undefined, encoding: Encoding): JsonObject {
  if (encoding.source === encoding.target && usage.raw !== undefined) return usage.raw;
  const { inputTokens, outputTokens, reasoningTokens } = usage;
  const visible = outputTokens === undefined ? undefined : Math.max(outputTokens - (reasoningTokens ?? 0), 0);
  const total = inputTokens === undefined || outputTokens === undefined ? undefined : inputTokens + outputTokens;
  loseUsage(usage, encoding);
  return {
    ...optional("promptTokenCount", inputTokens),
    ...optional("candidatesTokenCount", visible),
    ...optional("totalTokenCount", total),
    ...optional("cachedContentTokenCount", usage.cacheReadTokens),
    ...optional("thoughtsTokenCount", reasoningTokens),
    ...modalities("promptTokensDetails", {
      TEXT: usage.inputTextTokens,
      AUDIO: usage.inputAudioTokens,
      IMAGE: usage.inputImageTokens,
      VIDEO: usage.inputVideoTokens,
    }),
    ...modalities("cacheTokensDetails", {
      TEXT: usage.cacheReadTextTokens,
      AUDIO: usage.cacheReadAudioTokens,
      IMAGE: usage.cacheReadImageTokens,
    }),
    ...modalities("candidatesTokensDetails", {
      TEXT: usage.outputTextTokens,
      AUDIO: usage.outputAudioTokens,
      IMAGE: usage.outputImageTokens,
      VIDEO: usage.outputVideoTokens,
    }),
    ...optional("serviceTier", encodeTier(tier, encoding)),
  };
}

function modalities(name: string, counts: Record<string, number | undefined>): JsonObject {
  const details = Object.entries(counts).flatMap(([modality, tokenCount]) =>
    tokenCount === undefined ? [] : [{ modality, tokenCount }],
  );
  return details.length === 0 ? {} : { [name]: details };
}

/** Counts that Google does not have. Tokens written to a cache are part of the prompt all the same. */
const unwritten = [
  "cacheWriteTokens",
  "webSearchRequests",
  "searchUnits",
  "inputAudioSeconds",
  "inputCharacters",
  "outputImages",
] as const satisfies (keyof Usage)[];

function loseUsage(usage: Usage, encoding: Encoding): void {
  for (const name of unwritten) {
    if ((usage[name] ?? 0) === 0) continue;
    encoding.lose(["usage", name], "unsupported", "Gemini's usage has no such count", "tuning");
  }
}

/** Google says the tier among the counts. */
function encodeTier(tier: string | undefined, encoding: Encoding): string | undefined {
  if (tier === undefined) return undefined;
  const word = tier === "default" ? "standard" : tier;
  if (word === "standard" || word === "flex" || word === "priority") return word;
  encoding.lose(["serviceTier"], "unsupported", "Gemini has no service tier by this name");
  return undefined;
}

/** Log probabilities as Chat has them, in Google's shape: without bytes, the alternatives in a list of their own. */
export function encodeLogprobs(wire: unknown): JsonObject | undefined {
  const tokens: unknown = isJsonObject(wire) ? wire["content"] : undefined;
  if (!Array.isArray(tokens) || !tokens.every(isJsonObject)) return undefined;
  const top = tokens.map((token) => ({
    candidates: Array.isArray(token["top_logprobs"]) ? (token["top_logprobs"] as unknown[]).map(candidate) : [],
  }));
  return {
    chosenCandidates: tokens.map(candidate),
    ...(top.some(({ candidates }) => candidates.length > 0) ? { topCandidates: top } : {}),
  };
}

function candidate(wire: unknown): JsonObject {
  const { token, logprob } = isJsonObject(wire) ? wire : {};
  return { ...optional("token", token), ...optional("logProbability", logprob) };
}

/** Where a candidate's parts stand in the canonical answer. */
export function partPath(choice: number, part: number): CanonicalPath {
  return ["choices", choice, "message", "parts", part];
}
