// Room dialects, cohere-chat: v2 messages and their content parts, in requests and in answers, as canonical messages.
// Invariant: what a message says beyond its canonical parts stays in `extensions` at its node (citations: the message's).

import { parseArguments, type Message, type Part } from "../../canonical/index.ts";
import { FieldReader, isJsonObject } from "../json/fields.ts";
import { ownExtensions } from "./schema.ts";

/** Decodes one message. Parts come in the order of a stream: content, tool plan, tool calls. */
export function decodeMessage(wire: unknown): Message {
  if (!isJsonObject(wire)) return { role: "unknown", parts: [], ...ownExtensions({ value: wire }) };
  const fields = new FieldReader(wire);
  const role = fields.string("role") ?? "unknown";
  const parts: Part[] = role === "tool" ? [decodeToolResult(fields)] : decodeContent(fields, "content");
  fields.skipNull("content", "tool_plan", "tool_calls", "citations");
  const plan = fields.filledString("tool_plan");
  if (plan !== undefined) parts.push(toolPlanPart(plan));
  for (const call of fields.array("tool_calls") ?? []) parts.push(decodeToolCall(call));
  return { role, parts, ...ownExtensions(fields.rest()) };
}

/** What the model says of its plan before it calls tools: reasoning, with the wire's name of it beside. */
export function toolPlanPart(content: string): Part {
  return { type: "reasoning", content, ...ownExtensions({ type: "tool_plan" }) };
}

/** Decodes a field that is a text or a list of content parts; none when it is neither. */
export function decodeContent(fields: FieldReader, key: string): Part[] {
  const text = fields.string(key);
  if (text !== undefined) return [{ type: "text", content: text }];
  return fields.array(key)?.map(decodePart) ?? [];
}

/** Decodes one content part; one that is not known (documents among them) is a `generic` part with the whole of it. */
export function decodePart(wire: unknown): Part {
  if (!isJsonObject(wire)) return { type: "generic", generic_type: "unknown", ...ownExtensions({ value: wire }) };
  const fields = new FieldReader(wire);
  const kind = fields.string("type") ?? "unknown";
  if (kind === "text" || kind === "thinking") {
    const content = fields.string(kind);
    if (content !== undefined) {
      return { type: kind === "text" ? "text" : "reasoning", content, ...ownExtensions(fields.rest()) };
    }
  }
  if (kind === "image_url") {
    const url = fields.nested("image_url")?.string("url");
    if (url !== undefined) return { ...imagePart(url), ...ownExtensions(fields.rest()) };
  }
  return { type: "generic", generic_type: kind, ...ownExtensions(wire) };
}

const dataUrl = /^data:([^;,]*);base64,/;

/** An image by its address, or by a data URL that holds it. */
export function imagePart(url: string): Part {
  const match = dataUrl.exec(url);
  if (match === null) return { type: "uri", modality: "image", uri: url };
  const [start, mimeType] = match;
  return {
    type: "blob",
    modality: "image",
    ...(mimeType === undefined || mimeType === "" ? {} : { mime_type: mimeType }),
    content: url.slice(start.length),
  };
}

/** Decodes one tool call; the text of its arguments is parsed as everywhere. */
export function decodeToolCall(wire: unknown): Part {
  if (!isJsonObject(wire)) return { type: "generic", generic_type: "tool_call", ...ownExtensions({ value: wire }) };
  const fields = new FieldReader(wire);
  const id = fields.string("id");
  const call = fields.nested("function");
  const name = call?.string("name");
  if (name === undefined) return { type: "generic", generic_type: "tool_call", ...ownExtensions(wire) };
  const text = call?.string("arguments");
  if (wire["type"] === "function") fields.skip("type");
  return {
    type: "tool_call",
    ...(id === undefined ? {} : { id }),
    name,
    ...(text === undefined ? {} : { arguments: parseArguments(text) }),
    ...ownExtensions(fields.rest()),
  };
}

/** `response` is the content as on the wire: a text, or a list of texts and documents. */
function decodeToolResult(fields: FieldReader): Part {
  const id = fields.string("tool_call_id");
  const response = fields.string("content") ?? fields.array("content") ?? null;
  return { type: "tool_call_response", ...(id === undefined ? {} : { id }), response };
}
