// Room dialects, openai-responses: what the wire says. Its words, and how its leftovers are kept.
// Covers the Responses API and its compatible servers (types of openai-node 7.55.0, read 2026-11-21; recorded traffic).

import type { FinishReason, Part } from "../../canonical/index.ts";
import { keepUnder } from "../extensions.ts";
export { optional } from "../json/fields.ts";

/** Id of this dialect, and the key of its bag in `extensions`. */
export const dialectId = "openai-responses";

/** The bag of this dialect, or nothing where there is nothing to keep. */
export const ownExtensions = keepUnder(dialectId);

/** A string that says something: compatible servers write "" for "none" (xAI's `call_id` of a server tool, recorded). */
export function filledText(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/**
 * The finish reason of a response with this status: `raw` is the reason of an incomplete one, else the status. A limit or
 * a filter wins over open tool calls (2389-research/tracker#542). Undefined while it still runs
 * or where no status is stated.
 */
export function decodeFinishReason(
  status: unknown,
  incompleteReason: unknown,
  hasOpenCall: boolean,
): FinishReason | undefined {
  switch (status) {
    case "completed":
      return { unified: hasOpenCall ? "tool_call" : "stop", raw: status };
    case "incomplete": {
      const raw = filledText(incompleteReason) ?? status;
      return { unified: incompleteReasons.get(raw) ?? "error", raw };
    }
    case "failed":
    case "cancelled":
      return { unified: "error", raw: status };
    default:
      return undefined;
  }
}

const incompleteReasons: ReadonlyMap<string, FinishReason["unified"]> = new Map([
  ["max_output_tokens", "length"],
  // The conversation is full.
  ["max_messages", "length"],
  ["content_filter", "content_filter"],
  // The client broke in with new instructions: the answer so far is whole.
  ["steered", "stop"],
]);

/** Whether the client is left with a call to answer: one that no output of the same answer belongs to. */
export function hasOpenCall(parts: readonly Part[]): boolean {
  if (!parts.some(({ type }) => type === "tool_call")) return false;
  const answered = new Set<string | undefined>();
  for (const part of parts) if (part.type === "tool_call_response" && part.id !== undefined) answered.add(part.id);
  return parts.some((part) => part.type === "tool_call" && !answered.has(part.id));
}

/**
 * Events that only tell of progress: what they carry comes whole with the item's `output_item.done` (or is a preview of it).
 */
export const progressEvents: ReadonlySet<string> = new Set([
  "response.audio.delta",
  "response.audio.done",
  "response.audio.transcript.delta",
  "response.audio.transcript.done",
  "response.code_interpreter_call.completed",
  "response.code_interpreter_call.in_progress",
  "response.code_interpreter_call.interpreting",
  "response.code_interpreter_call_code.delta",
  "response.code_interpreter_call_code.done",
  "response.compaction.compacting",
  "response.file_search_call.completed",
  "response.file_search_call.in_progress",
  "response.file_search_call.searching",
  "response.image_generation_call.completed",
  "response.image_generation_call.generating",
  "response.image_generation_call.in_progress",
  "response.image_generation_call.partial_image",
  "response.mcp_call.completed",
  "response.mcp_call.failed",
  "response.mcp_call.in_progress",
  "response.mcp_call_arguments.delta",
  "response.mcp_call_arguments.done",
  "response.mcp_list_tools.completed",
  "response.mcp_list_tools.failed",
  "response.mcp_list_tools.in_progress",
  "response.shell_call_command.added",
  "response.shell_call_command.delta",
  "response.shell_call_command.done",
  "response.shell_call_output_content.delta",
  "response.shell_call_output_content.done",
  "response.web_search_call.completed",
  "response.web_search_call.in_progress",
  "response.web_search_call.searching",
]);
