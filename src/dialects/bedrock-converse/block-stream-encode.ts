// Room dialects, bedrock-converse: the parts of one streamed answer as content blocks.
// Invariant: one block is open at a time, because the wire's readers put deltas to the block that came last; what belongs to
// another part waits. Text and reasoning blocks have no start, tools and images have (wire.md §1.5). Nothing is lost or doubled.

import type { Extensions, Part, StreamEvent } from "../../canonical/index.ts";
import type { Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { type Sealed, takeCallSignature } from "../sealed.ts";
import { takeStructure } from "../structure.ts";
import { encodeInput, losePart } from "./block-encode.ts";
import { markedBytes, markedText, takeSealed } from "./reasoning-encode.ts";
import { formatOf } from "./schema.ts";

/** Name and body of one message of the stream. */
export type WireEvent = readonly [name: string, body: JsonObject];

type PartEvent = Extract<StreamEvent, { type: "part_start" | "part_delta" | "part_extend" | "part_end" }>;

interface PartState {
  number: number;
  value: Part;
  /** Text that waits because another block is open, or because the part is only written whole. */
  waiting: string;
  /** Whether any text of `part_delta` came: it replaces the arguments that a call began with. */
  hasText: boolean;
  extensions: Extensions;
  /** Its `contentBlockStart` was written, or its first delta, and no `contentBlockStop` yet. */
  isOpen: boolean;
  /** Of a call: its start was written, once and for all. */
  isAnnounced: boolean;
  isEnded: boolean;
  /** All that was known of it when it ended is written. */
  isDone: boolean;
}

/** The blocks of one message. */
export class BlockQueue {
  hasCalls = false;
  readonly #encoding: Encoding;
  readonly #parts: PartState[] = [];
  /** Extensions that were looked through. */
  readonly #told: Extensions[] = [];
  #current: PartState | undefined;
  #index = 0;
  #callCount = 0;

  constructor(encoding: Encoding) {
    this.#encoding = encoding;
  }

  push(event: PartEvent): WireEvent[] {
    const part = this.#partAt(event);
    switch (event.type) {
      case "part_start":
        return this.#start(part);
      case "part_delta":
        if (part.isDone && isCall(part)) return this.#loseLate(part);
        part.hasText = true;
        part.waiting += event.text;
        part.isDone = false;
        return this.#advance();
      case "part_extend":
        mergeExtensions(part.extensions, event.extensions);
        // A closed block cannot be added to: what comes late stands in one of its own.
        part.isDone = false;
        return this.#advance();
      case "part_end":
        part.isEnded = true;
        return this.#advance();
    }
  }

  /** The message ends: everything that waits comes out. */
  end(): WireEvent[] {
    for (const part of this.#parts) part.isEnded = true;
    const events = this.#advance();
    const parts = this.#told.map((extensions): Part => ({ type: "text", content: "", extensions }));
    this.#encoding.loseLeftovers({ choices: [{ index: 0, message: { role: "assistant", parts } }] });
    return events;
  }

  #partAt(event: PartEvent): PartState {
    const known = this.#parts.find(({ number }) => number === event.part);
    if (known !== undefined) return known;
    const value: Part = event.type === "part_start" ? event.value : { type: "text", content: "" };
    const part: PartState = {
      number: event.part,
      value,
      waiting: value.type === "text" || value.type === "reasoning" || value.type === "blob" ? value.content : "",
      hasText: false,
      extensions: {},
      isOpen: false,
      isAnnounced: false,
      isEnded: false,
      isDone: false,
    };
    mergeExtensions(part.extensions, value.extensions ?? {});
    this.#parts.push(part);
    return part;
  }

  /** The next part begins: text and reasoning before it are taken as ended, whatever their `part_end` says. */
  #start(part: PartState): WireEvent[] {
    const before = this.#current;
    if (before !== undefined && before !== part && !isCall(before)) before.isEnded = true;
    return this.#advance();
  }

  #advance(): WireEvent[] {
    const events: WireEvent[] = [];
    for (;;) {
      this.#current ??= this.#parts.find((part) => !part.isDone);
      const current = this.#current;
      if (current === undefined) return events;
      events.push(...this.#write(current));
      if (!current.isEnded) return events;
      events.push(...this.#close(current));
      current.isDone = true;
      this.#current = undefined;
    }
  }

  #write(part: PartState): WireEvent[] {
    switch (part.value.type) {
      case "text":
        return this.#writeDelta(part, (text) => ({ text }));
      case "reasoning":
        return this.#writeDelta(part, (text) => ({ reasoningContent: { text } }));
      case "tool_call": {
        const opened = part.isAnnounced ? [] : this.#openCall(part);
        return isRaw(part) ? opened : [...opened, ...this.#writeDelta(part, (input) => ({ toolUse: { input } }))];
      }
      default:
        return [];
    }
  }

  #writeDelta(part: PartState, word: (text: string) => JsonObject): WireEvent[] {
    if (part.waiting === "") return [];
    const text = part.waiting;
    part.waiting = "";
    part.isOpen = true;
    return [this.#delta(word(text))];
  }

  #openCall(part: PartState): WireEvent[] {
    if (part.value.type !== "tool_call") return [];
    const { id, name } = part.value;
    this.hasCalls = true;
    const signatures = this.#takeSigned(part).flatMap((sealed) => this.#writeSealed(sealed));
    part.isOpen = true;
    part.isAnnounced = true;
    const toolUseId = id ?? this.#encoding.makeId("tooluse_", this.#callCount);
    this.#callCount += 1;
    return [
      ...signatures,
      ["contentBlockStart", { contentBlockIndex: this.#index, start: { toolUse: { toolUseId, name } } }],
    ];
  }

  #close(part: PartState): WireEvent[] {
    const { value } = part;
    const events: WireEvent[] = [];
    if (value.type === "tool_call" && part.isOpen && (isRaw(part) || !part.hasText)) {
      // Clients parse the text: none at all would be no JSON.
      const input = isRaw(part) ? encodeInput(`${String(value.arguments)}${part.waiting}`) : (value.arguments ?? {});
      events.push(this.#delta({ toolUse: { input: JSON.stringify(input) } }));
      part.waiting = "";
      part.hasText = true;
    } else if (value.type === "blob") events.push(...this.#writeMedia(part));
    else if (value.type !== "text" && value.type !== "reasoning" && value.type !== "tool_call") this.#lose(part);
    if (value.type === "reasoning") return [...events, ...this.#closeReasoning(part)];
    if (part.isOpen) events.push(this.#stop());
    part.isOpen = false;
    const late = this.#takeSigned(part);
    return [...events, ...late.flatMap((sealed) => this.#writeSealed(sealed))];
  }

  /** The first signature belongs to the text, each further one is a block of its own. */
  #closeReasoning(part: PartState): WireEvent[] {
    const [first, ...others] = this.#takeSigned(part);
    const events: WireEvent[] = [];
    if (first !== undefined && !first.isRedacted && part.isOpen) {
      events.push(this.#delta({ reasoningContent: { signature: markedText(first) } }));
    }
    const isWritten = events.length > 0;
    if (part.isOpen) events.push(this.#stop());
    part.isOpen = false;
    const rest = first === undefined || isWritten ? others : [first, ...others];
    return [...events, ...rest.flatMap((sealed) => this.#writeSealed(sealed))];
  }

  #loseLate(part: PartState): WireEvent[] {
    const path = ["choices", 0, "message", "parts", part.number];
    this.#encoding.lose(path, "unsupported", "a part of the call's arguments came after its end");
    return [];
  }

  #writeSealed(sealed: Sealed): WireEvent[] {
    const delta = sealed.isRedacted ? { redactedContent: markedBytes(sealed) } : { signature: markedText(sealed) };
    return [this.#delta({ reasoningContent: delta }), this.#stop()];
  }

  #writeMedia(part: PartState): WireEvent[] {
    const { value } = part;
    if (value.type !== "blob" || part.waiting === "") return [];
    const format = value.modality === "image" ? formatOf("image", value.mime_type ?? "image/png") : undefined;
    if (format === undefined) {
      this.#lose(part);
      return [];
    }
    const bytes = part.waiting;
    part.waiting = "";
    part.isOpen = true;
    return [
      ["contentBlockStart", { contentBlockIndex: this.#index, start: { image: { format } } }],
      this.#delta({ image: { source: { bytes } } }),
    ];
  }

  /** Opaque values, each once. Whatever else the extensions hold is told at the end. */
  #takeSigned(part: PartState): Sealed[] {
    const { extensions, value } = part;
    this.#told.push(extensions);
    part.extensions = {};
    takeStructure(this.#encoding, { extensions }, ["choices", 0, "message", "parts", part.number]);
    this.#encoding.take({ extensions }, "openai-chat", "type");
    if (isCall(part)) return takeCallSignature({ extensions }, this.#encoding);
    return value.type === "reasoning" ? takeSealed({ extensions }, this.#encoding) : [];
  }

  #lose(part: PartState): void {
    const path = ["choices", 0, "message", "parts", part.number];
    part.waiting = "";
    losePart(
      { ...part.value, extensions: part.extensions },
      path,
      this.#encoding,
      "a Converse stream has no such part",
    );
  }

  #delta(delta: JsonObject): WireEvent {
    return ["contentBlockDelta", { contentBlockIndex: this.#index, delta }];
  }

  #stop(): WireEvent {
    const event: WireEvent = ["contentBlockStop", { contentBlockIndex: this.#index }];
    this.#index += 1;
    return event;
  }
}

function isCall(part: PartState): boolean {
  return part.value.type === "tool_call";
}

/** Arguments that are a text of no JSON (custom tools): written whole at the end, in an object. */
function isRaw({ value }: PartState): boolean {
  return value.type === "tool_call" && typeof value.arguments === "string";
}

function mergeExtensions(into: Extensions, later: Extensions): void {
  for (const [dialect, bag] of Object.entries(later)) {
    const target = (into[dialect] ??= {});
    for (const [name, value] of Object.entries(bag)) {
      const before = target[name];
      if (Array.isArray(before) && Array.isArray(value))
        target[name] = [...(before as unknown[]), ...(value as unknown[])];
      else if (isJsonObject(before) && isJsonObject(value)) target[name] = { ...before, ...value };
      else if (value !== null) target[name] = value;
    }
  }
}
