// Room dialects, anthropic-messages: messages and content blocks of the wire, in requests and in answers, as canonical parts.
// Invariant: what a block says beyond its canonical part stays in `extensions` at its node, opaque things untouched;
// its `type` too, unless the kind of the part says the same.

import type { Message, Part } from "../../canonical/index.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { optional, ownExtensions } from "./schema.ts";

/** Decodes one message of a request. */
export function decodeMessage(wire: unknown): Message {
  if (!isJsonObject(wire)) return { role: "unknown", parts: [], ...ownExtensions({ value: wire }) };
  const fields = new FieldReader(wire);
  const role = fields.string("role") ?? "unknown";
  return { role, parts: decodeContent(fields, "content") ?? [], ...ownExtensions(fields.rest()) };
}

/** Decodes a field that is a text or a list of blocks; undefined when it is neither. */
export function decodeContent(fields: FieldReader, key: string): Part[] | undefined {
  const text = fields.string(key);
  return text === undefined ? fields.array(key)?.map(decodeBlock) : [{ type: "text", content: text }];
}

/** Decodes one content block of a request or an answer; one that is not known is a `generic` part with the whole block. */
export function decodeBlock(wire: unknown): Part {
  if (!isJsonObject(wire)) return { type: "generic", generic_type: "unknown", ...ownExtensions({ value: wire }) };
  const kind = typeof wire["type"] === "string" ? wire["type"] : "unknown";
  return decodeKnownBlock(kind, wire) ?? { type: "generic", generic_type: kind, ...ownExtensions(wire) };
}

/** What a fold without content needs of a block: of the commonest, what it does not count is left out. */
export function decodeBlockFacts(wire: JsonObject): Part {
  const { type, text, thinking, id, name, input } = wire;
  if (type === "text" && typeof text === "string") return { type, content: text };
  if (type === "thinking" && typeof thinking === "string") return { type: "reasoning", content: thinking };
  const isServerCall = type === "server_tool_use";
  if ((type !== "tool_use" && !isServerCall) || typeof name !== "string") return decodeBlock(wire);
  const call: Part = isServerCall
    ? { type: "server_tool_call", name, server_tool_call: { type: name } }
    : { type: "tool_call", name, arguments: input };
  if (typeof id === "string") call.id = id;
  return call;
}

function decodeKnownBlock(kind: string, wire: JsonObject): Part | undefined {
  const fields = new FieldReader(wire);
  switch (kind) {
    case "text": {
      const content = fields.string("text");
      fields.skip("type");
      return content === undefined ? undefined : { type: "text", content, ...ownExtensions(fields.rest()) };
    }
    case "thinking": {
      // Under `display: omitted` the text is empty and only the signature counts.
      const content = fields.string("thinking");
      fields.skip("type");
      return content === undefined ? undefined : { type: "reasoning", content, ...ownExtensions(fields.rest()) };
    }
    case "redacted_thinking":
      return { type: "reasoning", content: "", ...ownExtensions(wire) };
    case "tool_use":
      return decodeToolUse(fields, wire);
    case "tool_result":
      return decodeToolResult(fields);
    case "compaction": {
      const content = optional("content", fields.string("content"));
      // Null is a compaction that failed, or one whose text is still to be streamed: no content.
      fields.skipNull("content");
      fields.skip("type");
      return { type: "compaction", ...content, ...ownExtensions(fields.rest()) };
    }
    case "image":
    case "document":
      return decodeMedia(kind, fields);
    default:
      if (kind.endsWith("_tool_use")) return decodeServerToolUse(kind, fields, wire);
      if (kind.endsWith("_tool_result")) return decodeServerToolResult(kind, fields, wire);
      return undefined;
  }
}

function decodeToolUse(fields: FieldReader, wire: JsonObject): Part | undefined {
  const id = optional("id", fields.string("id"));
  const name = fields.string("name");
  if (name === undefined) return undefined;
  fields.skip("type", "input");
  const args = optional("arguments", wire["input"]);
  return { type: "tool_call", ...id, name, ...args, ...ownExtensions(fields.rest()) };
}

/** `response` is the content as on the wire (a text or a list of blocks), null where there is none. */
function decodeToolResult(fields: FieldReader): Part {
  const id = optional("id", fields.string("tool_use_id"));
  const response = fields.string("content") ?? fields.array("content") ?? null;
  fields.skip("type");
  return { type: "tool_call_response", ...id, response, ...ownExtensions(fields.rest()) };
}

/** `server_tool_use`, `mcp_tool_use` and their likes: calls that the provider runs itself. */
function decodeServerToolUse(kind: string, fields: FieldReader, wire: JsonObject): Part | undefined {
  const id = optional("id", fields.string("id"));
  const name = fields.string("name");
  if (name === undefined) return undefined;
  fields.skip("input");
  if (kind === "server_tool_use") fields.skip("type");
  return {
    type: "server_tool_call",
    ...id,
    name,
    server_tool_call: {
      type: kind === "server_tool_use" ? name : kind.slice(0, -"_tool_use".length),
      ...optional("input", wire["input"]),
    },
    ...ownExtensions(fields.rest()),
  };
}

/** `web_search_tool_result` becomes type `web_search`, and so on for every kind of result. */
function decodeServerToolResult(kind: string, fields: FieldReader, wire: JsonObject): Part {
  const id = optional("id", fields.string("tool_use_id"));
  fields.skip("type", "content");
  return {
    type: "server_tool_call_response",
    ...id,
    server_tool_call_response: {
      type: kind.slice(0, -"_tool_result".length),
      ...optional("content", wire["content"]),
    },
    ...ownExtensions(fields.rest()),
  };
}

function decodeMedia(modality: "image" | "document", fields: FieldReader): Part | undefined {
  const source = fields.nested("source");
  if (source === undefined) return undefined;
  const sourceKind = source.string("type");
  // A plain-text document reads as text: the types of block and source stay, so that it is still known to be a document.
  if (sourceKind === "text") source.putBack("type");
  else fields.skip("type");
  const part = decodeSource(sourceKind, modality, source);
  if (part === undefined) return undefined;
  return { ...part, ...ownExtensions(fields.rest()) };
}

function decodeSource(kind: string | undefined, modality: "image" | "document", source: FieldReader): Part | undefined {
  switch (kind) {
    case "base64": {
      const content = source.string("data");
      const mimeType = optional("mime_type", source.string("media_type"));
      return content === undefined ? undefined : { type: "blob", modality, ...mimeType, content };
    }
    case "url": {
      const uri = source.string("url");
      return uri === undefined ? undefined : { type: "uri", modality, uri };
    }
    case "file": {
      const fileId = source.string("file_id");
      return fileId === undefined ? undefined : { type: "file", modality, file_id: fileId };
    }
    case "text": {
      const content = source.string("data");
      return content === undefined ? undefined : { type: "text", content };
    }
    default:
      return undefined;
  }
}
