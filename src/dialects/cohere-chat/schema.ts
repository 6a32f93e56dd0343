// Room dialects, cohere-chat: what the wire says. Its words, and how its leftovers are kept.
// Covers Cohere's chat v2, and of v1 chat, generate and embed what telemetry needs (types of cohere-ai 8.1.0, recorded
// traffic; read 2026-11-21).

import type { UnifiedFinishReason } from "../../canonical/index.ts";
import { keepUnder } from "../extensions.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
export { optional } from "../json/fields.ts";

/** Id of this dialect, and the key of its bag in `extensions`. */
export const dialectId = "cohere-chat";

/** The bag of this dialect, or nothing where there is nothing to keep. */
export const ownExtensions = keepUnder(dialectId);

const finishReasons = new Map<string, UnifiedFinishReason>([
  ["COMPLETE", "stop"],
  ["STOP_SEQUENCE", "stop"],
  ["MAX_TOKENS", "length"],
  ["TOOL_CALL", "tool_call"],
  // v1 only: the context is full, the output was filtered, the caller went away.
  ["ERROR_LIMIT", "length"],
  ["ERROR_TOXIC", "content_filter"],
  ["USER_CANCEL", "stop"],
]);

/** The word of the GenAI conventions for a finish reason; `error` for ERROR, TIMEOUT and one that is not known. */
export function unifyFinishReason(raw: string): UnifiedFinishReason {
  return finishReasons.get(raw) ?? "error";
}

/** Cap of a name the provider chose, in characters: it goes into logs and counters. */
const maxNameLength = 64;

/** The event for what a stream's decoder does not know; `name` is the provider's. */
export function unrecognized(name: string): { type: "unrecognized"; name: string } {
  return { type: "unrecognized", name: name.slice(0, maxNameLength) };
}

/** The object that a frame's text is; undefined when it is none. */
export function parseFrame(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
