// Room dialects, anthropic-messages: what the wire says. Its words, and how its leftovers are kept.
// Covers the Messages API, GA and beta (types of @anthropic-ai/sdk 1.11.0, read 2026-11-21; recorded traffic).

import type { UnifiedFinishReason } from "../../canonical/index.ts";
import { keepUnder } from "../extensions.ts";
export { optional } from "../json/fields.ts";

/** Id of this dialect, and the key of its bag in `extensions`. */
export const dialectId = "anthropic-messages";

/** The bag of this dialect, or nothing where there is nothing to keep. */
export const ownExtensions = keepUnder(dialectId);

const finishReasons = new Map<string, UnifiedFinishReason>([
  ["end_turn", "stop"],
  ["stop_sequence", "stop"],
  ["pause_turn", "stop"],
  ["max_tokens", "length"],
  ["model_context_window_exceeded", "length"],
  ["tool_use", "tool_call"],
  ["refusal", "content_filter"],
  ["compaction", "compaction"],
]);

/** The word of the GenAI conventions for a stop reason; `error` for one that is not known. */
export function unifyFinishReason(raw: string): UnifiedFinishReason {
  return finishReasons.get(raw) ?? "error";
}
