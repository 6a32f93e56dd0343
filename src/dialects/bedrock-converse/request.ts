// Room dialects, bedrock-converse: a request body as the canonical request. Nova's invoke bodies are read here too.
// Invariant: every field of the body is in the canonical form or in `extensions`; nothing throws.

import {
  parseArguments,
  type InferenceRequest,
  type OutputFormat,
  type ReasoningControl,
} from "../../canonical/index.ts";
import type { Operation } from "../dialect.ts";
import { FieldReader, isString, type JsonObject } from "../json/fields.ts";
import { decodeBlock, decodeMessage } from "./block.ts";
import { optional, ownExtensions } from "./schema.ts";
import { decodeToolChoice, decodeTools } from "./tools.ts";

/**
 * Decodes a body; model and streaming come from the path. The token counter holds a Converse body in `input.converse`,
 * which is read as if it were the body; what else it may hold (an invoke body in base64) stays in the extensions.
 */
export function decodeRequest(body: JsonObject, operation: Operation): InferenceRequest {
  const whole = new FieldReader(body);
  const fields = (operation.kind === "count_tokens" ? whole.nested("input")?.nested("converse") : undefined) ?? whole;
  const inference = fields.nested("inferenceConfig");
  const toolConfig = fields.nested("toolConfig");
  const more = fields.nested("additionalModelRequestFields");
  const output = fields.nested("outputConfig");
  const reasoning = decodeReasoning(more, output);
  const request: InferenceRequest = {
    ...optional("model", operation.model),
    stream: operation.stream === true,
    ...optional("systemInstructions", fields.array("system")?.map(decodeBlock)),
    messages: (fields.array("messages") ?? []).map(decodeMessage),
    ...optional("tools", decodeTools(toolConfig)),
    ...optional("toolChoice", decodeToolChoice(toolConfig)),
    // Nova's invoke bodies have the two older spellings (recorded).
    ...optional("maxOutputTokens", inference?.number("maxTokens") ?? inference?.number("max_new_tokens")),
    ...optional("temperature", inference?.number("temperature")),
    ...optional("topP", inference?.number("topP") ?? inference?.number("top_p")),
    ...optional("topK", readTopK(inference, more)),
    ...optional("stopSequences", inference?.arrayOf("stopSequences", isString)),
    ...optional("outputFormat", decodeOutputFormat(output?.nested("textFormat"))),
    ...(Object.keys(reasoning).length === 0 ? {} : { reasoning }),
    ...optional("serviceTier", fields.nested("serviceTier")?.string("type")),
    ...optional("metadata", fields.object("requestMetadata")),
  };
  return { ...request, ...ownExtensions(whole.rest()) };
}

/** Converse has no place for it: Claude and others take `top_k`, Nova its own `inferenceConfig` (recorded). */
function readTopK(inference: FieldReader | undefined, more: FieldReader | undefined): number | undefined {
  return inference?.number("topK") ?? more?.number("top_k") ?? more?.nested("inferenceConfig")?.number("topK");
}

/**
 * Every family has its own field: Claude `thinking` or `reasoning_config` with a budget, Nova 2 `reasoningConfig`, Qwen a
 * word in `reasoning_config`, gpt-oss `reasoning_effort` (all but Nova's recorded).
 */
function decodeReasoning(more: FieldReader | undefined, output: FieldReader | undefined): ReasoningControl {
  const thinking = more?.nested("thinking") ?? more?.nested("reasoning_config") ?? more?.nested("reasoningConfig");
  const type = thinking?.string("type");
  const budget = thinking?.number("budget_tokens");
  const effort =
    output?.string("effort") ??
    more?.string("reasoning_effort") ??
    more?.string("reasoning_config") ??
    thinking?.string("maxReasoningEffort");
  const isSwitch = type === "enabled" || type === "disabled";
  // `adaptive` says more than "on": the word itself stays.
  if (!isSwitch) thinking?.putBack("type");
  const enabled = isSwitch ? type === "enabled" : type === "adaptive" ? true : undefined;
  return { ...optional("enabled", enabled), ...optional("budgetTokens", budget), ...optional("effort", effort) };
}

/** The schema is JSON in a text (recorded); one that does not parse stays a text. */
function decodeOutputFormat(format: FieldReader | undefined): OutputFormat | undefined {
  const definition = format?.nested("structure")?.nested("jsonSchema");
  const schema = definition?.string("schema");
  if (schema === undefined || definition === undefined) return undefined;
  if (format?.string("type") !== "json_schema") format?.putBack("type");
  return {
    type: "json_schema",
    schema: parseArguments(schema),
    ...optional("name", definition.string("name")),
    ...optional("description", definition.string("description")),
  };
}
