// Room dialects, anthropic-messages: a whole answer as the canonical response.
// Invariant: every field of the body is in the canonical form or in `extensions`; nothing throws.

import type { Choice, InferenceResponse } from "../../canonical/index.ts";
import type { AnswerDetail, Operation } from "../dialect.ts";
import { compact, FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { decodeBlock } from "./message.ts";
import { optional, ownExtensions, unifyFinishReason } from "./schema.ts";
import { decodeUsage, readServiceTier } from "./usage.ts";

/**
 * Decodes an answer: one choice, its parts in the order of the blocks; what is said about the stop beside its reason is
 * in the choice's extensions. A count of the token counter is no usage (nothing was spent): it stays in the extensions.
 */
export function decodeResponse(
  body: JsonObject,
  operation: Operation,
  detail: AnswerDetail = "whole",
): InferenceResponse {
  if (operation.kind === "count_tokens") return { choices: [], ...ownExtensions(body) };
  if (detail === "facts") return decodeFacts(body);
  const fields = new FieldReader(body);
  if (body["type"] === "message") fields.skip("type");
  const usage = fields.object("usage");
  const response: InferenceResponse = {
    ...optional("id", fields.string("id")),
    ...optional("model", fields.string("model")),
    choices: decodeChoices(body, fields),
    ...optional("usage", usage === undefined ? undefined : decodeUsage(usage)),
    ...optional("serviceTier", readServiceTier(body)),
  };
  return { ...response, ...ownExtensions(fields.rest()) };
}

function decodeFacts(body: JsonObject): InferenceResponse {
  const { id, model, role, content, usage, stop_reason: raw } = body;
  const choice: Choice = { index: 0, message: { role: typeof role === "string" ? role : "assistant", parts: [] } };
  if (typeof raw === "string") choice.finishReason = { unified: unifyFinishReason(raw), raw };
  return compact<InferenceResponse>({
    id: typeof id === "string" ? id : undefined,
    model: typeof model === "string" ? model : undefined,
    choices: Array.isArray(content) ? [choice] : [],
    usage: isJsonObject(usage) ? decodeUsage(usage) : undefined,
    serviceTier: readServiceTier(body),
  });
}

function decodeChoices(body: JsonObject, fields: FieldReader): Choice[] {
  const blocks = fields.array("content");
  if (blocks === undefined) return [];
  const role = fields.string("role") ?? "assistant";
  return [{ index: 0, message: { role, parts: blocks.map(decodeBlock) }, ...decodeStop(body, fields) }];
}

function decodeStop(body: JsonObject, fields: FieldReader): Pick<Choice, "finishReason" | "extensions"> {
  const raw = fields.string("stop_reason");
  // Null says what an absent finish reason says: not stopped yet.
  fields.skipNull("stop_reason");
  fields.skip("stop_sequence", "stop_details");
  const facts: JsonObject = {
    ...optional("stop_sequence", body["stop_sequence"]),
    ...optional("stop_details", body["stop_details"]),
  };
  return {
    ...optional("finishReason", raw === undefined ? undefined : { unified: unifyFinishReason(raw), raw }),
    ...ownExtensions(Object.keys(facts).length === 0 ? undefined : facts),
  };
}
