// Room dialects, bedrock-converse: a whole answer as the canonical response. Nova's invoke answers are read here too.
// Invariant: every field of the body is in the canonical form or in `extensions`; nothing throws.

import type { Choice, InferenceResponse } from "../../canonical/index.ts";
import type { AnswerDetail, Operation } from "../dialect.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { decodeMessage } from "./block.ts";
import { optional, ownExtensions, unifyFinishReason } from "./schema.ts";
import { decodeUsage } from "./usage.ts";

/**
 * Decodes an answer: one choice. Bedrock names no answering model and no id. A count of the token counter is no usage
 * (nothing was spent): it stays in the extensions.
 */
export function decodeResponse(
  body: JsonObject,
  operation: Operation,
  detail: AnswerDetail = "whole",
): InferenceResponse {
  if (operation.kind === "count_tokens") return { choices: [], ...ownExtensions(body) };
  if (detail === "facts") return decodeFacts(body);
  const fields = new FieldReader(body);
  const usage = fields.object("usage");
  const response: InferenceResponse = {
    choices: decodeChoices(fields),
    ...optional("usage", usage === undefined ? undefined : decodeUsage(usage)),
    ...optional("serviceTier", readServiceTier(body)),
  };
  fields.nested("serviceTier")?.string("type");
  return { ...response, ...ownExtensions(fields.rest()) };
}

/** The tier that answered. */
export function readServiceTier({ serviceTier }: JsonObject): string | undefined {
  return isJsonObject(serviceTier) && typeof serviceTier["type"] === "string" ? serviceTier["type"] : undefined;
}

/** The same without what the model said and without extensions. */
function decodeFacts(body: JsonObject): InferenceResponse {
  const { output, stopReason: raw, usage } = body;
  const message = isJsonObject(output) && isJsonObject(output["message"]) ? output["message"] : undefined;
  const response: InferenceResponse = { choices: [] };
  if (message !== undefined || typeof raw === "string") {
    const role = message === undefined ? "assistant" : message["role"];
    const choice: Choice = { index: 0, message: { role: typeof role === "string" ? role : "unknown", parts: [] } };
    if (typeof raw === "string") choice.finishReason = { unified: unifyFinishReason(raw), raw };
    response.choices.push(choice);
  }
  if (isJsonObject(usage)) response.usage = decodeUsage(usage);
  const serviceTier = readServiceTier(body);
  if (serviceTier !== undefined) response.serviceTier = serviceTier;
  return response;
}

function decodeChoices(fields: FieldReader): Choice[] {
  const message = fields.nested("output")?.object("message");
  const raw = fields.string("stopReason");
  if (message === undefined && raw === undefined) return [];
  return [
    {
      index: 0,
      message: message === undefined ? { role: "assistant", parts: [] } : decodeMessage(message),
      ...optional("finishReason", raw === undefined ? undefined : { unified: unifyFinishReason(raw), raw }),
    },
  ];
}
