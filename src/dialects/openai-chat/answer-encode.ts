// Room dialects, openai-chat: what whole answers and streams write alike: heads, finish reasons, citations, log probabilities.

import type { Extensions, FinishReason, TextPart } from "../../canonical/index.ts";
import type { Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { dialectId } from "./schema.ts";

/** `Operation.kind` of legacy completions. */
export const legacyKind = "text_completion";

/** Facts that an answer has at its top, and each of its chunks. */
export function encodeHead(
  { id, model }: { id?: string; model?: string },
  chatObject: "chat.completion" | "chat.completion.chunk",
  encoding: Encoding,
): JsonObject {
  const isLegacy = encoding.operationKind === legacyKind;
  const prefix = isLegacy ? "cmpl-" : "chatcmpl-";
  return {
    id: id?.startsWith(prefix) === true ? id : `${prefix}${encoding.exchangeId}`,
    object: isLegacy ? "text_completion" : chatObject,
    created: encoding.epochSeconds,
    model: model ?? encoding.model,
  };
}

const ownWords: ReadonlySet<string> = new Set(["stop", "length", "tool_calls", "content_filter", "function_call"]);

/**
 * Chat's word. Only a clean stop becomes `tool_calls` when tools are called: length and filters win
 * (2389-research/tracker#542). `error` is OpenRouter's word; OpenAI has none for a model that broke.
 */
export function encodeFinishReason(reason: FinishReason, hasToolCalls: boolean, source: string): string {
  const { unified, raw } = reason;
  if (source === dialectId && raw !== undefined && ownWords.has(raw)) return raw;
  switch (unified) {
    case "stop":
      return hasToolCalls ? "tool_calls" : "stop";
    case "tool_call":
      return "tool_calls";
    case "length":
    case "content_filter":
    case "error":
      return unified;
    case "compaction":
      return "stop";
  }
}

const serviceTiers: ReadonlySet<string> = new Set(["auto", "default", "flex", "scale", "priority", "fast"]);

/** `service_tier` and `system_fingerprint`, where the words are chat's own. */
export function encodeServing({
  serviceTier,
  systemFingerprint,
}: {
  serviceTier?: string;
  systemFingerprint?: string;
}): JsonObject {
  const tier = serviceTier === "standard" || serviceTier === "on_demand" ? "default" : serviceTier;
  return {
    ...(tier !== undefined && serviceTiers.has(tier) ? { service_tier: tier } : {}),
    ...(systemFingerprint === undefined ? {} : { system_fingerprint: systemFingerprint }),
  };
}

/** The web addresses that a text cites; `start` and `end` are its place in the message's content. Takes what it writes. */
export function encodeCitations(part: TextPart, start: number, end: number, encoding: Encoding): JsonObject[] {
  const found: JsonObject[] = [];
  const { citations } = part.extensions?.["anthropic-messages"] ?? {};
  const { annotations } = part.extensions?.["openai-responses"] ?? {};
  if (isWebList(citations)) {
    encoding.take(part, "anthropic-messages", "citations");
    for (const { url, title } of citations) found.push(urlCitation(url, title, start, end));
  }
  if (isWebList(annotations)) {
    encoding.take(part, "openai-responses", "annotations");
    for (const { url, title, start_index: from, end_index: to } of annotations) {
      found.push(urlCitation(url, title, start + count(from), start + count(to)));
    }
  }
  return found;
}

function isWebList(list: unknown): list is JsonObject[] {
  return (
    Array.isArray(list) &&
    list.length > 0 &&
    list.every((item) => isJsonObject(item) && typeof item["url"] === "string")
  );
}

function urlCitation(url: unknown, title: unknown, start: number, end: number): JsonObject {
  return {
    type: "url_citation",
    url_citation: { start_index: start, end_index: end, url, title: typeof title === "string" ? title : "" },
  };
}

const count = (value: unknown): number => (typeof value === "number" ? value : 0);

/** Log probabilities of a text part (Responses) have the same members as chat's. Takes them. */
export function takeLogprobs(part: { extensions?: Extensions }, encoding: Encoding): unknown[] {
  const logprobs = encoding.take(part, "openai-responses", "logprobs");
  return Array.isArray(logprobs) ? logprobs : [];
}
