// Room dialects, openai-chat: messages of the wire, in requests and in answers, as canonical messages.
// Invariant: what a message says beyond the canonical form stays in `extensions` at its node.

import { parseArguments, type Message, type Part } from "../../canonical/index.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { audioMimeTypes, mediaPartModalities, ownExtensions } from "./schema.ts";

/**
 * Decodes one message. Parts come in a fixed order: reasoning, content, refusal, audio, tool calls. An answer's empty
 * text gives no part; a request's does, because the client wrote it.
 */
export function decodeMessage(wire: JsonObject, origin: "request" | "answer"): Message {
  const fields = new FieldReader(wire);
  const wireRole = fields.string("role") ?? (origin === "answer" ? "assistant" : "user");
  const isToolResult = wireRole === "tool" || wireRole === "function";
  const name = fields.filledString("name");
  const parts: Part[] = [];
  const reasoning = decodeReasoning(fields);
  if (reasoning !== undefined) parts.push(reasoning);
  fields.skipNull("content", "refusal", "audio", "tool_calls", "function_call", "reasoning_content", "reasoning");
  if (isToolResult) parts.push(decodeToolResult(fields, name));
  else parts.push(...decodeContent(fields, origin));
  const refusal = fields.filledString("refusal");
  if (refusal !== undefined) parts.push(refusalPart(refusal));
  const audio = fields.object("audio");
  if (audio !== undefined) parts.push(...decodeAudio(audio));
  for (const call of fields.array("tool_calls") ?? []) parts.push(decodeToolCall(call));
  const functionCall = fields.object("function_call");
  if (functionCall !== undefined) parts.push(...decodeFunctionCall(functionCall));
  return {
    role: isToolResult ? "tool" : wireRole,
    parts,
    ...(name === undefined ? {} : { name }),
    ...ownExtensions(fields.rest(), wireRole === "function" ? { role: "function" } : undefined),
  };
}

/** Text that the model gave instead of an answer. */
export function refusalPart(content: string): Part {
  return { type: "text", content, ...ownExtensions({ type: "refusal" }) };
}

/** The text of one `reasoning_details` entry (OpenRouter's form); "" for encrypted ones. */
export function reasoningDetailText(detail: unknown): string {
  if (!isJsonObject(detail)) return "";
  if (typeof detail["text"] === "string") return detail["text"];
  return typeof detail["summary"] === "string" ? detail["summary"] : "";
}

/**
 * Reasoning by the three names in use: `reasoning_content` (DeepSeek), `reasoning` (Groq, Ollama), `reasoning_details`
 * (OpenRouter, Snowflake). The first that has text is the content; the details travel whole beside it. Where both words
 * are there, `reasoning` stays in the message's extensions.
 */
function decodeReasoning(fields: FieldReader): Part | undefined {
  const text = fields.filledString("reasoning_content") ?? fields.filledString("reasoning");
  const details = fields.array("reasoning_details");
  const hasDetails = details !== undefined && details.length > 0;
  if (text === undefined && !hasDetails) return undefined;
  const content = text ?? (details ?? []).map(reasoningDetailText).join("");
  return { type: "reasoning", content, ...ownExtensions(hasDetails ? { reasoning_details: details } : undefined) };
}

function decodeContent(fields: FieldReader, origin: "request" | "answer"): Part[] {
  const text = fields.string("content");
  if (text !== undefined) return text === "" && origin === "answer" ? [] : [{ type: "text", content: text }];
  const wireParts = fields.array("content") ?? [];
  return wireParts.map(decodePart);
}

function decodeToolResult(fields: FieldReader, functionName: string | undefined): Part {
  const id = fields.filledString("tool_call_id");
  const text = fields.string("content");
  // Several text parts are one result; with anything else among them the wire form is the only whole one.
  const response = text ?? fields.array("content")?.map(decodePart) ?? null;
  return {
    type: "tool_call_response",
    response,
    ...(id === undefined ? {} : { id }),
    ...ownExtensions(functionName === undefined ? undefined : { name: functionName }),
  };
}

/** Decodes one content part, of any kind any provider was seen to use. */
export function decodePart(wire: unknown): Part {
  if (!isJsonObject(wire)) return { type: "generic", generic_type: "unknown", ...ownExtensions({ value: wire }) };
  const fields = new FieldReader(wire);
  const kind = fields.string("type") ?? "unknown";
  switch (kind) {
    case "text": {
      const content = fields.string("text");
      if (content === undefined) break;
      return { type: "text", content, ...ownExtensions(fields.rest()) };
    }
    case "refusal": {
      const content = fields.string("refusal");
      if (content === undefined) break;
      return { type: "text", content, ...ownExtensions({ type: "refusal" }, fields.rest()) };
    }
    case "input_audio":
      return decodeInputAudio(fields, wire) ?? wholePart(kind, wire);
    case "file":
      return decodeFile(fields) ?? wholePart(kind, wire);
    case "thinking": {
      // Mistral (recorded): `thinking` is a list of text parts.
      const content = thinkingText(wire);
      fields.skip("thinking");
      return { type: "reasoning", content, ...ownExtensions({ type: "thinking" }, fields.rest()) };
    }
    default:
      return decodeMedia(kind, fields) ?? wholePart(kind, wire);
  }
  return wholePart(kind, wire);
}

/** The text of a Mistral `thinking` part. */
export function thinkingText(wire: JsonObject): string {
  const thinking = wire["thinking"];
  if (typeof thinking === "string") return thinking;
  if (!Array.isArray(thinking)) return "";
  return thinking.map((part) => (isJsonObject(part) && typeof part["text"] === "string" ? part["text"] : "")).join("");
}

function wholePart(kind: string, wire: JsonObject): Part {
  return { type: "generic", generic_type: kind, ...ownExtensions(wire) };
}

function decodeMedia(kind: string, fields: FieldReader): Part | undefined {
  const modality = mediaPartModalities.get(kind);
  if (modality === undefined) return undefined;
  const holder = fields.object(kind);
  const inner = holder === undefined ? undefined : new FieldReader(holder);
  // Mistral takes the address itself in place of the object.
  const url = inner === undefined ? fields.string(kind) : inner.string("url");
  if (url === undefined) return undefined;
  const innerRest = inner?.rest();
  const extensions = ownExtensions(
    // The kind cannot be told from the modality alone.
    kind === "file_url" || kind === "document_url" ? { type: kind } : undefined,
    innerRest === undefined ? undefined : { [kind]: innerRest },
    fields.rest(),
  );
  const inline = splitDataUrl(url);
  if (inline === undefined) return { type: "uri", modality, uri: url, ...extensions };
  return { type: "blob", modality, mime_type: inline.mimeType, content: inline.content, ...extensions };
}

function decodeInputAudio(fields: FieldReader, wire: JsonObject): Part | undefined {
  const holder = fields.object("input_audio");
  // Mistral takes the base64 text itself (recorded).
  const bare = typeof wire["input_audio"] === "string" ? fields.string("input_audio") : undefined;
  if (bare !== undefined) return { type: "blob", modality: "audio", content: bare, ...ownExtensions(fields.rest()) };
  if (holder === undefined) return undefined;
  const inner = new FieldReader(holder);
  const content = inner.string("data");
  if (content === undefined) return undefined;
  const format = inner.string("format");
  const innerRest = inner.rest();
  return {
    type: "blob",
    modality: "audio",
    content,
    ...(format === undefined ? {} : { mime_type: audioMimeTypes.get(format) ?? `audio/${format}` }),
    ...ownExtensions(innerRest === undefined ? undefined : { input_audio: innerRest }, fields.rest()),
  };
}

function decodeFile(fields: FieldReader): Part | undefined {
  const holder = fields.object("file");
  if (holder === undefined) return undefined;
  const inner = new FieldReader(holder);
  const fileId = inner.filledString("file_id");
  const fileData = fileId === undefined ? inner.string("file_data") : undefined;
  const innerRest = inner.rest();
  const extensions = ownExtensions(innerRest === undefined ? undefined : { file: innerRest }, fields.rest());
  if (fileId !== undefined) return { type: "file", modality: "document", file_id: fileId, ...extensions };
  if (fileData === undefined) return undefined;
  const inline = splitDataUrl(fileData);
  if (inline !== undefined) {
    return { type: "blob", modality: "document", mime_type: inline.mimeType, content: inline.content, ...extensions };
  }
  // OpenRouter takes an address in `file_data`.
  if (/^https?:/.test(fileData)) return { type: "uri", modality: "document", uri: fileData, ...extensions };
  return { type: "blob", modality: "document", content: fileData, ...extensions };
}

function splitDataUrl(url: string): { mimeType: string; content: string } | undefined {
  if (!url.startsWith("data:")) return undefined;
  const comma = url.indexOf(",");
  if (comma < 0) return undefined;
  const head = url.slice("data:".length, comma);
  if (!head.endsWith(";base64")) return undefined;
  return { mimeType: head.slice(0, -";base64".length), content: url.slice(comma + 1) };
}

/** Audio of an answer, or the id of an earlier one in the history. Snowflake sends an all-empty object (recorded). */
function decodeAudio(audio: JsonObject): Part[] {
  const fields = new FieldReader(audio);
  const content = fields.filledString("data");
  const id = typeof audio["id"] === "string" ? audio["id"] : "";
  if (content !== undefined) {
    const rest = fields.rest();
    return [
      { type: "blob", modality: "audio", content, ...ownExtensions(rest === undefined ? undefined : { audio: rest }) },
    ];
  }
  if (id === "") return [];
  fields.skip("id");
  const rest = fields.rest();
  return [
    {
      type: "file",
      modality: "audio",
      file_id: id,
      ...ownExtensions(rest === undefined ? undefined : { audio: rest }),
    },
  ];
}

function decodeToolCall(wire: unknown): Part {
  if (!isJsonObject(wire)) return { type: "generic", generic_type: "tool_call", ...ownExtensions({ value: wire }) };
  const fields = new FieldReader(wire);
  const kind = toolCallKind(wire);
  const called = fields.object(kind);
  if (called === undefined) return wholePart("tool_call", wire);
  const inner = new FieldReader(called);
  const id = fields.filledString("id");
  fields.skip("type", "index");
  const name = inner.string("name") ?? "";
  const args = kind === "custom" ? inner.string("input") : decodeArguments(inner);
  const innerRest = inner.rest();
  return {
    type: "tool_call",
    name,
    ...(id === undefined ? {} : { id }),
    arguments: args ?? (kind === "custom" ? "" : {}),
    ...ownExtensions(
      kind === "custom" ? { type: kind } : undefined,
      innerRest === undefined ? undefined : { [kind]: innerRest },
      fields.rest(),
    ),
  };
}

/** `custom` only when the call says so: Snowflake puts an empty `custom` beside every function (recorded). */
export function toolCallKind(wire: JsonObject): "function" | "custom" {
  return wire["type"] === "custom" || (!isJsonObject(wire["function"]) && isJsonObject(wire["custom"]))
    ? "custom"
    : "function";
}

/** Legacy `function_call`; Snowflake sends an all-empty one (recorded). */
function decodeFunctionCall(wire: JsonObject): Part[] {
  const fields = new FieldReader(wire);
  const name = fields.string("name") ?? "";
  const args = decodeArguments(fields);
  if (name === "" && (wire["arguments"] ?? "") === "") return [];
  return [
    { type: "tool_call", name, arguments: args ?? {}, ...ownExtensions({ type: "function_call" }, fields.rest()) },
  ];
}

/** Arguments are JSON in a string; some servers send the object itself. */
function decodeArguments(fields: FieldReader): unknown {
  const text = fields.string("arguments");
  if (text !== undefined) return parseArguments(text);
  fields.skipNull("arguments");
  return fields.object("arguments");
}
