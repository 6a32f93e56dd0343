// Room dialects, ollama-chat: canonical messages as messages of the wire, in requests and in answers.
// A message is one text with thinking, images and calls beside it: where they stood among each other is not told.
// Invariant: a part is written, or it is told as a loss.

import type { Part, ToolCallPart } from "../../canonical/index.ts";
import { SidecarError } from "../../errors.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import type { MessageTurn, PlacedPart, ResultTurn, Turn } from "../history.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { mergeOwn } from "../json/merge.ts";
import { formatPointer } from "../translation.ts";
import { dialectId, optional } from "./schema.ts";

/** Members of a message beside its role; `content` is always there, as the official types want it. */
export interface MessageMembers {
  content: string;
  thinking?: string;
  images?: string[];
  tool_calls?: unknown[];
}

/** Writes the turns of a request. @throws SidecarError request_lossy for arguments that are no object */
export function encodeTurns(turns: readonly Turn[], encoding: Encoding): unknown[] {
  return turns.map((turn) => (turn.type === "result" ? encodeResult(turn, encoding) : encodeTurn(turn, encoding)));
}

function encodeTurn({ role, parts, node }: MessageTurn, encoding: Encoding): unknown {
  const own = encoding.own(node);
  if (encoding.source === dialectId && Object.hasOwn(own, "value")) return own["value"];
  for (const { part, path } of parts) {
    if (part.type === "tool_call" && !isJsonObject(part.arguments ?? {}) && encoding.source !== dialectId) {
      refuseArguments(path);
    }
  }
  // Paragraphs of a person stand apart; a model's texts are pieces of one.
  const members = encodeMembers(parts, role === "assistant" ? "" : "\n\n", encoding);
  return mergeOwn({ role, ...members }, own);
}

function refuseArguments(path: CanonicalPath): never {
  const pointer = formatPointer([...path, "arguments"]);
  const message = `the arguments of the tool call at ${pointer} are no JSON object, and Ollama takes nothing else`;
  throw new SidecarError("request_lossy", message, { details: { pointer } });
}

/** The members of one message; texts are joined by `separator`. */
export function encodeMembers(parts: readonly PlacedPart[], separator: string, encoding: Encoding): MessageMembers {
  const texts: string[] = [];
  const thinking: string[] = [];
  const images: string[] = [];
  const calls: unknown[] = [];
  for (const { part, path, callId } of parts) {
    switch (part.type) {
      case "text":
        noteRefusal(part, path, encoding);
        if (images.length > 0 && encoding.source !== dialectId) {
          encoding.lose(path, "approximated", "Ollama has a message's images after its text", "tuning");
        }
        texts.push(part.content);
        break;
      case "reasoning":
        thinking.push(part.content);
        break;
      case "tool_call":
        calls.push(encodeCall(part, path, callId, encoding));
        break;
      case "blob":
        if (part.modality === "image") images.push(part.content);
        else loseMedia(part, path, encoding);
        break;
      case "compaction":
        if (part.content === undefined) loseKind(part.type, path, encoding);
        else {
          encoding.lose(path, "approximated", "a compaction is written as text");
          texts.push(part.content);
        }
        break;
      case "generic":
        if (Object.keys(encoding.own(part)).length === 0) loseKind(part.generic_type, path, encoding);
        else calls.push(encoding.own(part)["value"] ?? encoding.own(part));
        break;
      case "uri":
      case "file":
        loseMedia(part, path, encoding);
        break;
      case "tool_call_response":
      case "server_tool_call":
      case "server_tool_call_response":
        loseKind(part.type, path, encoding);
    }
  }
  const thought = thinking.join("");
  return {
    content: texts.filter((text) => text !== "").join(separator),
    ...(thought === "" ? {} : { thinking: thought }),
    ...(images.length === 0 ? {} : { images }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
}

/** One call; `callId` is its id where the source has none. */
export function encodeCall(
  part: ToolCallPart,
  path: CanonicalPath,
  callId: string | undefined,
  encoding: Encoding,
): JsonObject {
  const given = part.arguments ?? {};
  const id = part.id ?? callId;
  const call = {
    ...optional("id", id),
    function: { name: part.name, arguments: encodeArguments(given, path, encoding) },
  };
  return mergeOwn(call, encoding.own(part));
}

/**
 * A custom tool's text, or arguments that are no JSON, stand in an object as input:
 * for a text ollama-python 0.6.3 refuses the whole answer, and `{}` would run the tool with nothing.
 */
function encodeArguments(given: unknown, path: CanonicalPath, encoding: Encoding): unknown {
  if (isJsonObject(given) || encoding.source === dialectId) return given;
  encoding.lose([...path, "arguments"], "approximated", "arguments that are no object stand in one as input");
  return { input: given };
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
  encoding.lose(
    path,
    "unsupported",
    `Ollama takes images inline and no other media: no ${part.modality} as a ${part.type}`,
  );
}

function loseKind(kind: string, path: CanonicalPath, encoding: Encoding): void {
  encoding.lose(path, "unsupported", `Ollama has nothing like ${kind}`);
}

/** Servers go by the tool's name; what no call and no name tells is `tool`. */
function encodeResult(turn: ResultTurn, encoding: Encoding): JsonObject {
  const { id, name, result, node, parts } = turn;
  if (encoding.source === dialectId) {
    const content = result.response === null ? {} : { content: result.response };
    return { role: "tool", ...content, ...optional("tool_call_id", result.id), ...encoding.own(node) };
  }
  const texts = parts.flatMap(({ part }) => (part.type === "text" ? [part.content] : []));
  return { role: "tool", content: texts.join("\n\n"), tool_name: name ?? "tool", ...optional("tool_call_id", id) };
}
