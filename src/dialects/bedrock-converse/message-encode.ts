// Room dialects, bedrock-converse: a conversation of any source as system blocks and messages.
// Invariant: the user begins, roles alternate, no message is empty, tool results stand first; what is changed for it is told.

import type { InferenceRequest, Message, Part } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import type { JsonObject } from "../json/fields.ts";
import { takeStructure } from "../structure.ts";
import { type BlockContext, encodeCachePoint, encodePart, losePart } from "./block-encode.ts";
import { CallIds } from "../call-ids.ts";
import { DocumentNames } from "./media-encode.ts";
import { encodeOwnBlock, encodeOwnMessage } from "./own-block.ts";

/** What a conversation becomes. `calledTools` are the tools its history calls, as the source names them. */
export interface EncodedConversation {
  system: unknown[] | undefined;
  messages: unknown[];
  calledTools: string[];
}

interface Turn {
  role: "user" | "assistant";
  blocks: JsonObject[];
  /** How many tool results stand at its beginning. */
  resultCount: number;
}

/**
 * Encodes system instructions and messages.
 * @throws SidecarError request_lossy for a tool result without a call
 */
export function encodeConversation(request: InferenceRequest, encoding: Encoding): EncodedConversation {
  const { systemInstructions, messages } = request;
  if (encoding.source === encoding.target) {
    return {
      system: systemInstructions?.map(encodeOwnBlock),
      messages: messages.map(encodeOwnMessage),
      calledTools: [],
    };
  }
  const turns = new Turns({
    encoding,
    calls: new CallIds(encoding, { prefix: "tooluse_", name: "Bedrock" }),
    names: new DocumentNames(),
  });
  turns.instruct(systemInstructions ?? [], ["systemInstructions"]);
  for (const [index, message] of messages.entries()) turns.push(message, ["messages", index]);
  return turns.finish();
}

class Turns {
  readonly #context: BlockContext;
  readonly #system: JsonObject[] = [];
  readonly #turns: Turn[] = [];

  constructor(context: BlockContext) {
    this.#context = context;
  }

  /** Leading instructions are the system's. */
  instruct(parts: readonly Part[], path: CanonicalPath): void {
    for (const [index, part] of parts.entries()) this.#system.push(...this.#encodeInstruction(part, [...path, index]));
  }

  push(message: Message, path: CanonicalPath): void {
    const { encoding } = this.#context;
    const { role, parts } = message;
    takeStructure(encoding, message, path);
    if (message.name !== undefined && role !== "tool") {
      encoding.lose([...path, "name"], "unsupported", "Converse's messages have no names", "tuning");
    }
    if (role === "system" || role === "developer") {
      this.#pushInstruction(parts, path);
      return;
    }
    if (role !== "user" && role !== "assistant" && role !== "tool") {
      encoding.lose([...path, "role"], "approximated", "Converse has no such role: it is the user's");
    }
    const toolName = takeToolName(message, encoding);
    const speaker = role === "assistant" ? "assistant" : "user";
    const results: JsonObject[] = [];
    const others: JsonObject[] = [];
    let isCut = false;
    for (const [index, part] of parts.entries()) {
      const place = { role: speaker, ...(toolName === undefined ? {} : { toolName }) };
      const blocks = encodePart(part, [...path, "parts", index], this.#context, place);
      if (part.type === "tool_call_response" && speaker === "user") results.push(...blocks);
      else others.push(...blocks);
      isCut ||= blocks.length === 0 && !isNothing(part);
    }
    if (speaker === "user" && others.length > 0) others.push(...encodeCachePoint(message, encoding));
    if (results.length + others.length === 0) {
      if (!isCut) {
        encoding.lose(path, "approximated", "Converse takes no empty message: it is left out", "tuning");
        return;
      }
      encoding.lose(path, "injected", "Converse takes no empty message: a note stands for what was left out", "tuning");
      others.push({ text: "(content that could not be passed on)" });
    }
    this.#add(speaker, results, others, path);
  }

  finish(): EncodedConversation {
    const { encoding, calls } = this.#context;
    if (this.#turns[0]?.role !== "user") {
      const detail = "Bedrock wants a conversation to begin with the user: a note does";
      encoding.lose(["messages"], "injected", detail, "tuning");
      this.#turns.unshift({ role: "user", blocks: [{ text: "(the conversation begins)" }], resultCount: 0 });
    }
    for (const { blocks } of this.#turns) {
      // Bedrock wants words beside a document (general knowledge, not verified).
      if (!blocks.some((block) => "document" in block) || blocks.some((block) => "text" in block)) continue;
      encoding.lose(["messages"], "injected", "Bedrock wants text beside a document: a word stands there", "tuning");
      blocks.push({ text: "Document:" });
    }
    return {
      system: this.#system.length === 0 ? undefined : this.#system,
      messages: this.#turns.map(({ role, blocks }) => ({ role, content: blocks })),
      calledTools: calls.names,
    };
  }

  /** Later instructions stay where they are, in the user's words: not every model takes a system's turn among the others. */
  #pushInstruction(parts: readonly Part[], path: CanonicalPath): void {
    if (this.#turns.length === 0) {
      this.instruct(parts, [...path, "parts"]);
      return;
    }
    const blocks = parts.flatMap((part, index) => this.#encodeInstruction(part, [...path, "parts", index]));
    if (blocks.length === 0) return;
    const detail = "an instruction in the middle of a conversation is told in the user's words";
    this.#context.encoding.lose([...path, "role"], "approximated", detail);
    this.#add("user", [], blocks, undefined);
  }

  #encodeInstruction(part: Part, path: CanonicalPath): JsonObject[] {
    if (part.type === "text") return encodePart(part, path, this.#context, { role: "system" });
    return losePart(part, path, this.#context.encoding, "Converse takes only text as instructions");
  }

  /** Neighbours of the same role are one turn. `path` is undefined where that is told already. */
  #add(role: Turn["role"], results: JsonObject[], others: JsonObject[], path: CanonicalPath | undefined): void {
    const last = this.#turns.at(-1);
    if (last?.role !== role) {
      this.#turns.push({ role, blocks: [...results, ...others], resultCount: results.length });
      return;
    }
    const { encoding } = this.#context;
    const isResult = results.length > 0 || last.resultCount > 0;
    // Responses has an item for each thing that is said: there it is one turn as well.
    if (path !== undefined && !isResult && !(role === "assistant" && encoding.source === "openai-responses")) {
      encoding.lose(path, "approximated", "roles must alternate: it is one message with the one before", "tuning");
    }
    if (path !== undefined && results.length > 0 && last.blocks.length > last.resultCount) {
      encoding.lose(path, "moved", "tool results must follow their calls at once", "tuning");
    }
    last.blocks.splice(last.resultCount, 0, ...results);
    last.resultCount += results.length;
    last.blocks.push(...others);
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
