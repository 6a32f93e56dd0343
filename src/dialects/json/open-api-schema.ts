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
    const word = key === "type" ? nameType(value) : undefined;
    if (word !== undefined) return [key, spellType(word, nullable === true)];
    if (nestedMembers.has(key)) return [key, toJsonSchema(value)];
    if (namedMembers.has(key) && isJsonObject(value)) return [key, mapValues(value)];
    return [key, value];
  });
  return Object.fromEntries(entries);
}

/** The members of Google's enumeration `Type` in order: its JSON may name one by its number (recorded: langchaingo, google-cloud-aiplatform). */
const typeNames = ["TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"];

function nameType(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "number" && value > 0 ? typeNames[value] : undefined;
}

function spellType(word: string, isNullable: boolean): string | string[] {
  const type = word.toLowerCase();
  return isNullable ? [type, "null"] : type;
}

function mapValues(schemas: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, toJsonSchema(schema)]));
}
