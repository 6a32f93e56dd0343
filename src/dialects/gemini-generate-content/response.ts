// Room dialects, gemini-generate-content: a whole answer as the canonical response.
// Invariant: every field of the body is in the canonical form or in `extensions`, but for the vectors of embeddings; nothing throws.

import type { Choice, InferenceResponse } from "../../canonical/index.ts";
import type { AnswerDetail, Operation } from "../dialect.ts";
import { compact, FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { decodeEmbeddingResponse } from "./embedding.ts";
import { decodePart, decodeRole } from "./message.ts";
import { optional, ownExtensions, readBlockReason, readFinishReason } from "./schema.ts";
import { decodeUsage, readServiceTier } from "./usage.ts";

/**
 * Decodes an answer. A prompt that was refused has no candidates and is one empty choice, filtered (wire.md §2.6). A count of
 * the token counter is no usage (nothing was spent): it stays in the extensions.
 */
export function decodeResponse(
  body: JsonObject,
  operation: Operation,
  detail: AnswerDetail = "whole",
): InferenceResponse {
  if (operation.kind === "count_tokens") return { choices: [], ...ownExtensions(body) };
  return operation.name === "embeddings" ? decodeEmbeddingResponse(body) : decodeGeneration(body, detail);
}

/** Decodes one answer; a chunk of a stream has the same shape. */
function decodeGeneration(body: JsonObject, detail: AnswerDetail): InferenceResponse {
  const usage = body["usageMetadata"];
  const chunk = decodeChunk(body, detail);
  return isJsonObject(usage) ? { ...chunk, usage: decodeUsage(usage) } : chunk;
}

/** All but the usage, which a stream states piece by piece. */
export function decodeChunk(body: JsonObject, detail: AnswerDetail = "whole"): Omit<InferenceResponse, "usage"> {
  const fields = new FieldReader(body);
  const usage = fields.object("usageMetadata");
  const candidates = fields.array("candidates") ?? [];
  const blocked = candidates.length === 0 ? readBlockReason(body["promptFeedback"]) : undefined;
  return compact<Omit<InferenceResponse, "usage">>({
    id: fields.filledString("responseId"),
    model: fields.filledString("modelVersion"),
    choices:
      blocked === undefined
        ? candidates.map(detail === "facts" ? decodeEnding : decodeCandidate)
        : [{ index: 0, message: { role: "assistant", parts: [] }, finishReason: blocked }],
    serviceTier: readServiceTier(usage),
    extensions: detail === "facts" ? undefined : ownExtensions(fields.rest()).extensions,
  });
}

/** Vertex leaves out every index, the Gemini API sometimes that of the first candidate (recorded): the place says it then. */
function decodeCandidate(wire: unknown, place: number): Choice {
  if (!isJsonObject(wire)) {
    return { index: place, message: { role: "assistant", parts: [] }, ...ownExtensions({ value: wire }) };
  }
  const fields = new FieldReader(wire);
  const content = fields.nested("content");
  const parts = (content?.array("parts") ?? []).map(decodePart);
  const called = parts.some(({ type }) => type === "tool_call");
  const finishReason = readFinishReason(wire["finishReason"], called);
  if (finishReason !== undefined) fields.skip("finishReason");
  return {
    index: takeIndex(fields, wire) ?? place,
    message: { role: decodeRole(content?.string("role"), "assistant"), parts },
    ...optional("finishReason", finishReason),
    ...ownExtensions(fields.rest()),
  };
}

/** A candidate without what it says. */
function decodeEnding(wire: unknown, place: number): Choice {
  const candidate = isJsonObject(wire) ? wire : {};
  const fields = new FieldReader(candidate);
  const content = fields.nested("content");
  const called = (content?.array("parts") ?? []).some((part) => isCall(part) && decodePart(part).type === "tool_call");
  return {
    index: readIndex(candidate) ?? place,
    message: { role: decodeRole(content?.string("role"), "assistant"), parts: [] },
    ...optional("finishReason", readFinishReason(candidate["finishReason"], called)),
  };
}

function isCall(part: unknown): boolean {
  return isJsonObject(part) && ("functionCall" in part || "function_call" in part);
}

/** Which candidate it is, where it says that. */
export function readIndex({ index }: JsonObject): number | undefined {
  return typeof index === "number" && Number.isSafeInteger(index) && index >= 0 ? index : undefined;
}

function takeIndex(fields: FieldReader, candidate: JsonObject): number | undefined {
  const index = readIndex(candidate);
  if (index !== undefined) fields.skip("index");
  return index;
}
