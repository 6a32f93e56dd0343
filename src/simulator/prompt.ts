// Simulator: how many tokens a request holds, and which of them a provider would have in its prompt cache.
// Reads any message shape: every string counts except ids and base64 media.

import { countTokens, hashText } from "./text.ts";

const uncounted = new Set([
  "type",
  "role",
  "id",
  "tool_call_id",
  "tool_use_id",
  "cache_control",
  "signature",
  "media_type",
]);
const mediaTypes = new Set(["image_url", "image", "input_audio", "file", "document"]);
const tokensPerMedia = 765;
const maxDepth = 64;

/** All text of a value as a model would see it, and how many media parts it holds. */
export function readPrompt(value: unknown, depth = 0): { text: string; mediaParts: number } {
  if (typeof value === "string") return { text: `${value}\n`, mediaParts: 0 };
  if (typeof value === "number" || typeof value === "boolean") return { text: String(value), mediaParts: 0 };
  if (typeof value !== "object" || value === null || depth > maxDepth) return { text: "", mediaParts: 0 };
  if ("type" in value && typeof value.type === "string" && mediaTypes.has(value.type))
    return { text: "", mediaParts: 1 };
  let text = "";
  let mediaParts = 0;
  for (const [key, child] of Object.entries(value)) {
    if (uncounted.has(key)) continue;
    const inner = readPrompt(child, depth + 1);
    text += inner.text;
    mediaParts += inner.mediaParts;
  }
  return { text, mediaParts };
}

/** Tokens of a prompt; never 0, as no provider reports an empty prompt. */
export function countPromptTokens(prompt: { text: string; mediaParts: number }): number {
  return Math.max(1, countTokens(prompt.text) + prompt.mediaParts * tokensPerMedia);
}

/** What was seen before, per credential: prefixes of at least 1,024 tokens, in steps of 128. Entries never expire but are bounded. */
export interface PromptCache {
  /** Tokens at the start of this prompt that are known (0, or 1,024 and up in steps of 128); the prompt is known from now on. */
  remember: (credential: string, text: string) => number;
}

const minTokens = 1024;
const stepTokens = 128;
const maxEntries = 100_000;

/** An empty cache; lives as long as its simulator. */
export function createPromptCache(): PromptCache {
  const seen = new Set<number>();
  return {
    remember(credential, text) {
      let known = 0;
      let hash = hashText(credential);
      let from = 0;
      for (let tokens = minTokens; tokens * 4 <= text.length; tokens += stepTokens) {
        hash = hashText(text.slice(from, tokens * 4), hash);
        from = tokens * 4;
        if (seen.has(hash)) known = tokens;
        else seen.add(hash);
      }
      for (const old of seen) {
        if (seen.size <= maxEntries) break;
        seen.delete(old);
      }
      return known;
    },
  };
}
