// Room dialects, bedrock-converse: where in a Converse body a canonical field came from.
// Invariant: the pointer given is always of something that is there.

import type { InferenceRequest } from "../../canonical/index.ts";
import type { CanonicalPath } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { findPointer } from "../json/pointer.ts";

/** Where each field stands; several places for those that model families spell their own way. */
const places: Readonly<Partial<Record<keyof InferenceRequest, readonly (readonly string[])[]>>> = {
  systemInstructions: [["system"]],
  messages: [["messages"]],
  tools: [["toolConfig", "tools"]],
  toolChoice: [["toolConfig", "toolChoice"]],
  maxOutputTokens: [["inferenceConfig", "maxTokens"]],
  temperature: [["inferenceConfig", "temperature"]],
  topP: [["inferenceConfig", "topP"]],
  topK: [
    ["additionalModelRequestFields", "top_k"],
    ["additionalModelRequestFields", "inferenceConfig", "topK"],
    ["inferenceConfig", "topK"],
  ],
  stopSequences: [["inferenceConfig", "stopSequences"]],
  outputFormat: [["outputConfig", "textFormat"]],
  reasoning: [
    ["additionalModelRequestFields", "thinking"],
    ["additionalModelRequestFields", "reasoning_config"],
    ["additionalModelRequestFields", "reasoningConfig"],
    ["additionalModelRequestFields", "reasoning_effort"],
    ["outputConfig", "effort"],
  ],
  serviceTier: [["serviceTier", "type"]],
  metadata: [["requestMetadata"]],
};

/** JSON pointer of a canonical path in a request body, or of its nearest ancestor there. */
export function locate(path: CanonicalPath, body: JsonObject): string {
  const [field, ...rest] = path;
  if (field === undefined) return "";
  const known = places[field as keyof InferenceRequest] ?? [[String(field)]];
  const found =
    known.find((place) => findPointer(body, place).split("/").length === place.length + 1) ?? known[0] ?? [];
  return findPointer(body, [...found, ...toWire(String(field), rest, body)]);
}

/** Steps below the field, with the members that the wire puts between. */
function toWire(field: string, rest: CanonicalPath, body: JsonObject): CanonicalPath {
  if (field === "reasoning") return rest[0] === "budgetTokens" ? ["budget_tokens"] : [];
  const isMessage = field === "messages" && rest[1] === "parts";
  if (!isMessage && field !== "systemInstructions" && field !== "tools") return rest;
  const [index = 0, , part] = rest;
  const start: CanonicalPath = !isMessage
    ? [index]
    : part === undefined
      ? [index, "content"]
      : [index, "content", part];
  const inner = rest.slice(isMessage ? 3 : 1);
  const list: CanonicalPath = places[field]?.[0] ?? [];
  return inner.length === 0 ? start : [...start, ...intoBlock(readAt(body, [...list, ...start]), inner)];
}

/** Members of a block are one deeper, under its kind. */
function intoBlock(block: unknown, inner: CanonicalPath): CanonicalPath {
  if (!isJsonObject(block)) return inner;
  const [first, ...rest] = inner;
  if (first === undefined || Object.hasOwn(block, first)) return inner;
  const kind = Object.keys(block)[0] ?? "";
  return [kind, ...(renamed.get(first) ?? [first]), ...rest];
}

const renamed: ReadonlyMap<string | number, CanonicalPath> = new Map<string | number, CanonicalPath>([
  ["response", ["content"]],
  ["arguments", ["input"]],
  ["id", ["toolUseId"]],
  ["parameters", ["inputSchema", "json"]],
]);

function readAt(value: unknown, path: CanonicalPath): unknown {
  let node = value;
  for (const step of path) {
    if (Array.isArray(node) && typeof step === "number") node = (node as unknown[])[step];
    else if (isJsonObject(node)) node = node[step];
    else return undefined;
  }
  return node;
}
