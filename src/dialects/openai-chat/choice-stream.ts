// Room dialects, openai-chat: one choice of a stream. Sorts its deltas into parts that grow.
// Invariant: one part of each kind and one per tool call, in order of first appearance; nothing is held back but what
// cannot be told yet (a tool call without its name) and what only makes sense whole (reasoning details, unknown members).

import type { Part, StreamEvent } from "../../canonical/index.ts";
import type { AnswerDetail } from "../dialect.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { decodePart, reasoningDetailText, refusalPart, thinkingText } from "./message.ts";
import { createReasoningDetails, type ReasoningDetails } from "./reasoning-details.ts";
import { decodeFinishReason } from "./response.ts";
import { dialectId } from "./schema.ts";
import { createToolCallDecoder, type ToolCallDecoder } from "./tool-call-stream.ts";

/** The state of one choice over a stream; events are appended to the list given. */
export interface ChoiceDecoder {
  push(wire: JsonObject, events: StreamEvent[]): void;
  /** The stream is over: gives what was held back. */
  close(events: StreamEvent[]): void;
  /** A finish reason came. */
  readonly isFinished: boolean;
}

/** Starts the state of the choice with this wire index. */
export function createChoiceDecoder(choice: number, detail: AnswerDetail): ChoiceDecoder {
  return new ChatChoiceDecoder(choice, detail);
}

type TextKind = "text" | "reasoning" | "refusal";

class ChatChoiceDecoder implements ChoiceDecoder {
  readonly #choice: number;
  /** Somebody looks at content and extensions. */
  readonly #isWhole: boolean;
  #hasStarted = false;
  #finishWord: string | undefined;
  #nextPart = 0;
  readonly #textParts = new Map<TextKind, number>();
  /** Audio of the answer: its part, and the facts that come whole with the last chunk or grow. */
  #audioPart: number | undefined;
  #audioFacts: JsonObject = {};
  /** Of the first one on; without what they hold where nobody looks. */
  #reasoningDetails: ReasoningDetails | undefined;
  /** Reasoning came as a text of its own, not in details alone. */
  #hasNamedReasoning = false;
  #toolCalls: ToolCallDecoder | undefined;
  /** Unknown members of the delta and of the choice, last value each. */
  readonly #messageRest: JsonObject = {};
  readonly #choiceRest: JsonObject = {};
  /** Characters of a cumulative `message.content` that were given already. */
  #cumulativeLength = 0;

  constructor(choice: number, detail: AnswerDetail) {
    this.#choice = choice;
    this.#isWhole = detail === "whole";
  }

  get isFinished(): boolean {
    return this.#finishWord !== undefined;
  }

  push(wire: JsonObject, events: StreamEvent[]): void {
    const { delta, message } = wire;
    const role = isJsonObject(delta) ? delta["role"] : undefined;
    if (!this.#hasStarted) {
      this.#hasStarted = true;
      events.push({
        type: "choice_start",
        choice: this.#choice,
        role: typeof role === "string" && role !== "" ? role : "assistant",
      });
    }
    // Writer and Perplexity repeat the delta, or the whole text so far, as `message` (recorded): the delta is enough.
    if (isJsonObject(delta)) this.#pushDelta(delta, events);
    else if (isJsonObject(message)) this.#pushWholeMessage(message, events);
    // Legacy completions. Together repeats the delta of a chat as `text`, too (recorded).
    else if (typeof wire["text"] === "string") this.#appendText("text", wire["text"], events);
    if (this.#isWhole) this.#extendChoice(wire, events);
    this.#finish(wire["finish_reason"], events);
  }

  close(events: StreamEvent[]): void {
    this.#toolCalls?.close(events);
    if (this.#reasoningDetails !== undefined) {
      const part = this.#openText("reasoning", events);
      const details = this.#reasoningDetails.result();
      this.#extendPart(part, { reasoning_details: details }, events);
    }
    if (this.#audioPart !== undefined && Object.keys(this.#audioFacts).length > 0) {
      this.#extendPart(this.#audioPart, { audio: this.#audioFacts }, events);
    }
    for (const part of this.#textParts.values()) events.push({ type: "part_end", choice: this.#choice, part });
    if (this.#audioPart !== undefined) {
      events.push({ type: "part_end", choice: this.#choice, part: this.#audioPart });
    }
    if (Object.keys(this.#messageRest).length > 0) {
      events.push({
        type: "message_extend",
        choice: this.#choice,
        extensions: { [dialectId]: this.#messageRest },
      });
    }
    if (Object.keys(this.#choiceRest).length > 0) {
      events.push({ type: "choice_extend", choice: this.#choice, extensions: { [dialectId]: this.#choiceRest } });
    }
  }

  #extendChoice(wire: JsonObject, events: StreamEvent[]): void {
    const { logprobs } = wire;
    if (isJsonObject(logprobs)) {
      events.push({ type: "choice_extend", choice: this.#choice, extensions: { [dialectId]: { logprobs } } });
    }
    for (const key in wire) if (!knownChoiceKeys.has(key)) keepLast(this.#choiceRest, key, wire[key]);
  }

  #extendPart(part: number, bag: JsonObject, events: StreamEvent[]): void {
    if (!this.#isWhole) return;
    events.push({ type: "part_extend", choice: this.#choice, part, extensions: { [dialectId]: bag } });
  }

  #pushDelta(delta: JsonObject, events: StreamEvent[]): void {
    this.#pushReasoning(delta, events);
    for (const key in delta) {
      const value = delta[key];
      switch (key) {
        case "role":
        case "reasoning_content":
        case "reasoning":
        case "reasoning_details":
          break;
        case "content":
          this.#pushContent(value, events);
          break;
        case "refusal":
          if (typeof value === "string") this.#appendText("refusal", value, events);
          break;
        case "audio":
          if (isJsonObject(value)) this.#pushAudio(value, events);
          break;
        case "tool_calls":
          if (Array.isArray(value)) this.#openCalls().push(value, events);
          break;
        case "function_call":
          if (isJsonObject(value)) this.#openCalls().pushFunctionCall(value, events);
          break;
        case "annotations":
          // Arrive piece by piece: the fold appends arrays.
          if (!this.#isWhole) break;
          if (Array.isArray(value)) {
            events.push({
              type: "message_extend",
              choice: this.#choice,
              extensions: { [dialectId]: { annotations: value } },
            });
          } else keepLast(this.#messageRest, key, value);
          break;
        default:
          if (this.#isWhole) keepLast(this.#messageRest, key, value);
      }
    }
  }

  /**
   * The first of the three names that has text speaks; the details are kept whole beside it. Those that come after a text of another
   * name say it again (Outrider's own streams end so).
   */
  #pushReasoning(delta: JsonObject, events: StreamEvent[]): void {
    const details = delta["reasoning_details"];
    if (Array.isArray(details) && details.length > 0) {
      // Even where they are not kept they make a part.
      this.#reasoningDetails ??= createReasoningDetails();
      if (this.#isWhole) for (const detail of details as unknown[]) this.#reasoningDetails.push(detail);
    }
    const { reasoning, reasoning_content: reasoningContent } = delta;
    const text = isFilled(reasoningContent) ? reasoningContent : reasoning;
    if (isFilled(text)) {
      this.#hasNamedReasoning = true;
      this.#appendText("reasoning", text, events);
    } else if (Array.isArray(details) && !this.#hasNamedReasoning) {
      this.#appendText("reasoning", details.map(reasoningDetailText).join(""), events);
    }
  }

  #openCalls(): ToolCallDecoder {
    this.#toolCalls ??= createToolCallDecoder(this.#choice, () => this.#nextPart++);
    return this.#toolCalls;
  }

  #pushContent(content: unknown, events: StreamEvent[]): void {
    if (typeof content === "string") {
      this.#appendText("text", content, events);
      return;
    }
    if (!Array.isArray(content)) return;
    // Mistral's list form (recorded).
    for (const part of content as unknown[]) {
      if (isJsonObject(part) && part["type"] === "text" && typeof part["text"] === "string") {
        this.#appendText("text", part["text"], events);
      } else if (isJsonObject(part) && part["type"] === "thinking") {
        this.#pushThinking(part, events);
      } else {
        this.#addWholePart(decodePart(part), events);
      }
    }
  }

  #pushThinking(part: JsonObject, events: StreamEvent[]): void {
    const { type, thinking: _thinking, ...facts } = part;
    const isNew = !this.#textParts.has("reasoning");
    this.#appendText("reasoning", thinkingText(part), events);
    const number = this.#textParts.get("reasoning");
    if (number === undefined || (!isNew && Object.keys(facts).length === 0)) return;
    this.#extendPart(number, { type, ...facts }, events);
  }

  /** A chunk with `message` and no `delta` holds the whole answer so far. */
  #pushWholeMessage(message: JsonObject, events: StreamEvent[]): void {
    const { content, ...rest } = message;
    if (typeof content === "string") {
      this.#appendText("text", content.slice(this.#cumulativeLength), events);
      this.#cumulativeLength = Math.max(this.#cumulativeLength, content.length);
      this.#pushDelta(rest, events);
    } else {
      this.#pushDelta(message, events);
    }
  }

  #pushAudio(audio: JsonObject, events: StreamEvent[]): void {
    const { data, transcript, ...facts } = audio;
    if (this.#audioPart === undefined) {
      // Snowflake sends an all-empty object (recorded).
      if ((data ?? "") === "" && (transcript ?? "") === "" && (facts["id"] ?? "") === "") return;
      this.#audioPart = this.#nextPart++;
      events.push({
        type: "part_start",
        choice: this.#choice,
        part: this.#audioPart,
        value: { type: "blob", modality: "audio", content: "" },
      });
    }
    for (const key in facts) keepLast(this.#audioFacts, key, facts[key]);
    if (typeof transcript === "string" && this.#isWhole) {
      const earlier = this.#audioFacts["transcript"];
      this.#audioFacts["transcript"] = (typeof earlier === "string" ? earlier : "") + transcript;
    }
    if (typeof data === "string" && data !== "") {
      events.push({ type: "part_delta", choice: this.#choice, part: this.#audioPart, text: data });
    }
  }

  /** An empty delta is no part: it only says that the choice goes on (theopenco/llmgateway#2468). */
  #appendText(kind: TextKind, text: string, events: StreamEvent[]): void {
    if (text === "") return;
    const part = this.#openText(kind, events);
    events.push({ type: "part_delta", choice: this.#choice, part, text });
  }

  #openText(kind: TextKind, events: StreamEvent[]): number {
    const known = this.#textParts.get(kind);
    if (known !== undefined) return known;
    const part = this.#nextPart++;
    this.#textParts.set(kind, part);
    const value: Part = kind === "refusal" ? refusalPart("") : { type: kind, content: "" };
    events.push({ type: "part_start", choice: this.#choice, part, value });
    return part;
  }

  #addWholePart(value: Part, events: StreamEvent[]): void {
    const part = this.#nextPart++;
    events.push({ type: "part_start", choice: this.#choice, part, value });
    events.push({ type: "part_end", choice: this.#choice, part });
  }

  /** Told at once, because clients often stop reading here; a later, different word corrects it. */
  #finish(word: unknown, events: StreamEvent[]): void {
    const finishReason = decodeFinishReason(word);
    if (finishReason?.raw === undefined || finishReason.raw === this.#finishWord) return;
    this.#finishWord = finishReason.raw;
    this.#toolCalls?.flush(events);
    events.push({ type: "choice_end", choice: this.#choice, finishReason });
  }
}

const knownChoiceKeys: ReadonlySet<string> = new Set([
  "index",
  "delta",
  "message",
  "text",
  "logprobs",
  "finish_reason",
]);

/** A later value replaces an earlier one; null never does. */
function keepLast(rest: JsonObject, key: string, value: unknown): void {
  if (value !== null || rest[key] === undefined) rest[key] = value;
}

function isFilled(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
