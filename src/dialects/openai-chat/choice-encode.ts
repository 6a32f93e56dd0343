// Room dialects, openai-chat: one choice of a stream as deltas.
// Invariant: the role comes first; tool calls are numbered by their order, whatever parts stand between them
// (BerriAI/litellm#5231, #21331); every call has arguments, `{}` for none (BerriAI/litellm#5063).

import type { Extensions, FinishReason, Part, StreamEvent, ToolCallPart } from "../../canonical/index.ts";
import type { Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { takeStructure } from "../structure.ts";
import { encodeCitations, encodeFinishReason, takeLogprobs } from "./answer-encode.ts";
import { dataUrl, loseContent, sniffImage } from "./content-encode.ts";
import { argumentText, isCustom, takeRefusal } from "./message-encode.ts";
import { createReasoningDetails } from "./reasoning-details.ts";
import { type Opaque, opaqueDetail, reasoningTextDetail, takeOpaque } from "./reasoning-encode.ts";
import { encodeThoughtSignature } from "./response-encode.ts";

/** An event of one choice. */
export type ChoiceEvent = Extract<StreamEvent, { choice: number }>;

interface PartState {
  number: number;
  value: Part;
  kind: "text" | "refusal" | "reasoning" | "call" | "image" | "other";
  /** Ordinal among the calls. */
  ordinal: number;
  /** Text came piece by piece: for a call it stands in place of what its start said. */
  hasText: boolean;
  /** Base64 of an image. */
  held: string;
  /** Place of its text in the content. */
  start: number;
  end: number;
  /** A custom tool's call: its input is no JSON. */
  isCustom: boolean;
  /** Restated while the part grows (Responses encrypts anew each time): told when it ends. */
  opaque: Opaque | undefined;
  isDone: boolean;
}

/** The state of one choice. `takeCall` numbers the calls of the whole answer, for ids that must be made. */
export class ChoiceEncoder {
  readonly #index: number;
  readonly #encoding: Encoding;
  readonly #takeCall: () => number;
  readonly #parts = new Map<number, PartState>();
  /**
   * Told whole in the choice's last delta: openai-node 7.55.0 replaces an unknown member by its later value and openai-python
   * joins all texts of a list's entries, formats too, so that only one delta with all of it comes back to be sent again.
   */
  readonly #details = createReasoningDetails();
  #hasRole = false;
  #callCount = 0;
  #contentLength = 0;
  #finishReason: FinishReason | undefined;

  constructor(index: number, encoding: Encoding, takeCall: () => number) {
    this.#index = index;
    this.#encoding = encoding;
    this.#takeCall = takeCall;
  }

  get isFinished(): boolean {
    return this.#finishReason !== undefined;
  }

  /** Chat's finish reason; "stop" before there is any. */
  finishWord(): string {
    const reason = this.#finishReason ?? { unified: "stop" };
    return encodeFinishReason(reason, this.#callCount > 0, this.#encoding.source);
  }

  /** The deltas of one event; `logprobs` of a delta belong to its choice. */
  push(event: ChoiceEvent): JsonObject[] {
    const deltas = this.#hasRole ? [] : [{ role: "assistant", content: "" }];
    this.#hasRole = true;
    return [...deltas, ...this.#pushEvent(event)];
  }

  /** What was held back. */
  close(): JsonObject[] {
    const deltas = [...this.#parts.values()].flatMap((part) => this.#endPart(part));
    const details = this.#details.result();
    return details.length === 0 ? deltas : [...deltas, { reasoning_details: details }];
  }

  #pushEvent(event: ChoiceEvent): JsonObject[] {
    switch (event.type) {
      case "part_start":
        return this.#startPart(event.part, event.value);
      case "part_delta":
        return this.#append(this.#partAt(event.part), event.text);
      case "part_extend":
        return this.#extend(this.#partAt(event.part), event.extensions);
      case "part_end":
        return this.#endPart(this.#partAt(event.part));
      case "choice_end":
        this.#finishReason = event.finishReason;
        return [];
      case "choice_start":
      case "choice_extend":
      case "message_extend":
        return [];
    }
  }

  /** A part that was never announced is text, as the fold has it. */
  #partAt(number: number): PartState {
    const known = this.#parts.get(number);
    if (known !== undefined) return known;
    this.#startPart(number, { type: "text", content: "" });
    return this.#parts.get(number) as PartState;
  }

  #startPart(number: number, value: Part): JsonObject[] {
    const encoding = this.#encoding;
    const path = ["choices", this.#index, "message", "parts", number];
    takeStructure(encoding, value, path);
    const state: PartState = {
      number,
      value,
      kind: this.#kindOf(value),
      ordinal: 0,
      hasText: false,
      held: "",
      start: this.#contentLength,
      end: this.#contentLength,
      isCustom: this.#isCustomCall(value),
      opaque: undefined,
      isDone: false,
    };
    this.#parts.set(number, state);
    switch (value.type) {
      case "tool_call":
        return this.#startCall(state, value);
      case "text":
      case "reasoning": {
        state.opaque = takeOpaque(value, encoding);
        return value.content === "" ? [] : this.#append(state, value.content);
      }
      case "blob":
        if (state.kind === "image") {
          state.held = value.content;
          state.opaque = takeOpaque(value, encoding);
          return [];
        }
        break;
      default:
    }
    state.isDone = true;
    loseContent(value, path, encoding);
    return [];
  }

  #kindOf(value: Part): PartState["kind"] {
    if (value.type === "text") return takeRefusal(value, this.#encoding) ? "refusal" : "text";
    if (value.type === "reasoning") return "reasoning";
    if (value.type === "tool_call") return "call";
    return value.type === "blob" && value.modality === "image" ? "image" : "other";
  }

  #startCall(state: PartState, value: ToolCallPart): JsonObject[] {
    state.ordinal = this.#callCount++;
    const number = this.#takeCall();
    const id = value.id ?? this.#encoding.makeId("call_", number);
    const kind = state.isCustom ? "custom" : "function";
    const text = kind === "custom" ? { input: "" } : { arguments: "" };
    const call = {
      index: state.ordinal,
      id,
      type: kind,
      [kind]: { name: value.name, ...text },
      ...encodeThoughtSignature(takeOpaque(value, this.#encoding)?.value),
    };
    const start: JsonObject = { tool_calls: [call] };
    const given = value.arguments;
    // Text that is no JSON, or a custom tool's: what follows is appended to it.
    if (typeof given !== "string" || given === "") return [start];
    return [start, ...this.#append(state, given)];
  }

  #append(state: PartState, text: string): JsonObject[] {
    if (text === "" || state.isDone) return [];
    state.hasText = true;
    switch (state.kind) {
      case "text":
        this.#contentLength += text.length;
        state.end = this.#contentLength;
        return [{ content: text }];
      case "refusal":
        return [{ refusal: text }];
      case "reasoning": {
        const detail = reasoningTextDetail(text, state.number, this.#encoding);
        if (detail !== undefined) this.#details.push(detail);
        return [{ reasoning_content: text }];
      }
      case "call": {
        const piece = state.isCustom ? { custom: { input: text } } : { function: { arguments: text } };
        return [{ tool_calls: [{ index: state.ordinal, ...piece }] }];
      }
      case "image":
        state.held += text;
        return [];
      case "other":
        return [];
    }
  }

  /** Citations and log probabilities wait for the part's end, where its place in the content is known. */
  #extend(state: PartState, extensions: Extensions): JsonObject[] {
    state.value = { ...state.value, extensions: mergeLists(state.value.extensions, extensions) };
    const found = takeOpaque({ extensions }, this.#encoding);
    if (found === undefined) return [];
    if (state.kind === "call") {
      return [{ tool_calls: [{ index: state.ordinal, ...encodeThoughtSignature(found.value) }] }];
    }
    const isNews = state.opaque === undefined;
    state.opaque = found;
    if (state.isDone && isNews) this.#keepOpaque(state);
    return [];
  }

  #keepOpaque({ opaque, number }: PartState): void {
    if (opaque !== undefined) this.#details.push(opaqueDetail(opaque, number));
  }

  /** Responses tells a custom tool's call by its empty text before it names the kind. */
  #isCustomCall(value: Part): boolean {
    if (isCustom(value)) return true;
    return value.type === "tool_call" && this.#encoding.source === "openai-responses" && value.arguments === "";
  }

  #endPart(state: PartState): JsonObject[] {
    if (state.isDone) return [];
    state.isDone = true;
    const { value } = state;
    this.#keepOpaque(state);
    if (value.type === "tool_call" && !state.hasText && !state.isCustom) {
      state.isDone = false;
      const deltas = this.#append(state, argumentText(value.arguments));
      state.isDone = true;
      return deltas;
    }
    if (value.type === "blob") {
      const url = dataUrl(value.mime_type ?? sniffImage(state.held), state.held);
      return [{ images: [{ type: "image_url", image_url: { url } }] }];
    }
    if (value.type !== "text") return [];
    const annotations = encodeCitations(value, state.start, state.end, this.#encoding);
    const logprobs = takeLogprobs(value, this.#encoding);
    return [
      ...(annotations.length === 0 ? [] : [{ annotations }]),
      ...(logprobs.length === 0 ? [] : [{ logprobs: { content: logprobs, refusal: null } }]),
    ];
  }
}

/** Later facts beside earlier ones; lists are appended, as the fold does. */
function mergeLists(earlier: Extensions | undefined, later: Extensions): Extensions {
  const merged: Extensions = { ...earlier };
  for (const [dialect, bag] of Object.entries(later)) {
    const known: JsonObject = { ...merged[dialect] };
    for (const [name, value] of Object.entries(bag)) {
      const before = known[name];
      if (Array.isArray(before) && Array.isArray(value))
        known[name] = [...(before as unknown[]), ...(value as unknown[])];
      else known[name] = isJsonObject(before) && isJsonObject(value) ? { ...before, ...value } : value;
    }
    merged[dialect] = known;
  }
  return merged;
}
