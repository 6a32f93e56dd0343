// Room dialects, bedrock-converse: parts that this dialect decoded, as the blocks they were; in requests and in answers.
// Invariant: what decoding left over is back at its place, opaque things untouched.

import type { Message, Part, TextPart } from "../../canonical/index.ts";
import { isJsonObject, type JsonObject, optional } from "../json/fields.ts";
import { encodeOwnMedia } from "./media-encode.ts";
import { mergeOwn } from "../json/merge.ts";
import { dialectId, mediaModalities } from "./schema.ts";

/** The counterpart of `decodeMessage`. */
export function encodeOwnMessage(message: Message): unknown {
  const own = ownBag(message);
  if (message.role === "unknown" && isWhole(own)) return own["value"];
  return { role: message.role, content: message.parts.map(encodeOwnBlock), ...own };
}

/** The counterpart of `decodeBlock`. */
export function encodeOwnBlock(part: Part): unknown {
  const own = ownBag(part);
  switch (part.type) {
    case "text":
      return encodeText(part, own);
    case "reasoning": {
      const text =
        part.content === "" && own["reasoningText"] === undefined ? {} : { reasoningText: { text: part.content } };
      return { reasoningContent: mergeOwn(text, own) };
    }
    case "tool_call": {
      const call = { ...optional("toolUseId", part.id), name: part.name, ...optional("input", part.arguments) };
      return { toolUse: mergeOwn(call, own) };
    }
    case "server_tool_call": {
      const input = optional("input", part.server_tool_call["input"]);
      const call = { ...optional("toolUseId", part.id), name: part.name, ...input, type: "server_tool_use" };
      return { toolUse: mergeOwn(call, own) };
    }
    case "tool_call_response": {
      const content = optional("content", part.response ?? undefined);
      return { toolResult: mergeOwn({ ...optional("toolUseId", part.id), ...content }, own) };
    }
    case "server_tool_call_response": {
      const { type, content } = part.server_tool_call_response;
      const result = { ...optional("toolUseId", part.id), type: `${type}_result`, ...optional("content", content) };
      return { toolResult: mergeOwn(result, own) };
    }
    case "blob":
    case "uri":
    case "file":
      return mergeOwn(encodeOwnMedia(part), { [part.modality]: own });
    case "compaction":
      return own;
    case "generic":
      return part.generic_type === "unknown" && isWhole(own) ? own["value"] : own;
  }
}

/** Text may be that of a guarded text, of a document, or of a text with its sources. */
function encodeText({ content }: TextPart, own: JsonObject): JsonObject {
  const { guardContent, citations, content: pieces, ...beside } = own;
  if (isJsonObject(guardContent)) {
    return { guardContent: mergeOwn({ text: { text: content } }, guardContent), ...citedBeside(own), ...beside };
  }
  const media = Object.keys(beside).find((key) => mediaModalities.has(key));
  if (media !== undefined) {
    const facts = own[media];
    return { [media]: mergeOwn({ source: { text: content } }, isJsonObject(facts) ? facts : {}) };
  }
  if (citations === undefined && pieces === undefined) return { text: content, ...beside };
  return { citationsContent: { content: [{ text: content }], ...own } };
}

function citedBeside({ citations, content }: JsonObject): JsonObject {
  return { ...optional("citations", citations), ...optional("content", content) };
}

function ownBag(node: { extensions?: Part["extensions"] }): JsonObject {
  return node.extensions?.[dialectId] ?? {};
}

function isWhole(own: JsonObject): boolean {
  return Object.keys(own).length === 1 && "value" in own;
}
