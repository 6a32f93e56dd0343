// Room dialects, cohere-chat: canonical messages as messages of v2, in requests and in answers.
// Invariant: a part is written, or it is told as a loss; in Cohere's own words it comes back as it was.

import type { BlobPart, Part, ToolCallPart, UriPart } from "../../canonical/index.ts";
import { SidecarError } from "../../errors.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import type { MessageTurn, PlacedPart, ResultTurn, Turn } from "../history.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { mergeOwn } from "../json/merge.ts";
import { formatPointer } from "../translation.ts";
import { dialectId, optional } from "./schema.ts";

/** What a message is written from. */
interface Draft {
  content: JsonObject[];
  plan: string[];
  calls: unknown[];
}

/** Writes the turns of a request. @throws SidecarError request_lossy for a tool result that answers no call */
export function encodeTurns(turns: readonly Turn[], encoding: Encoding): unknown[] {
  return turns.flatMap((turn) => {
    const message = turn.type === "result" ? encodeResult(turn, encoding) : encodeTurn(turn, encoding);
    return message === undefined ? [] : [message];
  });
}

/** Nothing for an assistant's or a system's turn of which nothing can be written: a message without content says nothing. */
function encodeTurn({ role, parts, node, path }: MessageTurn, encoding: Encoding): unknown {
  const own = encoding.own(node);
  if (encoding.source === dialectId && Object.hasOwn(own, "value")) return own["value"];
  const message = encodeMessage(role, parts, encoding);
  if (encoding.source === dialectId) return { ...message, ...own };
  if (message["content"] !== undefined || message["tool_calls"] !== undefined) return { ...message, ...own };
  if (role !== "user") return undefined;
  encoding.lose(path, "approximated", "nothing of the message is left: a placeholder stands for it", "tuning");
  return { ...message, content: "(left out)", ...own };
}

/** One message with these parts: `{role, content?, tool_plan?, tool_calls?}`. */
export function encodeMessage(role: string, parts: readonly PlacedPart[], encoding: Encoding): JsonObject {
  const draft: Draft = { content: [], plan: [], calls: [] };
  for (const one of parts) encodePart(draft, role, one, encoding);
  const { content, plan, calls } = draft;
  return {
    role,
    ...(content.length === 0 ? {} : { content: simplify(content) }),
    ...(plan.length === 0 ? {} : { tool_plan: plan.join("") }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
}

/** One plain text is the content itself. */
function simplify(content: JsonObject[]): unknown {
  const [only] = content;
  return content.length === 1 && only?.["type"] === "text" && Object.keys(only).length === 2 ? only["text"] : content;
}

function encodePart(draft: Draft, role: string, { part, path, callId }: PlacedPart, encoding: Encoding): void {
  const own = encoding.own(part);
  switch (part.type) {
    case "text":
      if (part.content === "" && encoding.source !== dialectId) return;
      noteRefusal(part, path, encoding);
      draft.content.push({ type: "text", text: part.content, ...own });
      return;
    case "reasoning":
      if (own["type"] === "tool_plan") draft.plan.push(part.content);
      // Nothing but a signature: who cannot read it has nothing of it.
      else if (part.content !== "" || encoding.source === dialectId) {
        draft.content.push({ type: "thinking", thinking: part.content, ...own });
      }
      return;
    case "tool_call": {
      const id = part.id ?? callId;
      const called = callOf(part.name, encodeArguments(part, path, encoding));
      draft.calls.push(mergeOwn({ ...optional("id", id), type: "function", function: called }, own));
      return;
    }
    case "blob":
    case "uri":
      if (part.modality === "image" && role === "user") {
        draft.content.push(mergeOwn({ type: "image_url", image_url: imageOf(part, encoding) }, own));
      } else loseMedia(part, path, encoding);
      return;
    case "compaction":
      if (part.content === undefined || part.content === "") loseKind(part, path, encoding);
      else {
        encoding.lose(path, "approximated", "a compaction is written as text");
        draft.content.push({ type: "text", text: part.content });
      }
      return;
    case "generic":
      if (Object.keys(own).length === 0) loseKind(part, path, encoding);
      else if (part.generic_type === "tool_call") draft.calls.push(own["value"] ?? own);
      else draft.content.push(isJsonObject(own["value"]) ? own["value"] : own);
      return;
    case "file":
      loseMedia(part, path, encoding);
      return;
    case "tool_call_response":
    case "server_tool_call":
    case "server_tool_call_response":
      loseKind(part, path, encoding);
  }
}

/** JSON text. What came cut short stays as it came, so that nobody takes it for whole. */
function encodeArguments(part: ToolCallPart, path: CanonicalPath, encoding: Encoding): string | undefined {
  const { arguments: args } = part;
  if (args === undefined) return undefined;
  if (typeof args !== "string") return JSON.stringify(args);
  if (!isCustom(part)) return args;
  encoding.take(part, "openai-chat", "type");
  encoding.lose([...path, "arguments"], "approximated", "the text of a custom tool stands in an object as input");
  return wrapText(args);
}

/** A call of a custom tool, whose input is a text and no JSON; only OpenAI has them. */
function isCustom({ extensions }: ToolCallPart): boolean {
  const item = extensions?.["openai-responses"]?.["item"];
  return (
    extensions?.["openai-chat"]?.["type"] === "custom" || (isJsonObject(item) && item["type"] === "custom_tool_call")
  );
}

/** Arguments of a tool that takes one text. */
export const wrapText = (text: string): string => JSON.stringify({ input: text });

const callOf = (name: string, text: string | undefined): JsonObject => ({
  name,
  ...(text === undefined ? {} : { arguments: text }),
});

/** `detail` has OpenAI's words (cohere-ai 8.1.0: ImageUrlDetail). */
function imageOf(part: BlobPart | UriPart, encoding: Encoding): JsonObject {
  const chat = encoding.take(part, "openai-chat", "image_url");
  const detail = isJsonObject(chat) ? chat["detail"] : encoding.take(part, "openai-responses", "detail");
  const url =
    part.type === "uri" ? part.uri : `data:${part.mime_type ?? sniffMimeType(part.content)};base64,${part.content}`;
  return { url, ...(typeof detail === "string" ? { detail } : {}) };
}

/** Media type by the first bytes in base64; sources without one (Ollama) have only images. */
function sniffMimeType(base64: string): string {
  if (base64.startsWith("/9j/")) return "image/jpeg";
  if (base64.startsWith("R0lGOD")) return "image/gif";
  return base64.startsWith("UklGR") ? "image/webp" : "image/png";
}

/** A refusal is text like any other here. */
function noteRefusal(part: Part, path: CanonicalPath, encoding: Encoding): void {
  for (const dialect of ["openai-chat", "openai-responses"] as const) {
    if (part.extensions?.[dialect]?.["type"] !== "refusal") continue;
    encoding.take(part, dialect, "type");
    encoding.lose(path, "approximated", "a refusal is written as text", "tuning");
  }
}

function loseMedia(part: Extract<Part, { modality: unknown }>, path: CanonicalPath, encoding: Encoding): void {
  encoding.lose(path, "unsupported", `Cohere takes no ${part.modality} as a ${part.type} there`);
}

function loseKind(part: Part, path: CanonicalPath, encoding: Encoding): void {
  const kind = part.type === "generic" ? part.generic_type : part.type;
  encoding.lose(path, "unsupported", `Cohere has nothing like ${kind}`);
}

function encodeResult(turn: ResultTurn, encoding: Encoding): JsonObject {
  const { id, result, node, parts, path } = turn;
  if (encoding.source === dialectId) {
    const content = result.response === null ? {} : { content: result.response };
    return { role: "tool", ...optional("tool_call_id", id), ...content, ...encoding.own(node) };
  }
  if (!turn.isAnswer || id === undefined) {
    const details = { pointer: formatPointer(path) };
    const message = `the tool result at ${details.pointer} answers no call in the conversation, so that Cohere could not tell what it is of`;
    throw new SidecarError("request_lossy", message, { details });
  }
  const content = parts.flatMap(({ part }) => (part.type === "text" ? [{ type: "text", text: part.content }] : []));
  return { role: "tool", tool_call_id: id, content: content.length === 0 ? "" : simplify(content) };
}
