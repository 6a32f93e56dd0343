// Room dialects, cohere-chat: where a canonical path stands in a body of v2 chat.
// Invariant: the pointer is of something that is in the body.

import type { CanonicalPath } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { findPointer } from "../json/pointer.ts";

/** Fields whose names differ; any other first step is a name of the wire itself (an extension, `tools`, `seed`). */
const members = new Map<string | number, readonly string[]>([
  ["toolChoice", ["tool_choice"]],
  ["maxOutputTokens", ["max_tokens"]],
  ["topP", ["p"]],
  ["topK", ["k"]],
  ["frequencyPenalty", ["frequency_penalty"]],
  ["presencePenalty", ["presence_penalty"]],
  ["stopSequences", ["stop_sequences"]],
  ["outputFormat", ["response_format"]],
  ["reasoning", ["thinking"]],
]);

/** JSON pointer into the body; of the nearest ancestor where the path has no place of its own. */
export function locate(path: CanonicalPath, body: JsonObject): string {
  const [first, index, next, ...rest] = path;
  if (first === undefined) return "";
  const member = members.get(first);
  if (member !== undefined) return findPointer(body, [...member, ...path.slice(1)]);
  if (first === "tools" && index !== undefined) {
    const inner = findPointer(body, ["tools", index, "function", ...path.slice(2)]);
    return inner.split("/").length > path.length + 1 ? inner : findPointer(body, path);
  }
  if (first !== "messages" || next !== "parts") return findPointer(body, path);
  const message = Array.isArray(body["messages"]) ? (body["messages"] as unknown[])[Number(index)] : undefined;
  return findPointer(body, ["messages", Number(index), ...locatePart(message, Number(rest[0])), ...rest.slice(1)]);
}

/** Parts are the content, the plan, then the calls (message.ts). */
function locatePart(message: unknown, part: number): (string | number)[] {
  if (!isJsonObject(message)) return [];
  const { content, role, tool_plan: plan } = message;
  if (role === "tool" || typeof content === "string") {
    if (part === 0) return ["content"];
  } else if (Array.isArray(content) && part < content.length) return ["content", part];
  const contents = typeof content === "string" ? 1 : Array.isArray(content) ? content.length : 0;
  const hasPlan = typeof plan === "string" && plan !== "";
  if (hasPlan && part === contents) return ["tool_plan"];
  return ["tool_calls", part - contents - (hasPlan ? 1 : 0)];
}
