// Room dialects, anthropic-messages: media of any source as image and document blocks.
// Invariant: a part that the API would refuse is left out and told; nothing is fetched and nothing re-encoded.

import type { BlobPart, FilePart, TextPart, UriPart } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject, optional } from "../json/fields.ts";
import { dialectId } from "./schema.ts";

const imageTypes: ReadonlySet<string> = new Set(["image/jpeg", "image/png", "image/gif", "image/webp"]);

/** Media types by how their base64 begins; Ollama's images name none. */
const beginnings: readonly (readonly [string, string])[] = [
  ["/9j/", "image/jpeg"],
  ["iVBORw0KGgo", "image/png"],
  ["R0lGOD", "image/gif"],
  ["UklGR", "image/webp"],
  ["JVBERi", "application/pdf"],
];

/** One block, or undefined where the API takes no such media: then that is told. */
export function encodeMedia(
  part: BlobPart | UriPart | FilePart,
  path: CanonicalPath,
  encoding: Encoding,
): JsonObject | undefined {
  if (encoding.source === dialectId) return encodeOwn(part, encoding.own(part));
  const source = encodeSource(part);
  if (typeof source === "string") {
    encoding.lose(path, "unsupported", source);
    return undefined;
  }
  const isAuto = (value: unknown): boolean => isJsonObject(value) && value["detail"] === "auto";
  if (isAuto(part.extensions?.["openai-chat"]?.["image_url"])) encoding.take(part, "openai-chat", "image_url");
  if (part.extensions?.["openai-responses"]?.["detail"] === "auto") encoding.take(part, "openai-responses", "detail");
  return {
    type: part.modality,
    source,
    ...optional("title", part.modality === "document" ? takeTitle(part, encoding) : undefined),
  };
}

function encodeOwn(part: BlobPart | UriPart | FilePart, own: JsonObject): JsonObject {
  const source = isJsonObject(own["source"]) ? own["source"] : {};
  return { type: part.modality, ...own, source: { ...ownSource(part), ...source } };
}

function ownSource(part: BlobPart | UriPart | FilePart): JsonObject {
  switch (part.type) {
    case "blob":
      return { type: "base64", ...optional("media_type", part.mime_type), data: part.content };
    case "uri":
      return { type: "url", url: part.uri };
    case "file":
      return { type: "file", file_id: part.file_id };
  }
}

/** The block's `source`, or why there can be none. */
function encodeSource(part: BlobPart | UriPart | FilePart): JsonObject | string {
  if (part.modality !== "image" && part.modality !== "document") return `Anthropic takes no ${part.modality}`;
  if (part.type === "file") return "the file is stored at another provider";
  if (part.type === "uri") {
    return /^https?:/i.test(part.uri)
      ? { type: "url", url: part.uri }
      : "Anthropic takes media only from web addresses";
  }
  const mediaType = (part.mime_type ?? guessMediaType(part.content))?.toLowerCase();
  if (mediaType === undefined) return "Anthropic must be told the media type, and none was given";
  const base64 = { type: "base64", media_type: mediaType, data: part.content };
  if (part.modality === "image") {
    return imageTypes.has(mediaType) ? base64 : "Anthropic takes images only as jpeg, png, gif and webp";
  }
  if (mediaType === "application/pdf") return base64;
  // Plain text is the only other kind of document.
  if (!mediaType.startsWith("text/")) return "Anthropic takes documents only as PDF and as text";
  return { type: "text", media_type: "text/plain", data: Buffer.from(part.content, "base64").toString() };
}

function guessMediaType(content: string): string | undefined {
  return beginnings.find(([beginning]) => content.startsWith(beginning))?.[1];
}

/** The file's name as the source gave it. */
function takeTitle(part: BlobPart | UriPart | FilePart, encoding: Encoding): string | undefined {
  const file = part.extensions?.["openai-chat"]?.["file"];
  if (isJsonObject(file) && typeof file["filename"] === "string") {
    if (Object.keys(file).length === 1) encoding.take(part, "openai-chat", "file");
    return file["filename"];
  }
  const name = encoding.take(part, "openai-responses", "filename") ?? encoding.take(part, "bedrock-converse", "name");
  return typeof name === "string" ? name : undefined;
}

/** Converse's documents of plain text read as text: a document again, with its name and what it says about citations. */
export function takeTextDocument(part: TextPart, encoding: Encoding): JsonObject | undefined {
  const held = encoding.take(part, "bedrock-converse", "document");
  if (!isJsonObject(held)) return undefined;
  return {
    type: "document",
    source: { type: "text", media_type: "text/plain", data: part.content },
    ...optional("title", held["name"]),
    ...optional("context", held["context"]),
    ...optional("citations", held["citations"]),
  };
}
