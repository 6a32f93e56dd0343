// Room dialects, bedrock-invoke: request bodies of the families that complete a prompt, and of Cohere's Command R.
// They differ in how they spell the same few settings. Invariant: what is not understood is kept in `extensions`.

import type { Message, Role, ToolDefinition } from "../../canonical/index.ts";
import { FieldReader, isJsonObject, isString, type JsonObject } from "../json/fields.ts";
import type { PlainRequest } from "./embedding.ts";
import { optional, ownExtensions } from "./schema.ts";

/** Decodes a body: Titan's settings stand in `textGenerationConfig`, everyone else's at the top. */
export function decodePromptRequest(body: JsonObject): PlainRequest {
  const fields = new FieldReader(body);
  const settings = fields.nested("textGenerationConfig") ?? fields;
  const number = (...keys: string[]): number | undefined => firstDefined(keys, (key) => settings.number(key));
  const prompt = firstDefined(["prompt", "inputText", "message"], (key) => fields.string(key));
  const history = (fields.arrayOf("chat_history", isJsonObject) ?? []).map(decodeTurn);
  const preamble = fields.string("preamble");
  const request: PlainRequest = {
    ...optional("systemInstructions", preamble === undefined ? undefined : [{ type: "text", content: preamble }]),
    messages: prompt === undefined ? history : [...history, textMessage("user", prompt)],
    ...optional("tools", fields.arrayOf("tools", isJsonObject)?.map(decodeTool)),
    ...optional(
      "maxOutputTokens",
      number("max_tokens", "max_gen_len", "max_tokens_to_sample", "maxTokens", "maxTokenCount"),
    ),
    ...optional("temperature", number("temperature")),
    ...optional("topP", number("top_p", "topP", "p")),
    ...optional("topK", number("top_k", "k")),
    ...optional("seed", number("seed")),
    ...optional("choiceCount", number("num_generations", "numResults")),
    ...optional(
      "stopSequences",
      firstDefined(["stop", "stop_sequences", "stopSequences"], (key) => settings.arrayOf(key, isString)),
    ),
  };
  return { ...request, ...ownExtensions(fields.rest()) };
}

function firstDefined<Value>(keys: readonly string[], read: (key: string) => Value | undefined): Value | undefined {
  for (const key of keys) {
    const value = read(key);
    if (value !== undefined) return value;
  }
  return undefined;
}

function textMessage(role: Role, content: string): Message {
  return { role, parts: [{ type: "text", content }] };
}

const historyRoles = new Map<string, Role>([
  ["USER", "user"],
  ["CHATBOT", "assistant"],
  ["SYSTEM", "system"],
  ["TOOL", "tool"],
]);

/** One earlier turn of Command R. */
function decodeTurn(wire: JsonObject): Message {
  const fields = new FieldReader(wire);
  const role = fields.string("role") ?? "unknown";
  const content = fields.string("message");
  return {
    role: historyRoles.get(role) ?? role,
    parts: content === undefined ? [] : [{ type: "text", content }],
    ...ownExtensions(fields.rest()),
  };
}

/** Command R's parameters are no JSON schema: they stay as they are, in the extensions. */
function decodeTool(wire: JsonObject): ToolDefinition {
  const fields = new FieldReader(wire);
  return {
    type: "function",
    name: fields.string("name") ?? "",
    ...optional("description", fields.string("description")),
    ...ownExtensions(fields.rest()),
  };
}
