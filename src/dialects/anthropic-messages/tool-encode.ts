// Room dialects, anthropic-messages: tools of any source and the choice among them.
// Invariant: a schema is passed whole; a tool that only its own provider can run is left out and told.

import type { InferenceRequest, ToolDefinition } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject, optional } from "../json/fields.ts";
import { takeWhole } from "./foreign-form.ts";
import { toJsonSchema } from "../json/open-api-schema.ts";
import { encodeName } from "./part-encode.ts";
import { dialectId } from "./schema.ts";

/** `tools` and `tool_choice`, each only where there is something to say. */
export function encodeTools(
  request: InferenceRequest,
  calledTools: readonly string[],
  encoding: Encoding,
): { tools?: JsonObject[]; tool_choice?: JsonObject } {
  if (encoding.source === dialectId) {
    const choice = encodeOwnChoice(request);
    return {
      ...optional(
        "tools",
        request.tools?.map((tool) => encodeOwnTool(tool, encoding.own(tool))),
      ),
      ...optional("tool_choice", Object.keys(choice).length === 0 ? undefined : choice),
    };
  }
  const tools = selectTools(request, encoding);
  if (tools.length > 0) return { tools, ...optional("tool_choice", encodeChoice(request, encoding)) };
  const { toolChoice } = request;
  if (toolChoice !== undefined && toolChoice.type !== "auto" && toolChoice.type !== "none") {
    encoding.lose(["toolChoice"], "unsupported", "Anthropic takes no tool choice without tools");
  }
  if (calledTools.length === 0) return {};
  const detail = "Anthropic wants the tools that the history calls: they are named, and none may be called";
  encoding.lose(["tools"], "injected", detail, "tuning");
  return {
    tools: calledTools.map((name) => ({
      name: encodeName(name, ["tools"], encoding),
      input_schema: { type: "object" },
    })),
    tool_choice: { type: "none" },
  };
}

function encodeOwnTool(tool: ToolDefinition, own: JsonObject): JsonObject {
  return {
    ...(tool.type === "function" ? {} : { type: tool.type }),
    // A toolset has no name.
    ...(tool.name === "" ? {} : { name: tool.name }),
    ...optional("description", tool.description),
    ...optional("input_schema", tool.parameters),
    ...own,
  };
}

function selectTools(request: InferenceRequest, encoding: Encoding): JsonObject[] {
  const { tools = [], toolChoice } = request;
  const allowed = toolChoice?.type === "allowed" ? new Set(toolChoice.names) : undefined;
  const selected: JsonObject[] = [];
  for (const [index, tool] of tools.entries()) {
    if (allowed?.has(tool.name) === false) continue;
    const encoded = encodeTool(tool, ["tools", index], encoding);
    if (encoded !== undefined) selected.push(encoded);
  }
  return selected;
}

function encodeTool(tool: ToolDefinition, path: CanonicalPath, encoding: Encoding): JsonObject | undefined {
  const own = encoding.own(tool);
  if (tool.type !== "function" && tool.type !== "custom") {
    encoding.lose(path, "unsupported", "a tool that its provider runs itself cannot be run by Anthropic");
    takeWhole(tool, encoding);
    return undefined;
  }
  const named = { name: encodeName(tool.name, path, encoding), ...optional("description", tool.description) };
  if (tool.type === "custom") {
    encoding.lose(path, "approximated", "a tool of free text becomes one with a single text argument");
    const properties = { input: { type: "string" } };
    return { ...named, input_schema: { type: "object", properties, required: ["input"] } };
  }
  // Google's own spelling of schemas is told apart by staying in the extensions too.
  const isGoogle = encoding.take(tool, "gemini-generate-content", "parameters") !== undefined;
  const parameters = encodeSchema(isGoogle ? toJsonSchema(tool.parameters) : tool.parameters);
  return { ...named, input_schema: parameters, ...takeStrict(tool, encoding), ...takeCache(tool, encoding), ...own };
}

/** A tool without arguments may come without a schema; the API wants one, and an object. */
function encodeSchema(parameters: unknown): JsonObject {
  if (!isJsonObject(parameters)) return { type: "object" };
  return Object.hasOwn(parameters, "type") ? parameters : { type: "object", ...parameters };
}

function takeStrict(tool: ToolDefinition, encoding: Encoding): { strict?: boolean } {
  const spec = tool.extensions?.["bedrock-converse"]?.["toolSpec"];
  if (isJsonObject(spec) && Object.keys(spec).every((key) => key === "strict")) {
    encoding.take(tool, "bedrock-converse", "toolSpec");
    return spec["strict"] === true ? { strict: true } : {};
  }
  const held = tool.extensions?.["openai-chat"]?.["function"];
  const stated = isJsonObject(held) ? held["strict"] : encoding.take(tool, "openai-responses", "strict");
  if (isJsonObject(held) && Object.keys(held).every((key) => key === "strict")) {
    encoding.take(tool, "openai-chat", "function");
  }
  // Not strict is what a tool is when nothing is said.
  return stated === true ? { strict: true } : {};
}

function takeCache(tool: ToolDefinition, encoding: Encoding): JsonObject {
  const mark = encoding.take(tool, "openai-chat", "cache_control");
  return mark === undefined || mark === null ? {} : { cache_control: mark };
}

function encodeOwnChoice({ toolChoice, parallelToolCalls }: InferenceRequest): JsonObject {
  return {
    ...(toolChoice === undefined ? {} : choiceOf(toolChoice)),
    ...(parallelToolCalls === undefined ? {} : { disable_parallel_tool_use: !parallelToolCalls }),
  };
}

function encodeChoice({ toolChoice, parallelToolCalls }: InferenceRequest, encoding: Encoding): JsonObject | undefined {
  if (toolChoice?.type === "allowed") {
    encoding.lose(["toolChoice"], "approximated", "only the tools that may be called are passed on");
  }
  let choice = toolChoice === undefined ? undefined : choiceOf(toolChoice);
  if (toolChoice?.type === "tool")
    choice = { type: "tool", name: encodeName(toolChoice.name, ["toolChoice"], encoding) };
  if (parallelToolCalls !== false || choice?.["type"] === "none") return choice;
  return { ...(choice ?? { type: "auto" }), disable_parallel_tool_use: true };
}

function choiceOf(choice: NonNullable<InferenceRequest["toolChoice"]>): JsonObject {
  switch (choice.type) {
    case "auto":
    case "none":
      return { type: choice.type };
    case "required":
      return { type: "any" };
    case "tool":
      return { type: "tool", name: choice.name };
    case "allowed":
      return { type: choice.mode === "required" ? "any" : "auto" };
  }
}
