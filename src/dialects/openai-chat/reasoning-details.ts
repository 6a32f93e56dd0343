// Room dialects, openai-chat: puts streamed `reasoning_details` together again (OpenRouter's form, also Snowflake's and Doubleword's).
// Invariant: the pieces of one detail, told by its type and index, become the one object that the whole answer has.

import { isJsonObject, type JsonObject } from "../json/fields.ts";

/** Collects the pieces of one choice. */
export interface ReasoningDetails {
  push(detail: unknown): void;
  /** The details in order of first appearance. */
  result(): unknown[];
}

/** Members that grow piece by piece; any other member is replaced by its later value. */
const growingKeys = ["text", "summary", "data"];

/** Starts empty. A signature comes in a piece of its own, without text (recorded: openrouter). */
export function createReasoningDetails(): ReasoningDetails {
  const details: unknown[] = [];
  const byPlace = new Map<string, JsonObject>();
  return {
    push(detail) {
      if (!isJsonObject(detail) || typeof detail["index"] !== "number") {
        details.push(detail);
        return;
      }
      const place = `${String(detail["type"])} ${detail["index"]}`;
      const known = byPlace.get(place);
      if (known === undefined) {
        const copy = { ...detail };
        byPlace.set(place, copy);
        details.push(copy);
        return;
      }
      for (const [key, value] of Object.entries(detail)) {
        const before = known[key];
        if (growingKeys.includes(key) && typeof before === "string" && typeof value === "string") {
          known[key] = before + value;
        } else if (value !== null) known[key] = value;
      }
    },
    result: () => details,
  };
}
