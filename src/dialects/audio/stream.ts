// Room dialects, audio: streams of speech and of transcripts as canonical events.
// Invariant: never throws; one choice with at most one part, and the whole text of the last event only where no delta came.

import type { StreamEvent } from "../../canonical/index.ts";
import type { EventDecoder, Frame, Operation } from "../dialect.ts";
import { readEventObject } from "../framing/event-object.ts";
import { FieldReader, type JsonObject } from "../json/fields.ts";
import { decodeError } from "./error.ts";
import { dialectId, ownExtensions } from "./schema.ts";
import { decodeAudioUsage } from "./usage.ts";

/**
 * Starts the decoder of one stream: `speech.audio.delta` and `.done`, or `transcript.text.delta`, `.segment` and `.done`
 *. Segments of a diarised transcript gather in the answer's extensions.
 */
export function createStreamDecoder(operation: Operation): EventDecoder {
  return new AudioStreamDecoder(operation.kind === "speech");
}

class AudioStreamDecoder implements EventDecoder {
  readonly #isSpeech: boolean;
  #hasStarted = false;
  #hasPart = false;
  /** Members of the last event that came piece by piece before it. */
  readonly #gathered = new Set<string>();
  #isClosed = false;

  constructor(isSpeech: boolean) {
    this.#isSpeech = isSpeech;
  }

  push(frame: Frame): StreamEvent[] {
    if (this.#isClosed) return [];
    const event = readEventObject(frame);
    if (event.kind === "keepalive") return [{ type: "keepalive" }];
    if (event.kind === "other") return [{ type: "unrecognized", name: event.name }];
    if (event.kind === "done") {
      this.#isClosed = true;
      return [{ type: "response_end" }];
    }
    const { object, type } = event;
    if (type.endsWith(".delta")) return this.#pushDelta(object);
    if (type.endsWith(".segment")) return [...this.#start(), this.#gather("segments", [object])];
    if (type.endsWith(".done")) return this.#finish(object);
    const error = decodeError(object);
    if (error !== undefined) return [{ type: "error", error }];
    return [{ type: "unrecognized", name: type === "" ? "message" : type }];
  }

  end(): StreamEvent[] {
    return [];
  }

  #start(): StreamEvent[] {
    if (this.#hasStarted) return [];
    this.#hasStarted = true;
    return [{ type: "choice_start", choice: 0, role: "assistant" }];
  }

  #pushDelta(wire: JsonObject): StreamEvent[] {
    const events = this.#start();
    const fields = new FieldReader(wire);
    // `audio_data` is Mistral's name; its transcript deltas are called `text`.
    const text = this.#isSpeech
      ? (fields.string("audio") ?? fields.string("audio_data"))
      : (fields.string("delta") ?? fields.string("text"));
    if (text !== undefined) this.#append(text, events);
    const logprobs = fields.array("logprobs");
    if (logprobs !== undefined) events.push(this.#gather("logprobs", logprobs));
    return events;
  }

  /** The fold appends lists. */
  #gather(member: string, items: unknown[]): StreamEvent {
    this.#gathered.add(member);
    return { type: "response_start", extensions: { [dialectId]: { [member]: items } } };
  }

  #append(text: string, events: StreamEvent[]): void {
    if (text === "") return;
    if (!this.#hasPart) {
      this.#hasPart = true;
      events.push({
        type: "part_start",
        choice: 0,
        part: 0,
        value: this.#isSpeech ? { type: "blob", modality: "audio", content: "" } : { type: "text", content: "" },
      });
    }
    events.push({ type: "part_delta", choice: 0, part: 0, text });
  }

  /** The last event; only `[DONE]` may follow. */
  #finish(wire: JsonObject): StreamEvent[] {
    const events = this.#start();
    const fields = new FieldReader(wire);
    const whole = fields.string("text");
    // The diarising model sends segments and the whole text, and no delta (recorded).
    if (whole !== undefined && !this.#hasPart) this.#append(whole, events);
    if (this.#hasPart) events.push({ type: "part_end", choice: 0, part: 0 });
    const model = fields.filledString("model");
    const usage = decodeAudioUsage(wire);
    if (fields.object("usage") === undefined) fields.skipNull("usage");
    fields.skip("type", "sequence_number", ...this.#gathered);
    events.push({
      type: "response_start",
      ...(model === undefined ? {} : { model }),
      ...ownExtensions(fields.rest()),
    });
    if (usage !== undefined) events.push({ type: "usage", usage });
    events.push({ type: "response_end" });
    return events;
  }
}
