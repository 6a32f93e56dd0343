// Room dialects, openai-responses: a canonical answer as a whole response object.
// Invariant: every member that openai-node 7.55.0 types as required is there; what the provider did not say is null or neutral.

import type { FinishReason, InferenceResponse, Usage } from "../../canonical/index.ts";
import type { Encoding } from "../encoding.ts";
import { optional, type JsonObject } from "../json/fields.ts";
import { encodeOwnItems, itemOf } from "./item-encode.ts";
import { encodeChatAnnotations, encodeOutput, readChatLogprobs } from "./output-encode.ts";

/** An answer for a client of this dialect. */
export function encodeResponse(response: InferenceResponse, encoding: Encoding): JsonObject {
  const [choice, ...others] = response.choices;
  for (const at of others.keys()) {
    encoding.lose(["choices", at + 1], "unsupported", "a response holds one choice");
  }
  if (response.systemFingerprint !== undefined) {
    encoding.lose(["systemFingerprint"], "unsupported", "a response has no fingerprint", "tuning");
  }
  const parts = choice?.message.parts ?? [];
  const isOwn = parts.length > 0 && parts.every((part) => itemOf(part) !== undefined);
  const output = isOwn
    ? encodeOwnItems(parts)
    : encodeOutput(
        parts,
        {
          logprobs: choice === undefined ? [] : readChatLogprobs(encoding.take(choice, "openai-chat", "logprobs")),
          citations:
            choice === undefined
              ? []
              : encodeChatAnnotations(encoding.take(choice.message, "openai-chat", "annotations")),
        },
        encoding,
      );
  const end = encodeEnd(choice?.finishReason, encoding);
  if (end.status === "incomplete" && !isOwn) markIncomplete(output);
  return {
    ...encodeBody(
      {
        id: encodeId(response.id, encoding),
        model: response.model ?? encoding.model,
        ...optional("serviceTier", response.serviceTier),
      },
      output,
      end,
      response.usage,
      encoding,
    ),
    ...encoding.own(response),
  };
}

/** The provider's id where it has this dialect's form, else one made of the exchange's. */
export function encodeId(id: string | undefined, encoding: Encoding): string {
  return id?.startsWith("resp_") === true ? id : `resp_${encoding.exchangeId}`;
}

/** How a response stands. */
export interface ResponseEnd {
  status: "in_progress" | "completed" | "incomplete" | "failed";
  incompleteReason?: string;
  /** Why it failed, for the client to read. */
  failure?: string;
}

/** Words of `incomplete_details.reason` beside the two that the unified reasons give. */
const ownReasons: ReadonlySet<string | undefined> = new Set(["max_messages", "steered"]);

/** The status of a finish reason; an answer that ended without one was cut short. */
export function encodeEnd(reason: FinishReason | undefined, encoding: Encoding): ResponseEnd {
  if (encoding.source === encoding.target && ownReasons.has(reason?.raw)) {
    return { status: "incomplete", ...optional("incompleteReason", reason?.raw) };
  }
  switch (reason?.unified) {
    case "stop":
    case "tool_call":
      return { status: "completed" };
    case "compaction":
      encoding.lose(["choices", 0, "finishReason"], "approximated", "a response does not say that it ended to compact");
      return { status: "completed" };
    case "length":
      return { status: "incomplete", incompleteReason: "max_output_tokens" };
    case "content_filter":
      return { status: "incomplete", incompleteReason: "content_filter" };
    case "error":
      return { status: "failed", failure: "the provider ended its answer with an error" };
    case undefined:
      return { status: "incomplete" };
  }
}

/** The last item of an answer that was cut short is cut itself: a client must not run such a call (wire.md §5, 16). */
export function markIncomplete(output: readonly JsonObject[]): void {
  const last = output.at(-1);
  if (last?.["status"] !== undefined) last["status"] = "incomplete";
}

const serviceTiers: ReadonlySet<string> = new Set([
  "auto",
  "default",
  "flex",
  "scale",
  "priority",
  "fast",
  "ultrafast",
]);

/** The response object. What the client asked for is not known here and has neutral values. */
export function encodeBody(
  head: { id: string; model: string; serviceTier?: string },
  output: readonly JsonObject[],
  end: ResponseEnd,
  usage: Usage | undefined,
  encoding: Encoding,
): JsonObject {
  const { serviceTier } = head;
  const isTier = serviceTier !== undefined && serviceTiers.has(serviceTier);
  if (serviceTier !== undefined && !isTier && end.status !== "in_progress") {
    encoding.lose(["serviceTier"], "unsupported", "this dialect has no word for the tier that served");
  }
  const isOver = end.status === "completed";
  return {
    id: head.id,
    object: "response",
    created_at: encoding.epochSeconds,
    status: end.status,
    background: false,
    ...(isOver ? { completed_at: encoding.epochSeconds } : {}),
    error: end.failure === undefined ? null : { code: "server_error", message: end.failure },
    incomplete_details: end.incompleteReason === undefined ? null : { reason: end.incompleteReason },
    instructions: null,
    max_output_tokens: null,
    max_tool_calls: null,
    metadata: {},
    model: head.model,
    output,
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    service_tier: isTier ? serviceTier : null,
    temperature: null,
    text: { format: { type: "text" } },
    tool_choice: "auto",
    tools: [],
    top_logprobs: 0,
    top_p: null,
    truncation: "disabled",
    usage: encodeUsage(usage),
    ...(usage?.webSearchRequests === undefined
      ? {}
      : { tool_usage: { web_search: { num_requests: usage.webSearchRequests } } }),
  };
}

/** Both totals include their subsets, as the canonical ones do; the SDKs want numbers where nothing is known. */
function encodeUsage(usage: Usage | undefined): JsonObject | null {
  if (usage?.inputTokens === undefined && usage?.outputTokens === undefined) return null;
  const input = usage.inputTokens ?? 0;
  const output = usage.outputTokens ?? 0;
  return {
    input_tokens: input,
    input_tokens_details: {
      cached_tokens: usage.cacheReadTokens ?? 0,
      cache_write_tokens: usage.cacheWriteTokens ?? 0,
    },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens ?? 0 },
    total_tokens: input + output,
  };
}
