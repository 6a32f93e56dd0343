// Room dialects, bedrock-invoke: turns one stream's messages into canonical events. Each message carries, in base64, one event
// of the model provider's own stream; the first tells which, and that dialect's decoder reads them all.
// Invariant: never throws; what cannot be read becomes `unrecognized`, without any of its content.

import type { StreamEvent, Usage } from "../../canonical/index.ts";
import { createEventDecoder as createAnthropicDecoder } from "../anthropic-messages/stream.ts";
import { decodeException } from "../bedrock-converse/error.ts";
import { createEventDecoder as createConverseDecoder } from "../bedrock-converse/stream.ts";
import type { EventDecoder, Frame, Operation } from "../dialect.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { createStreamDecoder as createChatDecoder } from "../openai-chat/stream.ts";
import { createCompletionStream } from "./completion.ts";
import { nameFinishReasons } from "./response.ts";
import { isIntervened, ownExtensions, splitAmazonMembers } from "./schema.ts";
import { addMetrics } from "./usage.ts";

/**
 * Starts a decoder for one streamed answer. Usage is the family's own, or else that of `amazon-bedrock-invocationMetrics`,
 * which the last chunk brings; where the family has no terminal event of its own, that chunk is it.
 */
export function createEventDecoder(operation: Operation): EventDecoder {
  return new InvokeEventDecoder(operation);
}

/** Cap of a name the provider chose, in characters: it goes into logs and counters. */
const maxNameLength = 64;

/** Reads one family's events, with their text where it is at hand; undefined for what it cannot read. */
interface FamilyDecoder {
  push(event: JsonObject, text: string | undefined, isFiltered: boolean): StreamEvent[] | undefined;
  end(isLast: boolean): StreamEvent[];
}

class InvokeEventDecoder implements EventDecoder {
  readonly #operation: Operation;
  #family: FamilyDecoder | undefined;
  #usage: Usage | undefined;
  #metrics: JsonObject | undefined;

  constructor(operation: Operation) {
    this.#operation = operation;
  }

  push(frame: Frame): StreamEvent[] {
    if (frame.commentOnly === true) return [{ type: "keepalive" }];
    if (frame.exception === true) return [{ type: "error", error: decodeException(frame) }];
    const chunk = readChunk(frame.data);
    if (chunk === undefined) return [unrecognized(frame.event ?? "unreadable")];
    const { body, metrics, facts } = splitAmazonMembers(chunk.object);
    const text = body === chunk.object ? chunk.text : undefined;
    const events: StreamEvent[] = [];
    if (facts !== undefined) events.push({ type: "response_start", ...ownExtensions(facts) });
    if (Object.keys(body).length > 0) {
      this.#family ??= chooseFamily(body, this.#operation);
      events.push(...(this.#family.push(body, text, isIntervened(facts)) ?? [unrecognized(frame.event ?? "chunk")]));
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
    const told: StreamEvent[] = [];
    let isEnded = false;
    for (const event of events) {
      if (event.type === "usage") this.#usage = event.usage;
      else if (event.type === "response_end") isEnded = true;
      else told.push(event);
    }
    const usage = addMetrics(this.#usage, this.#metrics);
    const isStated = isNews || events.some(({ type }) => type === "usage");
    if (usage !== undefined && isStated) told.push({ type: "usage", usage });
    if (isEnded) told.push({ type: "response_end" });
    return told;
  }
}

/** The provider's event out of `{"bytes": base64}`; of any other payload the object itself. */
function readChunk(data: string): { object: JsonObject; text: string } | undefined {
  const payload = parseObject(data);
  const bytes = payload?.["bytes"];
  const text = typeof bytes === "string" ? Buffer.from(bytes, "base64").toString("utf8") : data;
  const object = typeof bytes === "string" ? parseObject(text) : payload;
  return object === undefined ? undefined : { object, text };
}

const converseEvents = new Set([
  "messageStart",
  "contentBlockStart",
  "contentBlockDelta",
  "contentBlockStop",
  "messageStop",
  "metadata",
]);

function chooseFamily(event: JsonObject, operation: Operation): FamilyDecoder {
  if (Array.isArray(event["choices"])) return readChat();
  if (Object.keys(event).some((key) => converseEvents.has(key))) return readConverse();
  // Claude's older models complete a prompt, in chunks that have a type too.
  if (typeof event["type"] === "string" && event["completion"] === undefined) return readAnthropic(operation);
  return readCompletion();
}

const noBytes = Buffer.alloc(0);

function readAnthropic(operation: Operation): FamilyDecoder {
  const decoder = createAnthropicDecoder(operation);
  return {
    push: (event, text = writeJson(event)) => {
      const type = typeof event["type"] === "string" ? event["type"] : "untyped";
      return decoder.push({ event: type, data: text, raw: noBytes });
    },
    end: () => decoder.end(),
  };
}

/** Nova wraps each event of a Converse stream in an object with its name (recorded). */
function readConverse(): FamilyDecoder {
  const decoder = createConverseDecoder();
  return {
    push: (event) =>
      Object.entries(event).flatMap(([name, body]) =>
        decoder.push({ event: name, data: writeJson(body), raw: noBytes }),
      ),
    end: () => decoder.end(),
  };
}

function readChat(): FamilyDecoder {
  const decoder = createChatDecoder();
  return {
    push: (event) => decoder.push({ data: writeJson(nameFinishReasons(event)), raw: noBytes }),
    end: () => decoder.end(),
  };
}

function readCompletion(): FamilyDecoder {
  const stream = createCompletionStream();
  let isEnded = false;
  return {
    push: (event, _text, isFiltered) => stream.push(event, isFiltered),
    end: (isLast) => {
      if (isEnded || !(isLast || stream.isFinished)) return [];
      isEnded = true;
      return [{ type: "response_end" }];
    },
  };
}

/** The text for the family's decoder; no JSON, which each of them counts as unread, for what nests too deep to be written. */
function writeJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return "[";
  }
}

function unrecognized(name: string): StreamEvent {
  return { type: "unrecognized", name: name.slice(0, maxNameLength) };
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
