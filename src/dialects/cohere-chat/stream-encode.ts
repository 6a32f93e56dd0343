// Room dialects, cohere-chat: canonical events as a stream of v2 chat.
// Content and tool calls are two series of indexes; one block of either is open at a time, as in recorded streams, so
// that what comes for another call meanwhile waits for its turn.
// Invariant: after an error nothing comes; only a stream whose choice ended has a `message-end` that says so.

import type { FinishReason, Part, StreamEvent, Usage } from "../../canonical/index.ts";
import { SidecarError } from "../../errors.ts";
import type { Encoding, EventEncoder } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { StreamLosses } from "../stream-losses.ts";
import { encodeStreamError } from "./error.ts";
import { wrapText } from "./message-encode.ts";
import { encodeFinishReason, encodeUsage } from "./response-encode.ts";
import { dialectId, optional } from "./schema.ts";

/** Starts an encoder for one streamed answer. Usage is in every stream of Cohere. */
export function createChatEncoder(encoding: Encoding): EventEncoder {
  return new ChatEventEncoder(encoding);
}

interface PartState {
  value: Part;
  /** Of the wire's series; set when the block is first opened. */
  index?: number;
  /** Arguments that wait for their turn, or were told whole at the start. */
  held: string;
  hasText: boolean;
  ended: boolean;
}

class ChatEventEncoder implements EventEncoder {
  readonly #encoding: Encoding;
  readonly #losses: StreamLosses;
  readonly #parts = new Map<number, PartState>();
  /** The content block that is open. */
  #content: PartState | undefined;
  #contentCount = 0;
  /** Calls that are not written to their end, in order; the first is open. */
  #calls: PartState[] = [];
  #callCount = 0;
  #id: string | undefined;
  #hasStarted = false;
  #finish: FinishReason | undefined;
  #usage: Usage | undefined;
  #failed = false;
  #citationCount = 0;

  constructor(encoding: Encoding) {
    this.#encoding = encoding;
    this.#losses = new StreamLosses(encoding);
  }

  push(event: StreamEvent): string[] {
    if (this.#failed) return [];
    if ("choice" in event && event.choice !== 0) {
      this.#losses.lose(["choices", event.choice], "unsupported", "Cohere gives one answer");
      return [];
    }
    switch (event.type) {
      case "response_start":
        this.#id ??= event.id;
        this.#losses.loseExtensions([], event.extensions);
        return [];
      case "choice_start":
        return this.#start();
      case "part_start":
        return [...this.#start(), ...this.#startPart(event.part, event.value)];
      case "part_delta":
        return [...this.#start(), ...this.#extendPart(event.part, event.text)];
      case "part_end":
        return this.#endPart(event.part);
      case "part_extend":
        this.#losses.loseExtensions(["choices", 0, "message", "parts", event.part], event.extensions);
        return [];
      case "message_extend":
        this.#losses.loseExtensions(["choices", 0, "message"], event.extensions);
        return [...this.#start(), ...this.#cite(event.extensions[dialectId]?.["citations"])];
      case "choice_extend":
        this.#losses.loseExtensions(["choices", 0], event.extensions);
        return [];
      case "choice_end":
        this.#finish = event.finishReason;
        this.#losses.loseExtensions(["choices", 0], event.extensions);
        return [];
      case "usage":
        this.#usage = event.usage;
        return [];
      case "error":
        return this.#fail(new SidecarError("upstream_server_error", event.error.message));
      case "keepalive":
      case "output":
        return this.#hasStarted ? [": keep-alive\n\n"] : [];
      case "response_end":
      case "unrecognized":
        return [];
    }
  }

  end(): string[] {
    if (this.#failed) return [];
    if (this.#finish === undefined) {
      return this.#fail(new SidecarError("stream_truncated", "the provider's stream ended without an end"));
    }
    const finish = encodeFinishReason(this.#finish, this.#callCount > 0, this.#encoding);
    const usage = encodeUsage(this.#usage, this.#encoding);
    const delta = { finish_reason: finish, ...optional("usage", usage) };
    // `[DONE]` follows in recorded streams, and the official clients pass over it (wire.md §3.2).
    return [
      ...this.#start(),
      ...this.#closeContent(),
      ...this.#flushCalls(true),
      frame({ type: "message-end", delta }),
      "data: [DONE]\n\n",
    ];
  }

  #fail(error: SidecarError): string[] {
    this.#failed = true;
    return [encodeStreamError(error, this.#encoding.exchangeId)];
  }

  #start(): string[] {
    if (this.#hasStarted) return [];
    this.#hasStarted = true;
    const message = { role: "assistant", content: [], tool_plan: "", tool_calls: [], citations: [] };
    return [frame({ id: this.#id ?? this.#encoding.exchangeId, type: "message-start", delta: { message } })];
  }

  #startPart(number: number, value: Part): string[] {
    const path = ["choices", 0, "message", "parts", number];
    this.#losses.loseExtensions(path, value.extensions);
    const state: PartState = { value, held: "", hasText: false, ended: false };
    this.#parts.set(number, state);
    switch (value.type) {
      case "text":
      case "reasoning":
        return value.content === "" ? [] : this.#write(state, value.content);
      case "compaction":
        this.#losses.lose(path, "approximated", "a compaction is written as text");
        return (value.content ?? "") === "" ? [] : this.#write(state, value.content ?? "");
      case "tool_call":
        if (typeof value.arguments === "string") state.held = value.arguments;
        this.#calls.push(state);
        return this.#flushCalls(false);
      default:
        this.#losses.lose(path, "unsupported", `Cohere's answers have nothing like ${value.type}`);
        return [];
    }
  }

  #extendPart(number: number, text: string): string[] {
    if (text === "") return [];
    let state = this.#parts.get(number);
    if (state === undefined) {
      state = { value: { type: "text", content: "" }, held: "", hasText: false, ended: false };
      this.#parts.set(number, state);
    }
    const { type } = state.value;
    if (type === "text" || type === "reasoning" || type === "compaction") return this.#write(state, text);
    if (type !== "tool_call") return [];
    state.held += text;
    state.hasText = true;
    return this.#flushCalls(false);
  }

  #endPart(number: number): string[] {
    const state = this.#parts.get(number);
    if (state === undefined) return [];
    state.ended = true;
    if (state.value.type === "tool_call") return this.#flushCalls(false);
    return state === this.#content ? this.#closeContent() : [];
  }

  #write(state: PartState, text: string): string[] {
    const { value } = state;
    if (value.type === "reasoning" && value.extensions?.[dialectId]?.["type"] === "tool_plan") {
      return [frame({ type: "tool-plan-delta", delta: { message: { tool_plan: text } } })];
    }
    const kind = value.type === "reasoning" ? "thinking" : "text";
    const frames: string[] = [];
    if (this.#content !== state) {
      frames.push(...this.#closeContent());
      this.#content = state;
      state.index = this.#contentCount++;
      const content = { type: kind, [kind]: "" };
      frames.push(frame({ type: "content-start", index: state.index, delta: { message: { content } } }));
    }
    const delta = { message: { content: { [kind]: text } } };
    frames.push(frame({ type: "content-delta", index: state.index, delta }));
    return frames;
  }

  #closeContent(): string[] {
    if (this.#content === undefined) return [];
    const { index } = this.#content;
    this.#content = undefined;
    return [frame({ type: "content-end", index })];
  }

  /** Writes what the first call has, and the next ones when it is at its end; all of them at the end of the stream. */
  #flushCalls(isEnd: boolean): string[] {
    const frames: string[] = [];
    for (let call = this.#calls[0]; call !== undefined; call = this.#calls[0]) {
      if (call.index === undefined) frames.push(...this.#closeContent(), this.#startCall(call));
      const isDone = call.ended || isEnd;
      if (isDone && isRaw(call)) call.held = wrapText(call.held);
      else if (isDone && !call.hasText) call.held = wholeArguments(call.value);
      if (call.held !== "" && (isDone || !isRaw(call))) {
        const tool_calls = { function: { arguments: call.held } };
        frames.push(frame({ type: "tool-call-delta", index: call.index, delta: { message: { tool_calls } } }));
        call.held = "";
      }
      if (!isDone) return frames;
      frames.push(frame({ type: "tool-call-end", index: call.index }));
      this.#calls = this.#calls.slice(1);
    }
    return frames;
  }

  #startCall(call: PartState): string {
    const index = this.#callCount++;
    call.index = index;
    const { id, name } = call.value.type === "tool_call" ? call.value : { id: undefined, name: "" };
    const tool_calls = {
      id: id ?? this.#encoding.makeId("call_", index),
      type: "function",
      function: { name, arguments: "" },
    };
    return frame({ type: "tool-call-start", index, delta: { message: { tool_calls } } });
  }

  #cite(citations: unknown): string[] {
    if (!Array.isArray(citations)) return [];
    return (citations as unknown[]).filter(isJsonObject).flatMap((citation) => {
      const index = this.#citationCount++;
      return [
        frame({ type: "citation-start", index, delta: { message: { citations: citation } } }),
        frame({ type: "citation-end", index }),
      ];
    });
  }
}

/** Arguments that are a text of no JSON (custom tools): written whole at the end, in an object. */
function isRaw({ value }: PartState): boolean {
  return value.type === "tool_call" && typeof value.arguments === "string";
}

/** Of a call that got no text: what its start told, or none. */
function wholeArguments(value: Part): string {
  return value.type === "tool_call" && value.arguments !== undefined ? JSON.stringify(value.arguments) : "{}";
}

function frame(event: JsonObject & { type: string }): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
