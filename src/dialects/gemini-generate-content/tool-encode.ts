// Room dialects, gemini-generate-content: tools and the choice among them on the wire.
// Invariant: schemas go whole as JSON Schema (`parametersJsonSchema`), because `parameters` refuses what Google's subset lacks
// (wire.md §5.21); a subset that a Gemini client sent stays one.

import { isDeepStrictEqual } from "node:util";
import type { ToolChoice, ToolDefinition } from "../../canonical/index.ts";
import type { Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject, optional } from "../json/fields.ts";
import { encodeName, writableName } from "./name.ts";
import { readWhole, restoreFields } from "./restore.ts";

/** The list of `tools`: declarations that follow each other share one object. */
export function encodeTools(tools: readonly ToolDefinition[], encoding: Encoding): unknown[] {
  const list: unknown[] = [];
  let declarations: unknown[] | undefined;
  for (const [place, tool] of tools.entries()) {
    const isOwn = encoding.source === encoding.target;
    if (tool.type === "function") {
      if (declarations === undefined) list.push({ functionDeclarations: (declarations = []) });
      declarations.push(isOwn ? restoreDeclaration(tool, encoding) : encodeDeclaration(tool, encoding, place));
      continue;
    }
    if (isOwn) {
      declarations = undefined;
      const kept = encoding.own(tool);
      list.push(tool.type === "unknown" ? (readWhole(kept)?.value ?? kept) : kept);
      continue;
    }
    for (const name of Object.keys(tool.extensions?.[encoding.source] ?? {}))
      encoding.take(tool, encoding.source, name);
    encoding.lose(["tools", place], "unsupported", `Gemini has no tool of the kind ${tool.type}: it is left out`);
  }
  return list;
}

function restoreDeclaration(tool: ToolDefinition, encoding: Encoding): unknown {
  const kept = encoding.own(tool);
  const whole = tool.name === "" ? readWhole(kept) : undefined;
  if (whole !== undefined) return whole.value;
  const isSubset = "parameters" in kept && isDeepStrictEqual(kept["parameters"], tool.parameters);
  const schema = isSubset ? {} : optional("parametersJsonSchema", tool.parameters);
  return restoreFields({ name: tool.name, ...optional("description", tool.description), ...schema }, kept);
}

function encodeDeclaration(tool: ToolDefinition, encoding: Encoding, place: number): JsonObject {
  takeStrict(tool, encoding, place);
  return {
    name: encodeName(tool.name, encoding, ["tools", place, "name"]),
    ...optional("description", tool.description),
    ...optional("parametersJsonSchema", tool.parameters ?? undefined),
  };
}

/** Gemini checks arguments for all tools or for none, by the mode VALIDATED; a single tool cannot ask for it. */
function takeStrict(tool: ToolDefinition, encoding: Encoding, place: number): void {
  encoding.take(tool, encoding.source, "type");
  // Chat and Converse have it one level down.
  const name = encoding.source === "bedrock-converse" ? "toolSpec" : "function";
  const holder = tool.extensions?.[encoding.source]?.[name];
  const isPlain = isJsonObject(holder) && Object.keys(holder).every((key) => key === "strict");
  const nested = isPlain ? encoding.take(tool, encoding.source, name) : undefined;
  const strict = isJsonObject(nested) ? nested["strict"] : encoding.take(tool, encoding.source, "strict");
  if (strict !== true) return;
  const detail = "Gemini does not hold the arguments of a single tool to its schema";
  encoding.lose(["tools", place, "strict"], "unsupported", detail, "tuning");
}

/** `functionCallingConfig`; undefined where nothing is to be said. */
export function encodeToolChoice(choice: ToolChoice, encoding: Encoding): JsonObject {
  const isOwn = encoding.source === encoding.target;
  const writeName = isOwn ? (name: string) => name : writableName;
  switch (choice.type) {
    case "auto":
      return { mode: "AUTO" };
    case "none":
      return { mode: "NONE" };
    case "required":
      return { mode: "ANY" };
    case "tool":
      return { mode: "ANY", allowedFunctionNames: [writeName(choice.name)] };
    case "allowed": {
      // With AUTO the API takes no names; VALIDATED leaves the choice to the model too (Gemini API reference, read 2026-11-21).
      const auto = isOwn ? "AUTO" : "VALIDATED";
      return {
        mode: choice.mode === "required" ? "ANY" : auto,
        allowedFunctionNames: choice.names.map(writeName),
      };
    }
  }
}
