// Room dialects, openai-responses: whole answers as canonical responses.
// Invariant: every field of the body is in the canonical form or in `extensions`; nothing throws.

import type { Choice, FinishReason, InferenceResponse, Part } from "../../canonical/index.ts";
import type { AnswerDetail, Operation } from "../dialect.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { decodeItemParts, readCallHead } from "./item.ts";
import { decodeFinishReason, filledText, hasOpenCall, ownExtensions } from "./schema.ts";
import { decodeUsage } from "./usage.ts";

/**
 * Decodes an answer: one choice, its parts in the order of the items. A response that failed with nothing, or has not
 * begun (`background`), has no choice. A count of the token counter is no usage (nothing was spent).
 *
 * The usage of a response that is fetched or cancelled stays in the extensions, also of one made in the background, whose
 * creation stated none: it cannot be known whether it was fetched before, and totals must be counted once.
 */
export function decodeResponse(
  body: JsonObject,
  operation: Operation,
  detail: AnswerDetail = "whole",
): InferenceResponse {
  if (operation.kind === "count_tokens") return { choices: [], ...ownExtensions(body) };
  const { head, usage } = decodeHead(body, operation, detail);
  const choices = decodeChoices(body, decodeOutput(body["output"], detail), detail);
  const response: InferenceResponse = Object.assign(head, { choices });
  if (usage !== undefined) response.usage = usage;
  return response;
}

/** The parts of all items, in their order; for facts alone most items are one part that says what kind it is. */
export function decodeOutput(output: unknown, detail: AnswerDetail): Part[] {
  const parts: Part[] = [];
  if (!Array.isArray(output)) return parts;
  for (const item of output as unknown[]) {
    const brief = detail === "facts" && isJsonObject(item) ? decodeBriefly(item) : undefined;
    if (brief === undefined) for (const part of decodeItemParts(item)) parts.push(part);
    else parts.push(brief);
  }
  return parts;
}

/** Stands for what says nothing of how the answer ended, where nobody will look. */
const otherPart: Part = { type: "text", content: "" };

/** One part for a common item with no more than what tells how the answer ended; undefined for an item that is to be decoded. */
function decodeBriefly(item: JsonObject): Part | undefined {
  switch (item["type"]) {
    case "message":
    case "reasoning":
    case "web_search_call":
      return otherPart;
    case "function_call":
    case "custom_tool_call":
      return readCallHead(item) ?? otherPart;
    default:
      return undefined;
  }
}

/** All of an answer but its choices, and its usage apart; `output` is left to whoever asks. */
export function decodeHead(
  body: JsonObject,
  operation: Operation,
  detail: AnswerDetail,
): { head: Omit<InferenceResponse, "choices" | "usage">; usage: InferenceResponse["usage"] } {
  const { usage, id, model, service_tier: serviceTier } = body;
  const rawUsage = operation.kind === "fetch" || !isJsonObject(usage) ? undefined : usage;
  const head: Omit<InferenceResponse, "choices" | "usage"> = {};
  if (typeof id === "string" && id !== "") head.id = id;
  if (typeof model === "string" && model !== "") head.model = model;
  if (typeof serviceTier === "string" && serviceTier !== "") head.serviceTier = serviceTier;
  if (detail === "whole") Object.assign(head, readRest(body, rawUsage !== undefined));
  return { head, usage: rawUsage === undefined ? undefined : decodeUsage(rawUsage, body["tool_usage"]) };
}

/** What the canonical head does not say; an empty text counts as read. */
function readRest(body: JsonObject, hasUsage: boolean): ReturnType<typeof ownExtensions> {
  const fields = new FieldReader(body);
  if (body["object"] === "response") fields.skip("object");
  if (Array.isArray(body["output"])) fields.skip("output");
  fields.skipNull("usage");
  if (hasUsage) fields.skip("usage");
  for (const name of ["id", "model", "service_tier"]) fields.string(name);
  return ownExtensions(fields.rest());
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

function decodeChoices(body: JsonObject, parts: Part[], detail: AnswerDetail): Choice[] {
  const finishReason = readFinishReason(body, parts);
  if (!hasAnswer(body, parts.length, finishReason)) return [];
  // Of parts that only stand for others nobody is told.
  const told = detail === "facts" ? parts.filter(({ type }) => type === "compaction") : parts;
  const choice: Choice = { index: 0, message: { role: "assistant", parts: told } };
  if (finishReason !== undefined) choice.finishReason = finishReason;
  return [choice];
}
