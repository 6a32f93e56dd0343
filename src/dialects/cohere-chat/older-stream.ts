// Room dialects, cohere-chat: turns the frames of a v1 stream (chat and generate) into canonical events.
// v1 streams lines of JSON, or server-sent events when asked to; either way the body names its event, and the last one
// carries the whole answer again, which is then read like one that was not streamed.
// Invariant: never throws; an event that is not known becomes `unrecognized`, without any of its content.

import type { StreamEvent } from "../../canonical/index.ts";
import type { EventDecoder, Frame, Operation } from "../dialect.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { decodeError } from "./error.ts";
import { decodeResponse } from "./response.ts";
import { optional, parseFrame, unrecognized } from "./schema.ts";

/** Starts a decoder for one streamed answer of v1. */
export function createOlderDecoder(operation: Operation): EventDecoder {
  return new OlderEventDecoder(operation);
}

/** Events that say ahead what the whole answer at the end says again. */
const restated = new Set([
  "stream-start",
  "search-queries-generation",
  "search-results",
  "citation-generation",
  "tool-calls-chunk",
  "tool-calls-generation",
  "debug",
]);

class OlderEventDecoder implements EventDecoder {
  readonly #operation: Operation;
  /** Choices whose text part has started. */
  readonly #started = new Set<number>();

  constructor(operation: Operation) {
    this.#operation = operation;
  }

  push(frame: Frame): StreamEvent[] {
    if (frame.commentOnly === true) return [{ type: "keepalive" }];
    const body = parseFrame(frame.data);
    if (body === undefined) return [unrecognized(frame.event ?? "unreadable")];
    const name = nameOf(body) ?? frame.event;
    if (name === "text-generation") return this.#extendText(body);
    if (name === "stream-end") return this.#finish(body);
    if (name === "stream-error") return [failure(body)];
    if (name !== undefined) return restated.has(name) ? [] : [unrecognized(name)];
    const error = decodeError(body);
    return error === undefined ? [unrecognized("unnamed")] : [{ type: "error", error }];
  }

  end(): StreamEvent[] {
    return [];
  }

  #extendText(body: JsonObject): StreamEvent[] {
    const { text, index } = body;
    if (typeof text !== "string") return [unrecognized("text-generation")];
    if (text === "") return [];
    const choice = typeof index === "number" && Number.isSafeInteger(index) && index >= 0 ? index : 0;
    const events: StreamEvent[] = [];
    if (!this.#started.has(choice)) {
      this.#started.add(choice);
      events.push({ type: "part_start", choice, part: 0, value: { type: "text", content: "" } });
    }
    events.push({ type: "part_delta", choice, part: 0, text });
    return events;
  }

  #finish(body: JsonObject): StreamEvent[] {
    const events: StreamEvent[] = [];
    const { id, usage, extensions, choices } = decodeResponse(wholeAnswer(body), this.#operation);
    events.push({ type: "response_start", ...optional("id", id), ...optional("extensions", extensions) });
    for (const { index: choice, message, finishReason, extensions: facts } of choices) {
      events.push({ type: "choice_start", choice, role: message.role });
      let part = 0;
      for (const value of message.parts) {
        // The text was streamed already.
        if (part > 0 || value.type !== "text" || !this.#started.has(choice)) {
          events.push({ type: "part_start", choice, part, value });
        }
        events.push({ type: "part_end", choice, part });
        part += 1;
      }
      if (finishReason !== undefined) {
        events.push({ type: "choice_end", choice, finishReason, ...optional("extensions", facts) });
      } else if (facts !== undefined) {
        events.push({ type: "choice_extend", choice, extensions: facts });
      }
    }
    if (usage !== undefined) events.push({ type: "usage", usage });
    if (body["finish_reason"] === "ERROR") return [...events, failure(body)];
    events.push({ type: "response_end" });
    return events;
  }
}

/** Older streams of generate name no event, only whether they are finished. */
function nameOf(body: JsonObject): string | undefined {
  if (typeof body["event_type"] === "string") return body["event_type"];
  if (body["is_finished"] === true) return "stream-end";
  return typeof body["text"] === "string" ? "text-generation" : undefined;
}

/** The answer that the last event carries; its finish reason may stand beside it only. */
function wholeAnswer(body: JsonObject): JsonObject {
  const { finish_reason: reason } = body;
  const response = isJsonObject(body["response"]) ? body["response"] : {};
  if (!Array.isArray(response["generations"])) return { finish_reason: reason, ...response };
  const generations = (response["generations"] as unknown[]).map((item) =>
    isJsonObject(item) ? { finish_reason: reason, ...item } : item,
  );
  return { ...response, generations };
}

function failure({ err, error }: JsonObject): StreamEvent {
  const stated = [err, error].find((text) => typeof text === "string");
  const message =
    typeof stated === "string" ? stated : "the provider ended the stream with an error it did not describe";
  return { type: "error", error: { type: "ERROR", message } };
}
