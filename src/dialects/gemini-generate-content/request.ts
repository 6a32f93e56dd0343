// Room dialects, gemini-generate-content: a request body as the canonical request.
// Invariant: every field of the body is in the canonical form or in `extensions`, in the spelling it came in; nothing throws.

import type { InferenceRequest, OutputFormat, ReasoningControl } from "../../canonical/index.ts";
import type { Operation } from "../dialect.ts";
import { FieldReader, isString, type JsonObject } from "../json/fields.ts";
import { decodeEmbeddingRequest } from "./embedding.ts";
import { decodeContent, decodePart } from "./message.ts";
import { bareModel, optional, ownExtensions, spelled, takeList } from "./schema.ts";
import { decodeToolChoice, decodeTools } from "./tool.ts";

/**
 * Decodes the body of any call of this dialect. The path names the model and says whether a stream is asked for; a `model`
 * in the body stays in the extensions then. Not told apart: the two spellings of a field, a list of one and its one item.
 */
export function decodeRequest(body: JsonObject, operation: Operation): InferenceRequest {
  if (operation.name === "embeddings") return decodeEmbeddingRequest(body, operation);
  const fields = new FieldReader(body);
  // The token counter takes a whole request in place of its contents.
  const source =
    operation.kind === "count_tokens" ? fields.nested(spelled(fields, "generateContentRequest")) : undefined;
  const request = decodeGeneration(source ?? fields, operation);
  return { ...request, ...ownExtensions(fields.rest()) };
}

function decodeGeneration(fields: FieldReader, operation: Operation): InferenceRequest {
  const config = fields.nested(spelled(fields, "generationConfig"));
  const instructions = fields.nested(spelled(fields, "systemInstruction"));
  const toolConfig = fields.nested(spelled(fields, "toolConfig"));
  return {
    ...optional("model", operation.model ?? modelOf(fields)),
    stream: operation.stream === true,
    ...optional(
      "systemInstructions",
      instructions === undefined ? undefined : takeList(instructions, "parts")?.map(decodePart),
    ),
    messages: (takeList(fields, "contents") ?? []).map(decodeContent),
    ...optional("tools", takeList(fields, "tools")?.flatMap(decodeTools)),
    ...optional("toolChoice", decodeToolChoice(toolConfig)),
    ...(config === undefined ? {} : decodeConfig(config)),
    ...optional("serviceTier", fields.string(spelled(fields, "serviceTier"))),
    // Vertex bills by them.
    ...optional("metadata", fields.object("labels")),
  };
}

function modelOf(fields: FieldReader): string | undefined {
  const model = fields.string("model");
  return model === undefined ? undefined : bareModel(model);
}

function decodeConfig(config: FieldReader): Partial<InferenceRequest> {
  const number = (name: string): number | undefined => config.number(spelled(config, name));
  return {
    ...optional("maxOutputTokens", number("maxOutputTokens")),
    ...optional("temperature", number("temperature")),
    ...optional("topP", number("topP")),
    ...optional("topK", number("topK")),
    ...optional("seed", number("seed")),
    ...optional("frequencyPenalty", number("frequencyPenalty")),
    ...optional("presencePenalty", number("presencePenalty")),
    ...optional("stopSequences", config.arrayOf(spelled(config, "stopSequences"), isString)),
    ...optional("choiceCount", number("candidateCount")),
    ...optional("logprobs", config.boolean(spelled(config, "responseLogprobs"))),
    ...optional("topLogprobs", number("logprobs")),
    ...optional("outputFormat", decodeOutputFormat(config)),
    ...optional("reasoning", decodeThinking(config)),
  };
}

/** Any media type but JSON and plain text (`text/x.enum`) is Google's own and stays in the extensions. */
function decodeOutputFormat(config: FieldReader): OutputFormat | undefined {
  const typeKey = spelled(config, "responseMimeType");
  const mimeType = config.string(typeKey);
  if (mimeType === "text/plain") return { type: "text" };
  if (mimeType !== "application/json") {
    config.putBack(typeKey);
    return undefined;
  }
  const jsonSchema = config.object(spelled(config, "responseJsonSchema"));
  if (jsonSchema !== undefined) return { type: "json_schema", schema: jsonSchema };
  const schemaKey = spelled(config, "responseSchema");
  const schema = config.object(schemaKey);
  // Google's own subset of OpenAPI: told apart from JSON Schema by staying in the extensions too.
  config.putBack(schemaKey);
  return schema === undefined ? { type: "json" } : { type: "json_schema", schema };
}

/** A budget of 0 turns thinking off and -1 leaves it to the model, which is no number of tokens. */
function decodeThinking(config: FieldReader): ReasoningControl | undefined {
  const thinking = config.nested(spelled(config, "thinkingConfig"));
  if (thinking === undefined) return undefined;
  const budgetKey = spelled(thinking, "thinkingBudget");
  const budget = thinking.number(budgetKey);
  const effort = optional("effort", thinking.string(spelled(thinking, "thinkingLevel")));
  if (budget !== undefined && budget < 0) {
    thinking.putBack(budgetKey);
    return { enabled: true, ...effort };
  }
  if (budget !== undefined) return { enabled: budget > 0, budgetTokens: budget, ...effort };
  return effort.effort === undefined ? undefined : effort;
}
