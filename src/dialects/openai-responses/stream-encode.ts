// Room dialects, openai-responses: canonical events as the events of one streamed response.
// Invariant: numbers rise by one; id and model stay what the first event said; exactly one terminal event, which is the
// response that the whole answer would be. A stream that broke ends in an error, never in a response.

import type { FinishReason, StreamEvent, Usage } from "../../canonical/index.ts";
import { SidecarError } from "../../errors.ts";
import type { Encoding, EventEncoder } from "../encoding.ts";
import { optional, type JsonObject } from "../json/fields.ts";
import { StreamLosses } from "../stream-losses.ts";
import { encodeStreamError } from "./error.ts";
import { encodeChatAnnotations, readChatLogprobs } from "./output-encode.ts";
import { OutputWriter } from "./output-stream-encode.ts";
import { encodeBody, encodeEnd, encodeId, markIncomplete, type ResponseEnd } from "./response-encode.ts";

const choicePath = ["choices", 0];

/** Starts the encoder of one stream. Its usage is always in the terminal event. */
export function createEventEncoder(encoding: Encoding): EventEncoder {
  return new ResponseEventEncoder(encoding);
}

class ResponseEventEncoder implements EventEncoder {
  readonly #encoding: Encoding;
  readonly #losses: StreamLosses;
  readonly #output: OutputWriter;
  #frames: string[] = [];
  #sequence = 0;
  /** Id and model, once told. */
  #head: { id: string; model: string } | undefined;
  #serviceTier: string | undefined;
  #finishReason: FinishReason | undefined;
  #usage: Usage | undefined;
  #isOver = false;

  constructor(encoding: Encoding) {
    this.#encoding = encoding;
    this.#losses = new StreamLosses(encoding);
    this.#output = new OutputWriter(encoding, this.#losses, (type, fields) => this.#write(type, fields));
  }

  push(event: StreamEvent): (string | Buffer)[] {
    if (this.#isOver) return [];
    if (event.type === "error") return this.#fail(new SidecarError("upstream_server_error", event.error.message));
    if (event.type === "keepalive") return [": keepalive\n\n"];
    if (!("choice" in event) || event.choice === 0) this.#encode(event);
    else this.#losses.lose(["choices", event.choice], "unsupported", "a response holds one choice");
    return this.#flush();
  }

  end(): (string | Buffer)[] {
    if (this.#isOver) return [];
    if (this.#finishReason === undefined) {
      return this.#fail(new SidecarError("stream_truncated", "the provider's stream ended before its answer did"));
    }
    this.#start();
    const output = this.#output.finish();
    const end = encodeEnd(this.#finishReason, this.#encoding);
    if (end.status === "incomplete") markIncomplete(output);
    this.#write(`response.${end.status}`, { response: this.#body(output, end) });
    this.#isOver = true;
    return this.#flush();
  }

  #encode(event: StreamEvent): void {
    const output = this.#output;
    switch (event.type) {
      case "response_start":
        this.#serviceTier = event.serviceTier ?? this.#serviceTier;
        this.#start(event.id, event.model);
        this.#losses.loseExtensions([], event.extensions);
        return;
      case "usage":
        this.#usage = event.usage;
        return;
      case "choice_start":
        this.#start();
        return;
      case "part_start":
        this.#start();
        output.start(event.part, event.value);
        return;
      case "part_delta":
        this.#start();
        output.append(event.part, event.text);
        return;
      case "part_extend":
        output.extend(event.part, event.extensions);
        return;
      case "part_end":
        output.end(event.part);
        return;
      case "choice_extend":
        this.#losses.loseExtensions(choicePath, event.extensions, "logprobs");
        output.addLogprobs(readChatLogprobs(this.#encoding.take(event, "openai-chat", "logprobs")));
        return;
      case "message_extend":
        this.#losses.loseExtensions([...choicePath, "message"], event.extensions, "annotations");
        output.addCitations(encodeChatAnnotations(this.#encoding.take(event, "openai-chat", "annotations")));
        return;
      case "choice_end":
        this.#finishReason = event.finishReason;
        this.#losses.loseExtensions(choicePath, event.extensions);
        return;
      case "response_end":
      case "error":
      case "keepalive":
      case "output":
      case "unrecognized":
        return;
    }
  }

  #start(id?: string, model?: string): void {
    if (this.#head !== undefined) return;
    this.#head = { id: encodeId(id, this.#encoding), model: model ?? this.#encoding.model };
    const response = this.#body([], { status: "in_progress" });
    this.#write("response.created", { response });
    this.#write("response.in_progress", { response });
  }

  #body(output: readonly JsonObject[], end: ResponseEnd): JsonObject {
    const head = this.#head ?? { id: encodeId(undefined, this.#encoding), model: this.#encoding.model };
    const usage = end.status === "in_progress" ? undefined : this.#usage;
    return encodeBody({ ...head, ...optional("serviceTier", this.#serviceTier) }, output, end, usage, this.#encoding);
  }

  /** Nothing comes after it, least of all a terminal event. */
  #fail(error: SidecarError): string[] {
    this.#isOver = true;
    return [encodeStreamError(error, this.#encoding.exchangeId)];
  }

  #write(type: string, fields: JsonObject): void {
    const data = JSON.stringify({ type, sequence_number: this.#sequence++, ...fields });
    this.#frames.push(`event: ${type}\ndata: ${data}\n\n`);
  }

  #flush(): string[] {
    const frames = this.#frames;
    this.#frames = [];
    return frames;
  }
}
