// Room dialects, bedrock-converse: why an answer ended, in Converse's words.
// Invariant: a cut or filtered answer never reads as a complete one.

import type { FinishReason, UnifiedFinishReason } from "../../canonical/index.ts";
import { isStopReason, unifyFinishReason } from "./schema.ts";

const words: Readonly<Record<UnifiedFinishReason, string>> = {
  stop: "end_turn",
  length: "max_tokens",
  content_filter: "content_filtered",
  tool_call: "tool_use",
  compaction: "end_turn",
  error: "malformed_model_output",
};

/** The `stopReason`: the source's own word where it is one of Converse's too. Calls make a clean stop `tool_use`. */
export function encodeFinishReason(reason: FinishReason, hasCalls: boolean): string {
  const { unified, raw } = reason;
  if (unified === "stop" && hasCalls) return words.tool_call;
  return raw !== undefined && isStopReason(raw) && unifyFinishReason(raw) === unified ? raw : words[unified];
}
