// Room dialects, cohere-chat: request bodies as canonical requests.
// Invariant: every field of the body is in the canonical form or in `extensions`; nothing throws.

import type {
  InferenceRequest,
  Message,
  OutputFormat,
  Part,
  ReasoningControl,
  ToolChoice,
  ToolDefinition,
} from "../../canonical/index.ts";
import type { Operation } from "../dialect.ts";
import { FieldReader, isJsonObject, isString, type JsonObject } from "../json/fields.ts";
import { decodeContent, decodeMessage, imagePart } from "./message.ts";
import { optional, ownExtensions } from "./schema.ts";

/** Decodes a body of any call of this dialect. */
export function decodeRequest(body: JsonObject, operation: Operation): InferenceRequest {
  const fields = new FieldReader(body);
  switch (operation.kind) {
    case "embed":
      return decodeEmbed(fields);
    case "chat_v1":
      return decodeOlderChat(fields);
    case "generate":
      return decodeGenerate(fields);
    default:
      return decodeChat(fields);
  }
}

function decodeChat(fields: FieldReader): InferenceRequest {
  const request: InferenceRequest = {
    ...decodeSampling(fields),
    messages: (fields.array("messages") ?? []).map(decodeMessage),
    ...optional("tools", fields.arrayOf("tools", isJsonObject)?.map(decodeTool)),
    ...optional("toolChoice", decodeToolChoice(fields)),
    ...optional("outputFormat", decodeOutputFormat(fields.nested("response_format"))),
    ...optional("reasoning", decodeThinking(fields.nested("thinking"))),
    ...optional("logprobs", fields.boolean("logprobs")),
  };
  return { ...request, ...ownExtensions(fields.rest()) };
}

/** What all three ways to ask for text share. */
function decodeSampling(fields: FieldReader): InferenceRequest {
  return {
    ...optional("model", fields.string("model")),
    stream: fields.boolean("stream") ?? false,
    messages: [],
    ...optional("maxOutputTokens", fields.number("max_tokens")),
    ...optional("temperature", fields.number("temperature")),
    ...optional("topP", fields.number("p")),
    ...optional("topK", fields.number("k")),
    ...optional("seed", fields.number("seed")),
    ...optional("frequencyPenalty", fields.number("frequency_penalty")),
    ...optional("presencePenalty", fields.number("presence_penalty")),
    ...optional("stopSequences", fields.arrayOf("stop_sequences", isString)),
  };
}

function decodeTool(wire: JsonObject): ToolDefinition {
  const fields = new FieldReader(wire);
  const definition = fields.nested("function");
  const parameters = definition?.object("parameters");
  return {
    type: fields.string("type") ?? "function",
    name: definition?.string("name") ?? "",
    ...optional("description", definition?.string("description")),
    ...optional("parameters", parameters),
    ...ownExtensions(fields.rest()),
  };
}

/** Cohere knows no other two; without either the model chooses. */
function decodeToolChoice(fields: FieldReader): ToolChoice | undefined {
  const word = fields.string("tool_choice");
  if (word === "REQUIRED") return { type: "required" };
  if (word === "NONE") return { type: "none" };
  fields.putBack("tool_choice");
  return undefined;
}

/** `json_object` may carry a schema, which binds the answer as `json_schema` does elsewhere; v1 calls it `schema`. */
function decodeOutputFormat(format: FieldReader | undefined): OutputFormat | undefined {
  switch (format?.string("type")) {
    case "text":
      return { type: "text" };
    case "json_object": {
      const schema = format.object("json_schema") ?? format.object("schema");
      return schema === undefined ? { type: "json" } : { type: "json_schema", schema };
    }
  }
  format?.putBack("type");
  return undefined;
}

function decodeThinking(thinking: FieldReader | undefined): ReasoningControl | undefined {
  if (thinking === undefined) return undefined;
  const word = thinking.string("type");
  const isKnown = word === "enabled" || word === "disabled";
  if (!isKnown) thinking.putBack("type");
  const budgetTokens = thinking.number("token_budget");
  if (!isKnown && budgetTokens === undefined) return undefined;
  return { ...(isKnown ? { enabled: word === "enabled" } : {}), ...optional("budgetTokens", budgetTokens) };
}

/** v1: the newest message stands apart from the history, and the instructions from both. */
function decodeOlderChat(fields: FieldReader): InferenceRequest {
  const request = decodeSampling(fields);
  const preamble = fields.string("preamble");
  const messages = (fields.array("chat_history") ?? []).map(decodeOlderMessage);
  const newest = fields.string("message");
  if (newest !== undefined) messages.push(userMessage({ type: "text", content: newest }));
  return {
    ...request,
    ...(preamble === undefined ? {} : { systemInstructions: [{ type: "text", content: preamble }] }),
    messages,
    ...optional("outputFormat", decodeOutputFormat(fields.nested("response_format"))),
    ...ownExtensions(fields.rest()),
  };
}

/** Roles are written CHATBOT, USER, SYSTEM and TOOL, in any case (recorded: `System`). */
function decodeOlderMessage(wire: unknown): Message {
  if (!isJsonObject(wire)) return { role: "unknown", parts: [], ...ownExtensions({ value: wire }) };
  const fields = new FieldReader(wire);
  const word = fields.string("role")?.toLowerCase() ?? "unknown";
  return {
    role: word === "chatbot" ? "assistant" : word,
    parts: decodeContent(fields, "message"),
    ...ownExtensions(fields.rest()),
  };
}

function decodeGenerate(fields: FieldReader): InferenceRequest {
  const request = decodeSampling(fields);
  const prompt = fields.string("prompt");
  return {
    ...request,
    messages: prompt === undefined ? [] : [userMessage({ type: "text", content: prompt })],
    ...optional("choiceCount", fields.number("num_generations")),
    ...ownExtensions(fields.rest()),
  };
}

/** Texts, images or mixed inputs become messages, one for each vector asked for. */
function decodeEmbed(fields: FieldReader): InferenceRequest {
  const texts = fields.arrayOf("texts", isString)?.map((content) => userMessage({ type: "text", content }));
  const images = fields.arrayOf("images", isString)?.map((url) => userMessage(imagePart(url)));
  const inputs = fields.arrayOf("inputs", isJsonObject)?.map(decodeInput);
  const lists = [texts, images, inputs].filter((list) => list !== undefined);
  const messages = lists.flat();
  return {
    ...optional("model", fields.string("model")),
    stream: false,
    messages,
    embedding: {
      ...(lists.length === 0 ? {} : { inputCount: messages.length }),
      ...optional("dimensions", fields.number("output_dimension")),
      ...optional("encodingFormats", fields.arrayOf("embedding_types", isString)),
    },
    ...ownExtensions(fields.rest()),
  };
}

function decodeInput(wire: JsonObject): Message {
  const fields = new FieldReader(wire);
  return { role: "user", parts: decodeContent(fields, "content"), ...ownExtensions(fields.rest()) };
}

const userMessage = (part: Part): Message => ({ role: "user", parts: [part] });
