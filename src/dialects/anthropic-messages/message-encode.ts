// Room dialects, anthropic-messages: a conversation of any source as system blocks and messages.
// Invariant: tool results follow their calls at once, first in one user message; what is left out is told.

import type { InferenceRequest, Message, Part } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import type { JsonObject } from "../json/fields.ts";
import { encodePart, encodeParts, markCache, idTaker, type PartContext } from "./part-encode.ts";
import { CallIds } from "../call-ids.ts";
import { dialectId } from "./schema.ts";

/** What a conversation becomes. `calledTools` are the tools its history calls. */
export interface EncodedConversation {
  system: unknown;
  messages: unknown[];
  calledTools: string[];
}

interface Turn {
  role: string;
  blocks: JsonObject[];
  /** How many tool results stand at its beginning. */
  resultCount: number;
  /** Answers calls, so that what the user says next belongs to it. */
  isToolTurn: boolean;
}

/**
 * Encodes system instructions and messages.
 * @throws SidecarError request_lossy for a tool result without a call
 */
export function encodeConversation(request: InferenceRequest, encoding: Encoding): EncodedConversation {
  const context: PartContext = { encoding, direction: "request", calls: new CallIds(encoding, idTaker) };
  const instructions = request.systemInstructions;
  const system =
    instructions === undefined ? [] : encodeParts(instructions, ["systemInstructions"], context, isSystemPart);
  if (encoding.source === dialectId) {
    const messages = request.messages.map((message, index) => encodeOwnMessage(message, index, context));
    return {
      system: instructions === undefined ? undefined : plainest(instructions, system),
      messages,
      calledTools: [],
    };
  }
  const turns = new Turns(context, system);
  for (const [index, message] of request.messages.entries()) turns.push(message, ["messages", index]);
  const messages = turns.finish();
  return {
    system: system.length === 0 ? undefined : shorten(system),
    messages: messages.map(({ role, blocks }) => ({ role, content: shorten(blocks) })),
    calledTools: context.calls.names,
  };
}

/** A client's own message comes back as it was: nothing is merged, moved or left out, but what another family sealed. */
function encodeOwnMessage(message: Message, index: number, context: PartContext): unknown {
  const own = context.encoding.own(message);
  if (Object.hasOwn(own, "value") && message.role === "unknown") return own["value"];
  const path = ["messages", index, "parts"];
  const blocks = message.parts.flatMap((part, place) => encodePart(part, [...path, place], context));
  return { role: message.role, content: plainest(message.parts, blocks), ...own };
}

/** A text and the one text block it stands for are not told apart: the text is written. */
function plainest(parts: readonly Part[], blocks: JsonObject[]): unknown {
  const [only] = parts;
  return parts.length === 1 && only?.type === "text" && only.extensions === undefined ? only.content : blocks;
}

function shorten(blocks: JsonObject[]): unknown {
  const [only] = blocks;
  const isText = blocks.length === 1 && only?.["type"] === "text" && Object.keys(only).length === 2;
  return isText ? only["text"] : blocks;
}

const isSystemPart = (part: Part): boolean => part.type === "text" || part.type === "generic";

class Turns {
  readonly #context: PartContext;
  readonly #system: JsonObject[];
  readonly #turns: Turn[] = [];
  /** Instructions that stood between calls and their results. */
  #held: JsonObject[] = [];

  constructor(context: PartContext, system: JsonObject[]) {
    this.#context = context;
    this.#system = system;
  }

  push(message: Message, path: CanonicalPath): void {
    const { encoding } = this.#context;
    const { role, parts } = message;
    if (message.name !== undefined && role !== "tool") {
      encoding.lose([...path, "name"], "unsupported", "Anthropic's messages have no names");
    }
    if (role === "system" || role === "developer") {
      this.#instruct(parts, [...path, "parts"]);
      return;
    }
    if (role !== "user" && role !== "assistant" && role !== "tool") {
      encoding.lose([...path, "role"], "approximated", "Anthropic has no such role: it is the user's");
    }
    const toolName = takeToolName(message, encoding);
    const results: JsonObject[] = [];
    const others: JsonObject[] = [];
    let hadContent = false;
    for (const [index, part] of parts.entries()) {
      if (markCache(part, others.length > 0 ? others : results, encoding)) continue;
      const isResult = part.type === "tool_call_response";
      const blocks = encodePart(part, [...path, "parts", index], this.#context, toolName);
      (isResult && role !== "assistant" ? results : others).push(...blocks);
      hadContent ||= blocks.length === 0 && !isNothing(part);
    }
    if (results.length + others.length === 0) {
      if (parts.length === 0) {
        encoding.lose(path, "approximated", "Anthropic takes no empty message: it is left out", "tuning");
      }
      // Of the assistant's, what was left out is told part by part; a turn of the user's must not go missing.
      if (!hadContent || role === "assistant") return;
      const detail = "Anthropic takes no empty message: a note stands for what was left out";
      encoding.lose(path, "injected", detail, "tuning");
      others.push({ type: "text", text: "(content that could not be passed on)" });
    }
    if (role === "assistant") this.#speak(others);
    else this.#answer(results, others);
  }

  finish(): Turn[] {
    this.#release();
    return this.#turns;
  }

  /** Leading instructions are the system's; later ones stay where they are, which the API takes as messages of their own. */
  #instruct(parts: Part[], path: CanonicalPath): void {
    const blocks = encodeParts(parts, path, this.#context, isSystemPart);
    if (blocks.length === 0) return;
    if (this.#turns.length === 0) {
      this.#system.push(...blocks);
      return;
    }
    if (this.#context.calls.isWaiting && this.#turns.at(-1)?.role !== "system") {
      const detail = "tool results must follow their calls: the instruction stands after them";
      this.#context.encoding.lose(path.slice(0, -1), "moved", detail, "tuning");
      this.#held.push(...blocks);
      return;
    }
    this.#turns.push({ role: "system", blocks, resultCount: 0, isToolTurn: false });
  }

  /** Neighbouring messages of the assistant are one turn, as the API reads them: Responses has one for each item. */
  #speak(blocks: JsonObject[]): void {
    this.#release();
    const last = this.#turns.at(-1);
    if (last?.role === "assistant") last.blocks.push(...blocks);
    else this.#turns.push({ role: "assistant", blocks, resultCount: 0, isToolTurn: false });
  }

  #answer(results: JsonObject[], others: JsonObject[]): void {
    if (results.length === 0) this.#release();
    const last = this.#turns.at(-1);
    if (last?.isToolTurn === true) {
      last.blocks.splice(last.resultCount, 0, ...results);
      last.resultCount += results.length;
      last.blocks.push(...others);
      // A next message of the user's is one of its own, unless more results come.
      return;
    }
    this.#turns.push({
      role: "user",
      blocks: [...results, ...others],
      resultCount: results.length,
      isToolTurn: results.length > 0,
    });
  }

  #release(): void {
    if (this.#held.length === 0) return;
    this.#turns.push({ role: "system", blocks: this.#held, resultCount: 0, isToolTurn: false });
    this.#held = [];
  }
}

function isNothing(part: Part): boolean {
  return (part.type === "text" || part.type === "reasoning") && part.content.trim() === "";
}

/** The tool's name beside a result, which older APIs go by in place of an id. */
function takeToolName(message: Message, encoding: Encoding): string | undefined {
  const name = encoding.take(message, "ollama-chat", "tool_name") ?? message.name;
  if (message.role === "tool") encoding.take(message, "openai-chat", "role");
  return typeof name === "string" ? name : undefined;
}
