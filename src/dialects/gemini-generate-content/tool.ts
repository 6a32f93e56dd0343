// Room dialects, gemini-generate-content: tools and the choice among them.
// Invariant: one wire object may hold many declarations and a built-in tool beside them; each becomes one definition, in order.

import type { ToolChoice, ToolDefinition } from "../../canonical/index.ts";
import { FieldReader, isJsonObject, isString } from "../json/fields.ts";
import { camelCase, optional, ownExtensions, spelled } from "./schema.ts";

/** Decodes one object of `tools`. Which declarations shared an object is not told apart. */
export function decodeTools(wire: unknown): ToolDefinition[] {
  if (!isJsonObject(wire)) return [{ type: "unknown", name: "", ...ownExtensions({ value: wire }) }];
  return Object.entries(wire).flatMap(([key, value]) => {
    const kind = camelCase(key);
    if (kind === "functionDeclarations") {
      const declarations: unknown[] = Array.isArray(value) ? value : [value];
      return declarations.map(decodeDeclaration);
    }
    // A built-in tool of the provider is its kind and its name; its settings stay in the extensions.
    return [{ type: kind, name: kind, ...ownExtensions({ [key]: value }) }];
  });
}

/** `parameters` is Google's own subset of OpenAPI: it is told apart from JSON Schema by staying in the extensions too. */
function decodeDeclaration(wire: unknown): ToolDefinition {
  if (!isJsonObject(wire)) return { type: "function", name: "", ...ownExtensions({ value: wire }) };
  const fields = new FieldReader(wire);
  const parameters = fields.object(spelled(fields, "parametersJsonSchema")) ?? wire["parameters"];
  return {
    type: "function",
    name: fields.string("name") ?? "",
    ...optional("description", fields.string("description")),
    ...optional("parameters", parameters),
    ...ownExtensions(fields.rest()),
  };
}

/** Decodes `toolConfig`. VALIDATED is a choice of the model's too, but with checked arguments: its word stays in the extensions. */
export function decodeToolChoice(toolConfig: FieldReader | undefined): ToolChoice | undefined {
  const calling = toolConfig?.nested(spelled(toolConfig, "functionCallingConfig"));
  if (calling === undefined) return undefined;
  const namesKey = spelled(calling, "allowedFunctionNames");
  const names = calling.arrayOf(namesKey, isString) ?? [];
  const mode = calling.string("mode");
  switch (mode) {
    case "NONE":
      calling.putBack(namesKey);
      return { type: "none" };
    case "ANY":
      if (names.length === 1) return { type: "tool", name: names[0] as string };
      return names.length === 0 ? { type: "required" } : { type: "allowed", mode: "required", names };
    case "VALIDATED":
    case "AUTO":
      if (mode === "VALIDATED") calling.putBack("mode");
      return names.length === 0 ? { type: "auto" } : { type: "allowed", mode: "auto", names };
    default:
      calling.putBack("mode");
      calling.putBack(namesKey);
      return undefined;
  }
}
