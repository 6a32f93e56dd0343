// Room dialects, bedrock-converse: messages and content blocks of the wire, in requests and in answers, as canonical parts.
// A block is an object with one member that names its kind. Invariant: what a block says beyond its canonical part stays
// in `extensions` at its node, opaque things (signatures, redacted reasoning) untouched; nothing throws.

import type { Message, Part } from "../../canonical/index.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { mediaModalities, mimeTypeOf, optional, ownExtensions } from "./schema.ts";

/** Decodes one message. */
export function decodeMessage(wire: unknown): Message {
  if (!isJsonObject(wire)) return { role: "unknown", parts: [], ...ownExtensions({ value: wire }) };
  const fields = new FieldReader(wire);
  const role = fields.string("role") ?? "unknown";
  const parts = (fields.array("content") ?? []).map(decodeBlock);
  return { role, parts, ...ownExtensions(fields.rest()) };
}

/** Decodes one content block, of a message or of the system prompt; one that is not known is `generic` with the whole block. */
export function decodeBlock(wire: unknown): Part {
  if (!isJsonObject(wire)) return { type: "generic", generic_type: "unknown", ...ownExtensions({ value: wire }) };
  for (const key of Object.keys(wire)) {
    const part = decodeMember(key, wire[key]);
    if (part === undefined) continue;
    const { [key]: _decoded, ...beside } = wire;
    if (Object.keys(beside).length === 0) return part;
    return { ...part, ...ownExtensions(part.extensions?.["bedrock-converse"], beside) };
  }
  return { type: "generic", generic_type: Object.keys(wire)[0] ?? "unknown", ...ownExtensions(wire) };
}

/** The part of a block's member; undefined when it is not known or not of the type that the wire promises. */
function decodeMember(key: string, value: unknown): Part | undefined {
  if (key === "text") return typeof value === "string" ? { type: "text", content: value } : undefined;
  if (!isJsonObject(value)) return undefined;
  const fields = new FieldReader(value);
  switch (key) {
    case "toolUse":
      return decodeToolUse(fields, value);
    case "toolResult":
      return decodeToolResult(fields);
    case "reasoningContent":
      return decodeReasoning(fields);
    case "citationsContent":
      return decodeCitations(fields, value);
    case "guardContent":
      return decodeGuarded(fields);
    default:
      return mediaModalities.has(key) ? decodeMedia(key, fields) : undefined;
  }
}

/** A call whose `type` is `server_tool_use` is run by Bedrock itself (Nova's system tools, recorded). */
function decodeToolUse(fields: FieldReader, wire: JsonObject): Part | undefined {
  const name = fields.string("name");
  if (name === undefined) return undefined;
  const id = optional("id", fields.string("toolUseId"));
  const isServerTool = wire["type"] === "server_tool_use";
  if (isServerTool || wire["type"] === "tool_use") fields.skip("type");
  fields.skip("input");
  const { input } = wire;
  if (isServerTool) {
    const call = { type: name, ...optional("input", input) };
    return { type: "server_tool_call", ...id, name, server_tool_call: call, ...ownExtensions(fields.rest()) };
  }
  return { type: "tool_call", ...id, name, ...optional("arguments", input), ...ownExtensions(fields.rest()) };
}

const serverResultType = /^(.+)_result$/;

/** `response` is the content as on the wire (a list of blocks), null where there is none. */
function decodeToolResult(fields: FieldReader): Part {
  const id = optional("id", fields.string("toolUseId"));
  const content = fields.array("content");
  const type = fields.string("type");
  const serverTool = type === undefined || type === "tool_result" ? undefined : serverResultType.exec(type)?.[1];
  if (serverTool !== undefined) {
    const response = { type: serverTool, ...optional("content", content) };
    return {
      type: "server_tool_call_response",
      ...id,
      server_tool_call_response: response,
      ...ownExtensions(fields.rest()),
    };
  }
  if (type !== "tool_result") fields.putBack("type");
  return { type: "tool_call_response", ...id, response: content ?? null, ...ownExtensions(fields.rest()) };
}

/** Redacted reasoning has no text: its bytes stay as they are on the wire, in base64. */
function decodeReasoning(fields: FieldReader): Part {
  const content = fields.nested("reasoningText")?.string("text") ?? "";
  return { type: "reasoning", content, ...ownExtensions(fields.rest()) };
}

/** Text with its sources. Streams tell the same as text and citations of one block, so both become one text part. */
function decodeCitations(fields: FieldReader, wire: JsonObject): Part {
  const content = Array.isArray(wire["content"]) ? (wire["content"] as unknown[]) : [];
  const texts = content.map((item) => (isJsonObject(item) && typeof item["text"] === "string" ? item["text"] : ""));
  // Of several pieces, where one ends is a fact of its own.
  const isPlain = content.length === 1 && isJsonObject(content[0]) && Object.keys(content[0]).join() === "text";
  if (isPlain || (Array.isArray(wire["content"]) && content.length === 0)) fields.skip("content");
  return { type: "text", content: texts.join(""), ...ownExtensions(fields.rest()) };
}

/** Text that a guardrail is to look at; the empty member says that it was such. */
function decodeGuarded(fields: FieldReader): Part | undefined {
  const text = fields.nested("text");
  const content = text?.string("text");
  if (content === undefined) return undefined;
  return { type: "text", content, ...ownExtensions({ guardContent: fields.rest() ?? {} }) };
}

function decodeMedia(key: string, fields: FieldReader): Part | undefined {
  const modality = mediaModalities.get(key);
  const source = fields.nested("source");
  if (modality === undefined || source === undefined) return undefined;
  const format = fields.string("format");
  const mimeType = optional("mime_type", format === undefined ? undefined : mimeTypeOf(modality, format));
  const bytes = source.string("bytes");
  if (bytes !== undefined) {
    return { type: "blob", modality, ...mimeType, content: bytes, ...ownExtensions(fields.rest()) };
  }
  const uri = source.nested("s3Location")?.string("uri");
  if (uri !== undefined) return { type: "uri", modality, ...mimeType, uri, ...ownExtensions(fields.rest()) };
  const text = source.string("text");
  if (text === undefined) return undefined;
  // A plain-text document reads as text: the member says that it is one.
  fields.putBack("format");
  return { type: "text", content: text, ...ownExtensions({ [key]: fields.rest() ?? {} }) };
}
