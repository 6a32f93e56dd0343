// Room dialects, ollama-chat: the counts and durations at the top level of an answer as canonical usage.
// Invariant: a count that is not there stays unknown: older servers leave `prompt_eval_count` out when the prompt was
// cached (recorded: 2024).

import type { Usage } from "../../canonical/index.ts";
import { compact, type JsonObject, readCount } from "../json/fields.ts";

/** Members that are usage; the durations are nanoseconds. */
export const usageMembers = [
  "prompt_eval_count",
  "eval_count",
  "prompt_eval_duration",
  "eval_duration",
  "load_duration",
  "total_duration",
] as const;

/** Decodes what an answer states at its top level; undefined when it states nothing. `eval_count` includes thinking. */
export function decodeUsage(body: JsonObject): Usage | undefined {
  const raw: JsonObject = {};
  for (const key of usageMembers) if (typeof body[key] === "number") raw[key] = body[key];
  if (Object.keys(raw).length === 0) return undefined;
  return compact<Usage>({
    inputTokens: readCount(raw, "prompt_eval_count"),
    outputTokens: readCount(raw, "eval_count"),
    raw,
  });
}
