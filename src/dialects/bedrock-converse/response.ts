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
  const fields = new FieldReader(body);
  const usage = fields.object("usage");
  const response: InferenceResponse = {
    choices: decodeChoices(fields, detail),
    ...optional("usage", usage === undefined ? undefined : decodeUsage(usage)),
    ...optional("serviceTier", readServiceTier(body)),
  };
  if (detail === "facts") return response;
  fields.nested("serviceTier")?.string("type");
  return { ...response, ...ownExtensions(fields.rest()) };
}

/** The tier that answered. */
export function readServiceTier({ serviceTier }: JsonObject): string | undefined {
  return isJsonObject(serviceTier) && typeof serviceTier["type"] === "string" ? serviceTier["type"] : undefined;
}

function decodeChoices(fields: FieldReader, detail: AnswerDetail): Choice[] {
  const message = fields.nested("output")?.object("message");
  const raw = fields.string("stopReason");
  if (message === undefined && raw === undefined) return [];
  return [
    {
      index: 0,
      message:
        message === undefined
          ? { role: "assistant", parts: [] }
          : decodeMessage(detail === "facts" ? { role: message["role"] } : message),
      ...optional("finishReason", raw === undefined ? undefined : { unified: unifyFinishReason(raw), raw }),
    },
  ];
}
