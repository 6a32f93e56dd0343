// Room dialects, ollama-chat: request bodies as canonical requests.
// Invariant: every field of the body is in the canonical form or in `extensions`; nothing throws.

import type {
  InferenceRequest,
  Message,
  OutputFormat,
  Part,
  ReasoningControl,
  ToolDefinition,
} from "../../canonical/index.ts";
import type { Operation } from "../dialect.ts";
import { FieldReader, isJsonObject, isString, type JsonObject } from "../json/fields.ts";
import { decodeMessage, imagePart } from "./message.ts";
import { optional, ownExtensions } from "./schema.ts";

/** Decodes a body of any call of this dialect. Chat and generate stream unless told not to. */
export function decodeRequest(body: JsonObject, operation: Operation): InferenceRequest {
  const fields = new FieldReader(body);
  if (operation.kind === "embed" || operation.kind === "embeddings") return decodeEmbed(fields, operation);
  const options = decodeOptions(fields.nested("options"));
  const request: InferenceRequest = {
    ...optional("model", fields.string("model")),
    stream: fields.boolean("stream") ?? true,
    ...(operation.kind === "generate" ? decodePrompt(fields) : decodeHistory(fields)),
    ...options,
    ...optional("outputFormat", decodeFormat(fields)),
    ...optional("reasoning", decodeThink(fields)),
    ...optional("logprobs", fields.boolean("logprobs")),
    ...optional("topLogprobs", fields.number("top_logprobs")),
  };
  return { ...request, ...ownExtensions(fields.rest()) };
}

function decodeHistory(fields: FieldReader): Pick<InferenceRequest, "messages" | "tools"> {
  return {
    messages: (fields.array("messages") ?? []).map(decodeMessage),
    ...optional("tools", fields.arrayOf("tools", isJsonObject)?.map(decodeTool)),
  };
}

/** Generate has one prompt with its images instead of a history; `suffix`, `template` and `context` stay in the extensions. */
function decodePrompt(fields: FieldReader): Pick<InferenceRequest, "messages" | "systemInstructions"> {
  const system = fields.filledString("system");
  const prompt = fields.filledString("prompt");
  const images = fields.arrayOf("images", isString) ?? [];
  const parts: Part[] = [
    ...(prompt === undefined ? [] : [{ type: "text", content: prompt } as const]),
    ...images.map(imagePart),
  ];
  return {
    ...(system === undefined ? {} : { systemInstructions: [{ type: "text", content: system }] }),
    messages: parts.length === 0 ? [] : [{ role: "user", parts }],
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

function decodeOptions(options: FieldReader | undefined): Partial<InferenceRequest> {
  if (options === undefined) return {};
  // Below zero means no limit (-1) or as much as the context takes (-2): no number of tokens.
  let maxOutputTokens = options.number("num_predict");
  if (maxOutputTokens !== undefined && maxOutputTokens < 0) {
    options.putBack("num_predict");
    maxOutputTokens = undefined;
  }
  const stop = options.string("stop");
  return {
    ...optional("maxOutputTokens", maxOutputTokens),
    ...optional("temperature", options.number("temperature")),
    ...optional("topP", options.number("top_p")),
    ...optional("topK", options.number("top_k")),
    ...optional("seed", options.number("seed")),
    ...optional("frequencyPenalty", options.number("frequency_penalty")),
    ...optional("presencePenalty", options.number("presence_penalty")),
    ...optional("stopSequences", stop === undefined ? options.arrayOf("stop", isString) : [stop]),
  };
}

/** `"json"`, or a JSON schema itself; "" is none (recorded). */
function decodeFormat(fields: FieldReader): OutputFormat | undefined {
  const schema = fields.object("format");
  if (schema !== undefined) return { type: "json_schema", schema };
  if (fields.string("format") === "json") return { type: "json" };
  fields.putBack("format");
  return undefined;
}

/** Yes or no, or how much: `low`, `medium`, `high`. */
function decodeThink(fields: FieldReader): ReasoningControl | undefined {
  const enabled = fields.boolean("think");
  if (enabled !== undefined) return { enabled };
  const effort = fields.filledString("think");
  return effort === undefined ? undefined : { enabled: true, effort };
}

/** The older call takes one `prompt`, the newer one text or a list as `input`. */
function decodeEmbed(fields: FieldReader, operation: Operation): InferenceRequest {
  const key = operation.kind === "embed" ? "input" : "prompt";
  const text = fields.string(key);
  const inputs = text === undefined ? fields.arrayOf(key, isString) : [text];
  // The older call makes one vector whatever it is given, also when its prompt was left undecoded.
  const inputCount = operation.kind === "embed" ? inputs?.length : 1;
  return {
    ...optional("model", fields.string("model")),
    stream: false,
    messages: (inputs ?? []).map((content): Message => ({ role: "user", parts: [{ type: "text", content }] })),
    embedding: { ...optional("inputCount", inputCount), ...optional("dimensions", fields.number("dimensions")) },
    ...ownExtensions(fields.rest()),
  };
}
