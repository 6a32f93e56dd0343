// Room dialects, openai-responses: items of input and output as canonical parts.
// Invariant: an item's facts beside its content (`type`, `id`, `status`, what is unknown) stand in `extensions` as `item`
// of its first part; further parts of the same item have an `item` without `type`. Nothing throws.

import { parseArguments, type Extensions, type Part } from "../../canonical/index.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { decodeContent, decodeContentPart } from "./content.ts";
import { dialectId, filledText, optional, ownExtensions } from "./schema.ts";

/**
 * One part of an item. `slot` is its place in the item, by which a stream's events name it; `text` what a stream tells of
 * it piece by piece, absent where it only ever comes whole.
 */
export interface ItemPart {
  slot: string;
  part: Part;
  text?: string;
}

/** The slot of a tool call's arguments. */
export const callSlot = "call";

/** Calls that the client runs, beside functions and custom tools: their name, and what stands for the arguments. */
const clientCalls: ReadonlyMap<string, { name: string; members: readonly string[] }> = new Map([
  ["computer_call", { name: "computer", members: ["action", "actions"] }],
  ["local_shell_call", { name: "local_shell", members: ["action"] }],
  ["shell_call", { name: "shell", members: ["action"] }],
  ["apply_patch_call", { name: "apply_patch", members: ["operation"] }],
]);

/** Calls that the provider runs, and the members that hold their result. `x_search_call` is xAI's. */
const serverCalls: ReadonlyMap<string, readonly string[]> = new Map([
  ["web_search_call", []],
  ["x_search_call", []],
  ["file_search_call", ["results"]],
  ["code_interpreter_call", ["outputs"]],
  ["mcp_call", ["output", "error"]],
  ["image_generation_call", ["result"]],
]);

const clientOutputs: ReadonlySet<string> = new Set([
  "function_call_output",
  "custom_tool_call_output",
  "computer_call_output",
  "local_shell_call_output",
  "shell_call_output",
  "apply_patch_call_output",
]);

/** Decodes one item into at least one part; one that is not known is a `generic` part with the whole item. */
export function decodeItem(wire: unknown): ItemPart[] {
  if (!isJsonObject(wire)) {
    return [whole({ type: "generic", generic_type: "unknown", ...ownExtensions({ value: wire }) })];
  }
  const kind = typeof wire["type"] === "string" ? wire["type"] : "unknown";
  return decodeKnownItem(kind, wire) ?? [whole({ type: "generic", generic_type: kind, ...itemFacts(wire) })];
}

/** The parts alone. */
export function decodeItemParts(wire: unknown): Part[] {
  return decodeItem(wire).map(({ part }) => part);
}

function decodeKnownItem(kind: string, wire: JsonObject): ItemPart[] | undefined {
  switch (kind) {
    case "message":
      return decodeMessageItem(wire);
    case "reasoning":
      return decodeReasoning(wire);
    case "function_call":
    case "custom_tool_call":
      return decodeCall(kind, wire);
    case "tool_search_call":
    case "tool_search_output":
      return decodeToolSearch(kind, wire);
    case "compaction":
    case "compaction_summary":
      return [whole({ type: "compaction", ...optional("id", filledText(wire["id"])), ...itemFacts(wire) })];
    default: {
      const clientCall = clientCalls.get(kind);
      if (clientCall !== undefined) return decodeClientCall(clientCall, wire);
      const results = serverCalls.get(kind);
      if (results !== undefined) return decodeServerCall(kind.slice(0, -"_call".length), results, wire);
      return clientOutputs.has(kind) ? decodeOutput(wire) : undefined;
    }
  }
}

function whole(part: Part): ItemPart {
  return { slot: "item", part };
}

/** The item's facts without what its parts say. */
function itemFacts(wire: JsonObject, ...taken: string[]): { extensions?: Extensions } {
  return ownExtensions({ item: without(wire, taken) });
}

function without(wire: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(wire).filter(([key]) => !keys.includes(key)));
}

/** An answer's message; its content is told part by part, so that parts of other items can stand between its likes. */
function decodeMessageItem(wire: JsonObject): ItemPart[] | undefined {
  const parts = Array.isArray(wire["content"]) ? decodeContent(wire["content"]) : undefined;
  if (parts === undefined || parts.length === 0) return undefined;
  const facts = without(wire, wire["role"] === "assistant" ? ["content", "role"] : ["content"]);
  return parts.map((part, index) => ({ slot: `content/${index}`, ...grow(placed(part, facts, index === 0)) }));
}

/** Summary first, then the reasoning itself; with neither (encrypted, or withheld) one part without content. */
function decodeReasoning(wire: JsonObject): ItemPart[] {
  const lists: JsonObject = {};
  const found: { slot: string; part: Part }[] = [];
  for (const list of ["summary", "content"]) {
    const parts = wire[list];
    if (!Array.isArray(parts) || parts.length === 0) continue;
    lists[list] = parts;
    for (const [index, part] of (parts as unknown[]).entries()) {
      found.push({ slot: `${list}/${index}`, part: decodeContentPart(part) });
    }
  }
  const facts = without(wire, Object.keys(lists));
  if (found.length === 0) return [whole({ type: "reasoning", content: "", ...ownExtensions({ item: facts }) })];
  return found.map(({ slot, part }, index) => ({ slot, ...grow(placed(part, facts, index === 0)) }));
}

function placed(part: Part, facts: JsonObject, isFirst: boolean): Part {
  const item = isFirst ? facts : optional("id", facts["id"]);
  return { ...part, ...ownExtensions({ ...part.extensions?.[dialectId], item }) };
}

function grow(part: Part): { part: Part; text?: string } {
  return part.type === "text" || part.type === "reasoning" ? { part, text: part.content } : { part };
}

function decodeCall(kind: "function_call" | "custom_tool_call", wire: JsonObject): ItemPart[] | undefined {
  const name = wire["name"];
  if (typeof name !== "string") return undefined;
  const member = kind === "function_call" ? "arguments" : "input";
  const text = wire[member];
  const isText = typeof text === "string";
  const value = kind === "function_call" && isText ? parseArguments(text) : (text ?? (isText ? "" : {}));
  const id = callId(wire);
  const part: Part = {
    type: "tool_call",
    ...optional("id", id.value),
    name,
    arguments: value,
    ...itemFacts(wire, "name", member, ...id.taken),
  };
  return [{ slot: callSlot, part, ...(isText ? { text } : {}) }];
}

/** Name and id of a call of a function or a custom tool; undefined for any other item, and for a call without a name. */
export function readCallHead(wire: JsonObject): Extract<Part, { type: "tool_call" }> | undefined {
  const { type, name } = wire;
  if ((type !== "function_call" && type !== "custom_tool_call") || typeof name !== "string") return undefined;
  const id = filledText(wire["call_id"]) ?? filledText(wire["id"]);
  return id === undefined ? { type: "tool_call", name } : { type: "tool_call", id, name };
}

/** Calls are answered by `call_id`; a server that has none is answered by the item's own id. */
function callId(wire: JsonObject): { value: string | undefined; taken: string[] } {
  const id = filledText(wire["call_id"]);
  return id === undefined ? { value: filledText(wire["id"]), taken: [] } : { value: id, taken: ["call_id"] };
}

function decodeClientCall(
  { name, members }: { name: string; members: readonly string[] },
  wire: JsonObject,
): ItemPart[] {
  const args: JsonObject = {};
  for (const member of members) if (wire[member] !== undefined) args[member] = wire[member];
  const id = callId(wire);
  return [
    whole({
      type: "tool_call",
      ...optional("id", id.value),
      name,
      arguments: args,
      ...itemFacts(wire, ...members, ...id.taken),
    }),
  ];
}

/** The call and, where it has come, its result; an image's result is the image. */
function decodeServerCall(type: string, results: readonly string[], wire: JsonObject): ItemPart[] {
  const came = results.filter((member) => wire[member] !== undefined && wire[member] !== null);
  const { id: _id, status: _status, type: _type, name, ...call } = without(wire, came);
  const id = optional("id", filledText(wire["id"]));
  const facts = Object.fromEntries(Object.entries(wire).filter(([key]) => ["type", "id", "status"].includes(key)));
  const callName = filledText(name);
  const parts: ItemPart[] = [
    {
      slot: callSlot,
      part: {
        type: "server_tool_call",
        ...id,
        name: callName ?? type,
        server_tool_call: { ...call, type },
        ...ownExtensions({ item: callName === undefined && name !== undefined ? { ...facts, name } : facts }),
      },
    },
  ];
  if (came.length === 0) return parts;
  const rest = ownExtensions({ item: id });
  const image = wire["result"];
  const format = filledText(wire["output_format"]);
  const result: Part =
    type === "image_generation" && typeof image === "string"
      ? {
          type: "blob",
          modality: "image",
          ...optional("mime_type", format === undefined ? undefined : `image/${format}`),
          content: image,
          ...rest,
        }
      : {
          type: "server_tool_call_response",
          ...id,
          server_tool_call_response: { ...Object.fromEntries(came.map((member) => [member, wire[member]])), type },
          ...rest,
        };
  parts.push({ slot: "result", part: result });
  return parts;
}

/** The search for tools is the provider's unless the item says that the client executes it. */
function decodeToolSearch(kind: "tool_search_call" | "tool_search_output", wire: JsonObject): ItemPart[] {
  const isClient = wire["execution"] === "client";
  const isCall = kind === "tool_search_call";
  const member = isCall ? "arguments" : "tools";
  const value = wire[member];
  const id = callId(wire);
  const head = { ...optional("id", id.value) };
  const facts = itemFacts(wire, member, ...id.taken);
  if (isClient && isCall)
    return [whole({ type: "tool_call", ...head, name: "tool_search", arguments: value, ...facts })];
  if (isClient) return [whole({ type: "tool_call_response", ...head, response: value ?? null, ...facts })];
  const server = { type: "tool_search", ...optional(member, value) };
  if (isCall) {
    return [whole({ type: "server_tool_call", ...head, name: "tool_search", server_tool_call: server, ...facts })];
  }
  return [whole({ type: "server_tool_call_response", ...head, server_tool_call_response: server, ...facts })];
}

/** `response` is the text, the list of content parts, or the object that the output is; null where there is none. */
function decodeOutput(wire: JsonObject): ItemPart[] {
  const { output } = wire;
  const response = Array.isArray(output) && wire["type"] !== "shell_call_output" ? decodeContent(output) : output;
  const id = callId(wire);
  return [
    whole({
      type: "tool_call_response",
      ...optional("id", id.value),
      response: response ?? null,
      ...itemFacts(wire, "output", ...id.taken),
    }),
  ];
}
