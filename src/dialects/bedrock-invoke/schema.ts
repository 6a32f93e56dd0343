// Room dialects, bedrock-invoke: what the wire says. InvokeModel carries each model provider's own body; Amazon adds members
// named `amazon-bedrock-…` and headers (@aws-sdk/client-bedrock-runtime 3.1162.0, read 2026-11-21; recorded traffic).

import type { UnifiedFinishReason } from "../../canonical/index.ts";
import { keepUnder } from "../extensions.ts";
export { optional } from "../json/fields.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";

/** Id of this dialect, and the key of its bag in `extensions`. A body read by another dialect keeps its leftovers under that one's id. */
export const dialectId = "bedrock-invoke";

/** The bag of this dialect, or nothing where there is nothing to keep. */
export const ownExtensions = keepUnder(dialectId);

/** The first of these members that is a text. */
export function firstText(object: JsonObject, keys: readonly string[]): { key: string; text: string } | undefined {
  for (const key of keys) {
    const text = object[key];
    if (typeof text === "string") return { key, text };
  }
  return undefined;
}

/**
 * Finish reasons of the families that complete a prompt, in lower case: Titan (`finish`, `stop_criteria_met`,
 * `content_filtered`), Llama and Mistral (`stop`, `length`), Claude's older models (`stop_sequence`, `max_tokens`),
 * Cohere (`complete`, `error_toxic`), Jurassic (`endoftext`); `intervened` is Amazon's guardrail.
 */
const finishReasons = new Map<string, UnifiedFinishReason>([
  ["finish", "stop"],
  ["finished", "stop"],
  ["stop", "stop"],
  ["stop_sequence", "stop"],
  ["stop_criteria_met", "stop"],
  ["complete", "stop"],
  ["endoftext", "stop"],
  ["length", "length"],
  ["max_tokens", "length"],
  ["content_filtered", "content_filter"],
  ["error_toxic", "content_filter"],
  ["intervened", "content_filter"],
]);

/** The word of the GenAI conventions for a finish reason; `error` for one that is not known. */
export function unifyFinishReason(raw: string): UnifiedFinishReason {
  return finishReasons.get(raw.toLowerCase()) ?? "error";
}

/** What Amazon added to a provider's body: the metrics of a stream's last chunk, and facts about guardrails. */
export interface AmazonMembers {
  body: JsonObject;
  metrics: JsonObject | undefined;
  facts: JsonObject | undefined;
}

const amazonPrefix = "amazon-bedrock-";

/** Name of the member with a stream's counts. */
export const metricsKey = "amazon-bedrock-invocationMetrics";

/** Takes Amazon's members out of a provider's body; one that has none is its own. */
export function splitAmazonMembers(whole: JsonObject): AmazonMembers {
  let facts: JsonObject | undefined;
  for (const key in whole) if (key !== metricsKey && key.startsWith(amazonPrefix)) (facts ??= {})[key] = whole[key];
  const stated = whole[metricsKey];
  if (stated === undefined && facts === undefined) return { body: whole, metrics: undefined, facts };
  const { [metricsKey]: _metrics, ...body } = whole;
  for (const key in facts) delete body[key];
  return { body, metrics: isJsonObject(stated) ? stated : undefined, facts };
}

/** A guardrail put its own words in the place of the model's, or masked some of them. */
export function isIntervened(facts: JsonObject | undefined): boolean {
  return facts?.["amazon-bedrock-guardrailAction"] === "INTERVENED";
}
