// Room dialects, openai-responses: request bodies as canonical requests.
// Invariant: a field that is unknown, or not of the type the wire promises, is kept in `extensions`, never thrown.

import type { InferenceRequest, Message, OutputFormat, ToolChoice, ToolDefinition } from "../../canonical/index.ts";
import { FieldReader, isJsonObject, isString, type JsonObject } from "../json/fields.ts";
import { decodeContent } from "./content.ts";
import { decodeItemParts } from "./item.ts";
import { filledText, optional, ownExtensions } from "./schema.ts";

/** Decodes the parsed body of a request: to create a response, to compact a conversation or to count its tokens. */
export function decodeRequest(body: JsonObject): InferenceRequest {
  const fields = new FieldReader(body);
  fields.skipNull("previous_response_id");
  const instructions = fields.string("instructions");
  const include = fields.arrayOf("include", isString);
  // Read for the one word that has a canonical field; the list itself is kept whole.
  fields.putBack("include");
  const request: InferenceRequest = {
    ...optional("model", fields.string("model")),
    stream: fields.boolean("stream") ?? false,
    ...optional(
      "systemInstructions",
      instructions === undefined ? undefined : [{ type: "text" as const, content: instructions }],
    ),
    messages: decodeInput(fields),
    ...optional("tools", fields.arrayOf("tools", isJsonObject)?.map(decodeTool)),
    ...optional("toolChoice", decodeToolChoice(fields)),
    ...optional("parallelToolCalls", fields.boolean("parallel_tool_calls")),
    ...optional("maxOutputTokens", fields.number("max_output_tokens")),
    ...optional("temperature", fields.number("temperature")),
    ...optional("topP", fields.number("top_p")),
    ...optional("logprobs", include?.includes("message.output_text.logprobs") === true ? true : undefined),
    ...optional("topLogprobs", fields.number("top_logprobs")),
    ...optional("outputFormat", decodeOutputFormat(fields)),
    ...optional("reasoning", decodeReasoning(fields)),
    ...optional("serviceTier", fields.string("service_tier")),
    ...optional("user", fields.string("user")),
    ...optional("metadata", fields.object("metadata")),
    ...optional("previousResponseId", fields.string("previous_response_id")),
    ...optional("conversationId", fields.string("conversation") ?? fields.nested("conversation")?.string("id")),
  };
  return { ...request, ...ownExtensions(fields.rest()) };
}

/** One message for each item, in the order of the wire; a bare text is the user's. */
function decodeInput(fields: FieldReader): Message[] {
  const text = fields.string("input");
  if (text !== undefined) return [{ role: "user", parts: [{ type: "text", content: text }] }];
  return fields.array("input")?.map(decodeInputItem) ?? [];
}

function decodeInputItem(wire: unknown): Message {
  if (isJsonObject(wire) && (wire["type"] === undefined || wire["type"] === "message")) {
    const { role, content, ...rest } = wire;
    const parts = decodeContent(content);
    if (typeof role === "string" && parts !== undefined) {
      return { role, parts, ...ownExtensions(Object.keys(rest).length === 0 ? undefined : rest) };
    }
  }
  return { role: roleOf(wire), parts: decodeItemParts(wire) };
}

/** Items that are no messages come from the model, but for what answers it. */
function roleOf(wire: unknown): string {
  if (!isJsonObject(wire)) return "unknown";
  const kind = filledText(wire["type"]) ?? "";
  if (kind.endsWith("_output") || kind === "mcp_approval_response") return "tool";
  return filledText(wire["role"]) ?? "assistant";
}

/** A provider's own tool has no other name than its kind; an MCP server's is its label, which stays in the extensions. */
function decodeTool(wire: JsonObject): ToolDefinition {
  const fields = new FieldReader(wire);
  const type = fields.string("type") ?? "function";
  const isFunction = type === "function";
  if (isFunction) fields.skip("parameters");
  return {
    type,
    name: fields.string("name") ?? type,
    ...optional("description", fields.string("description")),
    ...optional("parameters", isFunction ? wire["parameters"] : undefined),
    ...ownExtensions(fields.rest()),
  };
}

/** A choice that says more than its canonical form (custom and MCP tools) is in the extensions too. */
function decodeToolChoice(fields: FieldReader): ToolChoice | undefined {
  const word = fields.string("tool_choice");
  if (word === "auto" || word === "none" || word === "required") return { type: word };
  const choice = word === undefined ? fields.object("tool_choice") : undefined;
  if (choice === undefined || choice["type"] !== "function") fields.putBack("tool_choice");
  if (choice === undefined) return undefined;
  const type = filledText(choice["type"]);
  if (type === "allowed_tools") return decodeAllowedTools(fields, choice);
  const name = filledText(choice["name"]) ?? type;
  if (name === undefined || (type === "function" && Object.keys(choice).length !== 2)) fields.putBack("tool_choice");
  return name === undefined ? undefined : { type: "tool", name };
}

function decodeAllowedTools(fields: FieldReader, choice: JsonObject): ToolChoice | undefined {
  const { mode, tools } = choice;
  if ((mode !== "auto" && mode !== "required") || !Array.isArray(tools)) return undefined;
  const names = (tools as unknown[]).map((tool) =>
    isJsonObject(tool) ? (filledText(tool["name"]) ?? filledText(tool["type"])) : undefined,
  );
  if (!names.every(isString)) return undefined;
  // Functions alone are told by their names; of any other kind the wire form is the only whole one.
  if ((tools as JsonObject[]).every((tool) => tool["type"] === "function")) fields.skip("tool_choice");
  return { type: "allowed", mode, names };
}

function decodeOutputFormat(fields: FieldReader): OutputFormat | undefined {
  const text = fields.nested("text");
  const format = text?.object("format");
  if (text === undefined || format === undefined) return undefined;
  const inner = new FieldReader(format);
  const type = inner.string("type");
  if (type === "text" && inner.rest() === undefined) return { type: "text" };
  if (type === "json_object" && inner.rest() === undefined) return { type: "json" };
  if (type === "json_schema" && format["schema"] !== undefined) {
    inner.skip("schema");
    const decoded: OutputFormat = {
      type: "json_schema",
      ...optional("name", inner.string("name")),
      schema: format["schema"],
      ...optional("strict", inner.boolean("strict")),
      ...optional("description", inner.string("description")),
    };
    if (inner.rest() === undefined) return decoded;
  }
  text.putBack("format");
  return undefined;
}

function decodeReasoning(fields: FieldReader): InferenceRequest["reasoning"] {
  const effort = fields.nested("reasoning")?.string("effort");
  return effort === undefined ? undefined : { effort };
}
