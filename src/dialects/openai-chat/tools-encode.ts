// Room dialects, openai-chat: tools, the choice among them and the format of the answer, from any dialect.
// Invariant: a schema is written whole; tools that only another provider can run are left out, and that is told.

import type { InferenceRequest, OutputFormat, ToolDefinition } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { toJsonSchema } from "../json/open-api-schema.ts";
import { safeName } from "../names.ts";
import { takeStructure } from "../structure.ts";
import { absorb } from "./content-encode.ts";
import { encodeName } from "./message-encode.ts";
import { dialectId } from "./schema.ts";

/** The members of a chat request that speak of tools. */
export function encodeTools(request: InferenceRequest, encoding: Encoding): JsonObject {
  const tools: JsonObject[] = [];
  const functions: JsonObject[] = [];
  for (const [index, tool] of (request.tools ?? []).entries()) {
    const { legacy, ...own } = encoding.own(tool);
    if (legacy === true) functions.push(encodeFunction(tool, tool.name, own["function"]));
    else {
      const encoded = encodeTool(tool, own, ["tools", index], encoding);
      if (encoded !== undefined) tools.push(encoded);
    }
  }
  const isHome = encoding.source === dialectId;
  const hasTools = tools.length > 0;
  const choice = hasTools || functions.length > 0 || isHome ? encodeChoice(request, encoding) : undefined;
  const isLegacy = functions.length > 0 && !hasTools;
  const parallel = hasTools || isHome ? request.parallelToolCalls : undefined;
  return {
    ...(hasTools || (isHome && request.tools?.length === 0) ? { tools } : {}),
    ...(functions.length === 0 ? {} : { functions }),
    ...(choice === undefined
      ? {}
      : { [isLegacy ? "function_call" : "tool_choice"]: isLegacy ? bareChoice(choice) : choice }),
    ...(parallel === undefined ? {} : { parallel_tool_calls: parallel }),
  };
}

function encodeTool(
  tool: ToolDefinition,
  own: JsonObject,
  path: CanonicalPath,
  encoding: Encoding,
): JsonObject | undefined {
  if (encoding.source !== dialectId) return encodeForeignTool(tool, path, encoding);
  const { [tool.type]: inner, ...rest } = own;
  if (tool.type === "function") return { type: "function", function: encodeFunction(tool, tool.name, inner), ...rest };
  if (tool.type === "custom") return { type: "custom", custom: encodeFunction(tool, tool.name, inner), ...rest };
  // A provider's own tool: what it holds beside its kind stood at its top.
  return { type: tool.type, ...(tool.name === tool.type ? {} : { name: tool.name }), ...own };
}

function encodeFunction({ description, parameters }: ToolDefinition, name: string, inner: unknown): JsonObject {
  return {
    name,
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parameters }),
    ...(isJsonObject(inner) ? inner : {}),
  };
}

function encodeForeignTool(tool: ToolDefinition, path: CanonicalPath, encoding: Encoding): JsonObject | undefined {
  takeStructure(encoding, tool, path);
  if (tool.type === "custom" && encoding.source === "openai-responses") return encodeCustomTool(tool, encoding);
  if (tool.type !== "function") {
    absorb(tool, encoding);
    encoding.lose(path, "unsupported", "a tool that its own provider runs cannot be run by this one; it is left out");
    return undefined;
  }
  const name = encodeName(tool.name, [...path, "name"], encoding);
  // "custom" is what a function is called there.
  if (tool.extensions?.["anthropic-messages"]?.["type"] === "custom") encoding.take(tool, "anthropic-messages", "type");
  const strict =
    encoding.take(tool, "openai-responses", "strict") ?? encoding.take(tool, "anthropic-messages", "strict");
  const function_ = encodeFunction({ ...tool, ...takeParameters(tool, encoding) }, name, undefined);
  return { type: "function", function: typeof strict === "boolean" ? { ...function_, strict } : function_ };
}

/** Google's subset of OpenAPI is told by standing in the extensions, too. */
function takeParameters(tool: ToolDefinition, encoding: Encoding): { parameters?: unknown } {
  const openApi = encoding.take(tool, "gemini-generate-content", "parameters");
  if (openApi === undefined) return tool.parameters === undefined ? {} : { parameters: tool.parameters };
  return { parameters: toJsonSchema(openApi) };
}

/** A grammar lies one member deeper in chat (openai-node 7.55.0). */
function encodeCustomTool(tool: ToolDefinition, encoding: Encoding): JsonObject {
  const format = encoding.take(tool, "openai-responses", "format");
  const isGrammar = isJsonObject(format) && format["type"] === "grammar";
  const wire = isGrammar
    ? { type: "grammar", grammar: { syntax: format["syntax"], definition: format["definition"] } }
    : format;
  const inner = wire === undefined ? undefined : { format: wire };
  return { type: "custom", custom: encodeFunction(tool, tool.name, inner) };
}

function encodeChoice({ tools, toolChoice }: InferenceRequest, encoding: Encoding): JsonObject | string | undefined {
  if (toolChoice === undefined) return undefined;
  switch (toolChoice.type) {
    case "tool":
      return nameTool(toolChoice.name, tools, encoding);
    case "allowed":
      return {
        type: "allowed_tools",
        allowed_tools: {
          mode: toolChoice.mode,
          tools: toolChoice.names.map((name) => nameTool(name, tools, encoding)),
        },
      };
    default:
      return toolChoice.type;
  }
}

/** No report of its own: the name was made safe, and told, where the tool is written. */
function nameTool(name: string, tools: readonly ToolDefinition[] | undefined, encoding: Encoding): JsonObject {
  const kind = tools?.find((tool) => tool.name === name)?.type === "custom" ? "custom" : "function";
  const safe = encoding.source === dialectId ? name : safeName(name);
  return { type: kind, [kind]: { name: safe } };
}

/** Legacy `function_call` names the function at once. */
function bareChoice(choice: JsonObject | string): unknown {
  return typeof choice === "string" ? choice : choice["function"];
}

/** `response_format`; undefined where none is asked for. */
export function encodeOutputFormat(format: OutputFormat | undefined, encoding: Encoding): JsonObject | undefined {
  if (format === undefined) return undefined;
  if (format.type === "text") return { type: "text" };
  if (format.type === "json") return { type: "json_object" };
  const { name, schema, strict, description } = format;
  const isForeign = encoding.source !== dialectId;
  if (isForeign && name === undefined) {
    encoding.lose(["outputFormat"], "injected", "chat wants a name for the schema: it is called response", "tuning");
  }
  const given = name ?? (isForeign ? "response" : undefined);
  return {
    type: "json_schema",
    json_schema: {
      ...(given === undefined ? {} : { name: given }),
      ...(description === undefined ? {} : { description }),
      schema: encoding.source === "gemini-generate-content" ? toJsonSchema(schema) : schema,
      ...(strict === undefined ? {} : { strict }),
    },
  };
}
