// Room dialects, gemini-generate-content: contents and parts of the wire, in requests and in answers, as canonical parts.
// Invariant: what a part says beyond its canonical part (signatures, names of functions, video metadata) stays in `extensions` at its node.

import type { Message, Modality, Part } from "../../canonical/index.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { camelCase, optional, ownExtensions, spelled, takeList } from "./schema.ts";

/** Decodes one content of a request. Without a role it is the user's. */
export function decodeContent(wire: unknown): Message {
  if (!isJsonObject(wire)) return { role: "unknown", parts: [], ...ownExtensions({ value: wire }) };
  const fields = new FieldReader(wire);
  const role = decodeRole(fields.string("role"), "user");
  return { role, parts: (takeList(fields, "parts") ?? []).map(decodePart), ...ownExtensions(fields.rest()) };
}

/** The canonical role of the wire's one. */
export function decodeRole(wire: string | undefined, otherwise: string): string {
  if (wire === undefined || wire === "") return otherwise;
  if (wire === "model") return "assistant";
  return wire === "function" ? "tool" : wire;
}

/** Decodes one part; one that is not known is a `generic` part with the whole of it. */
export function decodePart(wire: unknown): Part {
  if (!isJsonObject(wire)) return { type: "generic", generic_type: "unknown", ...ownExtensions({ value: wire }) };
  const fields = new FieldReader(wire);
  const part = decodeText(fields, wire) ?? decodeKnown(fields);
  if (part !== undefined) return { ...part, ...ownExtensions(fields.rest()) };
  return { type: "generic", generic_type: camelCase(Object.keys(wire)[0] ?? "unknown"), ...ownExtensions(wire) };
}

function decodeText(fields: FieldReader, wire: JsonObject): Part | undefined {
  const content = fields.string("text");
  if (content === undefined) return undefined;
  if (wire["thought"] !== true) return { type: "text", content };
  fields.skip("thought");
  return { type: "reasoning", content };
}

type NestedDecoder = (value: FieldReader) => Part | undefined;

const decoders: ReadonlyMap<string, NestedDecoder> = new Map<string, NestedDecoder>([
  ["functionCall", decodeFunctionCall],
  ["functionResponse", decodeFunctionResponse],
  ["inlineData", decodeInlineData],
  ["fileData", decodeFileData],
  ["executableCode", decodeExecutableCode],
  ["codeExecutionResult", decodeCodeExecutionResult],
  ["toolCall", decodeToolCall],
  ["toolResponse", decodeToolResponse],
]);

function decodeKnown(fields: FieldReader): Part | undefined {
  for (const [name, decode] of decoders) {
    const value = fields.nested(spelled(fields, name));
    if (value !== undefined) return decode(value);
  }
  // A part of nothing but a signature: what was thought is not told (wire.md §3.4).
  return fields.has(spelled(fields, "thoughtSignature")) ? { type: "reasoning", content: "" } : undefined;
}

function decodeFunctionCall(call: FieldReader): Part | undefined {
  const id = optional("id", call.filledString("id"));
  const name = call.string("name");
  return name === undefined ? undefined : { type: "tool_call", ...id, name, arguments: call.object("args") ?? {} };
}

/** The wire goes by the function's name, which stays in the extensions; older models give no id. */
function decodeFunctionResponse(result: FieldReader): Part {
  const id = optional("id", result.filledString("id"));
  return { type: "tool_call_response", ...id, response: takeAny(result, "response") ?? null };
}

function decodeInlineData(media: FieldReader): Part | undefined {
  const content = media.string("data");
  const mimeType = media.string(spelled(media, "mimeType"));
  if (content === undefined) return undefined;
  return { type: "blob", modality: modalityOf(mimeType), ...optional("mime_type", mimeType), content };
}

function decodeFileData(media: FieldReader): Part | undefined {
  const uri = media.string(spelled(media, "fileUri"));
  const mimeType = media.string(spelled(media, "mimeType"));
  if (uri === undefined) return undefined;
  return { type: "uri", modality: modalityOf(mimeType), ...optional("mime_type", mimeType), uri };
}

function modalityOf(mimeType: string | undefined): Modality {
  const kind = mimeType?.slice(0, mimeType.indexOf("/"));
  return kind === "image" || kind === "video" || kind === "audio" ? kind : "document";
}

const codeExecution = "code_execution";

function decodeExecutableCode(code: FieldReader): Part {
  return {
    type: "server_tool_call",
    ...optional("id", code.filledString("id")),
    name: codeExecution,
    server_tool_call: {
      type: codeExecution,
      ...optional("language", takeAny(code, "language")),
      ...optional("code", takeAny(code, "code")),
    },
  };
}

function decodeCodeExecutionResult(result: FieldReader): Part {
  return {
    type: "server_tool_call_response",
    ...optional("id", result.filledString("id")),
    server_tool_call_response: {
      type: codeExecution,
      ...optional("outcome", takeAny(result, "outcome")),
      ...optional("output", takeAny(result, "output")),
    },
  };
}

/** A built-in tool that the provider runs: `toolType` is its name (`FILE_SEARCH`, recorded). */
function decodeToolCall(call: FieldReader): Part | undefined {
  const name = call.string(spelled(call, "toolType"));
  if (name === undefined) return undefined;
  return {
    type: "server_tool_call",
    ...optional("id", call.filledString("id")),
    name,
    server_tool_call: { type: name, ...optional("input", takeAny(call, "args")) },
  };
}

function decodeToolResponse(result: FieldReader): Part | undefined {
  const name = result.string(spelled(result, "toolType"));
  if (name === undefined) return undefined;
  return {
    type: "server_tool_call_response",
    ...optional("id", result.filledString("id")),
    server_tool_call_response: { type: name, ...optional("response", takeAny(result, "response")) },
  };
}

function takeAny(fields: FieldReader, key: string): unknown {
  return fields.string(key) ?? fields.object(key) ?? fields.array(key) ?? fields.number(key) ?? fields.boolean(key);
}
