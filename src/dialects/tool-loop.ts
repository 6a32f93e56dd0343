// Room dialects: whether Claude may think with a budget where a conversation stands, which it refuses in a tool loop that began without
// its thinking ("Expected thinking or redacted_thinking, but found tool_use", n8n-io/n8n#22550; anomalyco/opencode#3077).
// Invariant: pure; reads encoded messages, so that what could not be sent to the provider counts as missing.

import { isJsonObject, type JsonObject } from "./json/fields.ts";

/**
 * Whether the messages end inside a tool loop whose first turn of the model has no reasoning in front.
 * `kindOf`: the kind of a content block in the target's own words.
 */
export function isLoopUnreasoned(messages: readonly unknown[], kindOf: (block: JsonObject) => string): boolean {
  const turns = messages.filter(isJsonObject).map(({ role, content }) => ({
    role,
    kinds: Array.isArray(content) ? content.filter(isJsonObject).map(kindOf) : [],
  }));
  const isAnswer = ({ kinds }: { kinds: string[] }): boolean =>
    kinds.includes("tool_result") || kinds.includes("toolResult");
  const last = turns.at(-1);
  if (last?.role !== "user" || !isAnswer(last)) return false;
  const asked = turns.findLastIndex((turn) => turn.role === "user" && !isAnswer(turn));
  const first = turns.slice(asked + 1).find(({ role }) => role === "assistant");
  return first !== undefined && !reasoningKinds.has(first.kinds[0] ?? "");
}

const reasoningKinds: ReadonlySet<string> = new Set(["thinking", "redacted_thinking", "reasoningContent"]);
