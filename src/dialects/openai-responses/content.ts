// Room dialects, openai-responses: content parts of messages, reasoning and tool outputs as canonical parts.
// Invariant: what a part says beyond its canonical form stays in `extensions`, its `type` too unless it is `output_text`.

import type { Modality, Part } from "../../canonical/index.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { optional, ownExtensions } from "./schema.ts";

/** Decodes one content part; one that is not known is a `generic` part with the whole of it. */
export function decodeContentPart(wire: unknown): Part {
  if (!isJsonObject(wire)) return { type: "generic", generic_type: "unknown", ...ownExtensions({ value: wire }) };
  const kind = typeof wire["type"] === "string" ? wire["type"] : "unknown";
  return decodeKnownPart(kind, wire) ?? { type: "generic", generic_type: kind, ...ownExtensions(wire) };
}

/** Decodes a list of content parts, or the one text that may stand for it; undefined when it is neither. */
export function decodeContent(value: unknown): Part[] | undefined {
  if (typeof value === "string") return [{ type: "text", content: value }];
  return Array.isArray(value) ? value.map(decodeContentPart) : undefined;
}

function decodeKnownPart(kind: string, wire: JsonObject): Part | undefined {
  const fields = new FieldReader(wire);
  switch (kind) {
    case "output_text":
    case "input_text":
    case "text": {
      const content = fields.string("text");
      if (kind === "output_text") fields.skip("type");
      return content === undefined ? undefined : { type: "text", content, ...ownExtensions(fields.rest()) };
    }
    case "refusal": {
      const content = fields.string("refusal");
      return content === undefined ? undefined : { type: "text", content, ...ownExtensions(fields.rest()) };
    }
    case "summary_text":
    case "reasoning_text": {
      const content = fields.string("text");
      return content === undefined ? undefined : { type: "reasoning", content, ...ownExtensions(fields.rest()) };
    }
    case "input_image":
    case "computer_screenshot":
      return decodeMedia("image", fields, "image_url");
    case "input_file":
      return decodeMedia("document", fields, "file_url");
    case "input_audio":
      return decodeAudio(fields);
    default:
      return undefined;
  }
}

/** Media by id, by address, or inline (a data URL, or bare base64 in `file_data`). */
function decodeMedia(modality: Modality, fields: FieldReader, urlKey: string): Part | undefined {
  const fileId = fields.filledString("file_id");
  if (fileId !== undefined) return { type: "file", modality, file_id: fileId, ...ownExtensions(fields.rest()) };
  const inline = fields.filledString("file_data");
  const url = inline ?? fields.filledString(urlKey);
  if (url === undefined) return undefined;
  const media = splitDataUrl(url);
  if (media !== undefined) {
    const { mimeType, content } = media;
    return { type: "blob", modality, mime_type: mimeType, content, ...ownExtensions(fields.rest()) };
  }
  if (inline !== undefined) return { type: "blob", modality, content: inline, ...ownExtensions(fields.rest()) };
  return { type: "uri", modality, uri: url, ...ownExtensions(fields.rest()) };
}

function decodeAudio(fields: FieldReader): Part | undefined {
  const audio = fields.nested("input_audio");
  const content = audio?.string("data");
  if (content === undefined) return undefined;
  const format = audio?.string("format");
  const mimeType = format === undefined ? undefined : `audio/${format === "mp3" ? "mpeg" : format}`;
  return {
    type: "blob",
    modality: "audio",
    ...optional("mime_type", mimeType),
    content,
    ...ownExtensions(fields.rest()),
  };
}

function splitDataUrl(url: string): { mimeType: string; content: string } | undefined {
  if (!url.startsWith("data:")) return undefined;
  const comma = url.indexOf(",");
  const head = url.slice("data:".length, Math.max(comma, 0));
  if (!head.endsWith(";base64")) return undefined;
  return { mimeType: head.slice(0, -";base64".length), content: url.slice(comma + 1) };
}
