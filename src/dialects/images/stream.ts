// Room dialects, images: a stream of images as canonical events.
// Invariant: never throws; previews are told as output that came, and never kept, because the whole image follows.

import type { StreamEvent } from "../../canonical/index.ts";
import type { EventDecoder, Frame } from "../dialect.ts";
import { readEventObject } from "../framing/event-object.ts";
import { FieldReader, type JsonObject } from "../json/fields.ts";
import { decodeError } from "./error.ts";
import { decodeImageUsage } from "./response.ts";
import { dialectId, imageMimeType, ownExtensions } from "./schema.ts";

/**
 * Starts the decoder of one stream: `image_generation.partial_image` and `.completed`, or the same of `image_edit`. Each
 * image is a choice; the wire does not number them, so they are counted as they complete, and each completion is an end.
 */
export function createStreamDecoder(): EventDecoder {
  return new ImageStreamDecoder();
}

class ImageStreamDecoder implements EventDecoder {
  /** Images that are whole. */
  #completed = 0;
  /** The preview of the next image has come. */
  #isOpen = false;

  push(frame: Frame): StreamEvent[] {
    const event = readEventObject(frame);
    if (event.kind === "keepalive") return [{ type: "keepalive" }];
    if (event.kind === "done") return [{ type: "response_end" }];
    if (event.kind === "other") return [{ type: "unrecognized", name: event.name }];
    if (event.type.endsWith(".partial_image")) return this.#open(event.object);
    if (event.type.endsWith(".completed")) return this.#complete(event.object);
    const error = decodeError(event.object);
    return error === undefined
      ? [{ type: "unrecognized", name: event.type === "" ? "message" : event.type }]
      : [{ type: "error", error }];
  }

  end(): StreamEvent[] {
    return [];
  }

  #open(wire: JsonObject): StreamEvent[] {
    if (this.#isOpen) return [];
    this.#isOpen = true;
    const format = wire["output_format"];
    const choice = this.#completed;
    return [
      { type: "choice_start", choice, role: "assistant" },
      {
        type: "part_start",
        choice,
        part: 0,
        value: {
          type: "blob",
          modality: "image",
          ...(typeof format === "string" ? { mime_type: imageMimeType(format) } : {}),
          content: "",
        },
      },
    ];
  }

  #complete(wire: JsonObject): StreamEvent[] {
    const events = this.#open(wire);
    const choice = this.#completed;
    const fields = new FieldReader(wire);
    const content = fields.string("b64_json");
    const revised = fields.string("revised_prompt");
    const created = fields.number("created_at");
    const usage = decodeImageUsage(fields.object("usage"), choice + 1);
    fields.skip("type", "partial_image_index", "sequence_number");
    fields.skipNull("usage");
    if (content !== undefined) events.push({ type: "part_delta", choice, part: 0, text: content });
    events.push({ type: "part_end", choice, part: 0 });
    if (revised !== undefined) {
      events.push({ type: "message_extend", choice, extensions: { [dialectId]: { revised_prompt: revised } } });
    }
    // The whole answer calls the same moment `created`.
    const rest = created === undefined ? fields.rest() : { ...fields.rest(), created };
    events.push({ type: "response_start", ...ownExtensions(rest) });
    if (usage !== undefined) events.push({ type: "usage", usage });
    events.push({ type: "response_end" });
    this.#isOpen = false;
    this.#completed += 1;
    return events;
  }
}
