// Room dialects, ollama-chat: what the wire says. Its words, and how its leftovers are kept.
// Covers chat, generate, embed and the older embeddings of Ollama's native API (types of ollama-js 0.6.4, recorded
// traffic; read 2026-11-21).

import type { FinishReason, UnifiedFinishReason } from "../../canonical/index.ts";
import { keepUnder } from "../extensions.ts";
export { optional } from "../json/fields.ts";

/** Id of this dialect, and the key of its bag in `extensions`. */
export const dialectId = "ollama-chat";

/** The bag of this dialect, or nothing where there is nothing to keep. */
export const ownExtensions = keepUnder(dialectId);

const doneReasons = new Map<string, UnifiedFinishReason>([
  ["stop", "stop"],
  ["length", "length"],
  // A call without a prompt only loads or unloads the model: it did what was asked.
  ["load", "stop"],
  ["unload", "stop"],
]);

/** The finish reason for a `done_reason`. Calls of tools end with `stop` on this wire; a cut-off stays one (wire.md §1.14). */
export function decodeDoneReason(raw: string, calledTools: boolean): FinishReason {
  const unified = doneReasons.get(raw) ?? "error";
  return { unified: calledTools && unified === "stop" ? "tool_call" : unified, raw };
}
