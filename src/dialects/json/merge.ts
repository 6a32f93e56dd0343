// Room dialects, json: puts what a decoder left over back beside what an encoder wrote.
// Invariant: neither argument is written to.

import { isJsonObject, type JsonObject } from "./fields.ts";

/** `wire` with the members of `own`; objects that are in both are merged, of anything else `own` has the say. */
export function mergeOwn(wire: JsonObject, own: JsonObject): JsonObject {
  const merged: JsonObject = { ...wire };
  for (const [key, value] of Object.entries(own)) {
    // As everywhere, a member of that name must not reach Object.prototype.
    if (key === "__proto__") continue;
    const before = merged[key];
    merged[key] = isJsonObject(before) && isJsonObject(value) ? mergeOwn(before, value) : value;
  }
  return merged;
}
