// Room dialects, framing: what a frame of an OpenAI-shaped event stream holds, before anyone reads its words.
// Invariant: never throws; a frame that is no JSON object says so.

import type { Frame } from "../dialect.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";

/** `done` is the literal `[DONE]`; `other` is anything that is no JSON object, by its event name. */
export type EventObject =
  | { kind: "keepalive" }
  | { kind: "done" }
  | { kind: "object"; object: JsonObject; type: string }
  | { kind: "other"; name: string };

const maxNameLength = 64;

/** Reads one frame. The type is the object's own `type`, else the frame's event name, else "". */
export function readEventObject(frame: Frame): EventObject {
  const { data, event } = frame;
  if (frame.commentOnly === true || event === "ping" || data.trim() === "") return { kind: "keepalive" };
  if (data.length < 16 && data.trim() === "[DONE]") return { kind: "done" };
  try {
    const object: unknown = JSON.parse(data);
    if (isJsonObject(object)) {
      const type = typeof object["type"] === "string" ? object["type"] : (event ?? "");
      return { kind: "object", object, type: type.slice(0, maxNameLength) };
    }
  } catch {
    // No JSON.
  }
  return { kind: "other", name: event === undefined ? "no_object" : event.slice(0, maxNameLength) };
}
