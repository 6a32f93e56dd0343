// Room dialects, gemini-generate-content: what the wire says. Its words and numbers, and how its leftovers are kept.
// Covers generateContent and its neighbours at the Gemini API and at Vertex AI (wire.md §1.4, §1.9; recorded traffic; read 2026-11-21).

import type { FinishReason, UnifiedFinishReason } from "../../canonical/index.ts";
import { keepUnder } from "../extensions.ts";
import { type FieldReader, isJsonObject } from "../json/fields.ts";
export { optional } from "../json/fields.ts";

/** Id of this dialect, and the key of its bag in `extensions`. */
export const dialectId = "gemini-generate-content";

/** The bag of this dialect, or nothing where there is nothing to keep. */
export const ownExtensions = keepUnder(dialectId);

const originalNames = new Map<string, string>();

/**
 * The spelling of a field that this object uses. Google's JSON takes a field in lowerCamelCase and as snake_case alike, and
 * clients mix them in one body (recorded: python-genai sends `thinkingConfig.thinking_budget`). camelCase wins.
 */
export function spelled(fields: FieldReader, name: string): string {
  if (fields.has(name)) return name;
  let original = originalNames.get(name);
  if (original === undefined) {
    original = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    originalNames.set(name, original);
  }
  return fields.has(original) ? original : name;
}

/** A repeated field: Google takes one object without its list too (recorded: `systemInstruction.parts` as an object). */
export function takeList(fields: FieldReader, name: string): unknown[] | undefined {
  const key = spelled(fields, name);
  const list = fields.array(key);
  if (list !== undefined) return list;
  const single = fields.object(key);
  return single === undefined ? undefined : [single];
}

/** The name in lowerCamelCase of a field in either spelling. */
export function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}

/** The name of a model without the `models/` that the API writes before it. */
export function bareModel(name: string): string {
  return name.startsWith("models/") ? name.slice("models/".length) : name;
}

const finishReasons: ReadonlyMap<string, UnifiedFinishReason> = new Map([
  ["STOP", "stop"],
  // The model paused and can go on.
  ["CONTINUATION", "stop"],
  ["MAX_TOKENS", "length"],
  ["SAFETY", "content_filter"],
  ["RECITATION", "content_filter"],
  ["BLOCKLIST", "content_filter"],
  ["PROHIBITED_CONTENT", "content_filter"],
  ["SPII", "content_filter"],
  ["MODEL_ARMOR", "content_filter"],
  // Written as numbers under `$alt=json;enum-encoding=int` (recorded). From 6 on, the two APIs number differently.
  ["1", "stop"],
  ["2", "length"],
  ["3", "content_filter"],
  ["4", "content_filter"],
]);

/**
 * The finish reason for the wire's word or number; undefined for what says that there is none yet. `called` says that the
 * answer calls a tool: the wire has no word for it and says STOP, and only a clean stop is taken so (wire.md §1.14).
 */
export function readFinishReason(wire: unknown, called: boolean): FinishReason | undefined {
  if (typeof wire !== "string" && typeof wire !== "number") return undefined;
  const raw = String(wire);
  if (raw === "" || raw === "0" || raw === "FINISH_REASON_UNSPECIFIED") return undefined;
  if (called && (raw === "STOP" || raw === "1")) return { unified: "tool_call", raw };
  return { unified: finishReasons.get(raw) ?? (raw.startsWith("IMAGE_") ? "content_filter" : "error"), raw };
}

/** Why the prompt itself was refused; undefined when it was not. Such an answer has no candidates. */
export function readBlockReason(promptFeedback: unknown): FinishReason | undefined {
  const reason = isJsonObject(promptFeedback)
    ? (promptFeedback["blockReason"] ?? promptFeedback["block_reason"])
    : undefined;
  if (typeof reason !== "string" && typeof reason !== "number") return undefined;
  const raw = String(reason);
  if (raw === "" || raw === "0" || /^BLOCKED?_REASON_UNSPECIFIED$/.test(raw)) return undefined;
  return { unified: "content_filter", raw };
}
