// Room dialects, gemini-generate-content: one candidate of a stream, its parts and its end.
// Invariant: what one chunk alone says decodes as the whole answer would; a part is open until another kind begins.

import { type Choice, type FinishReason, mergeRawUsage, type Part, type StreamEvent } from "../../canonical/index.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { decodePart, decodeRole } from "./message.ts";
import { PartialArguments } from "./partial-arguments.ts";
import { dialectId, optional, ownExtensions, readFinishReason } from "./schema.ts";

interface OpenPart {
  number: number;
  type: Part["type"];
  signed: boolean;
}

/** State of one candidate; takes its share of each chunk. */
export class CandidateStream {
  /** Which candidate it is. */
  readonly choice: number;
  #role: string | undefined;
  #partCount = 0;
  #open: OpenPart | undefined;
  #arguments: PartialArguments | undefined;
  #called = false;
  /** May be restated, and a call may come after it: some servers say STOP in every chunk (recorded at Vertex). */
  #finish: FinishReason | undefined;
  /** Facts that every chunk may restate (ratings, grounding, citations): the last one wins, as in Google's own SDKs. */
  #facts: JsonObject | undefined;

  constructor(choice: number) {
    this.choice = choice;
  }

  /** A finish reason was seen. */
  get isFinished(): boolean {
    return this.#finish !== undefined;
  }

  /** `wireParts` are the parts of the wire that `message.parts` stand for. */
  push({ message, finishReason, extensions }: Choice, wireParts: readonly unknown[]): StreamEvent[] {
    const choice = this.choice;
    const events: StreamEvent[] = [];
    if (this.#role === undefined) {
      this.#role = message.role;
      events.push({ type: "choice_start", choice, role: message.role });
    }
    for (const [place, part] of message.parts.entries()) {
      events.push(...this.#pushPart(part, wireParts[place], place === 0));
    }
    this.#finish = finishReason ?? this.#finish;
    // Log probabilities are of this chunk's tokens alone: the fold appends their lists.
    const { logprobsResult, ...facts } = extensions?.[dialectId] ?? {};
    if (logprobsResult !== undefined) {
      events.push({ type: "choice_extend", choice, ...bag({ logprobsResult }) });
    }
    if (Object.keys(facts).length > 0) this.#facts = mergeRawUsage(this.#facts, facts);
    return events;
  }

  /** As `push`, of the wire's candidate itself, leaving out its extensions and those of its parts. */
  pushFacts(wire: JsonObject, events: StreamEvent[]): void {
    const content = isJsonObject(wire["content"]) ? wire["content"] : undefined;
    if (this.#role === undefined) {
      const role = content?.["role"];
      this.#role = decodeRole(typeof role === "string" ? role : undefined, "assistant");
      events.push({ type: "choice_start", choice: this.choice, role: this.#role });
    }
    const parts = content?.["parts"];
    const list: unknown[] = Array.isArray(parts) ? parts : [];
    let called = false;
    for (let place = 0; place < list.length; place++) {
      const part = list[place];
      const call = readCall(part);
      if (call === undefined && isJsonObject(part) && typeof part["text"] === "string") {
        this.#pushText(part, part["text"], place === 0, events);
      } else if (call !== undefined && this.#pushWholeCall(part as JsonObject, call, events)) {
        called = true;
      } else {
        const value = decodePart(part);
        if (value.type === "tool_call") called = true;
        events.push(...this.#pushPart(value, part, place === 0));
      }
    }
    this.#finish = readFinishReason(wire["finishReason"], called) ?? this.#finish;
  }

  /** The text of one part, as `#pushPart` would tell it. */
  #pushText(wire: JsonObject, text: string, isFirst: boolean, events: StreamEvent[]): void {
    const choice = this.choice;
    const type = wire["thought"] === true ? "reasoning" : "text";
    const signed = "thoughtSignature" in wire || "thought_signature" in wire;
    const open = this.#open;
    if (isFirst && open?.type === type && !(signed && open.signed)) {
      open.signed ||= signed;
      if (text !== "") events.push({ type: "part_delta", choice, part: open.number, text });
      return;
    }
    if (open !== undefined) events.push(...this.#close());
    const part = this.#partCount++;
    this.#open = { number: part, type, signed };
    events.push({ type: "part_start", choice, part, value: { type, content: text } });
  }

  /** A call that is told at once, as `#pushPart` would tell it; false where it is none or not as usual. */
  #pushWholeCall(wire: JsonObject, call: JsonObject, events: StreamEvent[]): boolean {
    const { id, name, args } = call;
    if (typeof name !== "string" || call["willContinue"] === true || this.#arguments !== undefined) return false;
    // Of two spellings, and of a text beside the call, the decoder of parts says which it is.
    if (!isJsonObject(wire["functionCall"]) || typeof wire["text"] === "string") return false;
    if (this.#open !== undefined) events.push(...this.#close());
    this.#called = true;
    const value: Part = { type: "tool_call", name, arguments: isJsonObject(args) ? args : {} };
    if (typeof id === "string" && id !== "") value.id = id;
    const at = this.choice;
    const part = this.#partCount++;
    events.push({ type: "part_start", choice: at, part, value }, { type: "part_end", choice: at, part });
    return true;
  }

  /** As `end`, where no facts beside the answer were read. */
  endFacts(events: StreamEvent[]): void {
    if (this.#arguments !== undefined) events.push(...this.#close());
    const finish = this.#finish;
    if (finish === undefined) return;
    const isCall = this.#called && finish.unified === "stop";
    const finishReason = (isCall ? readFinishReason(finish.raw, true) : undefined) ?? finish;
    events.push({ type: "choice_end", choice: this.choice, finishReason });
  }

  /** The wire ended. */
  end(): StreamEvent[] {
    const events = this.#close();
    const choice = this.choice;
    const extensions = this.#facts === undefined ? {} : bag(this.#facts);
    if (this.#finish !== undefined) {
      // The call may have come in another chunk than the reason (envoyproxy/ai-gateway#2399, BerriAI/litellm#10485).
      const isCall = this.#called && this.#finish.unified === "stop";
      const finishReason = isCall ? readFinishReason(this.#finish.raw, true) : undefined;
      events.push({ type: "choice_end", choice, finishReason: finishReason ?? this.#finish, ...extensions });
    } else if (this.#facts !== undefined) events.push({ type: "choice_extend", choice, ...bag(this.#facts) });
    return events;
  }

  /** Only the first part of a chunk goes on with what earlier chunks began; two parts of one chunk are two. */
  #pushPart(value: Part, wire: unknown, isFirst: boolean): StreamEvent[] {
    const call = readCall(wire);
    if (call !== undefined && (this.#arguments !== undefined || call["willContinue"] === true)) {
      return this.#pushCallPiece(value, call);
    }
    const open = this.#open;
    const facts = value.extensions?.[dialectId];
    const signed = facts !== undefined && ("thoughtSignature" in facts || "thought_signature" in facts);
    const goesOn =
      isFirst &&
      open?.type === value.type &&
      (value.type === "text" || value.type === "reasoning") &&
      // Each signature stands for its own part, so a second one begins another.
      !(signed && open.signed);
    if (!goesOn) return [...this.#close(), ...this.#start(value, signed)];
    open.signed ||= signed;
    const at = { choice: this.choice, part: open.number };
    const events: StreamEvent[] = value.content === "" ? [] : [{ type: "part_delta", ...at, text: value.content }];
    if (facts !== undefined) events.push({ type: "part_extend", ...at, ...bag(facts) });
    return events;
  }

  /** A part that nothing can follow is told whole and ended at once. */
  #start(value: Part, signed: boolean): StreamEvent[] {
    const at = { choice: this.choice, part: this.#partCount++ };
    if (value.type === "tool_call") this.#called = true;
    const start: StreamEvent = { type: "part_start", ...at, value };
    if (value.type !== "text" && value.type !== "reasoning") return [start, { type: "part_end", ...at }];
    this.#open = { number: at.part, type: value.type, signed };
    return [start];
  }

  /** A call whose arguments come in pieces: told when the last one, which has no `willContinue`, has come. */
  #pushCallPiece(value: Part, call: JsonObject): StreamEvent[] {
    const events: StreamEvent[] = [];
    const isNew = this.#arguments === undefined || typeof call["name"] === "string";
    if (isNew) {
      events.push(...this.#close());
      this.#arguments = new PartialArguments();
      this.#called = true;
      const part = this.#partCount++;
      this.#open = { number: part, type: "tool_call", signed: false };
      events.push({ type: "part_start", choice: this.choice, part, value: withoutPieces(value) });
    }
    const unread: unknown[] = [];
    const pieces = Array.isArray(call["partialArgs"]) ? (call["partialArgs"] as unknown[]) : [];
    for (const piece of pieces) if (this.#arguments?.add(piece) !== true) unread.push(piece);
    if (unread.length > 0 && this.#open !== undefined) {
      const at = { choice: this.choice, part: this.#open.number };
      events.push({ type: "part_extend", ...at, ...bag({ partialArgs: unread }) });
    }
    if (call["willContinue"] !== true) events.push(...this.#close());
    return events;
  }

  #close(): StreamEvent[] {
    const open = this.#open;
    if (open === undefined) return [];
    const at = { choice: this.choice, part: open.number };
    const text = this.#arguments?.text() ?? "";
    this.#open = undefined;
    this.#arguments = undefined;
    return [...(text === "" ? [] : [{ type: "part_delta" as const, ...at, text }]), { type: "part_end", ...at }];
  }
}

function readCall(wire: unknown): JsonObject | undefined {
  const call = isJsonObject(wire) ? (wire["functionCall"] ?? wire["function_call"]) : undefined;
  return isJsonObject(call) ? call : undefined;
}

/** The call as it begins: the pieces are counted apart. */
function withoutPieces(value: Part): Part {
  const { functionCall: _pieces, ...facts } = value.extensions?.[dialectId] ?? {};
  const beside = ownExtensions(Object.keys(facts).length === 0 ? undefined : facts);
  if (value.type !== "tool_call") return { type: "tool_call", name: "", ...beside };
  return { type: "tool_call", ...optional("id", value.id), name: value.name, ...beside };
}

function bag(facts: JsonObject): { extensions: { [dialectId]: JsonObject } } {
  return { extensions: { [dialectId]: facts } };
}
