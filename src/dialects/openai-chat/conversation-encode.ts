// Room dialects, openai-chat: a canonical history as the messages of a chat request, from any dialect.
// Invariant: what a tool answered stands right behind the turn that called it, as chat wants; what moves or merges is told.

import type { InferenceRequest, Message, ToolCallResponsePart } from "../../canonical/index.ts";
import { SidecarError } from "../../errors.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { takeStructure } from "../structure.ts";
import { formatPointer } from "../translation.ts";
import { encodeContentPart, joinContent } from "./content-encode.ts";
import { encodeAssistant, type PlacedPart, type WrittenCall } from "./message-encode.ts";
import { dialectId } from "./schema.ts";

/**
 * All messages of a request, its instructions first.
 * @throws SidecarError request_lossy for a result without its call
 */
export function encodeMessages(request: InferenceRequest, encoding: Encoding): JsonObject[] {
  const history = new History(encoding);
  const instructions = (request.systemInstructions ?? []).map((part, index) => ({
    part,
    path: ["systemInstructions", index],
  }));
  if (instructions.length > 0) history.add({ role: "system", parts: [] }, instructions, ["systemInstructions"]);
  for (const turn of collectTurns(request.messages, encoding)) history.add(turn.message, turn.parts, turn.path);
  return history.finish();
}

interface Turn {
  message: Message;
  parts: PlacedPart[];
  path: CanonicalPath;
}

/**
 * Turns of other dialects that chat would not take apart: Responses writes one item each for the text and the calls of
 * one turn; elsewhere an assistant that called speaks again before its tools have.
 */
function collectTurns(messages: readonly Message[], encoding: Encoding): Turn[] {
  const turns: Turn[] = [];
  for (const [index, message] of messages.entries()) {
    const path = ["messages", index];
    const parts = message.parts.map((part, place) => ({ part, path: [...path, "parts", place] }));
    const last = turns.at(-1);
    if (last !== undefined && message.role === "assistant" && last.message.role === "assistant") {
      const isItems = encoding.source === "openai-responses";
      if (isItems || (encoding.source !== dialectId && last.parts.some(({ part }) => part.type === "tool_call"))) {
        if (!isItems)
          encoding.lose(path, "approximated", "two turns of the assistant in a row are one in chat", "tuning");
        takeStructure(encoding, message, path);
        last.parts.push(...parts);
        continue;
      }
    }
    turns.push({ message, parts, path });
  }
  return turns;
}

class History {
  readonly #encoding: Encoding;
  readonly #out: JsonObject[] = [];
  readonly #calls: WrittenCall[] = [];
  /** Media of tool results, for a user's message behind the results. */
  #moved: JsonObject[] = [];

  constructor(encoding: Encoding) {
    this.#encoding = encoding;
  }

  add(message: Message, parts: readonly PlacedPart[], path: CanonicalPath): void {
    takeStructure(this.#encoding, message, path);
    const results = parts.filter(isResult);
    const others = parts.filter((placed) => !isResult(placed));
    if (results.length > 0) {
      const isBehind =
        others.length > 0 && parts[0]?.part.type !== "tool_call_response" && message.role !== "assistant";
      if (isBehind)
        this.#encoding.lose(path, "approximated", "results of tools come before the text of their turn", "tuning");
    } else this.#flush();
    if (message.role === "assistant") this.#addAssistant(message, others);
    for (const { part, path: place } of results) this.#addResult(part, place, message);
    if (message.role === "assistant" || (others.length === 0 && results.length > 0)) return;
    this.#flush();
    this.#addPlain(message, others, path);
  }

  finish(): JsonObject[] {
    this.#flush();
    return this.#out;
  }

  #addAssistant(message: Message, parts: readonly PlacedPart[]): void {
    const encoded = encodeAssistant(parts, message, this.#calls, this.#encoding);
    if (encoded !== undefined) this.#out.push(encoded);
  }

  /** A message of the system, a developer or the user. */
  #addPlain(message: Message, parts: readonly PlacedPart[], path: CanonicalPath): void {
    const encoding = this.#encoding;
    const isHome = encoding.source === dialectId;
    const content = parts
      .map(({ part, path: place }) => encodeContentPart(part, place, encoding))
      .filter((wire) => wire !== undefined);
    const joined = joinContent(content);
    // Nothing is left of it: what it held has been told.
    if (joined === undefined && !isHome) return;
    const isKnown = isHome || message.role === "system" || message.role === "developer" || message.role === "user";
    if (!isKnown) encoding.lose([...path, "role"], "approximated", "a role that chat does not know is the user's");
    this.#out.push({
      role: isKnown ? message.role : "user",
      ...(joined === undefined ? {} : { content: joined }),
      ...(message.name === undefined ? {} : { name: message.name }),
      ...encoding.own(message),
    });
  }

  #addResult(part: ToolCallResponsePart, path: CanonicalPath, message: Message): void {
    const encoding = this.#encoding;
    takeStructure(encoding, part, path);
    const texts: JsonObject[] = [];
    const media: JsonObject[] = [];
    for (const [index, result] of encoding.toolResultParts(part.response).entries()) {
      const encoded = encodeContentPart(result, [...path, "response", index], encoding);
      if (encoded === undefined) continue;
      if (encoding.source === dialectId || encoded["type"] === "text") texts.push(encoded);
      else media.push(encoded);
    }
    const content = joinContent(texts) ?? "";
    const own = encoding.own(message);
    if (encoding.source === dialectId) {
      const { role, ...rest } = own;
      const id = part.id === undefined ? {} : { tool_call_id: part.id };
      const name = message.name ?? encoding.own(part)["name"];
      this.#out.push({ role: role ?? "tool", ...id, content, ...(name === undefined ? {} : { name }), ...rest });
      return;
    }
    const call = this.#findCall(part, takeToolName(part, message, encoding));
    if (call === undefined) {
      throw new SidecarError(
        "request_lossy",
        `The tool result at ${formatPointer(path)} answers no call in the history.`,
      );
    }
    call.isAnswered = true;
    if (part.id !== undefined && part.id !== call.id) {
      encoding.lose([...path, "id"], "approximated", "the id is that of the call as it is written", "tuning");
    }
    this.#out.push({ role: "tool", tool_call_id: call.id, content });
    if (media.length === 0) return;
    // envoyproxy/ai-gateway#2098 and others: a tool message has text alone.
    encoding.lose(path, "moved", "chat has text alone in tool results: media follow as the user's");
    this.#moved.push({ type: "text", text: `Content of the result of tool call ${call.id}:` }, ...media);
  }

  /** By id; without one (Gemini, Ollama) by name, else in order. */
  #findCall(part: ToolCallResponsePart, name: string | undefined): WrittenCall | undefined {
    const { id } = part;
    if (id !== undefined && id !== "") return this.#calls.findLast((call) => call.sourceId === id);
    const open = this.#calls.filter((call) => !call.isAnswered);
    return open.find((call) => call.name === name) ?? open[0];
  }

  #flush(): void {
    if (this.#moved.length > 0) this.#out.push({ role: "user", content: this.#moved });
    this.#moved = [];
  }
}

function isResult(placed: PlacedPart): placed is PlacedPart & { part: ToolCallResponsePart } {
  return placed.part.type === "tool_call_response";
}

/** The tool's name where the wire of the source gives it with the result. */
function takeToolName(part: ToolCallResponsePart, message: Message, encoding: Encoding): string | undefined {
  const member =
    part.extensions?.["gemini-generate-content"]?.["functionResponse"] === undefined
      ? "function_response"
      : "functionResponse";
  const google = part.extensions?.["gemini-generate-content"]?.[member];
  // Media beside the name are told as lost.
  if (isJsonObject(google) && Object.keys(google).join() === "name")
    encoding.take(part, "gemini-generate-content", member);
  const name =
    (isJsonObject(google) ? google["name"] : undefined) ?? encoding.take(message, "ollama-chat", "tool_name");
  return typeof name === "string" ? name : undefined;
}
