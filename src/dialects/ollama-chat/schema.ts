// Room dialects, ollama-chat: what the wire says. Its words, and how its leftovers are kept.
// Covers chat, generate, embed and the older embeddings of Ollama's native API (types of ollama-js 0.6.4, recorded
// traffic; read 2026-11-21).

import type { Extensions, FinishReason, UnifiedFinishReason } from "../../canonical/index.ts";
import type { JsonObject } from "../json/fields.ts";

/** Id of this dialect, and the key of its bag in `extensions`. */
export const dialectId = "ollama-chat";

/** The bag of this dialect, or nothing where there is nothing to keep. */
export function ownExtensions(...bags: (JsonObject | undefined)[]): { extensions?: Extensions } {
  const kept = bags.filter((bag) => bag !== undefined);
  return kept.length === 0 ? {} : { extensions: { [dialectId]: Object.assign({}, ...kept) as JsonObject } };
}

/** A field for spreading into a node; nothing when the value is undefined. */
export function optional<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]: V });
}

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
