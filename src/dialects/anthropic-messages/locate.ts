// Room dialects, anthropic-messages: where in a request body a canonical path stands.
// Invariant: the pointer names what is in the body: the place itself, or its nearest ancestor.

import type { CanonicalPath } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { formatPointer } from "../translation.ts";

/** Top-level fields whose name or place differs; the first that the body has counts. */
const places: Readonly<Record<string, readonly (readonly string[])[]>> = {
  systemInstructions: [["system"]],
  toolChoice: [["tool_choice"]],
  parallelToolCalls: [["tool_choice", "disable_parallel_tool_use"]],
  maxOutputTokens: [["max_tokens"]],
  topP: [["top_p"]],
  topK: [["top_k"]],
  stopSequences: [["stop_sequences"]],
  outputFormat: [["output_config", "format"], ["output_format"]],
  serviceTier: [["service_tier"]],
  user: [["metadata", "user_id"]],
};

/** Members of blocks and tools whose name differs. */
const members: Readonly<Record<string, readonly string[]>> = {
  parts: ["content"],
  response: ["content"],
  id: ["id", "tool_use_id"],
  arguments: ["input"],
  parameters: ["input_schema"],
  mime_type: ["source"],
  uri: ["source"],
  file_id: ["source"],
};

/** JSON pointer (RFC 6901); "" is the whole body. */
export function locate(path: CanonicalPath, body: JsonObject): string {
  const [field, ...rest] = path;
  if (field === "reasoning") return follow(placeOf(reasoningPlaces(rest[0]), body), [], body);
  const candidates = places[String(field)] ?? [[String(field)]];
  return follow(placeOf(candidates, body), rest, body);
}

function reasoningPlaces(step: string | number | undefined): readonly (readonly string[])[] {
  if (step === "effort") return [["output_config", "effort"]];
  if (step === "budgetTokens") return [["thinking", "budget_tokens"]];
  return [["thinking"], ["output_config", "effort"]];
}

function placeOf(candidates: readonly (readonly string[])[], body: JsonObject): readonly string[] {
  return candidates.find((steps) => read(body, steps) !== undefined) ?? candidates[0] ?? [];
}

/** Goes as far as the body does: a text that stands for one block has no block to point at. */
function follow(start: readonly string[], rest: CanonicalPath, body: JsonObject): string {
  const found: (string | number)[] = [];
  let value: unknown = body;
  for (const step of [...start, ...rest]) {
    const next = [step, ...(members[String(step)] ?? [])].find((name) => read(value, [name]) !== undefined);
    if (next === undefined) break;
    found.push(next);
    value = read(value, [next]);
  }
  return formatPointer(found);
}

function read(value: unknown, steps: CanonicalPath): unknown {
  let at = value;
  for (const step of steps) {
    if (Array.isArray(at)) at = typeof step === "number" ? (at as unknown[])[step] : undefined;
    else at = isJsonObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
  }
  return at;
}
