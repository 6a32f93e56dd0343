// Room dialects, openai-chat: one canonical turn as a message of a chat request: the assistant's, and what a tool answered.
// Invariant: reasoning that another provider signed is not replayed, and that is told; ids and names are ones that chat takes.

import type { Message, Part, TextPart, ToolCallPart } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { safeId, safeName } from "../names.ts";
import { takeStructure } from "../structure.ts";
import { encodeContentPart, isOwn, joinContent, loseContent, wholeOf } from "./content-encode.ts";
import { takeOpaque } from "./reasoning-encode.ts";
import { dialectId } from "./schema.ts";

/** A part with its place in the canonical request. */
export interface PlacedPart {
  part: Part;
  path: CanonicalPath;
}

/** A call as it is written, for the result that answers it. */
export interface WrittenCall {
  /** As the source has it. */
  sourceId: string | undefined;
  id: string;
  name: string;
  isAnswered: boolean;
}

/** OpenAI refuses longer ids (general knowledge, not verified). */
const maxIdLength = 40;

/** The assistant's message; undefined when nothing of it is left. `calls` gets the calls it makes. */
export function encodeAssistant(
  parts: readonly PlacedPart[],
  message: Message,
  calls: WrittenCall[],
  encoding: Encoding,
): JsonObject | undefined {
  const own = encoding.own(message);
  const content: JsonObject[] = [];
  const toolCalls: JsonObject[] = [];
  const members: JsonObject = {};
  let reasoning = "";
  const signed = encoding.source === dialectId ? undefined : findSigned(parts, encoding);
  for (const { part, path } of parts) {
    takeStructure(encoding, part, path);
    const bag = encoding.own(part);
    if (part.type === "reasoning") {
      if (bag["type"] === "thinking") content.push(encodeThinking(part.content, bag));
      else if (signed?.has(path[1]) === true) {
        encoding.lose(
          path,
          "unsupported",
          "reasoning that another provider signed cannot be replayed to this one",
          "tuning",
        );
      } else {
        reasoning += part.content;
        Object.assign(members, bag);
      }
    } else if (part.type === "tool_call") {
      const call = encodeCall(part, path, calls, encoding);
      if (bag["type"] === "function_call") members["function_call"] = call;
      else toolCalls.push(call);
    } else if (part.type === "generic" && isOwn(part) && part.generic_type === "tool_call")
      toolCalls.push(wholeOf(bag));
    else if (part.type === "text" && takeRefusal(part, encoding))
      members["refusal"] = `${refusalSoFar(members)}${part.content}`;
    else if (isOwnAudio(part, encoding)) members["audio"] = { id: part.file_id, ...innerOf(bag["audio"]) };
    else if (encoding.source !== dialectId && part.type !== "text") loseContent(part, path, encoding);
    else {
      const encoded = encodeContentPart(part, path, encoding);
      if (encoded !== undefined) content.push(encoded);
    }
  }
  const joined = joinContent(content);
  const isEmpty =
    joined === undefined && toolCalls.length === 0 && reasoning === "" && Object.keys(members).length === 0;
  if (isEmpty && encoding.source !== dialectId) return undefined;
  return {
    role: "assistant",
    content: joined ?? null,
    ...(reasoning === "" ? {} : { reasoning_content: reasoning }),
    ...members,
    ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls }),
    ...(message.name === undefined ? {} : { name: message.name }),
    ...own,
  };
}

/** Indexes of the messages whose reasoning holds an opaque value of another family. */
function findSigned(parts: readonly PlacedPart[], encoding: Encoding): ReadonlySet<unknown> {
  const signed = new Set<unknown>();
  for (const { part, path } of parts) {
    if (part.type === "reasoning" && takeOpaque(part, encoding) !== undefined) signed.add(path[1]);
  }
  return signed;
}

/** Whether a text is a refusal, in the words of either of OpenAI's dialects. */
export function takeRefusal(part: TextPart, encoding: Encoding): boolean {
  if (encoding.own(part)["type"] === "refusal") return true;
  return (
    part.extensions?.["openai-responses"]?.["type"] === "refusal" &&
    encoding.take(part, "openai-responses", "type") === "refusal"
  );
}

function refusalSoFar(members: JsonObject): string {
  return typeof members["refusal"] === "string" ? members["refusal"] : "";
}

function isOwnAudio(part: Part, encoding: Encoding): part is Part & { type: "file" } {
  return encoding.source === dialectId && part.type === "file" && part.modality === "audio";
}

/** Mistral's form (recorded). */
function encodeThinking(text: string, bag: JsonObject): JsonObject {
  return { type: "thinking", thinking: text === "" ? [] : [{ type: "text", text }], ...bag };
}

function innerOf(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}

function encodeCall(part: ToolCallPart, path: CanonicalPath, calls: WrittenCall[], encoding: Encoding): JsonObject {
  const { type: kind, function: inner, custom, ...rest } = encoding.own(part);
  const isForeign = encoding.source !== dialectId;
  const name = isForeign ? encodeName(part.name, [...path, "name"], encoding) : part.name;
  if (kind === "function_call") return { name, arguments: argumentText(part.arguments), ...rest };
  const id = isForeign ? encodeId(part.id, [...path, "id"], calls.length, encoding) : part.id;
  calls.push({ sourceId: part.id, id: id ?? "", name, isAnswered: false });
  const head = id === undefined ? {} : { id };
  if (kind === "custom" || isCustom(part)) {
    const input = typeof part.arguments === "string" ? part.arguments : argumentText(part.arguments);
    return { ...head, type: "custom", custom: { name, input, ...innerOf(custom) }, ...rest };
  }
  const called = { name, arguments: argumentText(part.arguments), ...innerOf(inner) };
  return { ...head, type: "function", function: called, ...(custom === undefined ? {} : { custom }), ...rest };
}

/** A custom tool's call of Responses: its input is a text, not JSON. */
export function isCustom(part: Part): boolean {
  const item = part.extensions?.["openai-responses"]?.["item"];
  return isJsonObject(item) && item["type"] === "custom_tool_call";
}

/** Arguments as the JSON text that chat wants; `{}` for none (BerriAI/litellm#5063), text that is no JSON as it is. */
export function argumentText(value: unknown): string {
  if (value === undefined) return "{}";
  if (typeof value !== "string") return JSON.stringify(value);
  return value.trim() === "" ? "{}" : value;
}

/** A name that chat takes. */
export function encodeName(name: string, path: CanonicalPath, encoding: Encoding): string {
  const safe = safeName(name === "" ? "tool" : name);
  if (safe !== name) encoding.lose(path, "approximated", "the tool name is made one that chat takes", "tuning");
  return safe;
}

function encodeId(id: string | undefined, path: CanonicalPath, number: number, encoding: Encoding): string {
  if (id === undefined || id === "") return encoding.makeId("call_", number);
  if (id.length <= maxIdLength) return id;
  encoding.lose(path, "approximated", "the id of the tool call is shortened to what chat takes", "tuning");
  return safeId(id, maxIdLength);
}
