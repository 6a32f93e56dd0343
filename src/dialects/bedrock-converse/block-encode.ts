// Room dialects, bedrock-converse: parts of any source as content blocks of a request.
// Invariant: every kind of part is written or told; no block is empty; what this dialect decoded itself comes back as it was.

import type { Part, TextPart, ToolCallPart, ToolCallResponsePart } from "../../canonical/index.ts";
import type { CallIds } from "../call-ids.ts";
import type { DialectId } from "../dialect.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject, optional } from "../json/fields.ts";
import { safeName } from "../names.ts";
import { takeCallSignature } from "../sealed.ts";
import { takeStructure } from "../structure.ts";
import { type DocumentNames, encodeMedia, encodeTextDocument } from "./media-encode.ts";
import { findFamily } from "./model-family.ts";
import { encodeReasoning } from "./reasoning-encode.ts";

/** What encoding a part needs to know of its surroundings. */
export interface BlockContext {
  encoding: Encoding;
  calls: CallIds;
  names: DocumentNames;
}

/** The blocks of one part, in most cases one. `role`: whose message it is in; `toolName`: which tool a result is of. */
export function encodePart(
  part: Part,
  path: CanonicalPath,
  context: BlockContext,
  { role, toolName }: { role: string; toolName?: string },
): JsonObject[] {
  const { encoding } = context;
  takeStructure(encoding, part, path);
  const blocks = encodeKind(part, path, context, role, toolName);
  return blocks.length === 0 ? [] : [...blocks, ...encodeCachePoint(part, encoding)];
}

function encodeKind(
  part: Part,
  path: CanonicalPath,
  context: BlockContext,
  role: string,
  toolName: string | undefined,
): JsonObject[] {
  const { encoding } = context;
  switch (part.type) {
    case "text":
      return encodeText(part, path, context);
    case "reasoning":
      return encodeReasoning(part, path, encoding);
    case "tool_call":
      return [encodeCall(part, path, context)];
    case "tool_call_response":
      return [encodeResult(part, path, context, toolName)];
    case "blob":
    case "uri":
    case "file": {
      if (role === "assistant") return losePart(part, path, encoding, "Converse takes media only from the user");
      const block = encodeMedia(part, path, encoding, context.names);
      return block === undefined ? [] : [block];
    }
    case "server_tool_call":
    case "server_tool_call_response":
      return losePart(part, path, encoding, "what another provider's tools did cannot be sent to Bedrock");
    case "compaction":
    case "generic":
      return losePart(part, path, encoding, `Converse has no such part as ${kindOf(part)}`);
  }
}

function kindOf(part: Part): string {
  return part.type === "generic" ? part.generic_type.slice(0, 40) : part.type;
}

/** Converse refuses text of blanks alone. */
function encodeText(part: TextPart, path: CanonicalPath, context: BlockContext): JsonObject[] {
  const { encoding, names } = context;
  const held = part.extensions?.["anthropic-messages"];
  if (held?.["type"] === "document") {
    for (const name of ["type", "source"]) encoding.take(part, "anthropic-messages", name);
    return [encodeTextDocument(part, path, encoding, names)];
  }
  // A refusal of the history is what was said.
  encoding.take(part, "openai-chat", "type");
  encoding.take(part, "openai-responses", "type");
  if (part.content.trim() !== "") return [{ text: part.content }];
  if (part.content !== "") {
    encoding.lose(path, "approximated", "Converse takes no text of blanks alone: it is left out", "tuning");
  }
  return [];
}

function encodeCall(part: ToolCallPart, path: CanonicalPath, { encoding, calls }: BlockContext): JsonObject {
  if (takeCallSignature(part, encoding).length > 0) {
    encoding.lose(path, "unsupported", "a signature of another family cannot be sent to Bedrock", "tuning");
  }
  // A custom tool's input is a text, which stands in an object as that of any other.
  encoding.take(part, "openai-chat", "type");
  const input = encodeInput(part.arguments);
  if (part.arguments !== undefined && part.arguments !== null && input !== part.arguments) {
    encoding.lose([...path, "arguments"], "approximated", "arguments that are no object stand in one as input");
  }
  return { toolUse: { toolUseId: calls.open(part, path), name: encodeName(part.name, path, encoding), input } };
}

/** The input object of a call: what is no object, as the text that custom tools take, stands in one as `input`. */
export function encodeInput(value: unknown): JsonObject {
  if (isJsonObject(value)) return value;
  return value === undefined || value === null || value === "" ? {} : { input: value };
}

/** A tool's name as Bedrock takes it. */
export function encodeName(name: string, path: CanonicalPath, encoding: Encoding): string {
  const safe = safeName(name);
  if (safe !== name) {
    encoding.lose([...path, "name"], "approximated", "the name has characters that Bedrock refuses", "tuning");
  }
  return safe;
}

function encodeResult(
  part: ToolCallResponsePart,
  path: CanonicalPath,
  context: BlockContext,
  toolName: string | undefined,
): JsonObject {
  const { encoding, calls } = context;
  const toolUseId = calls.answer(part, takeResultName(part, encoding) ?? toolName, path);
  const isFailed = encoding.take(part, "anthropic-messages", "is_error") === true;
  const content = encodeResultContent(part, path, context);
  return { toolResult: { toolUseId, content, ...(isFailed ? { status: "error" } : {}) } };
}

const resultKinds: ReadonlySet<string> = new Set(["text", "blob", "uri", "file"]);

/** A result must say something: Bedrock refuses an empty one at every further turn (wire.md §5.40). */
function encodeResultContent(part: ToolCallResponsePart, path: CanonicalPath, context: BlockContext): JsonObject[] {
  const { encoding } = context;
  // Gemini's results are objects, as Converse takes them too.
  if (isJsonObject(part.response)) return [{ json: part.response }];
  const blocks: JsonObject[] = [];
  for (const [index, inner] of encoding.toolResultParts(part.response).entries()) {
    const place = [...path, "response", index];
    takeStructure(encoding, inner, place);
    if (!resultKinds.has(inner.type)) losePart(inner, place, encoding, "it cannot stand in a tool's result");
    else blocks.push(...encodeKind(inner, place, context, "user", undefined));
  }
  if (blocks.length > 0) return blocks;
  encoding.lose(path, "injected", "Bedrock takes no empty tool result: a placeholder stands in it", "tuning");
  return [{ text: "(no output)" }];
}

/** The name that stands in the result itself. */
function takeResultName(part: ToolCallResponsePart, encoding: Encoding): string | undefined {
  const held = part.extensions?.["gemini-generate-content"]?.["functionResponse"];
  const stated = isJsonObject(held) ? held["name"] : undefined;
  if (stated !== undefined && isJsonObject(held) && Object.keys(held).length === 1) {
    encoding.take(part, "gemini-generate-content", "functionResponse");
  }
  const name = encoding.take(part, "openai-chat", "name") ?? stated;
  return typeof name === "string" ? name : undefined;
}

/** Of the models, Claude and Nova can cache (general knowledge, not verified); others refuse the mark. */
export function encodeCachePoint(node: Pick<Part, "extensions">, encoding: Encoding): JsonObject[] {
  const family = findFamily(encoding.model);
  if (family !== "anthropic" && family !== "nova") return [];
  const control =
    encoding.take(node, "anthropic-messages", "cache_control") ?? encoding.take(node, "openai-chat", "cache_control");
  if (!isJsonObject(control)) return [];
  return [{ cachePoint: { type: "default", ...optional("ttl", control["ttl"]) } }];
}

/** Tells a part as a whole: nothing of it is written. */
export function losePart(part: Part, path: CanonicalPath, encoding: Encoding, detail: string): JsonObject[] {
  encoding.lose(path, "unsupported", detail);
  for (const [dialect, bag] of Object.entries(part.extensions ?? {})) {
    for (const name of Object.keys(bag)) encoding.take(part, dialect as DialectId, name);
  }
  return [];
}
