// Room dialects, bedrock-converse: canonical events as one ConverseStream answer in AWS's event-stream frames.
// Invariant: one message that begins once; its blocks come one after the other, numbered from 0; `metadata` comes last.
// A stream that broke ends with an exception, never with `messageStop`.

import type { FinishReason, ProviderError, StreamEvent, Usage } from "../../canonical/index.ts";
import { type ErrorCode, SidecarError } from "../../errors.ts";
import type { EventEncoder, Encoding } from "../encoding.ts";
import { encodeAwsMessage } from "../framing/aws-eventstream.ts";
import type { JsonObject } from "../json/fields.ts";
import { BlockQueue } from "./block-stream-encode.ts";
import { encodeStreamError } from "./error.ts";
import { encodeFinishReason } from "./finish-encode.ts";
import { encodeUsage, unmeasured } from "./usage-encode.ts";

/** Starts the encoder of one answer. */
export function createEventEncoder(encoding: Encoding): EventEncoder {
  return new ConverseEventEncoder(encoding);
}

class ConverseEventEncoder implements EventEncoder {
  readonly #encoding: Encoding;
  readonly #blocks: BlockQueue;
  #hasStarted = false;
  #isBroken = false;
  #isCut = false;
  #finishReason: FinishReason | undefined;
  #usage: Usage | undefined;
  #serviceTier: string | undefined;

  constructor(encoding: Encoding) {
    this.#encoding = encoding;
    this.#blocks = new BlockQueue(encoding);
  }

  push(event: StreamEvent): Buffer[] {
    if (this.#isBroken) return [];
    switch (event.type) {
      case "response_start":
        this.#serviceTier = event.serviceTier ?? this.#serviceTier;
        return [];
      case "usage":
        this.#usage = event.usage;
        return [];
      case "error":
        return this.#break(new SidecarError(errorCode(event.error), event.error.message));
      case "choice_start":
        return event.choice === 0 ? this.#start() : [];
      case "part_start":
      case "part_delta":
      case "part_extend":
      case "part_end":
        if (event.choice !== 0) return this.#loseChoice(event.choice);
        return [...this.#start(), ...frames(this.#blocks.push(event))];
      case "choice_end":
        if (event.choice !== 0) return this.#loseChoice(event.choice);
        this.#finishReason = event.finishReason;
        return this.#start();
      case "choice_extend":
      case "message_extend":
      case "response_end":
      case "keepalive":
      case "output":
      case "unrecognized":
        return [];
    }
  }

  end(): Buffer[] {
    if (this.#isBroken) return [];
    const reason = this.#finishReason;
    if (reason === undefined) {
      return this.#break(new SidecarError("stream_truncated", "the provider's stream ended before the answer did"));
    }
    const rest = this.#blocks.end();
    const tier = this.#serviceTier;
    const stop: [string, JsonObject] = [
      "messageStop",
      { stopReason: encodeFinishReason(reason, this.#blocks.hasCalls) },
    ];
    const metadata: [string, JsonObject] = [
      "metadata",
      {
        ...(this.#usage === undefined && this.#encoding.source === this.#encoding.target
          ? {}
          : { usage: encodeUsage(this.#usage) }),
        metrics: unmeasured,
        ...(tier === undefined ? {} : { serviceTier: { type: tier === "standard" ? "default" : tier } }),
      },
    ];
    return [...this.#start(), ...frames([...rest, stop, metadata])];
  }

  #start(): Buffer[] {
    if (this.#hasStarted) return [];
    this.#hasStarted = true;
    return frames([["messageStart", { role: "assistant" }]]);
  }

  #break(error: SidecarError): Buffer[] {
    this.#isBroken = true;
    return [encodeStreamError(error, this.#encoding.exchangeId)];
  }

  #loseChoice(choice: number): Buffer[] {
    if (!this.#isCut) this.#encoding.lose(["choices", choice], "unsupported", "Converse answers with one choice");
    this.#isCut = true;
    return [];
  }
}

/** The provider's own word decides which exception a client gets: SDKs try again after some of them. */
export function errorCode({ type, code }: ProviderError): ErrorCode {
  const word = `${type ?? ""} ${code ?? ""}`;
  if (/rate_limit|throttl|resource_exhausted|429/i.test(word)) return "upstream_rate_limited";
  return /overloaded|unavailable|503|529/i.test(word) ? "upstream_overloaded" : "upstream_server_error";
}

function frames(events: readonly (readonly [string, JsonObject])[]): Buffer[] {
  return events.map(([name, body]) =>
    encodeAwsMessage(
      { ":event-type": name, ":content-type": "application/json", ":message-type": "event" },
      JSON.stringify(body),
    ),
  );
}
