// Room dialects, bedrock-invoke: canonical events as one InvokeModelWithResponseStream answer of Claude: each event of Anthropic's
// stream in base64, in a message named `chunk`.
// Invariant: as Anthropic's stream; one that broke ends with an exception of Bedrock's, never with `message_stop`.

import type { StreamEvent, Usage } from "../../canonical/index.ts";
import { SidecarError } from "../../errors.ts";
import { createEventEncoder as createMessageEncoder } from "../anthropic-messages/stream-encode.ts";
import { errorCode } from "../bedrock-converse/stream-encode.ts";
import type { Encoding, EventEncoder } from "../encoding.ts";
import { encodeAwsHeaders, encodeAwsMessage } from "../framing/aws-eventstream.ts";
import type { JsonObject } from "../json/fields.ts";
import { encodeStreamError } from "./error.ts";
import { metricsKey, optional } from "./schema.ts";

/** Starts the encoder of one answer. */
export function createEventEncoder(encoding: Encoding): EventEncoder {
  return new InvokeEventEncoder(encoding);
}

class InvokeEventEncoder implements EventEncoder {
  readonly #encoding: Encoding;
  readonly #messages: EventEncoder;
  #usage: Usage | undefined;
  #hasFinished = false;
  #isDone = false;

  constructor(encoding: Encoding) {
    this.#encoding = encoding;
    this.#messages = createMessageEncoder(encoding);
  }

  push(event: StreamEvent): Buffer[] {
    if (this.#isDone) return [];
    if (event.type === "error") return this.#break(new SidecarError(errorCode(event.error), event.error.message));
    // Bedrock sends nothing to keep a connection open: none of its recorded streams has a ping.
    if (event.type === "keepalive") return [];
    if (event.type === "usage") this.#usage = event.usage;
    if (event.type === "choice_end" && event.choice === 0) this.#hasFinished = true;
    return this.#messages.push(event).map((frame) => wrap(readEvent(frame)));
  }

  end(): Buffer[] {
    if (this.#isDone) return [];
    if (!this.#hasFinished) {
      return this.#break(new SidecarError("stream_truncated", "the provider's stream ended before its answer did"));
    }
    this.#isDone = true;
    const frames = this.#messages.end().map(readEvent);
    const last = frames.pop() ?? "";
    const metrics = encodeMetrics(this.#usage);
    const stop =
      metrics === undefined ? last : JSON.stringify({ ...(JSON.parse(last) as JsonObject), [metricsKey]: metrics });
    return [...frames, stop].map(wrap);
  }

  #break(error: SidecarError): Buffer[] {
    this.#isDone = true;
    return [encodeStreamError(error, this.#encoding.exchangeId)];
  }
}

/** The JSON of a server-sent event as Anthropic's encoder writes it, in one line. */
function readEvent(frame: string | Buffer): string {
  const text = frame.toString();
  return text.slice(text.indexOf("\ndata: ") + 7).trimEnd();
}

const chunkHeaders = encodeAwsHeaders({
  ":event-type": "chunk",
  ":content-type": "application/json",
  ":message-type": "event",
});

function wrap(event: string): Buffer {
  return encodeAwsMessage(chunkHeaders, `{"bytes":"${Buffer.from(event).toString("base64")}"}`);
}

/** Input without the cache, as Amazon counts (recorded); how long it took is not known here. */
function encodeMetrics(usage: Usage | undefined): JsonObject | undefined {
  if (usage === undefined) return undefined;
  const { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens } = usage;
  const cached = (cacheReadTokens ?? 0) + (cacheWriteTokens ?? 0);
  return {
    ...optional("inputTokenCount", inputTokens === undefined ? undefined : Math.max(inputTokens - cached, 0)),
    ...optional("outputTokenCount", outputTokens),
    ...optional("cacheReadInputTokenCount", cacheReadTokens),
    ...optional("cacheWriteInputTokenCount", cacheWriteTokens),
  };
}
