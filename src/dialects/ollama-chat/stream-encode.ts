// Room dialects, ollama-chat: canonical events as lines of a stream.
// Text comes as it grows; calls and images come whole, in the order in which they started.
// Invariant: after an error nothing comes; only a stream whose choice ended has a line that is `done`.

import { parseArguments, type FinishReason, type Part, type StreamEvent, type Usage } from "../../canonical/index.ts";
import { SidecarError } from "../../errors.ts";
import type { CanonicalPath, Encoding, EventEncoder } from "../encoding.ts";
import type { JsonObject } from "../json/fields.ts";
import { StreamLosses } from "../stream-losses.ts";
import { encodeStreamError } from "./error.ts";
import { encodeCall, type MessageMembers } from "./message-encode.ts";
import { createdAt, encodeEnd, encodeUsage, takeLogprobs, wrapMembers } from "./response-encode.ts";
import { optional } from "./schema.ts";

/** Starts an encoder for one streamed answer. Usage is in every stream of Ollama. */
export function createEventEncoder(encoding: Encoding): EventEncoder {
  return new LineEventEncoder(encoding);
}

interface PartState {
  path: CanonicalPath;
  value: Part;
  text: string;
  ended: boolean;
}

class LineEventEncoder implements EventEncoder {
  readonly #encoding: Encoding;
  readonly #losses: StreamLosses;
  readonly #createdAt: string;
  readonly #parts = new Map<number, PartState>();
  /** Calls and images that are not written yet. */
  readonly #whole: PartState[] = [];
  #model: string | undefined;
  #hasStarted = false;
  #finish: FinishReason | undefined;
  #usage: Usage | undefined;
  #failed = false;

  constructor(encoding: Encoding) {
    this.#encoding = encoding;
    this.#losses = new StreamLosses(encoding);
    this.#createdAt = createdAt(encoding);
  }

  push(event: StreamEvent): string[] {
    if (this.#failed) return [];
    if ("choice" in event && event.choice !== 0) {
      this.#losses.lose(["choices", event.choice], "unsupported", "Ollama gives one answer");
      return [];
    }
    switch (event.type) {
      case "response_start":
        // The first line names the model for all of them.
        if (!this.#hasStarted) this.#model = event.model ?? this.#model;
        this.#losses.loseExtensions([], event.extensions);
        return this.#extendOwn(this.#encoding.own(event));
      case "part_start":
        return this.#startPart(event.part, event.value);
      case "part_delta":
        return this.#extendPart(event.part, event.text);
      case "part_end": {
        const state = this.#parts.get(event.part);
        if (state !== undefined) state.ended = true;
        return this.#flush(false);
      }
      case "part_extend":
        this.#losses.loseExtensions(partPath(event.part), event.extensions);
        return [];
      case "message_extend": {
        this.#losses.loseExtensions(["choices", 0, "message"], event.extensions);
        const facts = this.#encoding.own(event);
        return Object.keys(facts).length === 0 ? [] : [this.#line({ content: "" }, facts)];
      }
      case "choice_extend":
        return this.#extendChoice(event);
      case "choice_end":
        this.#finish = event.finishReason;
        return this.#extendChoice(event);
      case "usage":
        this.#usage = event.usage;
        return [];
      case "error":
        return this.#fail(new SidecarError("upstream_server_error", event.error.message));
      case "choice_start":
      case "response_end":
      case "keepalive":
      case "output":
      case "unrecognized":
        return [];
    }
  }

  end(): string[] {
    if (this.#failed) return [];
    if (this.#finish === undefined) {
      return this.#fail(new SidecarError("stream_truncated", "the provider's stream ended without an end"));
    }
    const facts = { ...encodeEnd(this.#finish, this.#encoding), ...encodeUsage(this.#usage, this.#encoding) };
    return [...this.#flush(true), this.#line({ content: "" }, {}, facts)];
  }

  #fail(error: SidecarError): string[] {
    this.#failed = true;
    return [encodeStreamError(error, this.#encoding.exchangeId)];
  }

  #startPart(number: number, value: Part): string[] {
    const path = partPath(number);
    this.#losses.loseExtensions(path, value.extensions);
    const state: PartState = { path, value, text: "", ended: false };
    this.#parts.set(number, state);
    switch (value.type) {
      case "text":
      case "reasoning":
        return this.#write(value, value.content);
      case "compaction":
        this.#losses.lose(path, "approximated", "a compaction is written as text");
        return this.#write(value, value.content ?? "");
      case "tool_call":
        this.#whole.push(state);
        return [];
      case "blob":
        if (value.modality === "image") {
          this.#whole.push(state);
          return [];
        }
    }
    this.#losses.lose(path, "unsupported", `Ollama's answers have nothing like ${value.type}`);
    return [];
  }

  #extendPart(number: number, text: string): string[] {
    const known = this.#parts.get(number);
    const state = known ?? { path: partPath(number), value: { type: "text", content: "" }, text: "", ended: false };
    if (known === undefined) this.#parts.set(number, state);
    const { type } = state.value;
    if (type === "text" || type === "reasoning" || type === "compaction") return this.#write(state.value, text);
    state.text += text;
    return [];
  }

  #write({ type }: Part, text: string): string[] {
    if (text === "") return [];
    return [this.#line(type === "reasoning" ? { content: "", thinking: text } : { content: text })];
  }

  /** Calls and images that have ended, as long as none before them is open; all of them at the end of the stream. */
  #flush(isEnd: boolean): string[] {
    const lines: string[] = [];
    const open = isEnd ? -1 : this.#whole.findIndex(({ ended }) => !ended);
    const ready = this.#whole.splice(0, open === -1 ? this.#whole.length : open);
    for (const { path, value, text } of ready) {
      if (value.type === "tool_call") {
        const whole = { ...value, arguments: finishArguments(value.arguments, text) };
        const call = encodeCall(whole, path, undefined, this.#encoding);
        lines.push(this.#line({ content: "", tool_calls: [call] }));
      } else if (value.type === "blob") lines.push(this.#line({ content: "", images: [value.content + text] }));
    }
    return lines;
  }

  #extendChoice(event: StreamEvent & { type: "choice_extend" | "choice_end" }): string[] {
    const logprobs = takeLogprobs(event, this.#encoding);
    const carried = logprobs === undefined ? [] : ["logprobs"];
    this.#losses.loseExtensions(["choices", 0], event.extensions, ...carried);
    return logprobs === undefined || logprobs.length === 0 ? [] : [this.#line({ content: "" }, {}, { logprobs })];
  }

  /** Own leftovers of a line, but for its time, which is one for the whole stream here. */
  #extendOwn({ created_at: _time, ...facts }: JsonObject): string[] {
    return Object.keys(facts).length === 0 ? [] : [this.#line({ content: "" }, {}, facts)];
  }

  #line(members: MessageMembers, facts: JsonObject = {}, beside: JsonObject = {}): string {
    this.#hasStarted = true;
    const line = {
      ...optional("model", this.#model ?? this.#encoding.model),
      created_at: this.#createdAt,
      ...wrapMembers(members, facts, this.#encoding),
      done: false,
      ...beside,
    };
    return `${JSON.stringify(line)}\n`;
  }
}

const partPath = (number: number): CanonicalPath => ["choices", 0, "message", "parts", number];

/** As a fold does: text replaces what the start told, or is appended to it where that is text. */
function finishArguments(start: unknown, text: string): unknown {
  if (typeof start === "string") return parseArguments(start + text);
  return text === "" ? (start ?? {}) : parseArguments(text);
}
