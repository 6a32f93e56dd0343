// Room canonical: one whole answer of a model, and the error it may be instead.

import type { Extensions, Message } from "./message.ts";
import type { Usage } from "./usage.ts";

/** Finish reasons of the GenAI conventions. */
export type UnifiedFinishReason = "stop" | "length" | "content_filter" | "tool_call" | "compaction" | "error";

/** `raw` is the provider's own word, absent when it gave none. */
export interface FinishReason {
  unified: UnifiedFinishReason;
  raw?: string;
}

export interface Choice {
  index: number;
  message: Message;
  /** Absent when the answer ended without one (truncated, or the wire has none). */
  finishReason?: FinishReason;
  extensions?: Extensions;
}

export interface InferenceResponse {
  id?: string;
  /** The response model: the one that says it answered. */
  model?: string;
  choices: Choice[];
  usage?: Usage;
  serviceTier?: string;
  systemFingerprint?: string;
  /** Embeddings only: length of the vectors. */
  embeddingDimensions?: number;
  extensions?: Extensions;
}

/** A provider's error, in a body or inside a stream. `type` and `code` are the provider's own low-cardinality words. */
export interface ProviderError {
  type?: string;
  code?: string;
  message: string;
  /** How long the body asks to wait; headers ask apart from it. */
  retryAfterMs?: number;
  extensions?: Extensions;
}
