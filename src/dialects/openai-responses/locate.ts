// Room dialects, openai-responses: where a canonical path stands in a request body.
// Invariant: the pointer given exists in the body, or is that of the nearest ancestor that does.

import type { InferenceRequest } from "../../canonical/index.ts";
import type { CanonicalPath } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { findPointer } from "../json/pointer.ts";

const places: { [Field in keyof InferenceRequest]?: readonly string[] } = {
  systemInstructions: ["instructions"],
  toolChoice: ["tool_choice"],
  parallelToolCalls: ["parallel_tool_calls"],
  maxOutputTokens: ["max_output_tokens"],
  topP: ["top_p"],
  logprobs: ["include"],
  topLogprobs: ["top_logprobs"],
  outputFormat: ["text", "format"],
  serviceTier: ["service_tier"],
  previousResponseId: ["previous_response_id"],
  conversationId: ["conversation"],
};

/** JSON pointer of a canonical path in a request body of this dialect. */
export function locate(path: CanonicalPath, body: JsonObject): string {
  const [field = "", ...rest] = path;
  if (field === "messages") return findPointer(body, ["input", ...locateInItem(rest, body)]);
  return findPointer(body, [...(places[field as keyof InferenceRequest] ?? [field]), ...rest]);
}

/** A message's parts are its content; those of any other item are the item itself. */
function locateInItem([index, kind, number, ...rest]: CanonicalPath, body: JsonObject): CanonicalPath {
  if (index === undefined) return [];
  const item: unknown = Array.isArray(body["input"]) ? body["input"][Number(index)] : undefined;
  if (kind !== "parts") return [index, ...(kind === undefined ? [] : [kind])];
  if (isJsonObject(item) && "content" in item && item["type"] !== "reasoning") {
    return [index, "content", ...(number === undefined ? [] : [number]), ...rest];
  }
  const [member, ...inner] = rest;
  return [index, ...(member === undefined ? [] : [itemMembers.get(member) ?? member]), ...inner];
}

/** Members of items by the canonical names of what they hold. */
const itemMembers: ReadonlyMap<unknown, string> = new Map([
  ["response", "output"],
  ["id", "call_id"],
]);
