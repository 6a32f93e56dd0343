// Room dialects, gemini-generate-content: puts what the decode half kept in `extensions` back into the wire object it came from.
// Invariant: the kept value wins, in the spelling it came in; a field is never written in both of its spellings.

import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { camelCase } from "./schema.ts";

/** `wire` with the fields of `kept` in it; objects that both have are merged. */
export function restoreFields(wire: JsonObject, kept: JsonObject): JsonObject {
  const merged = { ...wire };
  for (const [name, value] of Object.entries(kept)) {
    const written = [name, camelCase(name)].find((spelling) => Object.hasOwn(merged, spelling));
    const known = written === undefined ? undefined : merged[written];
    merged[written ?? name] = isJsonObject(known) && isJsonObject(value) ? restoreFields(known, value) : value;
  }
  return merged;
}

/** A field of an object in either of its spellings. */
export function readSpelled(object: unknown, name: string): unknown {
  if (!isJsonObject(object)) return undefined;
  for (const [key, value] of Object.entries(object)) if (camelCase(key) === name) return value;
  return undefined;
}

/** What a node is that the decode half could not read as an object: it was kept whole, as `value`. */
export function readWhole(kept: JsonObject): { value: unknown } | undefined {
  const names = Object.keys(kept);
  return names.length === 1 && names[0] === "value" ? { value: kept["value"] } : undefined;
}
