// Room dialects, anthropic-messages: the content blocks of one stream, one after another as this API has them.
// Parts may grow side by side; a block cannot. While a call is open, whatever else comes waits for its end.
// Invariant: no text is lost, and a block that was closed is never written to again.

import type { Part, StreamEvent } from "../../canonical/index.ts";
import type { Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { takeCallSignature } from "../sealed.ts";
import { encodeInput, encodeOwnBlock } from "./part-encode.ts";
import { markFamily, sealedBlock, takeSealed } from "./reasoning-encode.ts";
import { isRefusal } from "./response-encode.ts";
import { dialectId } from "./schema.ts";

type PartEvent = Extract<StreamEvent, { part: number }>;

interface GrowingPart {
  value: Part;
  /** Its number on the wire, once its block was opened. */
  index?: number;
  isClosed: boolean;
  hasEnded: boolean;
  /** Text that waits for its block. */
  waiting: string;
  /** Whether any text of it was written. */
  hasText: boolean;
}

/** Writes the blocks of one choice. */
export class BlockWriter {
  readonly #encoding: Encoding;
  readonly #parts = new Map<number, GrowingPart>();
  /** Parts with something to say that wait for the open block's end, in order. */
  #queue: GrowingPart[] = [];
  #open: GrowingPart | undefined;
  #nextIndex = 0;
  #callCount = 0;
  isRefused = false;

  constructor(encoding: Encoding) {
    this.#encoding = encoding;
  }

  get hasCalls(): boolean {
    return this.#callCount > 0;
  }

  push(event: PartEvent): string[] {
    switch (event.type) {
      case "part_start":
        return this.#begin(event.part, event.value);
      case "part_delta":
        return this.#append(this.#part(event.part), event.part, event.text);
      case "part_extend":
        return this.#extend(this.#part(event.part), event.extensions);
      case "part_end":
        return this.#endPart(this.#part(event.part));
    }
  }

  /** Closes the open block and writes what waits. */
  finish(): string[] {
    const frames: string[] = [];
    for (const part of this.#parts.values()) part.hasEnded = true;
    if (this.#open !== undefined) frames.push(...this.#close(this.#open));
    frames.push(...this.#drain());
    for (const part of this.#parts.values()) {
      if (this.#isSealAlone(part)) frames.push(...this.#openNow(part), ...this.#closeOpen());
    }
    return frames;
  }

  #part(number: number): GrowingPart {
    const known = this.#parts.get(number);
    if (known !== undefined) return known;
    return this.#add(number, { type: "text", content: "" });
  }

  #add(number: number, value: Part): GrowingPart {
    const part: GrowingPart = { value, isClosed: false, hasEnded: false, waiting: "", hasText: false };
    this.#parts.set(number, part);
    return part;
  }

  #begin(number: number, value: Part): string[] {
    if (isRefusal(value)) this.isRefused = true;
    const part = this.#add(number, value);
    const isOwn = this.#encoding.source === dialectId;
    if (value.type === "text" || value.type === "reasoning") part.waiting = value.content;
    else if (value.type === "tool_call") this.#callCount += 1;
    else if (isOwn && value.type === "compaction") part.waiting = value.content ?? "";
    else if (!isOwn) {
      this.#encoding.lose(["choices", 0, "message", "parts", number], "unsupported", `${value.type} has no place here`);
      part.isClosed = true;
      part.index = -1;
      return [];
    }
    // An empty text opens no block: most sources announce a part before they know that it says anything.
    if (part.waiting === "" && (value.type === "text" || value.type === "reasoning") && !this.#isWhole(part)) return [];
    return this.#offer(part);
  }

  /** A part of this API's own, which is there with its first event. */
  #isWhole({ value }: GrowingPart): boolean {
    return value.extensions?.[dialectId]?.["type"] === "redacted_thinking";
  }

  /** Reasoning that was never told, of which only the seal came. */
  #isSealAlone(part: GrowingPart): boolean {
    const { value, index } = part;
    if (value.type !== "reasoning" || index !== undefined || this.#queue.includes(part)) return false;
    if (typeof this.#encoding.own(value)["signature"] === "string") return true;
    return takeSealed(value, this.#encoding).some((sealed) => sealed.value !== "");
  }

  #append(part: GrowingPart, number: number, text: string): string[] {
    if (text === "" || part.index === -1) return [];
    if (part.isClosed) {
      if (part.value.type === "text" || part.value.type === "reasoning") {
        // It went on after something else came between: as a block of its own.
        const more = this.#add(number, { type: part.value.type, content: "" });
        return this.#append(more, number, text);
      }
      this.#encoding.lose(["choices", 0, "message", "parts", number], "unsupported", "text after the end of its block");
      return [];
    }
    if (part === this.#open && !this.#isRaw(part)) return [this.#delta(part, text)];
    part.waiting += text;
    if (part === this.#open || this.#queue.includes(part)) return [];
    return this.#offer(part);
  }

  /** Arguments that are no JSON (custom tools) are written whole at the end, in an object. */
  #isRaw({ value }: GrowingPart): boolean {
    return value.type === "tool_call" && typeof value.arguments === "string";
  }

  #extend(part: GrowingPart, extensions: Record<string, JsonObject>): string[] {
    if (part.index === -1) return [];
    const citations = extensions[dialectId]?.["citations"];
    if (part === this.#open && Array.isArray(citations)) {
      return (citations as unknown[]).map((citation) => this.#frameDelta(part, { type: "citations_delta", citation }));
    }
    if (part.isClosed) return this.#extendLate(part, extensions);
    const merged = { ...part.value.extensions };
    for (const [dialect, bag] of Object.entries(extensions)) merged[dialect] = { ...merged[dialect], ...bag };
    part.value = { ...part.value, extensions: merged };
    return [];
  }

  /** A seal that came after its block was closed: in a block of its own, unless it seals the very text. */
  #extendLate(part: GrowingPart, extensions: Record<string, JsonObject>): string[] {
    if (part.value.type !== "reasoning") return [];
    const value: Part = { type: "reasoning", content: "", extensions };
    const frames: string[] = [];
    for (const sealed of takeSealed(value, this.#encoding)) {
      if (sealed.value === "") continue;
      if (sealed.format === undefined || (sealed.format === "anthropic-claude-v1" && !sealed.isRedacted)) {
        const detail = "the signature came after the reasoning that it signs was already told";
        this.#encoding.lose(["choices", 0, "message", "parts"], "unsupported", detail, "tuning");
        continue;
      }
      const holder = this.#newHolder(sealedBlock(sealed));
      frames.push(...this.#offer(holder));
    }
    return frames;
  }

  #newHolder(block: JsonObject): GrowingPart {
    const value: Part = { type: "reasoning", content: "", extensions: { [dialectId]: block } };
    return { value, isClosed: false, hasEnded: true, waiting: "", hasText: false };
  }

  /** Writes it at once where it may, else it waits. */
  #offer(part: GrowingPart): string[] {
    const frames: string[] = [];
    if (this.#open !== undefined) {
      if (this.#open.value.type === "tool_call" || this.#queue.length > 0) {
        this.#queue.push(part);
        return [];
      }
      frames.push(...this.#close(this.#open));
    }
    frames.push(...this.#openNow(part));
    if (part.hasEnded) frames.push(...this.#closeOpen());
    return frames;
  }

  #endPart(part: GrowingPart): string[] {
    part.hasEnded = true;
    if (this.#isSealAlone(part)) return this.#offer(part);
    if (part !== this.#open) return [];
    return [...this.#close(part), ...this.#drain()];
  }

  #drain(): string[] {
    const frames: string[] = [];
    while (this.#open === undefined && this.#queue.length > 0) {
      const [next, ...rest] = this.#queue as [GrowingPart, ...GrowingPart[]];
      this.#queue = rest;
      frames.push(...this.#openNow(next));
      // Text can go on in another block, a call cannot.
      if (next.hasEnded || (rest.length > 0 && next.value.type !== "tool_call")) frames.push(...this.#closeOpen());
    }
    return frames;
  }

  #openNow(part: GrowingPart): string[] {
    const frames = this.#signBefore(part);
    part.index = this.#nextIndex++;
    this.#open = part;
    frames.push(frame({ type: "content_block_start", index: part.index, content_block: this.#startOf(part) }));
    if (part.waiting !== "" && !this.#isRaw(part)) {
      const text = part.waiting;
      part.waiting = "";
      frames.push(this.#delta(part, text));
    }
    return frames;
  }

  /** Gemini signs calls and texts: the seal goes in a block of its own, in front. */
  #signBefore({ value }: GrowingPart): string[] {
    if (value.type === "reasoning") return [];
    const holders = takeCallSignature(value, this.#encoding).map((sealed) => this.#newHolder(sealedBlock(sealed)));
    return holders.flatMap((holder) => [...this.#openNow(holder), ...this.#closeOpen()]);
  }

  #startOf({ value }: GrowingPart): JsonObject {
    const own = this.#encoding.own(value);
    switch (value.type) {
      case "text":
        return { type: "text", text: "", ...own };
      case "reasoning":
        return own["type"] === "redacted_thinking" ? own : { type: "thinking", thinking: "", signature: "" };
      case "tool_call": {
        const id = value.id ?? this.#encoding.makeId("toolu_", this.#callCount - 1);
        return { type: "tool_use", id, name: value.name, input: {}, ...own };
      }
      case "server_tool_call": {
        const { server_tool_call: call } = value;
        return encodeOwnBlock({ ...value, server_tool_call: { ...call, input: {} } }, own);
      }
      case "compaction":
        return { type: "compaction", content: null, ...own };
      case "server_tool_call_response":
      case "generic":
        return encodeOwnBlock(value, own);
      default:
        return own;
    }
  }

  #delta(part: GrowingPart, text: string): string {
    part.hasText = true;
    switch (part.value.type) {
      case "reasoning":
        return this.#frameDelta(part, { type: "thinking_delta", thinking: text });
      case "tool_call":
      case "server_tool_call":
        return this.#frameDelta(part, { type: "input_json_delta", partial_json: text });
      case "compaction":
        return this.#frameDelta(part, { type: "compaction_delta", content: text });
      default:
        return this.#frameDelta(part, { type: "text_delta", text });
    }
  }

  #frameDelta(part: GrowingPart, delta: JsonObject): string {
    return frame({ type: "content_block_delta", index: part.index ?? 0, delta });
  }

  #closeOpen(): string[] {
    return this.#open === undefined ? [] : this.#close(this.#open);
  }

  #close(part: GrowingPart): string[] {
    this.#open = undefined;
    part.isClosed = true;
    const { frames, after } = this.#lastWords(part);
    frames.push(frame({ type: "content_block_stop", index: part.index ?? 0 }));
    for (const holder of after) frames.push(...this.#openNow(holder), ...this.#closeOpen());
    return frames;
  }

  /** What a block says only at its end, and blocks that must follow it. */
  #lastWords(part: GrowingPart): { frames: string[]; after: GrowingPart[] } {
    const { value } = part;
    if (value.type === "tool_call") return { frames: this.#lastArguments(part, value.arguments), after: [] };
    if (value.type === "server_tool_call") {
      const input = value.server_tool_call["input"];
      return { frames: part.hasText ? [] : this.#lastArguments(part, input), after: [] };
    }
    if (value.type !== "reasoning") return { frames: [], after: [] };
    const own = this.#encoding.own(value);
    if (own["type"] === "redacted_thinking") return { frames: [], after: [] };
    const signature = own["signature"];
    if (typeof signature === "string") return { frames: [this.#signature(part, signature)], after: [] };
    const sealed = takeSealed(value, this.#encoding).filter((item) => item.value !== "");
    const first = sealed.find(({ isRedacted }) => !isRedacted);
    return {
      frames: first === undefined ? [] : [this.#signature(part, markFamily(first))],
      after: sealed.filter((item) => item !== first).map((item) => this.#newHolder(sealedBlock(item))),
    };
  }

  #signature(part: GrowingPart, signature: string): string {
    return this.#frameDelta(part, { type: "signature_delta", signature });
  }

  /** Arguments that came whole; a call without any has none to tell (its `input` is `{}` from the start). */
  #lastArguments(part: GrowingPart, stated: unknown): string[] {
    if (this.#isRaw(part)) {
      const text = `${typeof stated === "string" ? stated : ""}${part.waiting}`;
      return [this.#delta(part, JSON.stringify(encodeInput(text)))];
    }
    if (part.hasText || !isJsonObject(stated) || Object.keys(stated).length === 0) return [];
    return [this.#delta(part, JSON.stringify(stated))];
  }
}

/** One complete server-sent event; the SDKs go by its name. */
export function frame(body: JsonObject & { type: string }): string {
  return `event: ${body.type}\ndata: ${JSON.stringify(body)}\n\n`;
}
