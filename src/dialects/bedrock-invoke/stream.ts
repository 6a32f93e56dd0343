// Room dialects, bedrock-invoke: turns one stream's messages into canonical events. Each message carries, in base64, one event
// of the model provider's own stream; the first tells which, and that dialect's decoder reads them all.
// Invariant: never throws; what cannot be read becomes `unrecognized`, without any of its content.

import type { StreamEvent, Usage } from "../../canonical/index.ts";
import { createEventDecoder as createAnthropicDecoder } from "../anthropic-messages/stream.ts";
import { decodeException } from "../bedrock-converse/error.ts";
import { createEventDecoder as createConverseDecoder } from "../bedrock-converse/stream.ts";
import type { AnswerDetail, EventDecoder, Frame, FrameRepeater, ObjectDecoder, Operation } from "../dialect.ts";
import { notRepeated } from "../framing/repetition.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { readObject } from "../json/parse.ts";
import { createStreamDecoder as createChatDecoder } from "../openai-chat/stream.ts";
import { readChunk, readChunkMessage } from "./chunk.ts";
import { createCompletionStream } from "./completion.ts";
import { nameFinishReasons } from "./response.ts";
import { isIntervened, ownExtensions, splitAmazonMembers } from "./schema.ts";
import { addMetrics } from "./usage.ts";

/**
 * Starts a decoder for one streamed answer. Usage is the family's own, or else that of `amazon-bedrock-invocationMetrics`,
 * which the last chunk brings; where the family has no terminal event of its own, that chunk is it.
 */
export function createEventDecoder(operation: Operation, detail: AnswerDetail = "whole"): EventDecoder {
  return new InvokeEventDecoder(operation, detail);
}

/** Cap of a name the provider chose, in characters: it goes into logs and counters. */
const maxNameLength = 64;

/** Reads one family's events; undefined for what it cannot read. */
interface FamilyDecoder {
  /** Each piece of text is in a block of its own: one after another is no rule. */
  readonly isScattered?: true;
  push(event: JsonObject, isFiltered: boolean, raw: Buffer | undefined): StreamEvent[] | undefined;
  readonly repeater: FrameRepeater;
  end(isLast: boolean): StreamEvent[];
}

class InvokeEventDecoder implements EventDecoder {
  readonly #operation: Operation;
  readonly #detail: AnswerDetail;
  /** The last chunk that was parsed brought output. */
  #wasOutput = false;
  /** It may have been learned, so that the next one may repeat it. */
  #mayRepeat = false;
  #family: FamilyDecoder | undefined;
  #usage: Usage | undefined;
  #metrics: JsonObject | undefined;

  constructor(operation: Operation, detail: AnswerDetail) {
    this.#operation = operation;
    this.#detail = detail;
  }

  push(frame: Frame): StreamEvent[] {
    const mayLearn = this.#wasOutput || this.#family?.isScattered !== true;
    const events = this.#decode(frame, mayLearn);
    this.#wasOutput = events.length > 0 && events[events.length - 1]?.type === "part_delta";
    this.#mayRepeat = this.#wasOutput && mayLearn;
    return events;
  }

  pushRepeated(raw: Buffer): number {
    const bytes = this.#mayRepeat ? readChunkMessage(raw) : undefined;
    return bytes === undefined ? notRepeated : (this.#family?.repeater.pushRepeated(bytes) ?? notRepeated);
  }

  tellRepeated(): StreamEvent {
    // Who read the frame.
    return (this.#family as FamilyDecoder).repeater.tellRepeated();
  }

  #decode(frame: Frame, mayLearn: boolean): StreamEvent[] {
    if (frame.commentOnly === true) return [{ type: "keepalive" }];
    if (frame.exception === true) return [{ type: "error", error: decodeException(frame) }];
    const bytes = readChunk(frame.data);
    const units = this.#family?.repeater.pushRepeated(bytes) ?? notRepeated;
    if (units !== notRepeated) return units === 0 ? [] : [this.tellRepeated()];
    const chunk = readObject(bytes.toString("utf8"));
    if (chunk === undefined) return [unrecognized(frame.event ?? "unreadable")];
    const { body, metrics, facts } = splitAmazonMembers(chunk);
    const events: StreamEvent[] = [];
    if (facts !== undefined && this.#detail === "whole")
      events.push({ type: "response_start", ...ownExtensions(facts) });
    if (!isEmpty(body)) {
      // What Amazon adds would be told once only.
      const raw = body === chunk && mayLearn ? bytes : undefined;
      this.#family ??= chooseFamily(body, this.#operation, this.#detail);
      const told = this.#family.push(body, isIntervened(facts), raw) ?? [unrecognized(frame.event ?? "chunk")];
      if (body === chunk) return this.#withMetrics(told);
      for (const event of told) events.push(event);
    }
    if (metrics === undefined) return this.#withMetrics(events);
    this.#metrics = metrics;
    for (const event of this.#family?.end(true) ?? []) events.push(event);
    return this.#withMetrics(events, true);
  }

  end(): StreamEvent[] {
    return this.#withMetrics(this.#family?.end(false) ?? []);
  }

  /** The family's usage with the metrics beside it; told once more when they come, before the end. */
  #withMetrics(events: StreamEvent[], isNews = false): StreamEvent[] {
    let isStated = isNews;
    for (const { type } of events) if (type === "usage") isStated = true;
    if (!isStated) return events;
    const told: StreamEvent[] = [];
    let isEnded = false;
    for (const event of events) {
      if (event.type === "usage") this.#usage = event.usage;
      else if (event.type === "response_end") isEnded = true;
      else told.push(event);
    }
    const usage = addMetrics(this.#usage, this.#metrics);
    if (usage !== undefined) told.push({ type: "usage", usage });
    if (isEnded) told.push({ type: "response_end" });
    return told;
  }
}

const converseEvents = new Set([
  "messageStart",
  "contentBlockStart",
  "contentBlockDelta",
  "contentBlockStop",
  "messageStop",
  "metadata",
]);

function chooseFamily(event: JsonObject, operation: Operation, detail: AnswerDetail): FamilyDecoder {
  if (Array.isArray(event["choices"])) return readChat(detail);
  for (const key in event) if (converseEvents.has(key)) return readConverse(detail);
  // Claude's older models complete a prompt, in chunks that have a type too.
  if (typeof event["type"] === "string" && event["completion"] === undefined) return readAnthropic(operation, detail);
  return readCompletion(detail);
}

function readAnthropic(operation: Operation, detail: AnswerDetail): FamilyDecoder {
  const decoder = createAnthropicDecoder(operation, detail);
  return {
    repeater: decoder,
    push: (event, _isFiltered, raw) => decoder.pushObject(event, "untyped", raw),
    end: () => decoder.end(),
  };
}

/** Nova wraps each event of a Converse stream in an object with its name, and ends a block after each text (recorded). */
function readConverse(detail: AnswerDetail): FamilyDecoder {
  const decoder = createConverseDecoder(detail);
  return {
    repeater: decoder,
    isScattered: true,
    push: (event, _isFiltered, raw) => {
      const names = Object.keys(event);
      const [only = ""] = names;
      const body = event[only];
      // Another event in the same object would be told once only.
      if (names.length === 1 && isJsonObject(body)) return decoder.pushObject(body, only, raw);
      return names.flatMap((name) => {
        const each = event[name];
        return isJsonObject(each) ? decoder.pushObject(each, name) : [unrecognized(name)];
      });
    },
    end: () => decoder.end(),
  };
}

function readChat(detail: AnswerDetail): FamilyDecoder {
  const decoder: ObjectDecoder = createChatDecoder(detail);
  return {
    repeater: decoder,
    push: (event) => decoder.pushObject(nameFinishReasons(event), undefined),
    end: () => decoder.end(),
  };
}

function readCompletion(detail: AnswerDetail): FamilyDecoder {
  const stream = createCompletionStream(detail);
  let isEnded = false;
  return {
    repeater: stream,
    push: (event, isFiltered, raw) => stream.push(event, isFiltered, raw),
    end: (isLast) => {
      const events = stream.end();
      if (isEnded || !(isLast || stream.isFinished)) return events;
      isEnded = true;
      events.push({ type: "response_end" });
      return events;
    },
  };
}

function isEmpty(object: JsonObject): boolean {
  for (const _key in object) return false;
  return true;
}

function unrecognized(name: string): StreamEvent {
  return { type: "unrecognized", name: name.slice(0, maxNameLength) };
}
