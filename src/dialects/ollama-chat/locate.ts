// Room dialects, ollama-chat: where a canonical path stands in a body of chat or generate.
// Invariant: the pointer is of something that is in the body.

import type { CanonicalPath } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { findPointer } from "../json/pointer.ts";

/** Fields whose names differ; any other first step is a name of the wire itself (an extension, `tools`, `logprobs`). */
const members = new Map<string | number, readonly string[]>([
  ["maxOutputTokens", ["options", "num_predict"]],
  ["temperature", ["options", "temperature"]],
  ["topP", ["options", "top_p"]],
  ["topK", ["options", "top_k"]],
  ["seed", ["options", "seed"]],
  ["frequencyPenalty", ["options", "frequency_penalty"]],
  ["presencePenalty", ["options", "presence_penalty"]],
  ["stopSequences", ["options", "stop"]],
  ["topLogprobs", ["top_logprobs"]],
  ["outputFormat", ["format"]],
  ["reasoning", ["think"]],
  ["systemInstructions", ["system"]],
]);

/** JSON pointer into the body; of the nearest ancestor where the path has no place of its own. */
export function locate(path: CanonicalPath, body: JsonObject): string {
  const [first, index, next, part, ...rest] = path;
  if (first === undefined) return "";
  const member = members.get(first);
  // An extension may have the name of a field (Ollama: `temperature` outside its options).
  if (member !== undefined && !Object.hasOwn(body, first)) return findPointer(body, [...member, ...path.slice(1)]);
  if (first === "tools" && index !== undefined) {
    const inner = findPointer(body, ["tools", index, "function", ...path.slice(2)]);
    return inner.split("/").length > path.length + 1 ? inner : findPointer(body, path);
  }
  if (first !== "messages") return findPointer(body, path);
  // Generate has one prompt with its images instead of messages.
  const message = Array.isArray(body["messages"]) ? (body["messages"] as unknown[])[Number(index)] : body;
  const start = message === body ? [] : ["messages", Number(index)];
  if (next !== "parts" || !isJsonObject(message))
    return findPointer(body, [...start, ...(next === undefined ? [] : [next])]);
  return findPointer(body, [...start, ...locatePart(message, Number(part)), ...rest]);
}

/** Parts are thinking, text, images, then the calls (message.ts); empty texts are none. */
function locatePart(message: JsonObject, part: number): (string | number)[] {
  const { role, images } = message;
  const places: (string | number)[][] = [];
  for (const key of ["thinking", "content", "prompt"]) {
    const isPart = (key === "content" && role === "tool") || (message[key] ?? "") !== "";
    if (isPart) places.push([key]);
  }
  if (Array.isArray(images)) places.push(...images.map((_, at) => ["images", at]));
  return places[part] ?? ["tool_calls", part - places.length];
}
