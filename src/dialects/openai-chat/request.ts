// Room dialects, openai-chat: request bodies of chat and legacy completions as canonical requests.
// Invariant: a field that is unknown, or not of the type the wire promises, is kept in `extensions`, never thrown.

import type {
  InferenceRequest,
  Message,
  OutputFormat,
  Part,
  ToolChoice,
  ToolDefinition,
} from "../../canonical/index.ts";
import type { Operation } from "../dialect.ts";
import { FieldReader, isJsonObject, isNumber, isNumberRecord, isString, type JsonObject } from "../json/fields.ts";
import { decodeMessage } from "./message.ts";
import { ownExtensions, tokenLimitMark } from "./schema.ts";

/** Decodes the parsed body of a chat or legacy completion request. */
export function decodeRequest(body: JsonObject, operation: Operation): InferenceRequest {
  const fields = new FieldReader(body);
  const request: InferenceRequest = {
    stream: fields.boolean("stream") ?? false,
    messages: operation.kind === "text_completion" ? decodePrompt(fields) : decodeMessages(fields),
  };
  assign(request, "model", fields.string("model") ?? operation.model);
  const tokenLimit = fields.number("max_completion_tokens");
  const olderLimit = tokenLimit === undefined ? fields.number("max_tokens") : undefined;
  assign(request, "maxOutputTokens", tokenLimit ?? olderLimit);
  assign(request, "temperature", fields.number("temperature"));
  assign(request, "topP", fields.number("top_p"));
  assign(request, "topK", fields.number("top_k"));
  assign(request, "seed", fields.number("seed"));
  assign(request, "frequencyPenalty", fields.number("frequency_penalty"));
  assign(request, "presencePenalty", fields.number("presence_penalty"));
  assign(request, "choiceCount", fields.number("n"));
  assign(request, "logprobs", fields.boolean("logprobs"));
  assign(request, "topLogprobs", fields.number("top_logprobs"));
  assign(request, "serviceTier", fields.string("service_tier"));
  assign(request, "user", fields.string("user"));
  assign(request, "metadata", fields.object("metadata"));
  assign(request, "parallelToolCalls", fields.boolean("parallel_tool_calls"));
  assign(request, "stopSequences", decodeStop(fields));
  assign(request, "logitBias", decodeLogitBias(fields));
  assign(request, "outputFormat", decodeOutputFormat(fields));
  assign(request, "tools", decodeTools(fields));
  assign(request, "toolChoice", decodeToolChoice(fields));
  const effort = fields.string("reasoning_effort");
  if (effort !== undefined) request.reasoning = { effort };
  const streamOptions = decodeStreamOptions(fields, request);
  const limitMark = olderLimit === undefined ? undefined : { [tokenLimitMark]: null };
  // Prompts are conversations apart, which only this call can have: that there are several must not go unsaid elsewhere.
  const isMany = operation.kind === "text_completion" && request.messages.length > 1;
  const prompts = isMany ? { prompt_count: request.messages.length } : undefined;
  return { ...request, ...ownExtensions(fields.rest(), streamOptions, limitMark, prompts) };
}

function assign<Key extends keyof InferenceRequest>(
  request: InferenceRequest,
  key: Key,
  value: InferenceRequest[Key] | undefined,
): void {
  if (value !== undefined) request[key] = value;
}

function decodeMessages(fields: FieldReader): Message[] {
  const wire = fields.arrayOf("messages", isJsonObject);
  return wire === undefined ? [] : wire.map((message) => decodeMessage(message, "request"));
}

/** A prompt is text, or token numbers, or a list of either, each of which is a conversation of its own. */
function decodePrompt(fields: FieldReader): Message[] {
  const text = fields.string("prompt");
  if (text !== undefined) return [userMessage({ type: "text", content: text })];
  const texts = fields.arrayOf("prompt", isString);
  if (texts !== undefined) return texts.map((content) => userMessage({ type: "text", content }));
  const tokens = fields.arrayOf("prompt", isNumber);
  if (tokens !== undefined) return [userMessage(tokensPart(tokens))];
  const tokenLists = fields.arrayOf("prompt", isNumbers);
  return (tokenLists ?? []).map((list) => userMessage(tokensPart(list)));
}

const isNumbers = (item: unknown): item is number[] => Array.isArray(item) && item.every(isNumber);

const tokensPart = (tokens: number[]): Part => ({
  type: "generic",
  generic_type: "tokens",
  ...ownExtensions({ tokens }),
});

const userMessage = (part: Part): Message => ({ role: "user", parts: [part] });

function decodeStop(fields: FieldReader): string[] | undefined {
  const one = fields.string("stop");
  return one === undefined ? fields.arrayOf("stop", isString) : [one];
}

function decodeLogitBias(fields: FieldReader): Record<string, number> | undefined {
  const bias = fields.object("logit_bias");
  if (bias === undefined || isNumberRecord(bias)) return bias;
  fields.putBack("logit_bias");
  return undefined;
}

function decodeOutputFormat(fields: FieldReader): OutputFormat | undefined {
  const format = fields.object("response_format");
  if (format === undefined) return undefined;
  const inner = new FieldReader(format);
  const type = inner.string("type");
  if (type === "text" && inner.rest() === undefined) return { type: "text" };
  if (type === "json_object" && inner.rest() === undefined) return { type: "json" };
  const holder = type === "json_schema" ? inner.object("json_schema") : undefined;
  if (holder !== undefined && inner.rest() === undefined) {
    const schemaFields = new FieldReader(holder);
    const name = schemaFields.string("name");
    const description = schemaFields.string("description");
    const strict = schemaFields.boolean("strict");
    const schema = holder["schema"];
    schemaFields.skip("schema");
    if (schema !== undefined && schemaFields.rest() === undefined) {
      return {
        type: "json_schema",
        schema,
        ...(name === undefined ? {} : { name }),
        ...(description === undefined ? {} : { description }),
        ...(strict === undefined ? {} : { strict }),
      };
    }
  }
  fields.putBack("response_format");
  return undefined;
}

function decodeTools(fields: FieldReader): ToolDefinition[] | undefined {
  const tools = fields.arrayOf("tools", isJsonObject)?.map(decodeTool);
  const functions = fields.arrayOf("functions", isJsonObject)?.map((wire) => decodeFunction(wire, { legacy: true }));
  return tools === undefined ? functions : functions === undefined ? tools : [...tools, ...functions];
}

function decodeTool(wire: JsonObject): ToolDefinition {
  const fields = new FieldReader(wire);
  const type = fields.string("type") ?? "function";
  const holder = type === "function" || type === "custom" ? fields.object(type) : undefined;
  if (holder !== undefined && type === "function") return decodeFunction(holder, fields.rest());
  const inner = new FieldReader(holder ?? {});
  const name = holder === undefined ? fields.string("name") : inner.string("name");
  const description = inner.string("description");
  const innerRest = inner.rest();
  return {
    type,
    // A provider's own tool, such as `web_search`, has no other name than its kind.
    name: name ?? type,
    ...(description === undefined ? {} : { description }),
    ...ownExtensions(innerRest === undefined ? undefined : { [type]: innerRest }, fields.rest()),
  };
}

function decodeFunction(wire: JsonObject, outer: JsonObject | undefined): ToolDefinition {
  const fields = new FieldReader(wire);
  const name = fields.string("name") ?? "";
  const description = fields.string("description");
  const parameters = wire["parameters"];
  fields.skip("parameters");
  const rest = fields.rest();
  return {
    type: "function",
    name,
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parameters }),
    ...ownExtensions(rest === undefined ? undefined : { function: rest }, outer),
  };
}

function decodeToolChoice(fields: FieldReader): ToolChoice | undefined {
  const key = fields.has("tool_choice") ? "tool_choice" : "function_call";
  const word = fields.string(key);
  if (word === "auto" || word === "none" || word === "required") return { type: word };
  // Mistral's and OpenRouter's word for `required` (recorded).
  if (word === "any") return { type: "required" };
  const choice = word === undefined ? decodeChoiceObject(fields.object(key)) : undefined;
  if (choice === undefined) fields.putBack(key);
  return choice;
}

function decodeChoiceObject(wire: JsonObject | undefined): ToolChoice | undefined {
  if (wire === undefined) return undefined;
  // Legacy `function_call` names the function at once.
  const holder = isJsonObject(wire["function"])
    ? wire["function"]
    : isJsonObject(wire["custom"])
      ? wire["custom"]
      : wire;
  if (typeof holder["name"] === "string") return { type: "tool", name: holder["name"] };
  const allowed = wire["allowed_tools"];
  if (!isJsonObject(allowed) || !Array.isArray(allowed["tools"])) return undefined;
  const mode = allowed["mode"];
  const names = allowed["tools"].map(allowedToolName);
  if ((mode !== "auto" && mode !== "required") || !names.every(isString)) return undefined;
  return { type: "allowed", mode, names };
}

function allowedToolName(tool: unknown): unknown {
  if (!isJsonObject(tool)) return undefined;
  const holder = tool["function"] ?? tool["custom"] ?? tool;
  return isJsonObject(holder) ? holder["name"] : undefined;
}

function decodeStreamOptions(fields: FieldReader, request: InferenceRequest): JsonObject | undefined {
  const options = fields.object("stream_options");
  if (options === undefined) return undefined;
  const inner = new FieldReader(options);
  assign(request, "streamUsage", inner.boolean("include_usage"));
  const rest = inner.rest();
  return rest === undefined ? undefined : { stream_options: rest };
}
