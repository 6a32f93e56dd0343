// Room dialects, bedrock-converse: settings of a request: sampling, reasoning, output format, and what is handed on to the model.
// Invariant: no default is made up; a value out of Bedrock's range is brought into it and told.

import type { InferenceRequest, OutputFormat } from "../../canonical/index.ts";
import type { Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject, optional } from "../json/fields.ts";
import { toJsonSchema } from "../json/open-api-schema.ts";
import { isLoopUnreasoned } from "../tool-loop.ts";
import { findFamily } from "./model-family.ts";
import { encodeParallelCalls } from "./tools-encode.ts";

/** The member `inferenceConfig`; empty where nothing is set. */
export function encodeInferenceConfig(request: InferenceRequest, encoding: Encoding): JsonObject {
  const { temperature } = request;
  const isOwn = encoding.source === encoding.target;
  const isHot = !isOwn && temperature !== undefined && temperature > 1;
  if (isHot) encoding.lose(["temperature"], "approximated", "Converse takes temperatures up to 1");
  return {
    ...optional("maxTokens", request.maxOutputTokens),
    ...optional("temperature", isHot ? 1 : temperature),
    ...optional("topP", request.topP),
    ...optional("stopSequences", request.stopSequences),
  };
}

/** The members `additionalModelRequestFields` and `outputConfig`, each only where it says something. */
export function encodeModelFields(
  request: InferenceRequest,
  messages: readonly unknown[],
  encoding: Encoding,
): JsonObject {
  const reasoning = encodeReasoning(request, messages, encoding);
  const isOwn = encoding.source === encoding.target;
  const fields = {
    ...encodeTopK(request, encoding),
    ...reasoning.fields,
    ...(isOwn ? {} : encodeParallelCalls(request, encoding)),
  };
  const format = request.outputFormat === undefined ? undefined : encodeOutputFormat(request.outputFormat, encoding);
  const output = { ...optional("textFormat", format), ...optional("effort", reasoning.effort) };
  return {
    ...(Object.keys(fields).length === 0 ? {} : { additionalModelRequestFields: fields }),
    ...(Object.keys(output).length === 0 ? {} : { outputConfig: output }),
  };
}

/** The member `serviceTier`; Bedrock's words are default, flex, priority and reserved. */
export function encodeServiceTier(tier: string | undefined, encoding: Encoding): JsonObject {
  if (tier === undefined) return {};
  const isOwn = encoding.source === encoding.target;
  if (isOwn || ["default", "flex", "priority", "reserved"].includes(tier)) return { serviceTier: { type: tier } };
  if (tier === "standard_only" || tier === "standard") return { serviceTier: { type: "default" } };
  if (tier !== "auto") encoding.lose(["serviceTier"], "unsupported", "Bedrock has no service tier by this name");
  return {};
}

const metadataText = /^[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}$/;
const maxMetadataEntries = 16;

/** The member `requestMetadata`: texts of a limited alphabet (general knowledge, not verified). */
export function encodeMetadata({ metadata, user }: InferenceRequest, encoding: Encoding): JsonObject {
  if (encoding.source === encoding.target) return optional("requestMetadata", metadata);
  const kept: Record<string, string> = {};
  const put = (key: string, value: unknown): boolean => {
    const isKept =
      typeof value === "string" &&
      metadataText.test(key) &&
      metadataText.test(value) &&
      Object.keys(kept).length < maxMetadataEntries;
    if (isKept) kept[key] = value;
    return isKept;
  };
  for (const [key, value] of Object.entries(metadata ?? {})) {
    if (!put(key, value))
      encoding.lose(["metadata", key], "unsupported", "Bedrock takes only short plain texts as metadata");
  }
  if (user !== undefined) {
    if (put("user", user)) encoding.lose(["user"], "moved", "Bedrock keeps it among the request's metadata");
    else encoding.lose(["user"], "unsupported", "Bedrock takes only short plain texts as metadata");
  }
  return Object.keys(kept).length === 0 ? {} : { requestMetadata: kept };
}

function encodeTopK({ topK }: InferenceRequest, encoding: Encoding): JsonObject {
  if (topK === undefined) return {};
  const family = findFamily(encoding.model);
  if (family === "nova") return { inferenceConfig: { topK } };
  if (family === "anthropic" || family === "mistral" || encoding.source === encoding.target) return { top_k: topK };
  encoding.lose(["topK"], "unsupported", "Converse has no place for it, and this model's own is not known");
  return {};
}

interface ReasoningFields {
  fields: JsonObject;
  effort?: string;
}

/** Every family has its own field (`decodeReasoning`); `outputConfig.effort` is Converse's for those that have none known. */
function encodeReasoning(request: InferenceRequest, messages: readonly unknown[], encoding: Encoding): ReasoningFields {
  const { enabled, budgetTokens, effort } = request.reasoning ?? {};
  if (request.reasoning === undefined) return { fields: {} };
  const family = findFamily(encoding.model);
  const isOwn = encoding.source === encoding.target;
  const type = enabled === undefined ? undefined : enabled ? "enabled" : "disabled";
  if (family === "nova") {
    const word = isOwn ? effort : nearestEffort(effort, encoding, ["low", "medium", "high"]);
    if (!isOwn) loseBudget(budgetTokens, word, encoding);
    const isOn = type ?? (word === undefined ? undefined : "enabled");
    return { fields: { reasoningConfig: { ...optional("type", isOn), ...optional("maxReasoningEffort", word) } } };
  }
  const isByWord = family === "openai" || family === "qwen";
  if (isByWord && enabled === undefined && budgetTokens === undefined) {
    const word = isOwn ? effort : nearestEffort(effort, encoding, ["low", "medium", "high"]);
    return { fields: optional(family === "openai" ? "reasoning_effort" : "reasoning_config", word) };
  }
  const isOff = !isOwn && (enabled === false || effort === "none");
  if (isOff) {
    if (family === "anthropic") return { fields: { thinking: { type: "disabled" } } };
    encoding.lose(["reasoning"], "unsupported", "Converse cannot tell this model not to reason");
    return { fields: {} };
  }
  const word = isOwn ? effort : nearestEffort(effort, encoding, ["low", "medium", "high", "xhigh", "max"]);
  const effortField = optional("effort", word);
  if (!isOwn && family !== "anthropic") {
    loseBudget(budgetTokens, word, encoding);
    if (enabled === true && budgetTokens === undefined && word === undefined) {
      encoding.lose(["reasoning"], "unsupported", "Converse cannot tell this model to reason");
    }
    return { fields: {}, ...effortField };
  }
  const stated = isOwn ? undefined : encoding.take(request, "anthropic-messages", "thinking");
  const beside = isJsonObject(stated) ? stated : {};
  // Reasoning needs a budget, or to be adaptive: a mere "on" is neither.
  const isBare = !isOwn && type === "enabled" && budgetTokens === undefined && beside["type"] === undefined;
  const on = isBare ? "adaptive" : (type ?? (budgetTokens === undefined || isOwn ? undefined : "enabled"));
  const thinking = { ...optional("type", on), ...optional("budget_tokens", budgetTokens), ...beside };
  const isManual = !isOwn && thinking["type"] === "enabled";
  if (isManual && isLoopUnreasoned(messages, (block) => Object.keys(block)[0] ?? "")) {
    encoding.lose(["reasoning"], "approximated", "Claude cannot think on in a tool loop that began without thinking");
    return { fields: { thinking: { type: "disabled" } }, ...effortField };
  }
  return { fields: Object.keys(thinking).length === 0 ? {} : { thinking }, ...effortField };
}

function loseBudget(budget: number | undefined, effort: string | undefined, encoding: Encoding): void {
  if (budget === undefined) return;
  const detail =
    effort === undefined ? "this model takes no budget of tokens" : "this model takes an effort, no budget";
  encoding.lose(["reasoning", "budgetTokens"], "unsupported", detail, "tuning");
}

const efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/** The word itself where it is known there, else the nearest of the known ones. */
function nearestEffort(
  effort: string | undefined,
  encoding: Encoding,
  known: readonly [string, ...string[]],
): string | undefined {
  if (effort === undefined || known.includes(effort)) return effort;
  const rank = efforts.indexOf(effort);
  if (rank === -1 || effort === "none") {
    const detail = "this model has no effort by this name";
    encoding.lose(["reasoning", "effort"], "unsupported", detail, "tuning");
    return undefined;
  }
  encoding.lose(["reasoning", "effort"], "approximated", "it is the nearest effort that this model has", "tuning");
  return effort === "minimal" ? known[0] : known.at(-1);
}

/** The schema is JSON in a text. */
function encodeOutputFormat(format: OutputFormat, encoding: Encoding): JsonObject | undefined {
  switch (format.type) {
    case "text":
      return undefined;
    case "json":
      encoding.lose(["outputFormat"], "unsupported", "Converse cannot ask for JSON without a schema");
      return undefined;
    case "json_schema": {
      const { name, description } = format;
      encoding.loseSchemaFacts(format, ["strict"]);
      const isOpenApi = encoding.source === "gemini-generate-content";
      const schema = isOpenApi ? toJsonSchema(format.schema) : format.schema;
      const text = typeof schema === "string" ? schema : JSON.stringify(schema);
      const definition = { schema: text, ...optional("name", name), ...optional("description", description) };
      return { type: "json_schema", structure: { jsonSchema: definition } };
    }
  }
}
