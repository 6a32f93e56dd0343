// Room proxy: whose a bare path is that no dialect understands (DESIGN §2.3): files, batches, model lists and the like.
// Invariant: each rule is told by the shape of the path alone, or by a header that only one vendor's SDKs send.

import type { Inbound } from "./wire.ts";

/** First segments (after an optional `/v1`) of what only OpenAI serves, besides the calls its dialects know. */
const openaiRoots = new Set([
  "models",
  "files",
  "uploads",
  "batches",
  "fine_tuning",
  "images",
  "audio",
  "moderations",
  "responses",
  "conversations",
  "vector_stores",
  "assistants",
  "threads",
  "containers",
  "evals",
  "videos",
  "realtime",
  "chat",
  "completions",
  "embeddings",
]);

/** The same for Anthropic; those it shares with OpenAI are told apart by the `anthropic-version` header, which its API requires. */
const anthropicRoots = new Set(["messages", "complete"]);
const anthropicShared = new Set(["models", "files", "organizations", "skills"]);

/** What Google's API shares with OpenAI; its SDKs send `x-goog-api-client` (google-genai 2.25 and 3.1). */
const googleShared = new Set(["models", "files", "operations"]);

/** Paths that only one provider has, in the order in which they are tried. */
const shapes: readonly [shape: RegExp, provider: string][] = [
  [/^\/v1(?:alpha|beta)?1?\/(?:projects|publishers|reasoningEngines)\//, "vertex"],
  [/^\/(?:upload\/|download\/)?v1(?:alpha|beta)\//, "google"],
  [/^\/(?:upload\/v1|v1\/(?:cachedContents|tunedModels|batchEmbed))/, "google"],
  [/^\/(?:model|guardrail|async-invoke)(?:\/|$)/, "bedrock"],
  [/^\/api\/(?:tags|show|ps|version|pull|push|create|copy|delete|blobs|me|web_search|web_fetch)(?:\/|$)/, "ollama"],
  [/^\/v2\//, "cohere"],
  [
    /^\/v1\/(?:tokenize|detokenize|classify|summarize|datasets|connectors|embed-jobs|finetuning|check-api-key)/,
    "cohere",
  ],
];

/** The provider's id, or undefined when the path is nobody's. */
export function findBareHome(inbound: Pick<Inbound, "header">, path: string): string | undefined {
  const shaped = shapes.find(([shape]) => shape.test(path));
  if (shaped !== undefined) return shaped[1];
  const rest = path.startsWith("/v1/") ? path.slice(4) : path.slice(1);
  const root = rest.split("/", 1)[0] ?? "";
  const fromAnthropic = inbound.header("anthropic-version") !== undefined;
  if (anthropicRoots.has(root) || (fromAnthropic && anthropicShared.has(root))) return "anthropic";
  if (googleShared.has(root) && inbound.header("x-goog-api-client") !== undefined) return "google";
  return openaiRoots.has(root) ? "openai" : undefined;
}
