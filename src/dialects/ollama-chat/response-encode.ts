// Room dialects, ollama-chat: canonical answers as answers of chat, and of generate for its clients.
// Invariant: durations are not made up: what nobody measured is left out.

import type { FinishReason, InferenceResponse, Usage } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { takeStructure } from "../structure.ts";
import { encodeMembers, type MessageMembers } from "./message-encode.ts";
import { dialectId, optional } from "./schema.ts";

/** Writes the answer to a call that was not streamed. */
export function encodeResponse(response: InferenceResponse, encoding: Encoding): JsonObject {
  const [choice, ...others] = response.choices;
  for (const index of others.keys()) encoding.lose(["choices", index + 1], "unsupported", "Ollama gives one answer");
  const parts = (choice?.message.parts ?? []).map((part, index) => {
    const path = ["choices", 0, "message", "parts", index];
    takeStructure(encoding, part, path);
    return { part, path };
  });
  const members = encodeMembers(parts, "", encoding);
  const facts = choice === undefined ? {} : encoding.own(choice.message);
  const logprobs = choice === undefined ? undefined : takeLogprobs(choice, encoding);
  return {
    model: response.model ?? encoding.model,
    created_at: createdAt(encoding),
    ...wrapMembers(members, facts, encoding),
    ...encodeEnd(choice?.finishReason, encoding),
    ...encodeUsage(response.usage, encoding),
    ...optional("logprobs", logprobs),
    ...encoding.own(response),
  };
}

/** Chat has a message; generate has the same at the top, its text as `response`. */
export function wrapMembers(members: MessageMembers, facts: JsonObject, encoding: Encoding): JsonObject {
  if (encoding.operationKind !== "generate") return { message: { role: "assistant", ...members, ...facts } };
  const { content, ...others } = members;
  return { response: content, ...others, ...facts };
}

/** One time for the whole answer, in RFC 3339 as servers write it. */
export function createdAt({ epochSeconds }: Encoding): string {
  return new Date(epochSeconds * 1000).toISOString();
}

/** `done_reason` has two words of its own; others are said as they are, so that nobody takes them for a natural end. */
export function encodeEnd(reason: FinishReason | undefined, encoding: Encoding): JsonObject {
  const path: CanonicalPath = ["choices", 0, "finishReason"];
  if (reason === undefined) return { done: true };
  const { unified, raw } = reason;
  if (raw !== undefined && encoding.source === dialectId) return { done_reason: raw, done: true };
  switch (unified) {
    case "stop":
    case "tool_call":
      return { done_reason: "stop", done: true };
    case "length":
      return { done_reason: "length", done: true };
    case "content_filter":
    case "error":
    case "compaction":
      encoding.lose(path, "approximated", `Ollama has no word of its own for ${unified}`);
      return { done_reason: unified, done: true };
  }
}

/** Counts of tokens; `eval_count` includes thinking. */
export function encodeUsage(usage: Usage | undefined, encoding: Encoding): JsonObject {
  if (usage === undefined) return {};
  if (encoding.source === dialectId && usage.raw !== undefined) return usage.raw;
  return {
    ...optional("prompt_eval_count", usage.inputTokens),
    ...optional("eval_count", usage.outputTokens),
  };
}

/** OpenAI's log probabilities of text have all members of Ollama's (ollama-js 0.6.4: Logprob). */
export function takeLogprobs(
  node: { extensions?: Record<string, Record<string, unknown>> },
  encoding: Encoding,
): unknown[] | undefined {
  const stated = node.extensions?.["openai-chat"]?.["logprobs"];
  if (!isJsonObject(stated) || !Array.isArray(stated["content"])) return undefined;
  encoding.take(node, "openai-chat", "logprobs");
  return stated["content"] as unknown[];
}
