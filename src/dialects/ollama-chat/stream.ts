// Room dialects, ollama-chat: turns the lines of a stream into canonical events.
// Every line has the shape of a whole answer with one more piece of it, so each is read as one and its pieces are told.
// Invariant: never throws; a line that is no answer becomes `unrecognized`, without any of its content.

import { mergeRawUsage, type Part, type StreamEvent } from "../../canonical/index.ts";
import type { AnswerDetail, EventDecoder, Frame, Operation } from "../dialect.ts";
import { notRepeated, Repetition } from "../framing/repetition.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { readObject } from "../json/parse.ts";
import { decodeError } from "./error.ts";
import { decodeResponse } from "./response.ts";
import { decodeDoneReason, dialectId, optional } from "./schema.ts";
import { decodeUsage } from "./usage.ts";

/** Starts a decoder for one streamed answer. Of facts no time is told. */
export function createEventDecoder(operation: Operation, detail: AnswerDetail = "whole"): EventDecoder {
  return new LineEventDecoder(operation, detail);
}

/** There is only ever one choice. */
const choice = 0;

class LineEventDecoder implements EventDecoder {
  readonly #operation: Operation;
  readonly #detail: AnswerDetail;
  /** Thinking and text are one growing part each, however they alternate. */
  readonly #growing = new Map<Part["type"], number>();
  #partCount = 0;
  #calledTools = false;
  #model: string | undefined;
  #hasChoice = false;
  #createdAt: unknown;
  #usage: JsonObject | undefined;
  readonly #repetition = new Repetition();

  constructor(operation: Operation, detail: AnswerDetail) {
    this.#operation = operation;
    this.#detail = detail;
  }

  push(frame: Frame): StreamEvent[] {
    this.#repetition.forget();
    if (frame.commentOnly === true) return [{ type: "keepalive" }];
    const line = readObject(frame.data);
    if (line === undefined) return [{ type: "unrecognized", name: "unreadable" }];
    const error = decodeError(line);
    if (error !== undefined) return [{ type: "error", error }];
    if (!isJsonObject(line["message"]) && line["response"] === undefined && line["done"] !== true) {
      return [{ type: "unrecognized", name: "line" }];
    }
    const events = this.#decode(line);
    if (events.length === 1) this.#learn(frame, line, events[0]);
    return events;
  }

  #learn({ raw }: Frame, line: JsonObject, told: StreamEvent | undefined): void {
    const { message, response, created_at: createdAt } = line;
    if (told?.type !== "part_delta" || typeof createdAt !== "string") return;
    const name =
      ["content", "thinking"].find((member) => isJsonObject(message) && message[member] === told.text) ?? "response";
    if (name === "response" && response !== told.text) return;
    const time = { name: "created_at", value: createdAt };
    this.#repetition.learn(raw, [{ name, value: told.text }, time], told);
  }

  pushRepeated(raw: Buffer): number {
    const units = this.#repetition.read(raw);
    if (units !== notRepeated && this.#detail === "whole") this.#createdAt = this.#repetition.textOf(1);
    return units;
  }

  tellRepeated(): StreamEvent {
    return this.#repetition.tell();
  }

  end(): StreamEvent[] {
    // The last line told its own time.
    return this.#createdAt === undefined ? [] : [this.#extendResponse({ created_at: this.#createdAt })];
  }

  /** `created_at` is another on every line; like the whole answer's, the last one counts. */
  #decode({ done, created_at: createdAt, done_reason: reason, ...rest }: JsonObject): StreamEvent[] {
    const { model, choices, extensions, usage } = decodeResponse(rest, this.#operation);
    const events: StreamEvent[] = [];
    if (model !== undefined && model !== this.#model) events.push({ type: "response_start", model });
    this.#model ??= model;
    const message = choices[0]?.message;
    if (message !== undefined) {
      if (!this.#hasChoice) events.push({ type: "choice_start", choice, role: message.role });
      this.#hasChoice = true;
      for (const part of message.parts) events.push(...this.#tell(part));
      if (message.extensions !== undefined) {
        events.push({ type: "message_extend", choice, extensions: message.extensions });
      }
    }
    if (extensions !== undefined) events.push({ type: "response_start", extensions });
    if (usage?.raw !== undefined) {
      this.#usage = mergeRawUsage(this.#usage, usage.raw);
      events.push({ type: "usage", usage: decodeUsage(this.#usage) ?? usage });
    }
    if (this.#detail === "whole") this.#createdAt = createdAt;
    if (done === true) events.push(...this.#finish(reason));
    return events;
  }

  #tell(value: Part): StreamEvent[] {
    if (value.type !== "text" && value.type !== "reasoning") {
      if (value.type === "tool_call") this.#calledTools = true;
      const part = this.#partCount++;
      return [
        { type: "part_start", choice, part, value },
        { type: "part_end", choice, part },
      ];
    }
    const known = this.#growing.get(value.type);
    if (known !== undefined) return [{ type: "part_delta", choice, part: known, text: value.content }];
    const part = this.#partCount++;
    this.#growing.set(value.type, part);
    return [{ type: "part_start", choice, part, value }];
  }

  #finish(reason: unknown): StreamEvent[] {
    const events: StreamEvent[] = [];
    if (this.#createdAt !== undefined) events.push(this.#extendResponse({ created_at: this.#createdAt }));
    this.#createdAt = undefined;
    for (const part of this.#growing.values()) events.push({ type: "part_end", choice, part });
    if (typeof reason === "string" && reason !== "") {
      events.push({ type: "choice_end", choice, finishReason: decodeDoneReason(reason, this.#calledTools) });
    }
    events.push({ type: "response_end" });
    return events;
  }

  #extendResponse(facts: JsonObject): StreamEvent {
    return { type: "response_start", ...optional("extensions", { [dialectId]: facts }) };
  }
}
