// Room dialects, anthropic-messages: one canonical part as content blocks, in requests and in answers.
// Invariant: every kind of part is written or told; a call's input is an object; calls that a provider ran itself never
// become calls that the client must run.

import type { Part, TextPart, ToolCallPart, ToolCallResponsePart } from "../../canonical/index.ts";
import type { CallIds, IdTaker } from "../call-ids.ts";
import type { DialectId } from "../dialect.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject, optional } from "../json/fields.ts";
import { safeName } from "../names.ts";
import { type Sealed, takeCallSignature } from "../sealed.ts";
import { takePartForm, takeWhole } from "./foreign-form.ts";
import { encodeMedia, takeTextDocument } from "./media-encode.ts";
import { type Direction, encodeReasoning, sealedBlock } from "./reasoning-encode.ts";
import { dialectId } from "./schema.ts";

/** Anthropic takes ids of these characters alone. */
export const idTaker: IdTaker = { prefix: "toolu_", name: "Anthropic" };

/** What encoding a part needs to know of its surroundings. */
export interface PartContext {
  encoding: Encoding;
  direction: Direction;
  calls: CallIds;
}

/** Encodes a list; a part that `accepts` refuses is left out and told. */
export function encodeParts(
  parts: readonly Part[],
  path: CanonicalPath,
  context: PartContext,
  accepts: (part: Part) => boolean = () => true,
): JsonObject[] {
  const blocks: JsonObject[] = [];
  for (const [index, part] of parts.entries()) {
    const place = [...path, index];
    if (markCache(part, blocks, context.encoding)) continue;
    if (accepts(part)) blocks.push(...encodePart(part, place, context));
    else lose(part, place, context.encoding, "Anthropic takes only text here");
  }
  return blocks;
}

/** The blocks of one part, in most cases one. `toolName`: which tool a result is of, where its message says so. */
export function encodePart(part: Part, path: CanonicalPath, context: PartContext, toolName?: string): JsonObject[] {
  const { encoding, direction } = context;
  const isOwn = encoding.source === dialectId;
  if (!isOwn) takePartForm(part, encoding);
  const cache = isOwn ? {} : takeCacheControl(part, path, encoding);
  switch (part.type) {
    case "text":
      return encodeText(part, path, context).map((block) => ({ ...block, ...cache }));
    case "reasoning":
      return encodeReasoning(part, path, encoding, direction);
    case "tool_call":
      return encodeCall(part, path, context).map((block) =>
        block["type"] === "tool_use" ? { ...block, ...cache } : block,
      );
    case "tool_call_response":
      return [{ ...encodeResult(part, path, context, toolName), ...cache }];
    case "blob":
    case "uri":
    case "file": {
      if (direction === "answer") return lose(part, path, encoding, "an answer of this dialect has no media");
      const block = encodeMedia(part, path, encoding);
      return block === undefined ? [] : [{ ...block, ...cache }];
    }
    case "server_tool_call":
    case "server_tool_call_response":
    case "compaction":
    case "generic":
      if (!isOwn) return lose(part, path, encoding, `what another provider keeps as ${part.type} has no place here`);
      return [encodeOwnBlock(part, encoding.own(part))];
  }
}

/** A block of the provider's own making, as it was. */
export function encodeOwnBlock(
  part: Extract<Part, { type: "server_tool_call" | "server_tool_call_response" | "compaction" | "generic" }>,
  own: JsonObject,
): JsonObject {
  switch (part.type) {
    case "server_tool_call": {
      const input = optional("input", part.server_tool_call["input"]);
      return { type: "server_tool_use", ...optional("id", part.id), name: part.name, ...input, ...own };
    }
    case "server_tool_call_response": {
      const { type, content } = part.server_tool_call_response;
      return {
        type: `${type}_tool_result`,
        ...optional("tool_use_id", part.id),
        ...optional("content", content),
        ...own,
      };
    }
    case "compaction":
      return { type: "compaction", content: part.content ?? null, ...own };
    case "generic":
      return own;
  }
}

/** The input object of a call: text that is none, and what custom tools take, stands as `input` in one. */
export function encodeInput(value: unknown): JsonObject {
  if (value === undefined || value === null) return {};
  return isJsonObject(value) ? value : { input: value };
}

function encodeText(part: TextPart, path: CanonicalPath, { encoding, direction }: PartContext): JsonObject[] {
  const own = encoding.own(part);
  if (encoding.source === dialectId) return [ownText(part.content, own)];
  const blocks = sealedBeside(takeCallSignature(part, encoding), path, encoding, direction);
  const document = direction === "request" ? takeTextDocument(part, encoding) : undefined;
  if (document !== undefined) return [...blocks, document];
  if (part.content.trim() !== "" || (direction === "answer" && part.content !== "")) {
    blocks.push({ type: "text", text: part.content, ...own });
  } else if (part.content !== "") {
    encoding.lose(path, "approximated", "Anthropic takes no text of blanks alone: it is left out", "tuning");
  }
  return blocks;
}

/** A document of plain text reads as text. */
function ownText(content: string, own: JsonObject): JsonObject {
  if (own["type"] !== "document") return { type: "text", text: content, ...own };
  return { ...own, source: { ...(isJsonObject(own["source"]) ? own["source"] : {}), data: content } };
}

function encodeCall(part: ToolCallPart, path: CanonicalPath, context: PartContext): JsonObject[] {
  const { encoding, direction, calls } = context;
  const own = encoding.own(part);
  if (encoding.source === dialectId) {
    return [
      { type: "tool_use", ...optional("id", part.id), name: part.name, ...optional("input", part.arguments), ...own },
    ];
  }
  const blocks = sealedBeside(takeCallSignature(part, encoding), path, encoding, direction);
  const input = encodeInput(part.arguments);
  if (part.arguments !== undefined && part.arguments !== null && input !== part.arguments) {
    encoding.lose([...path, "arguments"], "approximated", "arguments that are no object stand in one as input");
  }
  // To a client its own name and the provider's own id; to the provider what it takes.
  if (direction === "answer") {
    const id = part.id ?? calls.open(part, path);
    return [...blocks, { type: "tool_use", id, name: part.name, input, ...own }];
  }
  return [
    ...blocks,
    { type: "tool_use", id: calls.open(part, path), name: encodeName(part.name, path, encoding), input, ...own },
  ];
}

/** A tool's name as the API takes it. */
export function encodeName(name: string, path: CanonicalPath, encoding: Encoding): string {
  const safe = safeName(name);
  if (safe !== name) {
    encoding.lose([...path, "name"], "approximated", "the name has characters that Anthropic refuses", "tuning");
  }
  return safe;
}

function encodeResult(
  part: ToolCallResponsePart,
  path: CanonicalPath,
  context: PartContext,
  toolName?: string,
): JsonObject {
  const { encoding, calls } = context;
  const own = encoding.own(part);
  if (encoding.source === dialectId) {
    const content = optional("content", part.response ?? undefined);
    return { type: "tool_result", ...optional("tool_use_id", part.id), ...content, ...own };
  }
  const id = calls.answer(part, takeResultName(part, encoding) ?? toolName, path);
  const content = encodeParts(encoding.toolResultParts(part.response), [...path, "response"], context, (inner) =>
    resultKinds.has(inner.type),
  );
  const isFailed = encoding.take(part, "bedrock-converse", "status") === "error";
  return {
    type: "tool_result",
    tool_use_id: id,
    ...(content.length === 0 ? {} : { content: shortest(content) }),
    ...(isFailed ? { is_error: true } : {}),
    ...own,
  };
}

const resultKinds: ReadonlySet<string> = new Set(["text", "blob", "uri", "file"]);

function shortest(blocks: JsonObject[]): unknown {
  const [only] = blocks;
  return blocks.length === 1 && only?.["type"] === "text" && Object.keys(only).length === 2 ? only["text"] : blocks;
}

/** The name that stands in the result itself. */
function takeResultName(part: ToolCallResponsePart, encoding: Encoding): string | undefined {
  const gemini = part.extensions?.["gemini-generate-content"];
  const key = gemini?.["functionResponse"] === undefined ? "function_response" : "functionResponse";
  const held = gemini?.[key];
  const stated = isJsonObject(held) ? held["name"] : undefined;
  if (isJsonObject(held) && Object.keys(held).every((member) => member === "name")) {
    encoding.take(part, "gemini-generate-content", key);
  }
  const name = encoding.take(part, "openai-chat", "name") ?? stated;
  return typeof name === "string" ? name : undefined;
}

/** Gemini signs parts of any kind: to a client the signature goes in a block of its own, in front. */
function sealedBeside(
  sealed: readonly Sealed[],
  path: CanonicalPath,
  encoding: Encoding,
  direction: Direction,
): JsonObject[] {
  if (sealed.length === 0) return [];
  if (direction === "answer") return sealed.map((one) => sealedBlock(one));
  encoding.lose(path, "unsupported", "a signature of another family cannot be sent to Anthropic", "tuning");
  return [];
}

/**
 * Converse marks the end of what is to be cached with a part of its own; here the block before says it.
 * false: the part is no such mark.
 */
export function markCache(part: Part, blocks: JsonObject[], encoding: Encoding): boolean {
  if (part.type !== "generic" || part.generic_type !== "cachePoint") return false;
  const point = encoding.take(part, "bedrock-converse", "cachePoint");
  const last = blocks.at(-1);
  if (last === undefined) return true;
  last["cache_control"] = { type: "ephemeral", ...optional("ttl", isJsonObject(point) ? point["ttl"] : undefined) };
  return true;
}

/** Cache marks of chat clients: OpenRouter's, which is Anthropic's own, and OpenAI's. */
function takeCacheControl(part: Part, path: CanonicalPath, encoding: Encoding): JsonObject {
  const own = encoding.take(part, "openai-chat", "cache_control");
  if (own !== undefined && own !== null) return { cache_control: own };
  for (const source of ["openai-chat", "openai-responses"] satisfies DialectId[]) {
    const mark = encoding.take(part, source, "prompt_cache_breakpoint");
    if (mark === undefined || mark === null) continue;
    const detail = "Anthropic caches for five minutes or for an hour";
    encoding.lose([...path, "prompt_cache_breakpoint"], "approximated", detail, "tuning");
    return { cache_control: { type: "ephemeral" } };
  }
  return {};
}

/** Tells a part as a whole: nothing of it is written. */
function lose(part: Part, path: CanonicalPath, encoding: Encoding, detail: string): JsonObject[] {
  encoding.lose(path, "unsupported", detail);
  takeWhole(part, encoding);
  return [];
}
