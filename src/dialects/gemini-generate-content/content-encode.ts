// Room dialects, gemini-generate-content: the messages of a request as contents, and the instructions among them.
// Invariant: turns of one role are one content; every tool result names its function and follows a call; order is kept.

import type { Message, Part, ToolCallPart, ToolCallResponsePart } from "../../canonical/index.ts";
import { SidecarError } from "../../errors.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { type JsonObject, optional } from "../json/fields.ts";
import { takeMarks, takeMediaHints } from "./foreign-mark.ts";
import { writableName } from "./name.ts";
import { encodeBlob, encodePart, restorePart } from "./part-encode.ts";
import { readWhole, restoreFields } from "./restore.ts";

/** Where the conversation goes. `instructions` are the parts of the leading system messages. */
export interface EncodedMessages {
  contents: unknown[];
  instructions: JsonObject[];
}

/** Messages of any dialect. @throws SidecarError request_lossy for a tool result that answers no call */
export function encodeMessages(messages: readonly Message[], encoding: Encoding): EncodedMessages {
  if (encoding.source === encoding.target) {
    return { contents: messages.map((message) => restoreMessage(message, encoding)), instructions: [] };
  }
  const encoder = new MessageEncoder(encoding);
  for (const [place, message] of messages.entries()) encoder.push(message, place);
  const contents = encoder.contents.map(({ role, parts }) => ({ role, parts: joinSignatures(parts) }));
  return { contents, instructions: encoder.instructions };
}

const wireRoles: ReadonlyMap<string, string> = new Map([
  ["assistant", "model"],
  ["tool", "function"],
]);

function restoreMessage(message: Message, encoding: Encoding): unknown {
  const kept = encoding.own(message);
  const whole = message.role === "unknown" ? readWhole(kept) : undefined;
  if (whole !== undefined) return whole.value;
  const parts = message.parts.map((part) => restorePart(part, encoding));
  const role = wireRoles.get(message.role) ?? message.role;
  return restoreFields({ role, ...(parts.length === 0 && "parts" in kept ? {} : { parts }) }, kept);
}

interface Content {
  role: "user" | "model";
  parts: JsonObject[];
  /** Whether tool results alone are in it: those of one turn belong together (wire.md §2.1). */
  isResults: boolean;
}

class MessageEncoder {
  readonly contents: Content[] = [];
  readonly instructions: JsonObject[] = [];
  readonly #encoding: Encoding;
  readonly #calls: { part: ToolCallPart; answered: boolean }[] = [];
  #begun = false;

  constructor(encoding: Encoding) {
    this.#encoding = encoding;
  }

  push(message: Message, place: number): void {
    const path = ["messages", place];
    const toolName = this.#encoding.take(message, "ollama-chat", "tool_name");
    takeMarks(message, this.#encoding);
    const isSystem = message.role === "system" || message.role === "developer";
    if (isSystem && !this.#begun) {
      this.instructions.push(...this.#encodeParts(message.parts, path));
      return;
    }
    this.#begun = true;
    if (isSystem) {
      const detail =
        "an instruction amid the conversation is sent as the user's text: Gemini takes instructions at its start";
      this.#encoding.lose(path, "approximated", detail);
    }
    if (message.name !== undefined && message.role !== "tool") {
      this.#encoding.lose([...path, "name"], "unsupported", "Gemini has no names of participants");
    }
    const name = typeof toolName === "string" ? toolName : message.name;
    const isResults = message.parts.length > 0 && message.parts.every(({ type }) => type === "tool_call_response");
    const role = message.role === "assistant" ? "model" : "user";
    this.#append({ role, parts: this.#encodeParts(message.parts, path, name), isResults }, message, path);
  }

  #append(content: Content, message: Message, path: CanonicalPath): void {
    const last = this.contents.at(-1);
    if (content.parts.length === 0) {
      // Gemini refuses a content without parts. A turn that said nothing, or only thought, is no turn.
      if (!message.parts.some(isSpoken)) return;
      content.parts.push({ text: "(left out)" });
      this.#encoding.lose(path, "injected", "nothing is left of this turn: a short text stands for it", "tuning");
    }
    if (last?.role !== content.role) {
      this.contents.push(content);
      return;
    }
    if (!(last.isResults && content.isResults)) {
      this.#encoding.lose(path, "approximated", "turns of one role that follow each other are sent as one", "tuning");
    }
    last.parts.push(...content.parts);
    last.isResults &&= content.isResults;
  }

  #encodeParts(parts: readonly Part[], path: CanonicalPath, toolName?: string): JsonObject[] {
    const wire: JsonObject[] = [];
    for (const [place, part] of parts.entries()) {
      const at = [...path, "parts", place];
      if (part.type === "tool_call") this.#calls.push({ part, answered: false });
      if (part.type === "tool_call_response") wire.push(this.#encodeResult(part, at, toolName));
      else wire.push(...encodePart(part, this.#encoding, { path: at, reader: "provider" }));
    }
    return wire;
  }

  /** Google goes by the function's name, and wants an object: `output` is its own word for a result that is text, `error` for a failed one. */
  #encodeResult(part: ToolCallResponsePart, path: CanonicalPath, toolName: string | undefined): JsonObject {
    const encoding = this.#encoding;
    const call = this.#findCall(part, encoding, toolName);
    if (call === undefined) {
      const at = `/${path.join("/")}`;
      const text = `the tool result at ${at} answers no call of this conversation: Gemini needs the call with its name`;
      throw new SidecarError("request_lossy", text, { details: { pointer: at } });
    }
    takeMarks(part, encoding);
    const texts: string[] = [];
    const media: JsonObject[] = [];
    for (const [place, item] of encoding.toolResultParts(part.response).entries()) {
      const at = [...path, "response", place];
      if (item.type === "blob") {
        takeMediaHints(item, encoding, at);
        media.push({ inlineData: encodeBlob(item, encoding, at) });
      } else {
        for (const wire of encodePart(item, encoding, { path: at, reader: "provider" })) {
          if (typeof wire["text"] === "string") texts.push(wire["text"]);
          else media.push(wire);
        }
      }
    }
    const isError = takeIsError(part, encoding);
    return {
      functionResponse: {
        ...optional("id", part.id),
        name: writableName(call.name),
        response: { [isError ? "error" : "output"]: texts.join("\n") },
        ...(media.length === 0 ? {} : { parts: media }),
      },
    };
  }

  /** By id; where the source has none by the name, and else in the order of the calls. */
  #findCall(part: ToolCallResponsePart, encoding: Encoding, toolName: string | undefined): ToolCallPart | undefined {
    const named = encoding.take(part, encoding.source, "name");
    const name = typeof named === "string" ? named : toolName;
    const open = this.#calls.filter(({ answered }) => !answered);
    const found =
      part.id === undefined
        ? (open.find((call) => call.part.name === name) ?? (name === undefined ? open[0] : undefined))
        : (open.find((call) => call.part.id === part.id) ?? this.#calls.find((call) => call.part.id === part.id));
    if (found === undefined) return undefined;
    found.answered = true;
    return found.part;
  }
}

/** `is_error` is Anthropic's, `status` Converse's; no other dialect says it. */
function takeIsError(part: ToolCallResponsePart, encoding: Encoding): boolean {
  if (encoding.take(part, "anthropic-messages", "is_error") === true) return true;
  return encoding.take(part, "bedrock-converse", "status") === "error";
}

function isSpoken(part: Part): boolean {
  return part.type !== "reasoning" && !(part.type === "text" && part.content === "");
}

/** A signature without text stands for the part that follows it: dialects without a place for it there keep it so. */
function joinSignatures(parts: readonly JsonObject[]): JsonObject[] {
  const joined: JsonObject[] = [];
  for (const part of parts) {
    const before = joined.at(-1);
    const isBare = before?.["thought"] === true && before["text"] === "" && "thoughtSignature" in before;
    if (isBare && part["thought"] !== true && !("thoughtSignature" in part)) {
      joined[joined.length - 1] = { ...part, thoughtSignature: before["thoughtSignature"] };
    } else joined.push(part);
  }
  return joined;
}
