// Room dialects, anthropic-messages: a canonical answer of any source as a message of this API.
// Invariant: all that the official SDKs read is there; one choice alone is told, the others are losses.

import type { Choice, FinishReason, InferenceResponse, Part } from "../../canonical/index.ts";
import type { Encoding } from "../encoding.ts";
import type { JsonObject } from "../json/fields.ts";
import { CallIds } from "../call-ids.ts";
import { encodePart, idTaker, type PartContext } from "./part-encode.ts";
import { dialectId, unifyFinishReason } from "./schema.ts";
import { encodeTier, encodeUsage } from "./usage-encode.ts";

/** Encodes an answer. From this very dialect it gives the provider's JSON again. */
export function encodeResponse(response: InferenceResponse, encoding: Encoding): JsonObject {
  const [choice, ...others] = response.choices;
  const isOwn = encoding.source === dialectId;
  for (const index of others.keys()) {
    encoding.lose(["choices", index + 1], "unsupported", "a message of Anthropic's is one choice");
  }
  if (isOwn && choice === undefined) return encoding.own(response);
  if (response.systemFingerprint !== undefined) {
    encoding.lose(["systemFingerprint"], "unsupported", "Anthropic has no fingerprint of the system", "tuning");
  }
  const tier = encodeTier(response.serviceTier);
  if (!isOwn && response.serviceTier !== undefined && tier === undefined) {
    encoding.lose(["serviceTier"], "unsupported", "Anthropic has no such tier");
  }
  const context: PartContext = { encoding, direction: "answer", calls: new CallIds(encoding, idTaker) };
  const parts = choice?.message.parts ?? [];
  const path = ["choices", 0, "message", "parts"];
  const refused = parts.some(isRefusal);
  const own = choice === undefined ? {} : encoding.own(choice);
  return {
    id: encodeId(response.id, encoding),
    type: "message",
    role: "assistant",
    model: response.model ?? encoding.model,
    content: parts.flatMap((part, index) => encodePart(part, [...path, index], context)),
    stop_reason: encodeStopReason(choice?.finishReason, { isOwn, hasCalls: parts.some(isCall), isRefused: refused }),
    stop_sequence: null,
    ...own,
    usage: isOwn ? (response.usage?.raw ?? encodeUsage(response.usage, tier)) : encodeUsage(response.usage, tier),
    ...encoding.own(response),
  };
}

/** An id of this API's form: the provider's, where it is one. */
export function encodeId(id: string | undefined, encoding: Encoding): string {
  return id?.startsWith("msg_") === true || (id !== undefined && encoding.source === dialectId)
    ? id
    : `msg_${encoding.exchangeId}`;
}

/** The stop reason: the provider's own word where it is one of this API's, else the word for its class. */
export function encodeStopReason(
  finish: FinishReason | undefined,
  { isOwn, hasCalls, isRefused }: { isOwn: boolean; hasCalls: boolean; isRefused: boolean },
): string | null {
  if (finish === undefined) return null;
  const { unified, raw } = finish;
  if (isOwn && raw !== undefined) return raw;
  // An unknown word is `error` too, so that only a known one is taken over.
  if (raw !== undefined && unified !== "error" && unifyFinishReason(raw) === unified) return raw;
  if (unified === "error") return "error";
  if (isRefused && unified === "stop") return "refusal";
  // Only a clean stop is a call of tools (2389-research/tracker#542): Gemini and Ollama have no word for it.
  if (hasCalls && unified === "stop") return "tool_use";
  return stopReasons[unified];
}

const stopReasons = {
  stop: "end_turn",
  length: "max_tokens",
  tool_call: "tool_use",
  content_filter: "refusal",
  compaction: "compaction",
} satisfies Partial<Record<FinishReason["unified"], string>>;

/** Whether the text is what the model said instead of an answer (OpenAI's dialects mark it). */
export function isRefusal({ type, extensions }: Part): boolean {
  if (type !== "text") return false;
  return (
    extensions?.["openai-chat"]?.["type"] === "refusal" || extensions?.["openai-responses"]?.["type"] === "refusal"
  );
}

const isCall = ({ type }: Choice["message"]["parts"][number]): boolean => type === "tool_call";
