// Room dialects, bedrock-converse: what decoding left over, put back where it was.
// Invariant: a field that was left over wins; lists are never merged.

import { isJsonObject, type JsonObject } from "../json/fields.ts";

/** `fields` with `kept` laid over it, object by object; neither is changed. */
export function restoreFields(fields: JsonObject, kept: JsonObject): JsonObject {
  const merged: JsonObject = { ...fields };
  for (const [key, value] of Object.entries(kept)) {
    const before = merged[key];
    merged[key] = isJsonObject(before) && isJsonObject(value) ? restoreFields(before, value) : value;
  }
  return merged;
}
