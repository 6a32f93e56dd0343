// Room dialects, openai-responses: the history as instructions and input items.
// Invariant: items stand in the order of the history; a tool's result names the call that it answers.

import type { Message, Part, ToolCallPart, ToolCallResponsePart } from "../../canonical/index.ts";
import { SidecarError } from "../../errors.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { safeId, safeName } from "../names.ts";
import { takeStructure } from "../structure.ts";
import { encodeContentPart, encodeOwnPart, kindOf } from "./content-encode.ts";
import { encodeArguments, encodeOwnItems, itemOf } from "./item-encode.ts";
import { encodeCarriedReasoning } from "./reasoning-encode.ts";

/** A history that this dialect decoded, as its `input`: a lone text of the user's is the text itself. */
export function encodeOwnInput(messages: readonly Message[], encoding: Encoding): unknown {
  const items = messages.flatMap((message) => encodeOwnMessage(message, encoding));
  const [only] = items;
  const isText = items.length === 1 && only?.["role"] === "user" && typeof only["content"] === "string";
  return isText && Object.keys(only ?? {}).length === 2 ? only?.["content"] : items;
}

function encodeOwnMessage(message: Message, encoding: Encoding): JsonObject[] {
  const { parts } = message;
  if (parts.some((part) => itemOf(part) !== undefined)) return encodeOwnItems(parts);
  const [only] = parts;
  const own = encoding.own(message);
  // One with an id is an answer handed back, whose content is a list.
  const isText = parts.length === 1 && only?.type === "text" && only.extensions === undefined && !("id" in own);
  return [{ role: message.role, content: isText ? only.content : parts.map(encodeOwnPart), ...own }];
}

/**
 * A history of another dialect. The first message goes to `instructions` where it is the system's and nothing but one text.
 * @throws SidecarError request_lossy: a result that answers no call
 */
export function encodeInput(
  messages: readonly Message[],
  hasInstructions: boolean,
  encoding: Encoding,
): { instructions?: string; input: JsonObject[] } {
  const writer = new InputWriter(encoding);
  const [first] = messages;
  const [text] = first?.parts ?? [];
  const isInstructions =
    !hasInstructions && first?.role === "system" && first.parts.length === 1 && text?.type === "text";
  for (const [index, message] of messages.entries()) {
    if (index > 0 || !isInstructions) writer.push(message, ["messages", index]);
  }
  return { ...(isInstructions ? { instructions: text.content } : {}), input: writer.items };
}

/** A call that was made, and under which id. */
interface MadeCall {
  /** As the client wrote it. */
  given: string | undefined;
  id: string;
  name: string;
  isCustom: boolean;
  isAnswered: boolean;
}

const roles: ReadonlySet<string> = new Set(["system", "developer", "user", "assistant"]);

const maxCallIdLength = 64;

class InputWriter {
  readonly items: JsonObject[] = [];
  readonly #encoding: Encoding;
  readonly #calls: MadeCall[] = [];

  constructor(encoding: Encoding) {
    this.#encoding = encoding;
  }

  push(message: Message, path: CanonicalPath): void {
    const encoding = this.#encoding;
    if (message.name !== undefined && message.role !== "tool") {
      encoding.lose([...path, "name"], "unsupported", "messages of the Responses API have no name", "tuning");
    }
    takeStructure(encoding, message, path);
    const isKnown = roles.has(message.role) || message.role === "tool";
    if (!isKnown) encoding.lose([...path, "role"], "approximated", "an unknown role speaks as the user");
    const role = roles.has(message.role) ? message.role : "user";
    let content: JsonObject[] = [];
    const flush = (): void => {
      if (content.length > 0) this.items.push({ role, content: shorten(content) });
      content = [];
    };
    for (const [index, part] of message.parts.entries()) {
      const at = [...path, "parts", index];
      takeStructure(encoding, part, at);
      const items = this.#encodeItems(part, message, at);
      if (items === undefined) {
        const encoded = encodeContentPart(part, role === "assistant" ? "model" : "other", at, encoding);
        if (encoded !== undefined) content.push(encoded);
      } else if (items.length > 0) {
        flush();
        this.items.push(...items);
      }
    }
    flush();
  }

  /** The items that a part is by itself; undefined where it is content of its message. */
  #encodeItems(part: Part, message: Message, path: CanonicalPath): JsonObject[] | undefined {
    switch (part.type) {
      case "tool_call":
        return [this.#encodeCall(part, path)];
      case "tool_call_response":
        return [this.#encodeResult(part, message, path)];
      case "reasoning":
        return encodeCarriedReasoning(part, path, this.#encoding);
      case "server_tool_call":
      case "server_tool_call_response":
      case "compaction":
        this.#encoding.lose(path, "unsupported", `a ${kindOf(part)} of another provider cannot be given to this one`);
        return [];
      default:
        return undefined;
    }
  }

  #encodeCall(part: ToolCallPart, path: CanonicalPath): JsonObject {
    const encoding = this.#encoding;
    const kind = encoding.take(part, "openai-chat", "type");
    const call: MadeCall = {
      given: part.id,
      id: part.id === undefined ? encoding.makeId("call_", this.#calls.length) : safeCallId(part.id),
      name: part.name,
      isCustom: kind === "custom",
      isAnswered: false,
    };
    this.#calls.push(call);
    if (part.id !== undefined && call.id !== part.id) {
      encoding.lose(
        [...path, "id"],
        "approximated",
        "the id is longer than the 64 characters a call may have",
        "tuning",
      );
    }
    const name = encodeToolName(part.name, [...path, "name"], encoding);
    const text = encodeArguments(part.arguments);
    return call.isCustom
      ? { type: "custom_tool_call", call_id: call.id, name, input: text }
      : { type: "function_call", call_id: call.id, name, arguments: text };
  }

  #encodeResult(part: ToolCallResponsePart, message: Message, path: CanonicalPath): JsonObject {
    const encoding = this.#encoding;
    const call = this.#findCall(part.id, takeToolName(part, message, encoding));
    if (call === undefined) {
      const pointer = `/${path.join("/")}`;
      throw new SidecarError("request_lossy", `the tool result ${pointer} answers no call of the history`);
    }
    call.isAnswered = true;
    const parts = encoding.toolResultParts(part.response);
    const content: JsonObject[] = [];
    for (const [index, inner] of parts.entries()) {
      takeStructure(encoding, inner, [...path, "response", index]);
      const encoded = encodeContentPart(inner, "other", [...path, "response", index], encoding);
      if (encoded !== undefined) content.push(encoded);
    }
    return {
      type: call.isCustom ? "custom_tool_call_output" : "function_call_output",
      call_id: call.id,
      output: content.length === 0 ? "" : shorten(content),
    };
  }

  /** By id; without one (Gemini, Ollama) by name; without that the first call that waits. */
  #findCall(id: string | undefined, name: string | undefined): MadeCall | undefined {
    if (id !== undefined) {
      const known = this.#calls.findLast(({ given }) => given === id);
      if (known !== undefined) return known;
    }
    const waiting = this.#calls.filter((call) => !call.isAnswered && (id === undefined || call.given === undefined));
    return name === undefined ? waiting[0] : waiting.find((call) => call.name === name);
  }
}

/** A tool's name as OpenAI takes it: up to 64 letters, digits, `_` and `-`. */
export function encodeToolName(name: string, path: CanonicalPath, encoding: Encoding): string {
  const safe = safeName(name);
  if (safe !== name) encoding.lose(path, "approximated", "the name has characters or a length that OpenAI refuses");
  return safe;
}

/** Characters are free, the length is not (openai-openapi, read 2026-11-21). */
function safeCallId(id: string): string {
  return id.length > maxCallIdLength ? safeId(id) : id;
}

/** The one plain text that says the same as a list of it. */
function shorten(content: JsonObject[]): string | JsonObject[] {
  const [only] = content;
  const isPlain = content.length === 1 && Object.keys(only ?? {}).join() === "type,text";
  return isPlain && typeof only?.["text"] === "string" ? only["text"] : content;
}

/** The name of the tool, where a dialect goes by it: Gemini, older chat functions, Ollama. */
function takeToolName(part: ToolCallResponsePart, message: Message, encoding: Encoding): string | undefined {
  const holder = part.extensions?.["gemini-generate-content"]?.["functionResponse"];
  if (isJsonObject(holder) && Object.keys(holder).join() === "name") {
    encoding.take(part, "gemini-generate-content", "functionResponse");
  }
  encoding.take(message, "openai-chat", "role");
  const name = isJsonObject(holder)
    ? holder["name"]
    : (encoding.take(part, "openai-chat", "name") ?? encoding.take(message, "ollama-chat", "tool_name"));
  return typeof name === "string" ? name : undefined;
}
