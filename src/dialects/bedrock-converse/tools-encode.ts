// Room dialects, bedrock-converse: tools and the choice among them as `toolConfig`.
// Invariant: there is a `toolConfig` with tools whenever the history has tool blocks, because Bedrock refuses those otherwise.

import type { InferenceRequest, ToolChoice, ToolDefinition } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject, optional } from "../json/fields.ts";
import { toJsonSchema } from "../json/open-api-schema.ts";
import { safeName } from "../names.ts";
import { takeStructure } from "../structure.ts";
import { encodeCachePoint, encodeName } from "./block-encode.ts";
import { findFamily } from "./model-family.ts";
import { mergeOwn } from "../json/merge.ts";
import { dialectId } from "./schema.ts";

/** The member `toolConfig`, undefined where it is to be left out. `calledTools`: what the history calls. */
export function encodeToolConfig(
  request: InferenceRequest,
  calledTools: readonly string[],
  encoding: Encoding,
): JsonObject | undefined {
  if (encoding.source === encoding.target) return encodeOwn(request);
  const { toolChoice } = request;
  const definitions = request.tools ?? [];
  const hasHistory = calledTools.length > 0;
  if (toolChoice?.type === "none" && !hasHistory) {
    if (definitions.length > 0) {
      const detail = "Converse cannot forbid its tools: the model is told of none";
      encoding.lose(["toolChoice"], "approximated", detail, "tuning");
      encoding.lose(["tools"], "approximated", detail, "tuning");
      for (const tool of definitions) takeAll(tool, encoding);
    }
    return undefined;
  }
  const tools = [...encodeTools(request, encoding), ...standIns(definitions, calledTools, encoding)];
  if (tools.length === 0) {
    if (toolChoice !== undefined && toolChoice.type !== "auto" && toolChoice.type !== "none") {
      encoding.lose(["toolChoice"], "unsupported", "there is no tool to choose");
    }
    return undefined;
  }
  const choice = toolChoice === undefined ? undefined : encodeToolChoice(toolChoice, encoding);
  return { tools, ...optional("toolChoice", choice) };
}

/** Claude takes it in its own words beside the `toolConfig`; of others several calls at once cannot be asked away. */
export function encodeParallelCalls(request: InferenceRequest, encoding: Encoding): JsonObject {
  const { parallelToolCalls, toolChoice, tools = [] } = request;
  if (parallelToolCalls !== false || tools.length === 0 || toolChoice?.type === "none") return {};
  if (findFamily(encoding.model) !== "anthropic") {
    encoding.lose(["parallelToolCalls"], "unsupported", "Converse cannot ask for one tool call at a time");
    return {};
  }
  encoding.lose(["parallelToolCalls"], "moved", "Converse hands it to Claude in Claude's own words", "tuning");
  return { tool_choice: { ...claudeChoice(toolChoice), disable_parallel_tool_use: true } };
}

function claudeChoice(choice: ToolChoice | undefined): JsonObject {
  if (choice?.type === "tool") return { type: "tool", name: safeName(choice.name) };
  const isForced = choice?.type === "required" || (choice?.type === "allowed" && choice.mode === "required");
  return { type: isForced ? "any" : "auto" };
}

function encodeTools({ tools = [], toolChoice }: InferenceRequest, encoding: Encoding): JsonObject[] {
  return tools.flatMap((tool, index): JsonObject[] => {
    const path = ["tools", index];
    if (tool.type !== "function") {
      encoding.lose(path, "unsupported", "Converse has no such kind of tool: it is left out");
      takeAll(tool, encoding);
      return [];
    }
    if (toolChoice?.type === "allowed" && !toolChoice.names.includes(tool.name)) {
      encoding.lose(path, "approximated", "Converse is told only of the tools that are allowed");
      takeAll(tool, encoding);
      return [];
    }
    return [{ toolSpec: encodeSpec(tool, path, encoding) }, ...encodeToolCachePoint(tool, encoding)];
  });
}

function encodeSpec(tool: ToolDefinition, path: CanonicalPath, encoding: Encoding): JsonObject {
  takeStructure(encoding, tool, path);
  const description = tool.description === "" ? undefined : tool.description;
  // Gemini's own kind of schema is told by standing in the extensions, too.
  const isOpenApi = encoding.take(tool, "gemini-generate-content", "parameters") !== undefined;
  const stated = isOpenApi ? toJsonSchema(tool.parameters) : tool.parameters;
  const schema = isJsonObject(stated) ? stated : {};
  const json = schema["type"] === undefined ? { type: "object", ...schema } : schema;
  return {
    name: encodeName(tool.name, path, encoding),
    ...optional("description", description),
    inputSchema: { json },
    ...(takeStrict(tool, encoding) ? { strict: true } : {}),
  };
}

function takeStrict(tool: ToolDefinition, encoding: Encoding): boolean {
  const held = tool.extensions?.["openai-chat"]?.["function"];
  const isPlain = isJsonObject(held) && Object.keys(held).every((name) => name === "strict");
  const nested = isPlain ? encoding.take(tool, "openai-chat", "function") : undefined;
  const stated = [
    isJsonObject(nested) ? nested["strict"] : undefined,
    encoding.take(tool, "openai-responses", "strict"),
    encoding.take(tool, "anthropic-messages", "strict"),
  ];
  return stated.includes(true);
}

/** Nova caches no tools (general knowledge, not verified). */
function encodeToolCachePoint(tool: ToolDefinition, encoding: Encoding): JsonObject[] {
  return findFamily(encoding.model) === "anthropic" ? encodeCachePoint(tool, encoding) : [];
}

/** Without a single tool Bedrock refuses a history with tool blocks: those that were called stand in. */
function standIns(definitions: readonly ToolDefinition[], called: readonly string[], encoding: Encoding): JsonObject[] {
  if (called.length === 0 || definitions.some(({ type }) => type === "function")) return [];
  const detail = "the history has tool calls, which Bedrock takes only with tools: the called ones are named";
  encoding.lose(["tools"], "injected", detail);
  return called.map((name) => ({ toolSpec: { name: safeName(name), inputSchema: { json: { type: "object" } } } }));
}

function encodeToolChoice(choice: ToolChoice, encoding: Encoding): JsonObject | undefined {
  switch (choice.type) {
    case "auto":
      return { auto: {} };
    case "required":
      return { any: {} };
    case "tool":
      return { tool: { name: safeName(choice.name) } };
    case "allowed":
      encoding.lose(["toolChoice"], "approximated", "Converse is told only of the tools that are allowed");
      return choice.mode === "required" ? { any: {} } : { auto: {} };
    case "none": {
      const detail = "the history has tool calls, which Bedrock takes only with tools: it cannot forbid their use";
      encoding.lose(["toolChoice"], "approximated", detail);
      return undefined;
    }
  }
}

function takeAll(tool: ToolDefinition, encoding: Encoding): void {
  for (const name of Object.keys(tool.extensions?.[encoding.source] ?? {})) encoding.take(tool, encoding.source, name);
}

function encodeOwn({ tools, toolChoice }: InferenceRequest): JsonObject | undefined {
  if (tools === undefined && toolChoice === undefined) return undefined;
  return {
    ...optional("tools", tools?.map(encodeOwnTool)),
    ...optional("toolChoice", toolChoice === undefined ? undefined : ownChoice(toolChoice)),
  };
}

function ownChoice(choice: ToolChoice): JsonObject {
  if (choice.type === "tool") return { tool: { name: choice.name } };
  return choice.type === "required" ? { any: {} } : { auto: {} };
}

function encodeOwnTool(tool: ToolDefinition): JsonObject {
  const own = tool.extensions?.[dialectId] ?? {};
  if (tool.type === "systemTool") return mergeOwn({ systemTool: { name: tool.name } }, own);
  if (tool.type !== "function") return own;
  const schema = tool.parameters === undefined ? {} : { inputSchema: { json: tool.parameters } };
  const spec = { name: tool.name, ...optional("description", tool.description), ...schema };
  return mergeOwn({ toolSpec: spec }, own);
}
