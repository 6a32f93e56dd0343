// Room dialects, openai-chat: where in a client's body a canonical path stands.
// Invariant: the pointer given exists in the body; what has no place of its own is told at its nearest ancestor.

import type { InferenceRequest } from "../../canonical/index.ts";
import type { CanonicalPath } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { findPointer } from "../json/pointer.ts";

type WirePath = (string | number)[];

/** JSON pointer of a canonical path in the body of a chat or legacy completion. */
export function locate(path: CanonicalPath, body: JsonObject): string {
  return findPointer(body, toWirePath(path, body));
}

function toWirePath(path: CanonicalPath, body: JsonObject): WirePath {
  const [field, index, ...rest] = path;
  if (typeof index === "number" && field === "messages") return locateMessage(index, rest, body);
  if (typeof index === "number" && field === "tools") return locateTool(index, rest, body);
  const own = Object.hasOwn(fieldMembers, String(field)) ? fieldMembers[String(field)] : undefined;
  const member = own?.find((keys) => hasPath(body, keys));
  if (member === undefined) return [String(field)];
  const inner = index === undefined ? [] : [index, ...rest];
  return [...member, ...(field === "outputFormat" ? ["json_schema", ...inner] : inner)];
}

/** Members by canonical field, the client's likeliest word first; a field that is missing has its canonical name. */
const fieldMembers: Record<string, readonly (readonly string[])[]> = {
  maxOutputTokens: [["max_completion_tokens"], ["max_tokens"]],
  topP: [["top_p"]],
  topK: [["top_k"]],
  frequencyPenalty: [["frequency_penalty"]],
  presencePenalty: [["presence_penalty"]],
  stopSequences: [["stop"]],
  choiceCount: [["n"]],
  topLogprobs: [["top_logprobs"]],
  logitBias: [["logit_bias"]],
  outputFormat: [["response_format"]],
  reasoning: [["reasoning_effort"]],
  serviceTier: [["service_tier"]],
  parallelToolCalls: [["parallel_tool_calls"]],
  toolChoice: [["tool_choice"], ["function_call"]],
  streamUsage: [["stream_options", "include_usage"], ["stream_options"]],
} satisfies Partial<Record<keyof InferenceRequest, readonly (readonly string[])[]>>;

function hasPath(body: JsonObject, keys: readonly string[]): boolean {
  let node: unknown = body;
  for (const key of keys) {
    if (!isJsonObject(node) || !Object.hasOwn(node, key)) return false;
    node = node[key];
  }
  return true;
}

/** Tools come first, legacy functions after them. */
function locateTool(index: number, rest: CanonicalPath, body: JsonObject): WirePath {
  const tools = Array.isArray(body["tools"]) ? (body["tools"] as unknown[]) : [];
  if (index >= tools.length) return ["functions", index - tools.length, ...rest];
  const tool = tools[index];
  const [member] = rest;
  const kind = isJsonObject(tool) && tool["type"] === "custom" ? "custom" : "function";
  const isOuter = member === undefined || (isJsonObject(tool) && Object.hasOwn(tool, member));
  return isOuter ? ["tools", index, ...rest] : ["tools", index, kind, ...rest];
}

function locateMessage(index: number, rest: CanonicalPath, body: JsonObject): WirePath {
  // A legacy prompt, or one of several; numbers are the tokens of one.
  const { prompt } = body;
  const isList = Array.isArray(prompt) && typeof prompt[0] !== "number";
  if (!Array.isArray(body["messages"])) return isList ? ["prompt", index] : ["prompt"];
  const wire: unknown = (body["messages"] as unknown[])[index];
  const [member, place, ...inner] = rest;
  const at: WirePath = ["messages", index];
  if (member !== "parts" || typeof place !== "number" || !isJsonObject(wire)) return [...at, ...rest];
  const part = listPartPlaces(wire)[place];
  return part === undefined ? at : [...at, ...locateInPart(part, inner, wire)];
}

interface PartPlace {
  kind: "reasoning" | "result" | "content" | "refusal" | "audio" | "call" | "function_call";
  path: WirePath;
}

/** Where the parts of a message stand, in the order in which it is decoded. */
function listPartPlaces(wire: JsonObject): PartPlace[] {
  const places: PartPlace[] = [];
  const reasoning = ["reasoning_content", "reasoning", "reasoning_details"].find((key) => isFilled(wire[key]));
  if (reasoning !== undefined) places.push({ kind: "reasoning", path: [reasoning] });
  const { content } = wire;
  if (wire["role"] === "tool" || wire["role"] === "function") places.push({ kind: "result", path: [] });
  else if (typeof content === "string") places.push({ kind: "content", path: ["content"] });
  else if (Array.isArray(content)) {
    for (const index of content.keys()) places.push({ kind: "content", path: ["content", index] });
  }
  if (isFilled(wire["refusal"])) places.push({ kind: "refusal", path: ["refusal"] });
  const { audio } = wire;
  if (isJsonObject(audio) && (isFilled(audio["data"]) || isFilled(audio["id"])))
    places.push({ kind: "audio", path: ["audio"] });
  const calls = wire["tool_calls"];
  if (Array.isArray(calls))
    for (const index of calls.keys()) places.push({ kind: "call", path: ["tool_calls", index] });
  if (isJsonObject(wire["function_call"])) places.push({ kind: "function_call", path: ["function_call"] });
  return places;
}

const isFilled = (value: unknown): boolean => (typeof value === "string" || Array.isArray(value)) && value.length > 0;

function locateInPart({ kind, path }: PartPlace, inner: CanonicalPath, wire: JsonObject): WirePath {
  const [member, ...rest] = inner;
  if (member === undefined) return path;
  switch (kind) {
    case "result":
      if (member === "response") return ["content", ...rest];
      return member === "id" ? ["tool_call_id"] : [member, ...rest];
    case "call":
      return locateInCall(path, member, rest, wire);
    case "reasoning":
      // What stands beside the text is the message's.
      return Object.hasOwn(wire, member) ? [member, ...rest] : path;
    default:
      return [...path, member, ...rest];
  }
}

function locateInCall(path: WirePath, member: string | number, rest: CanonicalPath, wire: JsonObject): WirePath {
  const calls: unknown[] = Array.isArray(wire["tool_calls"]) ? wire["tool_calls"] : [];
  const call = calls[Number(path[1])];
  const kind = isJsonObject(call) && call["type"] === "custom" ? "custom" : "function";
  if (member === "arguments") return [...path, kind, kind === "custom" ? "input" : "arguments"];
  return member === "name" ? [...path, kind, "name"] : [...path, member, ...rest];
}
