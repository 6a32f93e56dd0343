// Room dialects, openai-responses: items that this dialect decoded, put together again from their parts.
// Invariant: encoding what `item.ts` decoded gives the item again, but for the white space of a function's arguments.

import type { Part } from "../../canonical/index.ts";
import { isJsonObject, optional, type JsonObject } from "../json/fields.ts";
import { encodeOwnPart } from "./content-encode.ts";
import { dialectId } from "./schema.ts";

/** What a part keeps of its item (`item.ts`); undefined for a message's own content and for foreign parts. */
export function itemOf(part: Part): JsonObject | undefined {
  const item = part.extensions?.[dialectId]?.["item"];
  return isJsonObject(item) ? item : undefined;
}

/** The items of parts that all belong to some item. */
export function encodeOwnItems(parts: readonly Part[]): JsonObject[] {
  const groups: [Part, ...Part[]][] = [];
  for (const part of parts) {
    const isFirst = typeof itemOf(part)?.["type"] === "string" || part.type === "generic";
    const last = groups.at(-1);
    if (isFirst || last === undefined) groups.push([part]);
    else last.push(part);
  }
  return groups.map(([first, ...others]) => encodeGroup(first, others));
}

/** A call's arguments as the text they are on the wire. */
export function encodeArguments(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined ? "{}" : JSON.stringify(value);
}

function encodeGroup(first: Part, others: readonly Part[]): JsonObject {
  const facts = itemOf(first) ?? {};
  const kind = facts["type"];
  if (kind === "message") {
    return { role: "assistant", ...facts, content: [first, ...others].map(encodeOwnPart) };
  }
  if (kind === "reasoning") return encodeReasoning(facts, [first, ...others]);
  switch (first.type) {
    case "tool_call":
      return { ...optional("call_id", first.id), ...encodeCall(kind, first.name, first.arguments), ...facts };
    case "tool_call_response": {
      const response: unknown = first.response;
      const output = isPartList(response) ? response.map(encodeOwnPart) : response;
      const member = kind === "tool_search_output" ? "tools" : "output";
      return { ...optional("call_id", first.id), [member]: output, ...facts };
    }
    case "server_tool_call": {
      const { type, ...call } = first.server_tool_call;
      const name = kind === "mcp_call" || first.name !== type ? { name: first.name } : {};
      return { ...call, ...name, ...callIdBeside(first.id, facts), ...resultOf(others), ...facts };
    }
    case "server_tool_call_response":
      return { ...membersOf(first), ...callIdBeside(first.id, facts), ...facts };
    default:
      return facts;
  }
}

function encodeReasoning(facts: JsonObject, parts: readonly Part[]): JsonObject {
  const item: JsonObject = { ...facts };
  for (const part of parts) {
    const wire = encodeOwnPart(part);
    // One part alone without a type stands for an item without any text.
    const type = isJsonObject(wire) ? wire["type"] : undefined;
    if (parts.length === 1 && type === undefined) return item;
    const list = type === "summary_text" ? "summary" : "content";
    const earlier: unknown = item[list];
    item[list] = Array.isArray(earlier) ? [...(earlier as unknown[]), wire] : [wire];
  }
  return item;
}

function encodeCall(kind: unknown, name: string, value: unknown): JsonObject {
  switch (kind) {
    case "function_call":
      return { name, arguments: encodeArguments(value) };
    case "custom_tool_call":
      return { name, input: value };
    case "tool_search_call":
      return { arguments: value };
    default:
      return isJsonObject(value) ? value : {};
  }
}

/** Of the provider's own calls only searches for tools have a `call_id`; null stands in the facts. */
function callIdBeside(id: string | undefined, { type }: JsonObject): JsonObject {
  return type === "tool_search_call" || type === "tool_search_output" ? optional("call_id", id) : {};
}

function resultOf(parts: readonly Part[]): JsonObject {
  let result: JsonObject = {};
  for (const part of parts) {
    if (part.type === "blob") result = { ...result, result: part.content };
    else if (part.type === "server_tool_call_response") result = { ...result, ...membersOf(part) };
  }
  return result;
}

function membersOf(part: Part & { type: "server_tool_call_response" }): JsonObject {
  const { type: _type, ...members } = part.server_tool_call_response;
  return members;
}

const partTypes: ReadonlySet<unknown> = new Set(["text", "reasoning", "blob", "file", "uri", "generic"]);

/** Whether an output was decoded into parts, as against a list of the wire's own (shell outputs, found tools). */
export function isPartList(value: unknown): value is Part[] {
  return Array.isArray(value) && value.every((item: unknown) => isJsonObject(item) && partTypes.has(item["type"]));
}
