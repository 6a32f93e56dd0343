// Room dialects, openai-chat: whole answers of chat and legacy completions as canonical responses.
// Invariant: an answer of any shape decodes; what is missing stays absent, what is unknown goes to `extensions`.

import {
  mergeRawUsage,
  type Choice,
  type FinishReason,
  type InferenceResponse,
  type Message,
} from "../../canonical/index.ts";
import type { AnswerDetail, Operation } from "../dialect.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { decodeMessage } from "./message.ts";
import { ownExtensions, unifyFinishReason } from "./schema.ts";
import { decodeUsage } from "./usage.ts";

/** Decodes a parsed answer. Choices without an index take their place in the list. */
export function decodeResponse(
  body: JsonObject,
  _operation?: Operation,
  detail: AnswerDetail = "whole",
): InferenceResponse {
  if (detail === "facts") return decodeFacts(body);
  const fields = new FieldReader(body);
  const id = fields.filledString("id");
  const model = fields.filledString("model");
  const serviceTier = fields.filledString("service_tier");
  const systemFingerprint = fields.filledString("system_fingerprint");
  fields.skipNull("service_tier", "system_fingerprint", "usage");
  fields.skip("object");
  const usage = collectRawUsage(body, fields.object("usage"));
  const choices = (fields.arrayOf("choices", isJsonObject) ?? []).map(decodeChoice);
  return {
    ...(id === undefined ? {} : { id }),
    ...(model === undefined ? {} : { model }),
    choices,
    ...(usage === undefined ? {} : { usage: decodeUsage(usage) }),
    ...(serviceTier === undefined ? {} : { serviceTier }),
    ...(systemFingerprint === undefined ? {} : { systemFingerprint }),
    ...ownExtensions(fields.rest()),
  };
}

/** The same without content and extensions. */
function decodeFacts(body: JsonObject): InferenceResponse {
  const { id, model, service_tier: serviceTier, system_fingerprint: systemFingerprint, choices, usage } = body;
  const response: InferenceResponse = { choices: [] };
  if (typeof id === "string" && id !== "") response.id = id;
  if (typeof model === "string" && model !== "") response.model = model;
  if (Array.isArray(choices) && choices.every(isJsonObject)) response.choices = choices.map(decodeEnding);
  const rawUsage = collectRawUsage(body, isJsonObject(usage) ? usage : undefined);
  if (rawUsage !== undefined) response.usage = decodeUsage(rawUsage);
  if (typeof serviceTier === "string" && serviceTier !== "") response.serviceTier = serviceTier;
  if (typeof systemFingerprint === "string" && systemFingerprint !== "") {
    response.systemFingerprint = systemFingerprint;
  }
  return response;
}

/** The usage of an answer or chunk, wherever it stands: at the top, in `x_groq` (Groq's streams) or in a choice (Moonshot). */
export function collectRawUsage(body: JsonObject, topLevel: JsonObject | undefined): JsonObject | undefined {
  if (topLevel !== undefined) return topLevel;
  const groq = body["x_groq"];
  if (isJsonObject(groq) && isJsonObject(groq["usage"])) return groq["usage"];
  const choices = body["choices"];
  if (!Array.isArray(choices)) return undefined;
  let merged: JsonObject | undefined;
  for (const choice of choices as unknown[]) {
    if (isJsonObject(choice) && isJsonObject(choice["usage"])) merged = mergeRawUsage(merged, choice["usage"]);
  }
  return merged;
}

/** The finish reason of a wire word; absent for null and for Snowflake's "" (recorded). */
export function decodeFinishReason(raw: unknown): FinishReason | undefined {
  return typeof raw === "string" && raw !== "" ? { unified: unifyFinishReason(raw), raw } : undefined;
}

function decodeChoice(wire: JsonObject, position: number): Choice {
  const fields = new FieldReader(wire);
  const index = fields.number("index") ?? position;
  const finishReason = decodeFinishReason(fields.string("finish_reason"));
  fields.skipNull("finish_reason", "logprobs");
  const message = decodeChoiceMessage(fields);
  return {
    index,
    message,
    ...(finishReason === undefined ? {} : { finishReason }),
    ...ownExtensions(fields.rest()),
  };
}

/** A choice without what it says. */
function decodeEnding({ index, message, finish_reason: raw }: JsonObject, position: number): Choice {
  const role = isJsonObject(message) ? message["role"] : undefined;
  const choice: Choice = {
    index: typeof index === "number" ? index : position,
    message: { role: typeof role === "string" ? role : "assistant", parts: [] },
  };
  const finishReason = decodeFinishReason(raw);
  if (finishReason !== undefined) choice.finishReason = finishReason;
  return choice;
}

/** A choice has a `message`, or `text` (legacy completions), or neither (Azure's filtered ones, recorded). */
function decodeChoiceMessage(fields: FieldReader): Message {
  const message = fields.object("message");
  if (message !== undefined) return decodeMessage(message, "answer");
  const text = fields.filledString("text");
  return { role: "assistant", parts: text === undefined ? [] : [{ type: "text", content: text }] };
}
