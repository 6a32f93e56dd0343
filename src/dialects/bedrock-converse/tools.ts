// Room dialects, bedrock-converse: `toolConfig` as canonical tools and tool choice.
// Invariant: what cannot be understood is left in the reader, and with it in `extensions`.

import type { ToolChoice, ToolDefinition } from "../../canonical/index.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { optional, ownExtensions } from "./schema.ts";

/**
 * Reads the tools: `toolSpec` is a function, `systemTool` one that Bedrock runs itself; anything else in the list (cache
 * points) keeps its member's name as type and has no name of its own.
 */
export function decodeTools(config: FieldReader | undefined): ToolDefinition[] | undefined {
  return config?.arrayOf("tools", isJsonObject)?.map(decodeTool);
}

/** Reads `{auto: {}}`, `{any: {}}` and `{tool: {name}}`. */
export function decodeToolChoice(config: FieldReader | undefined): ToolChoice | undefined {
  const choice = config?.nested("toolChoice");
  if (choice?.object("auto") !== undefined) return { type: "auto" };
  if (choice?.object("any") !== undefined) return { type: "required" };
  const name = choice?.nested("tool")?.string("name");
  return name === undefined ? undefined : { type: "tool", name };
}

function decodeTool(wire: JsonObject): ToolDefinition {
  const fields = new FieldReader(wire);
  const spec = fields.nested("toolSpec");
  if (spec !== undefined) {
    const schema = wire["toolSpec"] as JsonObject;
    const input = spec.nested("inputSchema");
    input?.skip("json");
    const parameters = isJsonObject(schema["inputSchema"]) ? schema["inputSchema"]["json"] : undefined;
    return {
      type: "function",
      name: spec.string("name") ?? "",
      ...optional("description", spec.string("description")),
      ...optional("parameters", parameters),
      ...ownExtensions(fields.rest()),
    };
  }
  const systemName = fields.nested("systemTool")?.string("name");
  if (systemName !== undefined) return { type: "systemTool", name: systemName, ...ownExtensions(fields.rest()) };
  return { type: Object.keys(wire)[0] ?? "unknown", name: "", ...ownExtensions(wire) };
}
