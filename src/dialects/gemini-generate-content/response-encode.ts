// Room dialects, gemini-generate-content: a canonical answer of any dialect as the body of an answer.
// Invariant: always `candidates`, or `promptFeedback` where the prompt was refused; a candidate always has its content.

import type { Choice, InferenceResponse } from "../../canonical/index.ts";
import type { Encoding } from "../encoding.ts";
import { type JsonObject, optional } from "../json/fields.ts";
import { encodeBlock, encodeFinishReason, encodeLogprobs, encodeUsage, partPath } from "./answer-encode.ts";
import { takeEmpty, takeMarks } from "./foreign-mark.ts";
import { encodePart, restorePart } from "./part-encode.ts";
import { readWhole, restoreFields } from "./restore.ts";

/** The whole body. */
export function encodeResponse(response: InferenceResponse, encoding: Encoding): JsonObject {
  const isOwn = encoding.source === encoding.target;
  const kept = encoding.own(response);
  const blocked = response.choices.length === 1 ? blockOf(response.choices[0]) : undefined;
  const isBlocked = blocked !== undefined && (!isOwn || "promptFeedback" in kept || "prompt_feedback" in kept);
  const body: JsonObject = {
    ...(isBlocked
      ? { promptFeedback: encodeBlock(blocked, encoding) }
      : isOwn && response.choices.length === 0
        ? {}
        : { candidates: response.choices.map((choice, place) => encodeChoice(choice, place, encoding)) }),
    ...optional(
      "usageMetadata",
      response.usage === undefined ? undefined : encodeUsage(response.usage, response.serviceTier, encoding),
    ),
    ...optional("modelVersion", response.model ?? (isOwn ? undefined : encoding.model)),
    ...optional("responseId", response.id ?? (isOwn ? undefined : encoding.exchangeId)),
    ...optional("createTime", isOwn ? undefined : takeCreated(response, encoding)),
  };
  if (isOwn) return restoreFields(body, kept);
  takeEmpty(response, encoding);
  for (const { message } of response.choices) takeMarks(message, encoding);
  if (response.systemFingerprint !== undefined) {
    encoding.lose(["systemFingerprint"], "unsupported", "Gemini has no fingerprint of a system", "tuning");
  }
  return body;
}

/** When the answer was made, in seconds since 1970 elsewhere, as RFC 3339 here. */
function takeCreated(response: InferenceResponse, encoding: Encoding): string | undefined {
  const name = encoding.source === "openai-chat" ? "created" : "created_at";
  const seconds = response.extensions?.[encoding.source]?.[name];
  if (typeof seconds !== "number" || !(Math.abs(seconds) < 1e11)) return undefined;
  encoding.take(response, encoding.source, name);
  return new Date(seconds * 1000).toISOString();
}

/** Filtered before a word was said. */
function blockOf(choice: Choice | undefined): Choice["finishReason"] {
  const isEmpty = choice?.message.parts.length === 0;
  return isEmpty && choice.finishReason?.unified === "content_filter" ? choice.finishReason : undefined;
}

function encodeChoice(choice: Choice, place: number, encoding: Encoding): JsonObject {
  const { index, message, finishReason } = choice;
  const reason = finishReason === undefined ? {} : { finishReason: encodeFinishReason(finishReason, encoding) };
  if (encoding.source === encoding.target) {
    const kept = encoding.own(choice);
    const whole = readWhole(kept);
    if (whole !== undefined) return whole.value as JsonObject;
    const parts = message.parts.map((part) => restorePart(part, encoding));
    const content = { ...(parts.length === 0 ? {} : { parts }), role: roleOf(message.role) };
    return restoreFields({ content, ...reason, index }, kept);
  }
  const parts = message.parts.flatMap((part, at) =>
    encodePart(part, encoding, { path: partPath(place, at), reader: "client" }),
  );
  return {
    content: { parts, role: "model" },
    ...reason,
    index,
    ...optional("logprobsResult", encodeLogprobs(encoding.take(choice, "openai-chat", "logprobs"))),
  };
}

function roleOf(role: string): string {
  return role === "assistant" ? "model" : role;
}
