// Room dialects, cohere-chat: turns the frames of a v2 stream into canonical events.
// Content blocks and tool calls are numbered apart on the wire; here they are parts of one message, in order of appearance.
// Invariant: never throws; an event that is unknown or out of place becomes `unrecognized`, without any of its content.

import { mergeRawUsage, type Message, type Part, type StreamEvent } from "../../canonical/index.ts";
import type { EventDecoder, Frame } from "../dialect.ts";
import { Repetition, type TextDelta } from "../framing/repetition.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { decodeError } from "./error.ts";
import { decodeMessage, decodePart, decodeToolCall, toolPlanPart } from "./message.ts";
import { dialectId, optional, ownExtensions, parseFrame, unifyFinishReason, unrecognized } from "./schema.ts";
import { decodeUsage } from "./usage.ts";

/** Starts a decoder for one streamed answer of v2. */
export function createChatDecoder(): EventDecoder {
  return new ChatEventDecoder();
}

/** There is only ever one choice. */
const choice = 0;

interface PartState {
  part: number;
  kind: Part["type"];
}

class ChatEventDecoder implements EventDecoder {
  /** By the wire's index; those of content and of tool calls are two series. */
  readonly #contents = new Map<unknown, PartState>();
  readonly #calls = new Map<unknown, PartState>();
  #plan: PartState | undefined;
  #partCount = 0;
  #hasCalls = false;
  #usage: JsonObject | undefined;
  readonly #repetition = new Repetition();

  push(frame: Frame): StreamEvent[] {
    this.#repetition.forget();
    if (frame.commentOnly === true) return [{ type: "keepalive" }];
    const { event, data } = frame;
    // Comes after `message-end`, which is the end that counts (recorded).
    if (data === "[DONE]") return [];
    const body = parseFrame(data);
    if (body === undefined) return [unrecognized(event ?? "unreadable")];
    const stated = body["type"];
    const name = typeof stated === "string" ? stated : event;
    if (name === undefined) return this.#decodeNameless(body);
    const events = this.#decode(name, body) ?? [unrecognized(name)];
    const [delta] = events;
    if (events.length === 1 && delta?.type === "part_delta") this.#learn(frame.raw, name, messageOf(body), delta);
    return events;
  }

  #learn(raw: Buffer, type: string, message: JsonObject | undefined, told: TextDelta): void {
    const content = message?.["content"];
    let name = type === "tool-plan-delta" ? "tool_plan" : "arguments";
    if (type === "content-delta") name = isJsonObject(content) && "thinking" in content ? "thinking" : "text";
    this.#repetition.learn(raw, [{ name, value: told.text }], told);
  }

  pushRepeated(raw: Buffer): number {
    return this.#repetition.read(raw);
  }

  tellRepeated(): StreamEvent {
    return this.#repetition.tell();
  }

  end(): StreamEvent[] {
    return [];
  }

  #decodeNameless(body: JsonObject): StreamEvent[] {
    const error = decodeError(body);
    return error === undefined ? [unrecognized("unnamed")] : [{ type: "error", error }];
  }

  #decode(name: string, body: JsonObject): StreamEvent[] | undefined {
    const message = messageOf(body);
    switch (name) {
      case "message-start":
        return this.#startMessage(body, message);
      case "content-start":
        return this.#startContent(body, message?.["content"]);
      case "content-delta":
        return this.#extendContent(body, message?.["content"]);
      case "content-end":
        return endPart(this.#contents.get(body["index"]));
      case "tool-plan-delta":
        return this.#extendPlan(message?.["tool_plan"]);
      case "tool-call-start":
        return this.#startCall(body, onlyItem(message?.["tool_calls"]));
      case "tool-call-delta":
        return this.#extendCall(body, onlyItem(message?.["tool_calls"]));
      case "tool-call-end":
        return endPart(this.#calls.get(body["index"]));
      case "citation-start":
        return extendMessage({ citations: listOf(message?.["citations"]) });
      case "citation-end":
        return [];
      case "message-end":
        return this.#endMessage(body);
      case "debug":
        return [{ type: "response_start", ...ownExtensions(withoutType(body)) }];
      default:
        return undefined;
    }
  }

  #startMessage(body: JsonObject, wire: JsonObject | undefined): StreamEvent[] {
    const { id } = body;
    const message: Message = decodeMessage({ role: "assistant", ...wire });
    const events: StreamEvent[] = [
      { type: "response_start", ...(typeof id === "string" ? { id } : {}) },
      { type: "choice_start", choice, role: message.role },
    ];
    // Empty in all recorded traffic; parts that are here already come before the streamed ones.
    for (const value of message.parts) {
      const { part } = this.#open(value.type);
      events.push({ type: "part_start", choice, part, value }, { type: "part_end", choice, part });
    }
    const { citations, ...facts } = message.extensions?.[dialectId] ?? {};
    if (Array.isArray(citations) && citations.length > 0) facts["citations"] = citations;
    return Object.keys(facts).length === 0 ? events : [...events, ...extendMessage(facts)];
  }

  #startContent(body: JsonObject, wire: unknown): StreamEvent[] | undefined {
    if (!isJsonObject(wire)) return undefined;
    const value = decodePart(wire);
    const state = this.#open(value.type);
    this.#contents.set(body["index"], state);
    return [{ type: "part_start", choice, part: state.part, value }];
  }

  /** A delta names its kind by its one member; a block that was never started, or is of the other kind, is started here. */
  #extendContent(body: JsonObject, wire: unknown): StreamEvent[] | undefined {
    if (!isJsonObject(wire)) return undefined;
    const kind = typeof wire["thinking"] === "string" ? "reasoning" : "text";
    const text = kind === "reasoning" ? wire["thinking"] : wire["text"];
    if (typeof text !== "string") return undefined;
    const events: StreamEvent[] = [];
    // Whole answers have one list of them for all the content.
    if (body["logprobs"] !== undefined && body["logprobs"] !== null) {
      events.push({ type: "response_start", ...ownExtensions({ logprobs: listOf(body["logprobs"]) }) });
    }
    if (text === "") return events;
    let state = this.#contents.get(body["index"]);
    if (state?.kind !== kind) {
      state = this.#open(kind);
      this.#contents.set(body["index"], state);
      events.push({ type: "part_start", choice, part: state.part, value: { type: kind, content: "" } });
    }
    events.push({ type: "part_delta", choice, part: state.part, text });
    return events;
  }

  #extendPlan(text: unknown): StreamEvent[] | undefined {
    if (typeof text !== "string") return undefined;
    if (text === "") return [];
    if (this.#plan !== undefined) return [{ type: "part_delta", choice, part: this.#plan.part, text }];
    this.#plan = this.#open("reasoning");
    const { part } = this.#plan;
    return [
      { type: "part_start", choice, part, value: toolPlanPart("") },
      { type: "part_delta", choice, part, text },
    ];
  }

  #startCall(body: JsonObject, wire: unknown): StreamEvent[] | undefined {
    if (!isJsonObject(wire)) return undefined;
    const { function: call } = wire;
    const text = isJsonObject(call) ? call["arguments"] : undefined;
    // The text of the arguments grows with the deltas, so none of it is parsed yet.
    const value = decodeToolCall(isJsonObject(call) ? { ...wire, function: withoutArguments(call) } : wire);
    const state = this.#open(value.type);
    this.#calls.set(body["index"], state);
    this.#hasCalls = true;
    const events: StreamEvent[] = [{ type: "part_start", choice, part: state.part, value }];
    if (typeof text === "string" && text !== "") {
      events.push({ type: "part_delta", choice, part: state.part, text });
    }
    return events;
  }

  #extendCall(body: JsonObject, wire: unknown): StreamEvent[] | undefined {
    const state = this.#calls.get(body["index"]);
    const call = isJsonObject(wire) ? wire["function"] : undefined;
    const text = isJsonObject(call) ? call["arguments"] : undefined;
    if (state === undefined || typeof text !== "string") return undefined;
    return text === "" ? [] : [{ type: "part_delta", choice, part: state.part, text }];
  }

  /** A `message-end` of the finish reason ERROR is this dialect's error inside a stream. */
  #endMessage(body: JsonObject): StreamEvent[] {
    const delta = isJsonObject(body["delta"]) ? body["delta"] : {};
    const { finish_reason: raw, usage, error, ...facts } = delta;
    const events: StreamEvent[] = [];
    if (isJsonObject(usage)) {
      this.#usage = mergeRawUsage(this.#usage, usage);
      events.push({ type: "usage", usage: decodeUsage(this.#usage) });
    }
    if (Object.keys(facts).length > 0) events.push({ type: "response_start", ...ownExtensions(facts) });
    const word = typeof raw === "string" ? raw : undefined;
    if (word !== undefined) {
      const unified = unifyFinishReason(word);
      const finishReason = {
        unified: unified === "stop" && this.#hasCalls ? "tool_call" : unified,
        raw: word,
      } as const;
      events.push({ type: "choice_end", choice, finishReason });
    }
    if (word === "ERROR" || typeof error === "string") {
      const message =
        typeof error === "string" ? error : "the provider ended the stream with an error it did not describe";
      events.push({ type: "error", error: { ...optional("type", word), message } });
      return events;
    }
    events.push({ type: "response_end" });
    return events;
  }

  #open(kind: Part["type"]): PartState {
    return { part: this.#partCount++, kind };
  }
}

function messageOf(body: JsonObject): JsonObject | undefined {
  const { delta } = body;
  const message = isJsonObject(delta) ? delta["message"] : undefined;
  return isJsonObject(message) ? message : undefined;
}

function endPart(state: PartState | undefined): StreamEvent[] | undefined {
  return state === undefined ? undefined : [{ type: "part_end", choice, part: state.part }];
}

function extendMessage(facts: JsonObject): StreamEvent[] {
  return [{ type: "message_extend", choice, extensions: { [dialectId]: facts } }];
}

/** One object where the wire may say a list of one. */
function onlyItem(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : value;
}

function listOf(value: unknown): unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}

function withoutArguments({ arguments: _text, ...call }: JsonObject): JsonObject {
  return call;
}

function withoutType({ type: _type, ...facts }: JsonObject): JsonObject | undefined {
  return Object.keys(facts).length === 0 ? undefined : facts;
}
