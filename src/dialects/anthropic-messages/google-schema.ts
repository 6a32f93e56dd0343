// Room dialects, anthropic-messages: Google's own subset of OpenAPI as JSON Schema, for tools of Gemini's clients.
// Invariant: only spelling changes: the names of types, and `nullable`; every other keyword stays as it is.

import { isJsonObject, type JsonObject } from "../json/fields.ts";

/** Members that hold a schema, a list of schemas, or schemas by name. */
const nested: ReadonlySet<string> = new Set(["items", "anyOf", "prefixItems", "additionalProperties"]);

/** Deeper schemas stay as they are: no tool has any. */
const maxDepth = 64;

/** `{"type":"STRING","nullable":true}` becomes `{"type":["string","null"]}` (Gemini API reference, read 2026-11-21). */
export function toJsonSchema(schema: unknown, depth = 0): unknown {
  if (depth > maxDepth) return schema;
  if (Array.isArray(schema)) return schema.map((item) => toJsonSchema(item, depth + 1));
  if (!isJsonObject(schema)) return schema;
  const converted: JsonObject = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === "nullable") continue;
    if (key === "type" && typeof value === "string") converted[key] = value.toLowerCase();
    else if (key === "properties" && isJsonObject(value)) converted[key] = mapValues(value, depth);
    else converted[key] = nested.has(key) ? toJsonSchema(value, depth + 1) : value;
  }
  if (schema["nullable"] === true && typeof converted["type"] === "string")
    converted["type"] = [converted["type"], "null"];
  return converted;
}

function mapValues(schemas: JsonObject, depth: number): JsonObject {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, toJsonSchema(schema, depth + 1)]));
}
