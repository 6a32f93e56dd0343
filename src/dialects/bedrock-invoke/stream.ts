// Room dialects, bedrock-invoke: turns one stream's messages into canonical events. Each message carries, in base64, one event
// of the model provider's own stream; the first tells which, and that dialect's decoder reads them all.
// Invariant: never throws; what cannot be read becomes `unrecognized`, without any of its content.

import type { StreamEvent, Usage } from "../../canonical/index.ts";
import { createEventDecoder as createAnthropicDecoder } from "../anthropic-messages/stream.ts";
import { decodeException } from "../bedrock-converse/error.ts";
import { createEventDecoder as createConverseDecoder } from "../bedrock-converse/stream.ts";
import type { AnswerDetail, EventDecoder, Frame, ObjectDecoder, Operation } from "../dialect.ts";
import { readEventText } from "../framing/aws-eventstream.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { readObject } from "../json/parse.ts";
import { createStreamDecoder as createChatDecoder } from "../openai-chat/stream.ts";
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
  push(event: JsonObject, isFiltered: boolean, raw: Buffer | undefined): StreamEvent[] | undefined;
  pushRepeated?(raw: Buffer): StreamEvent[] | undefined;
  end(isLast: boolean): StreamEvent[];
}

class InvokeEventDecoder implements EventDecoder {
  readonly #operation: Operation;
  readonly #detail: AnswerDetail;
  /** The last chunk brought output, so that the next one may repeat it. */
  #mayRepeat = false;
  #family: FamilyDecoder | undefined;
  #usage: Usage | undefined;
  #metrics: JsonObject | undefined;

  constructor(operation: Operation, detail: AnswerDetail) {
    this.#operation = operation;
    this.#detail = detail;
  }

  push(frame: Frame): StreamEvent[] {
    const events = this.#decode(frame);
    this.#mayRepeat = events.length > 0 && events[events.length - 1]?.type === "part_delta";
    return events;
  }

  pushRepeated(raw: Buffer): StreamEvent[] | undefined {
    const text = this.#mayRepeat ? readEventText(raw, "chunk") : undefined;
    return text === undefined ? undefined : this.#family?.pushRepeated?.(readChunk(text));
  }

  #decode(frame: Frame): StreamEvent[] {
    if (frame.commentOnly === true) return [{ type: "keepalive" }];
    if (frame.exception === true) return [{ type: "error", error: decodeException(frame) }];
    const bytes = readChunk(frame.data);
    const repeated = this.#family?.pushRepeated?.(bytes);
    if (repeated !== undefined) return repeated;
    const chunk = readObject(bytes.toString("utf8"));
    if (chunk === undefined) return [unrecognized(frame.event ?? "unreadable")];
    const { body, metrics, facts } = splitAmazonMembers(chunk);
    const events: StreamEvent[] = [];
    if (facts !== undefined) events.push({ type: "response_start", ...ownExtensions(facts) });
    if (Object.keys(body).length > 0) {
      // What Amazon adds would be told once only.
      const raw = body === chunk ? bytes : undefined;
      this.#family ??= chooseFamily(body, this.#operation, this.#detail);
      events.push(...(this.#family.push(body, isIntervened(facts), raw) ?? [unrecognized(frame.event ?? "chunk")]));
    }
    if (metrics === undefined) return this.#withMetrics(events);
    this.#metrics = metrics;
    events.push(...(this.#family?.end(true) ?? []));
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

const opening = '{"bytes":"';

/** The provider's event out of `{"bytes": base64}`; any other payload as it is. */
function readChunk(data: string): Buffer {
  // The payload is as long again as what it holds: its one text is taken as it stands.
  const end = data.startsWith(opening) ? data.indexOf('"', opening.length) : -1;
  const bytes = end === -1 ? undefined : data.slice(opening.length, end);
  if (bytes !== undefined && !bytes.includes("\\")) return Buffer.from(bytes, "base64");
  const text = readObject(data)?.["bytes"];
  return typeof text === "string" ? Buffer.from(text, "base64") : Buffer.from(data);
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
  if (Array.isArray(event["choices"])) return readChat();
  if (Object.keys(event).some((key) => converseEvents.has(key))) return readConverse(detail);
  // Claude's older models complete a prompt, in chunks that have a type too.
  if (typeof event["type"] === "string" && event["completion"] === undefined) return readAnthropic(operation, detail);
  return readCompletion(detail);
}

function readAnthropic(operation: Operation, detail: AnswerDetail): FamilyDecoder {
  const decoder = createAnthropicDecoder(operation, detail);
  return {
    push: (event, _isFiltered, raw) => decoder.pushObject(event, "untyped", raw),
    pushRepeated: (raw) => decoder.pushRepeated?.(raw),
    end: () => decoder.end(),
  };
}

/** Nova wraps each event of a Converse stream in an object with its name (recorded). */
function readConverse(detail: AnswerDetail): FamilyDecoder {
  const decoder = createConverseDecoder(detail);
  return {
    push: (event, _isFiltered, raw) => {
      const names = Object.keys(event);
      // Another event in the same object would be told once only.
      const own = names.length === 1 ? raw : undefined;
      return names.flatMap((name) => {
        const body = event[name];
        return isJsonObject(body) ? decoder.pushObject(body, name, own) : [unrecognized(name)];
      });
    },
    pushRepeated: (raw) => decoder.pushRepeated?.(raw),
    end: () => decoder.end(),
  };
}

function readChat(): FamilyDecoder {
  const decoder: ObjectDecoder = createChatDecoder();
  return {
    push: (event) => decoder.pushObject(nameFinishReasons(event), undefined),
    end: () => decoder.end(),
  };
}

function readCompletion(detail: AnswerDetail): FamilyDecoder {
  const stream = createCompletionStream(detail);
  let isEnded = false;
  return {
    push: (event, isFiltered, raw) => stream.push(event, isFiltered, raw),
    pushRepeated: (raw) => stream.pushRepeated(raw),
    end: (isLast) => {
      const events = stream.end();
      if (isEnded || !(isLast || stream.isFinished)) return events;
      isEnded = true;
      events.push({ type: "response_end" });
      return events;
    },
  };
}

function unrecognized(name: string): StreamEvent {
  return { type: "unrecognized", name: name.slice(0, maxNameLength) };
}
