// Room dialects, openai-responses: tools and the choice among them, flattened as this wire wants them.
// Invariant: `strict` is always stated, because Responses and chat completions do not agree on what its absence means (wire.md §2.8).

import type { ToolChoice, ToolDefinition } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, optional, type JsonObject } from "../json/fields.ts";
import { toJsonSchema } from "../json/open-api-schema.ts";
import { takeStructure } from "../structure.ts";
import { encodeToolName } from "./message-encode.ts";

/** A tool that this dialect decoded. */
export function encodeOwnTool(tool: ToolDefinition, encoding: Encoding): JsonObject {
  const named = tool.type === "function" || tool.name !== tool.type ? { name: tool.name } : {};
  return {
    type: tool.type,
    ...named,
    ...optional("description", tool.description),
    ...optional("parameters", tool.parameters),
    ...encoding.own(tool),
  };
}

/** A tool of another dialect; undefined where the provider has no such tool, which is then told. */
export function encodeTool(tool: ToolDefinition, path: CanonicalPath, encoding: Encoding): JsonObject | undefined {
  takeStructure(encoding, tool, path);
  if (tool.type === "function") return encodeFunction(tool, path, encoding);
  if (tool.type === "custom") return encodeCustom(tool, path, encoding);
  if (isWebSearch(tool.type)) {
    encoding.lose(path, "approximated", "the provider's own web search stands for the one that was asked for");
    return { type: "web_search" };
  }
  encoding.lose(path, "unsupported", "the provider has no such tool of its own");
  return undefined;
}

/** The choice; `tools` tells which of them are custom or the provider's own. */
export function encodeToolChoice(
  choice: ToolChoice,
  tools: readonly ToolDefinition[],
  path: CanonicalPath,
  encoding: Encoding,
): unknown {
  if (choice.type === "tool") return encodeReference(choice.name, tools, path, encoding);
  if (choice.type !== "allowed") return choice.type;
  return {
    type: "allowed_tools",
    mode: choice.mode,
    tools: choice.names.map((name) => encodeReference(name, tools, path, encoding)),
  };
}

function encodeReference(
  name: string,
  tools: readonly ToolDefinition[],
  path: CanonicalPath,
  encoding: Encoding,
): JsonObject {
  const type = tools.find((tool) => tool.name === name)?.type ?? "function";
  if (isWebSearch(type)) return { type: "web_search" };
  const isCustom = type === "custom";
  return { type: isCustom ? "custom" : "function", name: encodeToolName(name, path, encoding) };
}

function encodeFunction(tool: ToolDefinition, path: CanonicalPath, encoding: Encoding): JsonObject {
  return {
    type: "function",
    name: encodeToolName(tool.name, [...path, "name"], encoding),
    ...optional("description", tool.description),
    parameters: encodeParameters(tool, encoding),
    strict: takeStrict(tool, encoding),
  };
}

/** Gemini's `parameters` are its own subset of OpenAPI, which its decoder says by keeping them beside. */
function encodeParameters(tool: ToolDefinition, encoding: Encoding): unknown {
  if (tool.parameters === undefined || tool.parameters === null) return { type: "object", properties: {} };
  const isOpenapi = encoding.take(tool, "gemini-generate-content", "parameters") !== undefined;
  return isOpenapi ? toJsonSchema(tool.parameters) : tool.parameters;
}

function takeStrict(tool: ToolDefinition, encoding: Encoding): boolean {
  const chat = tool.extensions?.["openai-chat"]?.["function"];
  // An unknown member beside it is told as a whole with it.
  const isAlone = isJsonObject(chat) && Object.keys(chat).join() === "strict";
  const held = isAlone ? encoding.take(tool, "openai-chat", "function") : undefined;
  const strict = isJsonObject(held) ? held["strict"] : isJsonObject(chat) ? chat["strict"] : undefined;
  if (tool.extensions?.["anthropic-messages"]?.["type"] === "custom") {
    encoding.take(tool, "anthropic-messages", "type");
  }
  return (
    (strict ??
      encoding.take(tool, "anthropic-messages", "strict") ??
      encoding.take(tool, "cohere-chat", "strict") ??
      false) === true
  );
}

/** Chat completions nest what Responses has flat: `format: {type: "grammar", grammar: {syntax, definition}}`. */
function encodeCustom(tool: ToolDefinition, path: CanonicalPath, encoding: Encoding): JsonObject {
  const held = encoding.take(tool, "openai-chat", "custom");
  const format = isJsonObject(held) ? held["format"] : undefined;
  const grammar = isJsonObject(format) ? format["grammar"] : undefined;
  return {
    type: "custom",
    name: encodeToolName(tool.name, [...path, "name"], encoding),
    ...optional("description", tool.description),
    ...optional("format", isJsonObject(grammar) ? { type: "grammar", ...grammar } : format),
  };
}

/** Anthropic dates its kinds (`web_search_20250305`); Gemini's is `googleSearch`. */
function isWebSearch(type: string): boolean {
  return type.startsWith("web_search") || type === "googleSearch";
}
