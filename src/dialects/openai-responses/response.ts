// Room dialects, openai-responses: whole answers as canonical responses.
// Invariant: every field of the body is in the canonical form or in `extensions`; nothing throws.

import type { Choice, FinishReason, InferenceResponse, Part } from "../../canonical/index.ts";
import type { Operation } from "../dialect.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { decodeItemParts } from "./item.ts";
import { decodeFinishReason, filledText, hasOpenCall, optional, ownExtensions } from "./schema.ts";
import { decodeUsage } from "./usage.ts";

/**
 * Decodes an answer: one choice, its parts in the order of the items. A response that failed with nothing, or has not
 * begun (`background`), has no choice. A count of the token counter is no usage (nothing was spent).
 *
 * The usage of a response that is fetched or cancelled stays in the extensions, also of one made in the background, whose
 * creation stated none: it cannot be known whether it was fetched before, and totals must be counted once.
 */
export function decodeResponse(body: JsonObject, operation: Operation): InferenceResponse {
  if (operation.kind === "count_tokens") return { choices: [], ...ownExtensions(body) };
  const { head, usage } = decodeHead(body, operation);
  const parts: Part[] = [];
  if (Array.isArray(body["output"])) {
    for (const item of body["output"]) for (const part of decodeItemParts(item)) parts.push(part);
  }
  return { ...head, choices: decodeChoices(body, parts), ...optional("usage", usage) };
}

/** All of an answer but its choices, and its usage apart; `output` is left to whoever asks. */
export function decodeHead(
  body: JsonObject,
  operation: Operation,
): { head: Omit<InferenceResponse, "choices" | "usage">; usage: InferenceResponse["usage"] } {
  const fields = new FieldReader(body);
  if (body["object"] === "response") fields.skip("object");
  if (Array.isArray(body["output"])) fields.skip("output");
  fields.skipNull("usage");
  const rawUsage = operation.kind === "fetch" ? undefined : fields.object("usage");
  const head = {
    ...optional("id", fields.filledString("id")),
    ...optional("model", fields.filledString("model")),
    ...optional("serviceTier", fields.filledString("service_tier")),
  };
  return {
    head: { ...head, ...ownExtensions(fields.rest()) },
    usage: rawUsage === undefined ? undefined : decodeUsage(rawUsage, body["tool_usage"]),
  };
}

/** How a response ended; undefined while it runs. A compacted conversation states no status. */
export function readFinishReason(body: JsonObject, parts: readonly Part[]): FinishReason | undefined {
  if (body["object"] === "response.compaction") return { unified: "compaction" };
  const details = body["incomplete_details"];
  return decodeFinishReason(body["status"], isJsonObject(details) ? details["reason"] : undefined, hasOpenCall(parts));
}

/** Whether a response has an answer at all: some parts, or an end that is no failure. */
export function hasAnswer(body: JsonObject, partCount: number, finishReason: FinishReason | undefined): boolean {
  return partCount > 0 || (finishReason !== undefined && filledText(body["status"]) !== "failed");
}

function decodeChoices(body: JsonObject, parts: Part[]): Choice[] {
  const finishReason = readFinishReason(body, parts);
  if (!hasAnswer(body, parts.length, finishReason)) return [];
  return [{ index: 0, message: { role: "assistant", parts }, ...optional("finishReason", finishReason) }];
}
