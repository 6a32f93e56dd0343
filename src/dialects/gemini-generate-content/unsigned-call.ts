// Room dialects, gemini-generate-content: calls in the history that Gemini 3 would refuse, because nobody signed them.
// Google gives a signature to the first call of each step and wants it back; a call of another model, or one whose client dropped the
// signature, has none. Invariant: only what lacks a signature gets the word that Google has for it, and that is told.

import type { Encoding } from "../encoding.ts";
import { isJsonObject } from "../json/fields.ts";

/** Google's own word for "do not check" (Gemini API, "Thought signatures", read 2026-11-21; docker/docker-agent#2155). */
const unchecked = "skip_thought_signature_validator";

/** Marks the first call of every turn of the model that lacks a signature, for models that check. */
export function signUnsignedCalls(contents: readonly unknown[], encoding: Encoding): void {
  if (!/gemini-(?:[3-9]|\d\d)|gemini-\w+-latest/.test(encoding.model)) return;
  let count = 0;
  for (const content of contents) {
    const parts: unknown = isJsonObject(content) ? content["parts"] : undefined;
    if (!Array.isArray(parts)) continue;
    const call: unknown = parts.find((part) => isJsonObject(part) && part["functionCall"] !== undefined);
    if (!isJsonObject(call) || call["thoughtSignature"] !== undefined) continue;
    call["thoughtSignature"] = unchecked;
    count++;
  }
  if (count === 0) return;
  const detail = `Gemini checks signatures of earlier calls: ${count} without one were marked as not to be checked`;
  encoding.lose(["messages"], "injected", detail, "tuning");
}
