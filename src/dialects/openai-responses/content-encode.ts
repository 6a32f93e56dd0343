// Room dialects, openai-responses: canonical parts as content parts of messages and tool outputs.
// Invariant: a part that cannot be written is told as a loss and left out; the dialect's own parts come back as they were.

import type { BlobPart, FilePart, Part, UriPart } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, optional, type JsonObject } from "../json/fields.ts";
import { dialectId } from "./schema.ts";

/** Who speaks: the wire has other words for what the model said than for what it is given. */
export type Speaker = "model" | "other";

/** A part of another dialect as a content part; undefined where the wire has none for it, which is then told. */
export function encodeContentPart(
  part: Part,
  speaker: Speaker,
  path: CanonicalPath,
  encoding: Encoding,
): JsonObject | undefined {
  switch (part.type) {
    case "text":
      return encodeText(part, speaker, encoding);
    case "blob":
    case "file":
    case "uri":
      if (speaker === "other") return encodeMedia(part, path, encoding);
      encoding.lose(path, "unsupported", "the Responses API takes no media in what the model said");
      return undefined;
    default:
      encoding.lose(path, "unsupported", `the Responses API has no content part for ${kindOf(part)}`);
      return undefined;
  }
}

/** A part that this dialect decoded, as it stood on the wire. */
export function encodeOwnPart(part: Part): unknown {
  const { item: _item, ...bag } = part.extensions?.[dialectId] ?? {};
  switch (part.type) {
    case "text":
      if (bag["type"] === "refusal") return { refusal: part.content, ...bag };
      return { type: "output_text", text: part.content, ...bag };
    case "reasoning":
      return { text: part.content, ...bag };
    case "blob":
      return encodeOwnBlob(part, bag);
    case "file":
      return { ...bag, file_id: part.file_id };
    case "uri":
      return { ...bag, [part.modality === "document" ? "file_url" : "image_url"]: part.uri };
    default:
      return part.type === "generic" && part.generic_type === "unknown" && "value" in bag ? bag["value"] : bag;
  }
}

/** A part's kind in plain words, for a loss. */
export function kindOf(part: Part): string {
  return part.type === "generic" ? part.generic_type.slice(0, 64) : part.type.replaceAll("_", " ");
}

function encodeText(part: Part & { type: "text" }, speaker: Speaker, encoding: Encoding): JsonObject {
  if (speaker === "model") {
    const isRefusal = part.extensions?.["openai-chat"]?.["type"] === "refusal";
    if (!isRefusal) return { type: "output_text", text: part.content };
    encoding.take(part, "openai-chat", "type");
    return { type: "refusal", refusal: part.content };
  }
  return { type: "input_text", text: part.content, ...takeCacheMark(part, encoding) };
}

/** Chat completions and Responses have the same mark (wire.md §1.1). */
function takeCacheMark(part: Part, encoding: Encoding): JsonObject {
  return optional("prompt_cache_breakpoint", encoding.take(part, "openai-chat", "prompt_cache_breakpoint"));
}

type MediaPart = BlobPart | FilePart | UriPart;

function encodeMedia(part: MediaPart, path: CanonicalPath, encoding: Encoding): JsonObject | undefined {
  if (part.modality === "audio" || part.modality === "video") {
    encoding.lose(path, "unsupported", `the Responses API takes no ${part.modality}`);
    return undefined;
  }
  // Ids are bound to their provider; chat completions' are the same ones.
  if (part.type === "file" && encoding.source !== "openai-chat") {
    encoding.lose(path, "unsupported", "a file id of another provider means nothing to this one");
    return undefined;
  }
  if (part.type === "uri" && !/^https?:/.test(part.uri)) {
    encoding.lose(path, "unsupported", "only addresses of http and https can be fetched by the provider");
    return undefined;
  }
  if (part.type !== "blob" && part.mime_type !== undefined) {
    const detail = "the provider tells the type of a file from the file itself";
    encoding.lose([...path, "mime_type"], "unsupported", detail, "tuning");
  }
  return part.modality === "image" ? encodeImage(part, encoding) : encodeDocument(part, path, encoding);
}

function encodeImage(part: MediaPart, encoding: Encoding): JsonObject {
  const detail = takeMember(part, "image_url", "detail", encoding);
  const base = { type: "input_image", detail: detail ?? "auto", ...takeCacheMark(part, encoding) };
  if (part.type === "file") return { ...base, file_id: part.file_id };
  if (part.type === "uri") return { ...base, image_url: part.uri };
  return { ...base, image_url: dataUrl(part.mime_type ?? guessImageType(part.content), part.content) };
}

function encodeDocument(part: MediaPart, path: CanonicalPath, encoding: Encoding): JsonObject {
  const base = { type: "input_file", ...takeCacheMark(part, encoding) };
  if (part.type === "file") return { ...base, file_id: part.file_id };
  if (part.type === "uri") return { ...base, file_url: part.uri };
  const given = takeMember(part, "file", "filename", encoding) ?? encoding.take(part, "anthropic-messages", "title");
  const mimeType = part.mime_type ?? "application/pdf";
  if (typeof given !== "string") {
    encoding.lose([...path, "filename"], "injected", "a file in the request must have a name", "tuning");
  }
  const filename = typeof given === "string" ? given : `document.${mimeType.slice(mimeType.lastIndexOf("/") + 1)}`;
  return { ...base, filename, file_data: dataUrl(mimeType, part.content) };
}

/** The one member that is carried of a chat part's nested leftovers; others stay untaken, and so are told. */
function takeMember(part: Part, holder: string, member: string, encoding: Encoding): unknown {
  const bag = part.extensions?.["openai-chat"]?.[holder];
  if (!isJsonObject(bag) || Object.keys(bag).join() !== member) return undefined;
  encoding.take(part, "openai-chat", holder);
  return bag[member];
}

function encodeOwnBlob(part: BlobPart, bag: JsonObject): JsonObject {
  if (part.modality === "audio") {
    const format = part.mime_type?.slice("audio/".length);
    const beside = isJsonObject(bag["input_audio"]) ? bag["input_audio"] : {};
    const audio = { data: part.content, ...optional("format", format === "mpeg" ? "mp3" : format), ...beside };
    return { ...bag, input_audio: audio };
  }
  const value = part.mime_type === undefined ? part.content : dataUrl(part.mime_type, part.content);
  return { ...bag, [part.modality === "document" ? "file_data" : "image_url"]: value };
}

function dataUrl(mimeType: string, content: string): string {
  return `data:${mimeType};base64,${content}`;
}

/** Ollama's images name no type (recorded): the first bytes do. */
function guessImageType(base64: string): string {
  if (base64.startsWith("/9j/")) return "image/jpeg";
  if (base64.startsWith("R0lGOD")) return "image/gif";
  return base64.startsWith("UklGR") ? "image/webp" : "image/png";
}
