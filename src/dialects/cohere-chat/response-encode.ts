// Room dialects, cohere-chat: canonical answers as answers of v2 chat.
// Invariant: what cohere-ai 8.1.0 requires (`id`, `finish_reason`, `message`) is always there.

import type { FinishReason, InferenceResponse, Usage } from "../../canonical/index.ts";
import type { Encoding } from "../encoding.ts";
import type { JsonObject } from "../json/fields.ts";
import { takeStructure } from "../structure.ts";
import { encodeMessage } from "./message-encode.ts";
import { dialectId, optional } from "./schema.ts";

/** Writes the answer to a chat that was not streamed. */
export function encodeResponse(response: InferenceResponse, encoding: Encoding): JsonObject {
  const [choice, ...others] = response.choices;
  for (const index of others.keys()) {
    encoding.lose(["choices", index + 1], "unsupported", "Cohere gives one answer");
  }
  const parts = (choice?.message.parts ?? []).map((part, index) => {
    const path = ["choices", 0, "message", "parts", index];
    takeStructure(encoding, part, path);
    return { part, path, callId: encoding.makeId("call_", index) };
  });
  const { content, ...message } = encodeMessage("assistant", parts, encoding);
  const calledTools = parts.some(({ part }) => part.type === "tool_call");
  return {
    id: response.id ?? encoding.exchangeId,
    message: {
      ...message,
      ...(content === undefined
        ? {}
        : { content: typeof content === "string" ? [{ type: "text", text: content }] : content }),
      ...(choice === undefined ? {} : encoding.own(choice.message)),
    },
    finish_reason: encodeFinishReason(choice?.finishReason, calledTools, encoding),
    ...optional("usage", encodeUsage(response.usage, encoding)),
    ...encoding.own(response),
  };
}

/** Cohere's word for a finish reason; ERROR is also its word for what was filtered (wire.md §1.14). */
export function encodeFinishReason(reason: FinishReason | undefined, calledTools: boolean, encoding: Encoding): string {
  const path = ["choices", 0, "finishReason"];
  if (reason === undefined) {
    encoding.lose(path, "injected", "the answer came without a finish reason, which Cohere always gives", "tuning");
    return calledTools ? "TOOL_CALL" : "COMPLETE";
  }
  const { unified, raw } = reason;
  if (raw !== undefined && encoding.source === dialectId) return raw;
  switch (unified) {
    case "stop":
      // Not every provider has a word for calls (recorded of Azure: `stop`).
      if (calledTools) return "TOOL_CALL";
      return raw?.toLowerCase() === "stop_sequence" ? "STOP_SEQUENCE" : "COMPLETE";
    case "length":
      return "MAX_TOKENS";
    case "tool_call":
      return "TOOL_CALL";
    case "content_filter":
      encoding.lose(path, "approximated", "Cohere says ERROR for an answer that was filtered");
      return "ERROR";
    case "compaction":
      encoding.lose(path, "approximated", "Cohere has no word for a compaction");
      return "COMPLETE";
    case "error":
      return "ERROR";
  }
}

/** `tokens` only: what is billed is Cohere's own to say. Image tokens stand beside the input's (usage.ts). */
export function encodeUsage(usage: Usage | undefined, encoding: Encoding): JsonObject | undefined {
  if (usage === undefined) return undefined;
  if (encoding.source === dialectId && usage.raw !== undefined) return usage.raw;
  const { inputTokens, inputImageTokens: image } = usage;
  const text = inputTokens === undefined ? undefined : Math.max(inputTokens - (image ?? 0), 0);
  const tokens = {
    ...optional("input_tokens", text),
    ...optional("output_tokens", usage.outputTokens),
    ...optional("reasoning_tokens", usage.reasoningTokens),
    ...optional("image_tokens", image),
  };
  return { tokens, ...optional("cached_tokens", usage.cacheReadTokens) };
}
