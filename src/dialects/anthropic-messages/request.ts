// Room dialects, anthropic-messages: a request body as the canonical request.
// Invariant: every field of the body is in the canonical form or in `extensions`; nothing throws.

import type {
  InferenceRequest,
  OutputFormat,
  ReasoningControl,
  ToolChoice,
  ToolDefinition,
} from "../../canonical/index.ts";
import type { Operation } from "../dialect.ts";
import { FieldReader, isJsonObject, isString, type JsonObject } from "../json/fields.ts";
import { decodeContent, decodeMessage } from "./message.ts";
import { optional, ownExtensions } from "./schema.ts";

/**
 * Decodes a body of the Messages API or of its token counter. Not told apart: a text and the one text block it stands
 * for, `stream: false` and no `stream`. The extensions may hold a secret of the client (`mcp_servers[].authorization_token`).
 */
export function decodeRequest(body: JsonObject, operation: Pick<Operation, "model" | "stream"> = {}): InferenceRequest {
  const fields = new FieldReader(body);
  const outputConfig = fields.nested("output_config");
  const reasoning: ReasoningControl = {
    ...decodeThinking(fields.nested("thinking")),
    ...optional("effort", outputConfig?.string("effort")),
  };
  const outputFormat =
    decodeOutputFormat(outputConfig?.nested("format")) ?? decodeOlderOutputFormat(fields.nested("output_format"));
  const toolChoice = fields.nested("tool_choice");
  const parallelDisabled = toolChoice?.boolean("disable_parallel_tool_use");
  const request: InferenceRequest = {
    ...optional("model", fields.string("model") ?? operation.model),
    stream: operation.stream ?? fields.boolean("stream") ?? false,
    ...optional("systemInstructions", decodeContent(fields, "system")),
    messages: (fields.array("messages") ?? []).map(decodeMessage),
    ...optional("tools", fields.arrayOf("tools", isJsonObject)?.map(decodeTool)),
    ...optional("toolChoice", decodeToolChoice(toolChoice)),
    ...optional("parallelToolCalls", parallelDisabled === undefined ? undefined : !parallelDisabled),
    ...optional("maxOutputTokens", fields.number("max_tokens")),
    ...optional("temperature", fields.number("temperature")),
    ...optional("topP", fields.number("top_p")),
    ...optional("topK", fields.number("top_k")),
    ...optional("stopSequences", fields.arrayOf("stop_sequences", isString)),
    ...optional("outputFormat", outputFormat),
    ...(Object.keys(reasoning).length === 0 ? {} : { reasoning }),
    ...optional("serviceTier", fields.string("service_tier")),
    ...optional("user", fields.nested("metadata")?.string("user_id")),
  };
  return { ...request, ...ownExtensions(fields.rest()) };
}

/** Server-side tools carry a dated `type` (`web_search_20250305`); a toolset has no name, so "" stands for it. */
function decodeTool(wire: JsonObject): ToolDefinition {
  const fields = new FieldReader(wire);
  // An explicit "custom" (or null) says the same as no type at all; it stays in the extensions.
  const isFunction = wire["type"] === undefined || wire["type"] === null || wire["type"] === "custom";
  fields.skip("input_schema");
  return {
    type: isFunction ? "function" : (fields.string("type") ?? "unknown"),
    name: fields.string("name") ?? "",
    ...optional("description", fields.string("description")),
    ...optional("parameters", wire["input_schema"]),
    ...ownExtensions(fields.rest()),
  };
}

function decodeToolChoice(choice: FieldReader | undefined): ToolChoice | undefined {
  switch (choice?.string("type")) {
    case "auto":
      return { type: "auto" };
    case "any":
      return { type: "required" };
    case "none":
      return { type: "none" };
    case "tool": {
      const name = choice.string("name");
      if (name !== undefined) return { type: "tool", name };
    }
  }
  choice?.putBack("type");
  return undefined;
}

/** Of `adaptive` and `between_tools` the word itself stays in the extensions. */
function decodeThinking(thinking: FieldReader | undefined): ReasoningControl {
  if (thinking === undefined) return {};
  const budget = optional("budgetTokens", thinking.number("budget_tokens"));
  const kind = thinking.string("type");
  if (kind === "enabled") return { enabled: true, ...budget };
  if (kind === "disabled") return { enabled: false, ...budget };
  thinking.putBack("type");
  return kind === "adaptive" || kind === "between_tools" ? { enabled: true, ...budget } : budget;
}

function decodeOutputFormat(format: FieldReader | undefined): OutputFormat | undefined {
  if (format?.string("type") === "json_schema") {
    const schema = format.object("schema");
    if (schema !== undefined) return { type: "json_schema", schema };
  }
  format?.putBack("type");
  return undefined;
}

/** `output_format` is the beta's older place for `output_config.format`; its `type` stays, which tells the two apart. */
function decodeOlderOutputFormat(format: FieldReader | undefined): OutputFormat | undefined {
  const outputFormat = decodeOutputFormat(format);
  format?.putBack("type");
  return outputFormat;
}
