// Room dialects, openai-chat: canonical events as the chunks of a chat or legacy completion.
// Invariant: id, model and date are the same on every chunk; a stream that broke ends in an error frame, never in [DONE].

import type { StreamEvent, Usage } from "../../canonical/index.ts";
import { SidecarError } from "../../errors.ts";
import type { Encoding, EventEncoder } from "../encoding.ts";
import type { JsonObject } from "../json/fields.ts";
import { encodeHead, encodeServing, legacyKind } from "./answer-encode.ts";
import { ChoiceEncoder } from "./choice-encode.ts";
import { encodeStreamError } from "./error.ts";
import { encodeUsage } from "./usage-encode.ts";

/** Starts one stream. `streamUsage`: one chunk with the usage and no choices comes before `[DONE]`. */
export function createEventEncoder(encoding: Encoding, streamUsage: boolean): EventEncoder {
  return new ChunkEncoder(encoding, streamUsage);
}

class ChunkEncoder implements EventEncoder {
  readonly #encoding: Encoding;
  readonly #streamUsage: boolean;
  readonly #isLegacy: boolean;
  readonly #choices = new Map<number, ChoiceEncoder>();
  /** As announced by the source so far; fixed with the first chunk. */
  #facts: { id?: string; model?: string } = {};
  #head: JsonObject | undefined;
  #serving: JsonObject = {};
  #usage: Usage | undefined;
  #isClosed = false;
  #callCount = 0;
  #hasLost = false;

  constructor(encoding: Encoding, streamUsage: boolean) {
    this.#encoding = encoding;
    this.#streamUsage = streamUsage;
    this.#isLegacy = encoding.operationKind === legacyKind;
  }

  push(event: StreamEvent): string[] {
    if (this.#isClosed) return [];
    switch (event.type) {
      case "response_start": {
        const { id, model } = event;
        this.#facts = {
          ...this.#facts,
          ...(id === undefined ? {} : { id }),
          ...(model === undefined ? {} : { model }),
        };
        this.#serving = { ...this.#serving, ...encodeServing(event) };
        return [];
      }
      case "usage":
        this.#usage = event.usage;
        return [];
      case "error":
        return this.#fail(new SidecarError("upstream_server_error", event.error.message));
      case "keepalive":
      case "output":
        // A comment of its own is no event for either official SDK (wire facts: openai-node and openai-python).
        return [": keep-alive\n\n"];
      case "response_end":
      case "unrecognized":
        return [];
      default: {
        const choice = this.#choiceAt(event.choice);
        const deltas = choice.push(event);
        return deltas.flatMap((delta) => this.#encodeChoice(event.choice, delta, null));
      }
    }
  }

  end(): string[] {
    if (this.#isClosed) return [];
    const choices = [...this.#choices.entries()];
    if (!choices.some(([, choice]) => choice.isFinished)) {
      return this.#fail(new SidecarError("stream_truncated", "The provider's stream ended before its answer did."));
    }
    this.#isClosed = true;
    const frames: string[] = [];
    for (const [index, choice] of choices) {
      for (const delta of choice.close()) frames.push(...this.#encodeChoice(index, delta, null));
      if (choice.isFinished) frames.push(...this.#encodeChoice(index, {}, choice.finishWord()));
    }
    if (this.#streamUsage && this.#usage !== undefined) {
      frames.push(this.#encodeChunk({ choices: [], usage: encodeUsage(this.#usage) }));
    }
    return [...frames, "data: [DONE]\n\n"];
  }

  #choiceAt(index: number): ChoiceEncoder {
    const known = this.#choices.get(index);
    if (known !== undefined) return known;
    const choice = new ChoiceEncoder(index, this.#encoding, () => this.#callCount++);
    this.#choices.set(index, choice);
    return choice;
  }

  /** None for what a legacy completion, which is one text, has no room for; that is told once. */
  #encodeChoice(index: number, { logprobs, ...delta }: JsonObject, finishReason: string | null): string[] {
    const finish = { finish_reason: finishReason };
    if (!this.#isLegacy)
      return [this.#encodeChunk({ choices: [{ index, delta, logprobs: logprobs ?? null, ...finish }] })];
    const text = delta["content"] ?? delta["refusal"];
    if (typeof text !== "string" && finishReason === null) {
      if (!this.#hasLost) {
        const path = ["choices", index, "message"];
        this.#encoding.lose(path, "unsupported", "a legacy completion has room for text alone");
      }
      this.#hasLost = true;
      return [];
    }
    return [
      this.#encodeChunk({
        choices: [{ index, text: typeof text === "string" ? text : "", logprobs: null, ...finish }],
      }),
    ];
  }

  #encodeChunk(members: JsonObject): string {
    this.#head ??= encodeHead(this.#facts, "chat.completion.chunk", this.#encoding);
    return `data: ${JSON.stringify({ ...this.#head, ...this.#serving, ...members })}\n\n`;
  }

  #fail(error: SidecarError): string[] {
    this.#isClosed = true;
    return [encodeStreamError(error, this.#encoding.exchangeId)];
  }
}
