// Room dialects, anthropic-messages: what the wire says. Its words, and how its leftovers are kept.
// Covers the Messages API, GA and beta (types of @anthropic-ai/sdk 1.11.0, read 2026-11-21; recorded traffic).

import type { Extensions, UnifiedFinishReason } from "../../canonical/index.ts";
import type { JsonObject } from "../json/fields.ts";

/** Id of this dialect, and the key of its bag in `extensions`. */
export const dialectId = "anthropic-messages";

/** The bag of this dialect, or nothing where there is nothing to keep. */
export function ownExtensions(...bags: (JsonObject | undefined)[]): { extensions?: Extensions } {
  const kept = bags.filter((bag) => bag !== undefined);
  return kept.length === 0 ? {} : { extensions: { [dialectId]: Object.assign({}, ...kept) as JsonObject } };
}

/** A field for spreading into a node; nothing when the value is undefined. */
export function optional<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]: V });
}

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
