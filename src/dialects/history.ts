// Room dialects: a canonical conversation as the turns of a wire that has one message for each tool result.
// Calls and results are brought together here (some wires give no ids, some no names), whatever message they stood in.
// Invariant: turns keep the order of the conversation; what is reordered, moved or renamed is told.

import type { Extensions, InferenceRequest, Message, Part, ToolCallResponsePart } from "../canonical/index.ts";
import type { CanonicalPath, Encoding } from "./encoding.ts";
import { isJsonObject } from "./json/fields.ts";
import { takeStructure } from "./structure.ts";

/** A part and where it stands in the request. */
export interface PlacedPart {
  part: Part;
  path: CanonicalPath;
  /** Of a tool call: its own id, or the one made for it. */
  callId?: string;
}

/** What one side says; `node` holds the extensions of the message it came from. */
export interface MessageTurn {
  type: "message";
  role: "system" | "user" | "assistant";
  parts: PlacedPart[];
  node: { extensions?: Extensions };
  path: CanonicalPath;
}

/** One tool's result; `parts` are its texts, `name` the tool's where any call or the result itself tells it. */
export interface ResultTurn {
  type: "result";
  id?: string;
  name?: string;
  /** Whether a call of that id stands before it. */
  isAnswer: boolean;
  parts: PlacedPart[];
  result: ToolCallResponsePart;
  node: { extensions?: Extensions };
  path: CanonicalPath;
}

export type Turn = MessageTurn | ResultTurn;

/**
 * The turns of a request, instructions first. Tool results come before what their message says beside them; images in
 * them follow as a user's turn; assistant's turns that follow each other are one. A conversation in the target's own
 * words is left as it is.
 */
export function listTurns(request: InferenceRequest, encoding: Encoding): Turn[] {
  return new TurnList(encoding).read(request);
}

interface Call {
  id: string | undefined;
  name: string;
  answered: boolean;
}

class TurnList {
  readonly #encoding: Encoding;
  readonly #isOwn: boolean;
  readonly #turns: Turn[] = [];
  readonly #calls: Call[] = [];
  /** Images of the results since the last message, each after the words that name its call. */
  #images: PlacedPart[] = [];

  constructor(encoding: Encoding) {
    this.#encoding = encoding;
    this.#isOwn = encoding.source === encoding.target;
  }

  read(request: InferenceRequest): Turn[] {
    const { systemInstructions, messages } = request;
    if (systemInstructions !== undefined && systemInstructions.length > 0) {
      const path = ["systemInstructions"];
      this.#add({ type: "message", role: "system", parts: place(systemInstructions, path), node: {}, path });
    }
    for (const [index, message] of messages.entries()) this.#readMessage(message, ["messages", index]);
    this.#flushImages();
    return this.#turns;
  }

  #readMessage(message: Message, path: CanonicalPath): void {
    takeStructure(this.#encoding, message, path);
    if (message.name !== undefined && message.role !== "tool") {
      this.#encoding.lose([...path, "name"], "unsupported", "messages have no names there", "tuning");
    }
    const placed = place(message.parts, [...path, "parts"]);
    const said: PlacedPart[] = [];
    let hasResult = false;
    for (const one of placed) {
      takeStructure(this.#encoding, one.part, one.path);
      if (one.part.type === "tool_call_response") {
        if (said.length > 0) {
          this.#encoding.lose(one.path, "moved", "tool results come before what is said beside them", "tuning");
        }
        this.#readResult(one.part, one.path, message);
        hasResult = true;
      } else if (one.part.type === "tool_call") said.push({ ...one, ...this.#noteCall(one.part) });
      else said.push(one);
    }
    if (hasResult && said.length === 0) return;
    this.#flushImages();
    const role = this.#readRole(message, path);
    const node = hasResult ? {} : message;
    const last = this.#turns.at(-1);
    if (!this.#isOwn && role === "assistant" && last?.type === "message" && last.role === "assistant") {
      last.parts.push(...said);
      return;
    }
    this.#add({ type: "message", role, parts: said, node, path });
  }

  #readRole({ role }: Message, path: CanonicalPath): MessageTurn["role"] {
    if (role === "system" || role === "developer") return "system";
    if (role === "assistant") return "assistant";
    if (role !== "user" && role !== "tool") {
      this.#encoding.lose([...path, "role"], "approximated", "a role that is not known there is the user's");
    }
    return "user";
  }

  #noteCall({ id, name }: { id?: string; name: string }): { callId?: string } {
    const callId = id ?? (this.#isOwn ? undefined : this.#encoding.makeId("call_", this.#calls.length));
    this.#calls.push({ id: callId, name, answered: false });
    return callId === undefined ? {} : { callId };
  }

  #readResult(result: ToolCallResponsePart, path: CanonicalPath, message: Message): void {
    const stated = this.#readName(result, message, path);
    const call = this.#findCall(result.id, stated);
    if (call !== undefined) call.answered = true;
    const id = result.id ?? call?.id;
    const name = call?.name ?? stated;
    const turn: ResultTurn = {
      type: "result",
      ...(id === undefined ? {} : { id }),
      ...(name === undefined ? {} : { name }),
      isAnswer: call !== undefined,
      parts: [],
      result,
      node: message,
      path,
    };
    this.#add(turn);
    if (!this.#isOwn) this.#readResultParts(turn, id ?? name ?? "tool");
  }

  #readResultParts(turn: ResultTurn, label: string): void {
    const parts = this.#encoding.toolResultParts(turn.result.response);
    for (const one of place(parts, [...turn.path, "response"])) {
      const { part, path } = one;
      takeStructure(this.#encoding, part, path);
      if (part.type === "text") turn.parts.push(one);
      else if ((part.type === "blob" || part.type === "uri") && part.modality === "image") {
        this.#encoding.lose(path, "moved", "an image in a tool's result follows it as the user's");
        const words: Part = { type: "text", content: `Image in the result of ${label}:` };
        this.#images.push({ part: words, path }, one);
      } else this.#encoding.lose(path, "unsupported", `${part.type} cannot stand in a tool's result`);
    }
  }

  /** Gemini, Ollama and OpenAI's legacy functions say in the result which tool it is of. */
  #readName(result: ToolCallResponsePart, message: Message, path: CanonicalPath): string | undefined {
    const wire = this.#encoding.take(result, "gemini-generate-content", "functionResponse");
    const { name: geminis, ...others } = isJsonObject(wire) ? wire : {};
    if (Object.keys(others).length > 0) {
      this.#encoding.lose(path, "unsupported", `a tool's result has no ${Object.keys(others).join(", ")} there`);
    }
    const toolName = this.#encoding.take(message, "ollama-chat", "tool_name");
    const names = [geminis, toolName, this.#encoding.take(result, "openai-chat", "name"), message.name];
    return names.find((name): name is string => typeof name === "string" && name !== "");
  }

  /** By id; without one, the first call that is not yet answered, of the same name where a name is told. */
  #findCall(id: string | undefined, name: string | undefined): Call | undefined {
    if (id !== undefined) return this.#calls.findLast((call) => call.id === id);
    return this.#calls.find((call) => !call.answered && (name === undefined || call.name === name));
  }

  #flushImages(): void {
    if (this.#images.length === 0) return;
    const [first] = this.#images;
    this.#add({ type: "message", role: "user", parts: this.#images, node: {}, path: first?.path ?? [] });
    this.#images = [];
  }

  #add(turn: Turn): void {
    this.#turns.push(turn);
  }
}

function place(parts: readonly Part[], path: CanonicalPath): PlacedPart[] {
  return parts.map((part, index) => ({ part, path: [...path, index] }));
}
