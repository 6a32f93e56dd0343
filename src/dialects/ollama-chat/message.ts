// Room dialects, ollama-chat: messages of the wire, in requests and in answers, as canonical messages.
// Invariant: what a message says beyond its canonical parts stays in `extensions` at its node.

import { parseArguments, type Message, type Part } from "../../canonical/index.ts";
import { FieldReader, isJsonObject, isString, type JsonObject } from "../json/fields.ts";
import { ownExtensions } from "./schema.ts";

/** Decodes one message. Parts come in the order of a stream: thinking, text, images, tool calls. Empty text is no part. */
export function decodeMessage(wire: unknown): Message {
  if (!isJsonObject(wire)) return { role: "unknown", parts: [], ...ownExtensions({ value: wire }) };
  const fields = new FieldReader(wire);
  const role = fields.string("role") ?? "unknown";
  const parts: Part[] = [];
  fields.skipNull("thinking", "content", "images", "tool_calls");
  const thinking = fields.filledString("thinking");
  if (thinking !== undefined) parts.push({ type: "reasoning", content: thinking });
  const text = role === "tool" ? undefined : fields.filledString("content");
  if (role === "tool") parts.push(decodeToolResult(fields));
  if (text !== undefined) parts.push({ type: "text", content: text });
  for (const content of fields.arrayOf("images", isString) ?? []) parts.push(imagePart(content));
  for (const call of fields.array("tool_calls") ?? []) parts.push(decodeToolCall(call));
  return { role, parts, ...ownExtensions(fields.rest()) };
}

/** An image in bare base64: the wire names no media type. */
export function imagePart(content: string): Part {
  return { type: "blob", modality: "image", content };
}

/** Decodes one tool call. `arguments` is an object on this wire; ids came late (recorded: 2025) and may be missing. */
function decodeToolCall(wire: unknown): Part {
  if (!isJsonObject(wire)) return { type: "generic", generic_type: "tool_call", ...ownExtensions({ value: wire }) };
  const fields = new FieldReader(wire);
  const call = fields.nested("function");
  const name = call?.string("name");
  if (call === undefined || name === undefined) return wholeCall(wire);
  const id = fields.filledString("id");
  const text = call.string("arguments");
  const stated = text === undefined ? call.object("arguments") : parseArguments(text);
  if (wire["type"] === "function") fields.skip("type");
  return {
    type: "tool_call",
    ...(id === undefined ? {} : { id }),
    name,
    // A call without arguments is one of none, as everywhere.
    arguments: stated ?? {},
    ...ownExtensions(fields.rest()),
  };
}

function wholeCall(wire: JsonObject): Part {
  return { type: "generic", generic_type: "tool_call", ...ownExtensions(wire) };
}

/** The name of the tool (`tool_name`) is all that older servers and clients have in place of an id; it stays at the message. */
function decodeToolResult(fields: FieldReader): Part {
  const id = fields.filledString("tool_call_id");
  return {
    type: "tool_call_response",
    ...(id === undefined ? {} : { id }),
    response: fields.string("content") ?? null,
  };
}
