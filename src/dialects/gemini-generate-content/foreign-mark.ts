// Room dialects, gemini-generate-content: what other dialects say beside a node that needs no place here.
// Invariant: only what says nothing of the content is taken without a word: kinds, own ids and states of items, and empty values.

import type { Extensions } from "../../canonical/index.ts";
import type { DialectId } from "../dialect.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";

interface Node {
  extensions?: Extensions;
}

/** `caller` says which tool of Anthropic's called; `function` is Ollama's index of a call. */
const marks: Partial<Record<DialectId, readonly string[]>> = {
  "anthropic-messages": ["caller"],
  "ollama-chat": ["function", "tool_name"],
  "openai-responses": ["type", "id", "status", "phase", "logprobs"],
};

/** What an item of the Responses API says of itself, or openai-node read out of it; with anything else in it, it is told as lost. */
const itemMarks: ReadonlySet<string> = new Set(["type", "id", "status", "role", "phase", "object", "parsed_arguments"]);

/** Takes the marks of a message or a part. */
export function takeMarks(node: Node, encoding: Encoding): void {
  for (const name of marks[encoding.source] ?? []) encoding.take(node, encoding.source, name);
  takeEmpty(node, encoding);
  const item = node.extensions?.["openai-responses"]?.["item"];
  if (isJsonObject(item) && Object.keys(item).every((name) => itemMarks.has(name) || saysNothing(item[name]))) {
    encoding.take(node, "openai-responses", "item");
  }
}

/** Takes what says nothing: `inferenceConfig: {}`, `annotations: []`, `prefix: false`. */
export function takeEmpty(node: Node, encoding: Encoding): void {
  for (const [name, value] of Object.entries(node.extensions?.[encoding.source] ?? {})) {
    if (saysNothing(value)) encoding.take(node, encoding.source, name);
  }
}

function saysNothing(value: unknown): boolean {
  if (value === null || value === undefined || value === "" || value === false) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/** How closely an image is to be looked at, and what a file is called: hints, which Gemini's v1beta has no place for. */
export function takeMediaHints(node: Node, encoding: Encoding, path: CanonicalPath): void {
  for (const [holder, name] of [
    ["image_url", "detail"],
    ["file", "filename"],
    [undefined, "detail"],
    [undefined, "filename"],
    [undefined, "name"],
  ] as const) {
    const bag = node.extensions?.[encoding.source];
    const value = holder === undefined ? bag : bag?.[holder];
    if (!isJsonObject(value) || value[name] === undefined) continue;
    if (holder !== undefined && Object.keys(value).length > 1) continue;
    encoding.take(node, encoding.source, holder ?? name);
    if (!isDefault(value, name)) {
      encoding.lose([...path, name], "unsupported", `Gemini has no place for the ${name} of a medium`, "tuning");
    }
  }
}

function isDefault(value: JsonObject, name: string): boolean {
  return name === "detail" && value[name] === "auto";
}
