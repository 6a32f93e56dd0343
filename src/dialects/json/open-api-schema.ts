// Room dialects, json: Google's subset of OpenAPI 3.0 schemas as JSON Schema.
// Invariant: nothing is dropped; only the words that mean the same in both are spelt JSON Schema's way.

import { isJsonObject } from "./fields.ts";

/** Members that hold one schema, a list of schemas, or schemas by name. */
const nestedMembers: ReadonlySet<string> = new Set(["items", "anyOf", "prefixItems", "additionalProperties"]);
const namedMembers: ReadonlySet<string> = new Set(["properties", "defs"]);

/** Type words in capitals become small, `nullable` a second type (Gemini API reference, `Schema`, read 2026-11-21). */
export function toJsonSchema(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(toJsonSchema);
  if (!isJsonObject(schema)) return schema;
  const { nullable, ...rest } = schema;
  const entries = Object.entries(rest).map(([key, value]): [string, unknown] => {
    if (key === "type" && typeof value === "string") return [key, spellType(value, nullable === true)];
    if (nestedMembers.has(key)) return [key, toJsonSchema(value)];
    if (namedMembers.has(key) && isJsonObject(value)) return [key, mapValues(value)];
    return [key, value];
  });
  return Object.fromEntries(entries);
}

function spellType(word: string, isNullable: boolean): string | string[] {
  const type = word.toLowerCase();
  return isNullable ? [type, "null"] : type;
}

function mapValues(schemas: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, toJsonSchema(schema)]));
}
