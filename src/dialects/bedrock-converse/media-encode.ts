// Room dialects, bedrock-converse: media of any source as image, document, video and audio blocks.
// Invariant: what Converse would refuse is left out and told; nothing is fetched and no bytes are changed.

import type { BlobPart, FilePart, Modality, TextPart, UriPart } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject, optional } from "../json/fields.ts";
import { dialectId, formatOf } from "./schema.ts";

/** Media as canonical parts have it. */
export type MediaPart = BlobPart | FilePart | UriPart;

/** Media types by how their base64 begins; Ollama's images name none. */
const beginnings: readonly (readonly [string, string])[] = [
  ["/9j/", "image/jpeg"],
  ["iVBORw0KGgo", "image/png"],
  ["R0lGOD", "image/gif"],
  ["UklGR", "image/webp"],
  ["JVBERi", "application/pdf"],
];

/** Names of the documents of one request, which Bedrock wants to be different from each other. */
export class DocumentNames {
  readonly #used = new Set<string>();

  /** A name that Bedrock takes: up to 200 letters, digits, single spaces, hyphens and brackets (API reference, DocumentBlock). */
  choose(wanted: string | undefined): string {
    const clean = (wanted ?? "")
      .replaceAll(/[^A-Za-z0-9\s()[\]-]/g, "-")
      .replaceAll(/\s+/g, " ")
      .trim();
    const base = clean === "" ? "document" : clean.slice(0, 190);
    let name = base;
    for (let number = 2; this.#used.has(name); number++) name = `${base}-${String(number)}`;
    this.#used.add(name);
    return name;
  }
}

/** One block, or undefined where Converse takes no such media: then that is told. */
export function encodeMedia(
  part: MediaPart,
  path: CanonicalPath,
  encoding: Encoding,
  names: DocumentNames,
): JsonObject | undefined {
  const read = readMedia(part);
  if (typeof read === "string") {
    encoding.lose(path, "unsupported", read);
    return undefined;
  }
  takeAutoDetail(part, encoding);
  if (part.modality !== "document") return { [part.modality]: read };
  return { document: { ...read, name: chooseName(takeFileName(part, encoding), path, encoding, names) } };
}

/** A document of plain text. */
export function encodeTextDocument(
  part: TextPart,
  path: CanonicalPath,
  encoding: Encoding,
  names: DocumentNames,
): JsonObject {
  const title = encoding.take(part, "anthropic-messages", "title");
  const name = chooseName(typeof title === "string" ? title : undefined, path, encoding, names);
  return { document: { format: "txt", source: { text: part.content }, name } };
}

function chooseName(wanted: string | undefined, path: CanonicalPath, encoding: Encoding, names: DocumentNames): string {
  const name = names.choose(wanted);
  if (wanted !== undefined && name !== wanted) {
    encoding.lose(
      path,
      "approximated",
      "the document's name has characters that Bedrock refuses, or is there twice",
      "tuning",
    );
  }
  return name;
}

/** Whether Converse takes media at this address: from S3 alone. */
export function isInStorage(uri: string): boolean {
  return uri.startsWith("s3://");
}

/** `format` and `source` of a part, or why there can be none. */
function readMedia(part: MediaPart): JsonObject | string {
  if (part.type === "file") return "the file is stored at another provider";
  if (part.type === "uri") {
    if (!isInStorage(part.uri)) return "Converse takes media only as bytes or from S3";
    const format = readFormat(part.modality, part.mime_type);
    return { ...optional("format", format), source: { s3Location: { uri: part.uri } } };
  }
  const format = readFormat(part.modality, part.mime_type ?? guessMediaType(part.content));
  if (format === undefined) return `Converse takes no ${part.modality} of this media type`;
  return { format, source: { bytes: part.content } };
}

/** Words that come with a media type, and writers who mean a common one. */
const spellings: ReadonlyMap<string, string> = new Map([
  ["image/jpg", "image/jpeg"],
  ["audio/x-wav", "audio/wav"],
  ["audio/wave", "audio/wav"],
  ["text/x-markdown", "text/markdown"],
]);

function readFormat(modality: Modality, mediaType: string | undefined): string | undefined {
  const bare = mediaType?.split(";", 1)[0]?.trim().toLowerCase();
  return bare === undefined ? undefined : formatOf(modality, spellings.get(bare) ?? bare);
}

function guessMediaType(content: string): string | undefined {
  return beginnings.find(([beginning]) => content.startsWith(beginning))?.[1];
}

/** "Whatever you think best" is what happens anyway. */
function takeAutoDetail(part: MediaPart, encoding: Encoding): void {
  const image = part.extensions?.["openai-chat"]?.["image_url"];
  if (isJsonObject(image) && image["detail"] === "auto") encoding.take(part, "openai-chat", "image_url");
  if (part.extensions?.["openai-responses"]?.["detail"] === "auto") encoding.take(part, "openai-responses", "detail");
}

/** The file's name as the source gave it. */
function takeFileName(part: MediaPart, encoding: Encoding): string | undefined {
  const file = part.extensions?.["openai-chat"]?.["file"];
  if (isJsonObject(file) && typeof file["filename"] === "string") {
    if (Object.keys(file).length === 1) encoding.take(part, "openai-chat", "file");
    return file["filename"];
  }
  const name =
    encoding.take(part, "openai-responses", "filename") ?? encoding.take(part, "anthropic-messages", "title");
  return typeof name === "string" ? name : undefined;
}

/** Media that this dialect decoded, as it was. */
export function encodeOwnMedia(part: MediaPart): JsonObject {
  const format = part.mime_type === undefined ? undefined : formatOf(part.modality, part.mime_type, "any");
  return { [part.modality]: { ...optional("format", format), source: ownSource(part) } };
}

function ownSource(part: MediaPart): JsonObject {
  switch (part.type) {
    case "blob":
      return { bytes: part.content };
    case "uri":
      return { s3Location: { uri: part.uri } };
    case "file":
      throw new Error(`${dialectId} decodes no stored files`);
  }
}
