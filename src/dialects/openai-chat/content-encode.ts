// Room dialects, openai-chat: canonical parts as content parts of a chat request, from any dialect.
// Invariant: a part is written, or its loss is told at its path. Own parts come back as the client wrote them.

import type { BlobPart, Extensions, FilePart, Part, TextPart, UriPart } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import type { DialectId } from "../dialect.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { takeStructure } from "../structure.ts";
import { audioMimeTypes, dialectId } from "./schema.ts";

/** One content part; undefined where chat has no place for it, which is told. */
export function encodeContentPart(part: Part, path: CanonicalPath, encoding: Encoding): JsonObject | undefined {
  const own = encoding.own(part);
  takeStructure(encoding, part, path);
  switch (part.type) {
    case "text":
      return encodeText(part, own);
    case "blob":
      return encodeBlob(part, own, encoding) ?? loseContent(part, path, encoding);
    case "uri":
      return encodeUri(part, own, encoding) ?? loseContent(part, path, encoding);
    case "file":
      return encodeFile(part, own, encoding) ?? loseContent(part, path, encoding);
    case "generic":
      return isOwn(part) ? wholeOf(own) : loseContent(part, path, encoding);
    default:
      return loseContent(part, path, encoding);
  }
}

/** Content as it is written: one plain text for itself, else the list; undefined for nothing. */
export function joinContent(content: readonly JsonObject[]): string | JsonObject[] | undefined {
  const [first] = content;
  if (first === undefined) return undefined;
  const isPlain = content.length === 1 && first["type"] === "text" && Object.keys(first).length === 2;
  return isPlain && typeof first["text"] === "string" ? first["text"] : [...content];
}

/** Tells that a part is left out, once: what it holds beside its content goes with it. */
export function loseContent(part: Part, path: CanonicalPath, encoding: Encoding): undefined {
  absorb(part, encoding);
  const kind = "modality" in part ? `${part.modality} ${part.type}` : part.type;
  encoding.lose(path, "unsupported", `chat has no place here for a part of the kind ${kind}; it is left out`);
}

/** Takes everything that stands beside a node: its loss is told with the node's. */
export function absorb(node: { extensions?: Extensions }, encoding: Encoding): void {
  for (const [dialect, bag] of Object.entries(node.extensions ?? {})) {
    for (const name of Object.keys(bag)) encoding.take(node, dialect as DialectId, name);
  }
}

/** Whether a part came from this dialect. */
export function isOwn(part: { extensions?: Extensions }): boolean {
  return part.extensions?.[dialectId] !== undefined;
}

/** What a part that was kept whole was on the wire. */
export function wholeOf(own: JsonObject): JsonObject {
  return isJsonObject(own["value"]) && Object.keys(own).length === 1 ? own["value"] : own;
}

function encodeText({ content }: TextPart, own: JsonObject): JsonObject {
  return own["type"] === "refusal" ? { ...own, refusal: content } : { type: "text", text: content, ...own };
}

function encodeBlob(part: BlobPart, own: JsonObject, encoding: Encoding): JsonObject | undefined {
  const { content, modality } = part;
  const mimeType = part.mime_type;
  switch (modality) {
    case "image":
      return media("image_url", dataUrl(mimeType ?? sniffImage(content), content), part, own, encoding);
    case "audio":
      return encodeAudio(part, own, encoding);
    case "video":
      return encoding.source === dialectId
        ? media("video_url", dataUrl(mimeType ?? "", content), part, own, encoding)
        : undefined;
    case "document":
      return encodeDocument(part, own, encoding);
  }
}

function encodeAudio(part: BlobPart, own: JsonObject, encoding: Encoding): JsonObject | undefined {
  const { content } = part;
  const mimeType = part.mime_type;
  // Mistral's bare form names no format (recorded).
  if (mimeType === undefined) {
    return encoding.source === dialectId ? { type: "input_audio", input_audio: content, ...own } : undefined;
  }
  const known = [...audioMimeTypes].find(([, type]) => type === mimeType)?.[0] ?? audioAliases.get(mimeType);
  const format = known ?? (encoding.source === dialectId ? mimeType.slice("audio/".length) : undefined);
  if (format === undefined) return undefined;
  const { input_audio: inner, ...rest } = own;
  return {
    type: "input_audio",
    input_audio: { data: content, format, ...(isJsonObject(inner) ? inner : {}) },
    ...rest,
  };
}

const audioAliases: ReadonlyMap<string, string> = new Map([
  ["audio/mp3", "mp3"],
  ["audio/x-wav", "wav"],
  ["audio/wave", "wav"],
]);

/** OpenAI reads PDF alone; its files must have a name (openai-node 7.55.0). */
function encodeDocument(part: BlobPart, own: JsonObject, encoding: Encoding): JsonObject | undefined {
  const { content } = part;
  const mimeType = part.mime_type;
  if (typeof own["type"] === "string") return media(own["type"], dataUrl(mimeType ?? "", content), part, own, encoding);
  const { file, ...rest } = own;
  const inner = isJsonObject(file) ? file : {};
  if (encoding.source === dialectId) {
    const fileData = mimeType === undefined ? content : dataUrl(mimeType, content);
    return { type: "file", file: { file_data: fileData, ...inner }, ...rest };
  }
  if (mimeType !== undefined && mimeType !== "application/pdf") return undefined;
  const filename = takeName(part, encoding) ?? "document.pdf";
  return { type: "file", file: { filename, file_data: dataUrl("application/pdf", content) } };
}

function takeName(part: BlobPart, encoding: Encoding): string | undefined {
  const name =
    encoding.take(part, "openai-responses", "filename") ??
    encoding.take(part, "anthropic-messages", "title") ??
    encoding.take(part, "bedrock-converse", "name");
  return typeof name === "string" && name !== "" ? name : undefined;
}

function encodeUri(part: UriPart, own: JsonObject, encoding: Encoding): JsonObject | undefined {
  const isHome = encoding.source === dialectId;
  if (!isHome && !/^https?:/iu.test(part.uri)) return undefined;
  if (part.modality === "image") return media("image_url", part.uri, part, own, encoding);
  if (!isHome) return undefined;
  if (part.modality !== "document") return media(`${part.modality}_url`, part.uri, part, own, encoding);
  if (typeof own["type"] === "string") return media(own["type"], part.uri, part, own, encoding);
  const { file, ...rest } = own;
  return { type: "file", file: { file_data: part.uri, ...(isJsonObject(file) ? file : {}) }, ...rest };
}

/** Ids of files are the provider's own: only OpenAI's two dialects share them. */
function encodeFile(part: FilePart, own: JsonObject, encoding: Encoding): JsonObject | undefined {
  if (part.modality !== "document") return undefined;
  if (encoding.source !== dialectId && encoding.source !== "openai-responses") return undefined;
  const { file, ...rest } = own;
  return { type: "file", file: { file_id: part.file_id, ...(isJsonObject(file) ? file : {}) }, ...rest };
}

/** A part with an address in a member named like it. `detail` is a word that Responses has, too. */
function media(kind: string, url: string, part: Part, own: JsonObject, encoding: Encoding): JsonObject {
  const { [kind]: inner, ...rest } = own;
  const detail = encoding.take(part, "openai-responses", "detail");
  return {
    type: kind,
    [kind]: { url, ...(typeof detail === "string" ? { detail } : {}), ...(isJsonObject(inner) ? inner : {}) },
    ...rest,
  };
}

/** RFC 2397, in base64. */
export function dataUrl(mimeType: string, content: string): string {
  return `data:${mimeType};base64,${content}`;
}

/** The media type of an image in base64 by its first bytes, for wires that name none (Ollama). */
export function sniffImage(content: string): string {
  for (const [start, mimeType] of imageStarts) if (content.startsWith(start)) return mimeType;
  return "image/png";
}

const imageStarts: readonly (readonly [string, string])[] = [
  ["/9j/", "image/jpeg"],
  ["R0lGOD", "image/gif"],
  ["UklGR", "image/webp"],
];
