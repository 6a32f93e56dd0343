// Walks a client's request body beside its translation, knowing nothing of encoders: every value of the one must be found in the other, or
// a loss must name its place. Words of a dialect's own vocabulary (roles, types, modes) are not values.
import type { Loss } from "../../src/canonical/index.ts";

type Json = unknown;

/**
 * Members whose value is a word of the dialect (each has another word for it, so they are compared as decoded), or that the target puts
 * elsewhere: in the path, a header, the framing.
 */
const vocabulary = new Set([
  "type",
  "role",
  "object",
  "model",
  "stream",
  "anthropic_version",
  "format",
  "media_type",
  "mime_type",
  "mimeType",
  "tool_choice",
  "mode",
  "effort",
  "reasoning_effort",
  "think",
  "thinkingLevel",
  "thinking_level",
  "thinking_budget",
  "includeThoughts",
  "include_usage",
  "display",
  "is_error",
  "disable_parallel_tool_use",
  "logprobs",
  "include",
  "responseMimeType",
  "reasoning_config",
  "strict",
  "summary",
  "thought",
]);

/** Members that only say which of its siblings a node is, at the provider that made it. */
const identities = new Set(["index", "id", "status", "phase", "call_id", "tool_call_id", "toolUseId", "tool_use_id"]);

/** What is so anyway, said or not. */
const noOps: Record<string, unknown> = {
  n: 1,
  presence_penalty: 0,
  frequency_penalty: 0,
  presencePenalty: 0,
  frequencyPenalty: 0,
  candidateCount: 1,
  parallel_tool_calls: true,
  detail: "auto",
  service_tier: "auto",
};

interface Leaf {
  pointer: string;
  key: string;
  value: string | number | boolean;
}

/** Strings, numbers and true values of a tree, with their pointers; null, false and empty containers say nothing. */
function listLeaves(value: Json, pointer = "", key = ""): Leaf[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => listLeaves(item, `${pointer}/${index}`, key));
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).flatMap(([name, item]) =>
      listLeaves(item, `${pointer}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`, name),
    );
  }
  if (value === null || value === undefined || value === false || value === "") return [];
  return [{ pointer, key, value: value as Leaf["value"] }];
}

/** Every string and number of the translation, those inside JSON strings too. */
function collectValues(value: Json, into: { strings: string[]; others: Set<string> }): void {
  for (const { value: leaf } of listLeaves(value)) {
    into.others.add(String(leaf));
    if (typeof leaf !== "string") continue;
    into.strings.push(leaf);
    const inner = parseInner(leaf);
    if (inner !== undefined) collectValues(inner, into);
  }
}

function parseInner(text: string): Json {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

function isFound(leaf: Leaf["value"], found: { strings: string[]; others: Set<string> }): boolean {
  if (found.others.has(String(leaf))) return true;
  if (typeof leaf !== "string") return false;
  // Texts may be joined, and a data URL is taken apart.
  const inline = /^data:[^,]*;base64,(.+)$/s.exec(leaf)?.[1];
  if (found.strings.some((text) => text.includes(inline ?? leaf))) return true;
  // A text document may be sent as text.
  const decoded = leaf.length > 3 && /^[A-Za-z0-9+/]+={0,2}$/.test(leaf) ? Buffer.from(leaf, "base64").toString() : "";
  if (decoded !== "" && found.strings.some((text) => text.includes(decoded))) return true;
  const inner = parseInner(leaf);
  return inner !== undefined && listLeaves(inner).every(({ value }) => isFound(value, found));
}

/** Whether a loss names the place, something around it or something in it. */
function isTold(pointer: string, losses: readonly Loss[]): boolean {
  return losses.some(
    ({ pointer: told }) =>
      told === "" || pointer === told || pointer.startsWith(`${told}/`) || told.startsWith(`${pointer}/`),
  );
}

/** Pointers of what is neither in the translation nor among the losses. */
export function findSilentLosses(body: Json, translated: Json, losses: readonly Loss[]): string[] {
  const found = { strings: [] as string[], others: new Set<string>() };
  collectValues(translated, found);
  return listLeaves(body)
    .filter(({ key, value }) => !vocabulary.has(key) && !identities.has(key) && !(key in noOps && noOps[key] === value))
    .filter(({ pointer, value }) => !isFound(value, found) && !isTold(pointer, losses))
    .map(({ pointer }) => pointer);
}
