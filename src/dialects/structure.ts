// Room dialects: extensions that only say how a node was written, so that they mean nothing to another dialect.
// Invariant: what counts as such carries no content, no instruction and nothing opaque.

import type { Extensions } from "../canonical/index.ts";
import type { DialectId } from "./dialect.ts";
import type { CanonicalPath, Encoding } from "./encoding.ts";
import { isJsonObject } from "./json/fields.ts";

/** The names that dialects have for what a canonical part is anyway. */
const sameKinds: ReadonlySet<unknown> = new Set([
  "input_text",
  "text",
  "input_image",
  "input_file",
  "summary_text",
  "reasoning_text",
  "thinking",
  "tool_plan",
  "function_call",
  "message",
]);

/**
 * Marks what a message, part or tool says of its own form as carried: names of kinds, empty lists. Ids and states that its
 * provider gave it are told, as a loss of no weight.
 */
export function takeStructure(encoding: Encoding, node: { extensions?: Extensions }, path: CanonicalPath): void {
  for (const dialect in node.extensions) {
    if (dialect === encoding.target) continue;
    const bag = node.extensions[dialect] ?? {};
    for (const name in bag) {
      if (!isStructure(dialect, name, bag[name])) continue;
      // Keys of bags are ids of dialects, whatever the type of the record says.
      encoding.take(node, dialect as DialectId, name);
      if (isIdentity(name, bag[name])) {
        encoding.lose(path, "unsupported", `${encoding.target} has no ids and states of items`, "tuning");
      }
    }
  }
}

function isIdentity(name: string, value: unknown): boolean {
  if (name === "item") return isJsonObject(value) && Object.keys(value).some((key) => key !== "type");
  return name === "id" || name === "status" || name === "caller";
}

/** Whether an extension only says how its node was written. */
export function isStructure(dialect: string, name: string, value: unknown): boolean {
  if (Array.isArray(value) && value.length === 0) return true;
  switch (name) {
    case "type":
      return sameKinds.has(value);
    case "is_error":
    case "strict":
      return value === false;
    case "status":
      return value === "success" || dialect === "openai-responses";
    case "id":
      return dialect === "openai-responses";
    case "item":
      // Encrypted reasoning is no structure: who cannot carry it tells so.
      return isJsonObject(value) && (value["encrypted_content"] ?? undefined) === undefined;
    case "caller":
      return isJsonObject(value) && value["type"] === "direct";
    default:
      return false;
  }
}
