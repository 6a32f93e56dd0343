// Room dialects, bedrock-converse: what the wire says. Its words, its media, and how its leftovers are kept.
// Covers Converse, ConverseStream and CountTokens of Amazon Bedrock (@aws-sdk/client-bedrock-runtime 3.1162.0, read
// 2026-11-21; recorded traffic).

import type { Modality, UnifiedFinishReason } from "../../canonical/index.ts";
import { keepUnder } from "../extensions.ts";
export { optional } from "../json/fields.ts";

/** Id of this dialect, and the key of its bag in `extensions`. */
export const dialectId = "bedrock-converse";

/** The bag of this dialect, or nothing where there is nothing to keep. */
export const ownExtensions = keepUnder(dialectId);

const finishReasons = new Map<string, UnifiedFinishReason>([
  ["end_turn", "stop"],
  ["stop_sequence", "stop"],
  ["max_tokens", "length"],
  ["model_context_window_exceeded", "length"],
  ["tool_use", "tool_call"],
  ["guardrail_intervened", "content_filter"],
  ["content_filtered", "content_filter"],
  ["malformed_model_output", "error"],
  ["malformed_tool_use", "error"],
]);

/** The word of the GenAI conventions for a stop reason; `error` for one that is not known. */
export function unifyFinishReason(raw: string): UnifiedFinishReason {
  return finishReasons.get(raw) ?? "error";
}

/** Whether a word is a stop reason of Converse. */
export function isStopReason(word: string): boolean {
  return finishReasons.has(word);
}

/** Blocks that hold `{format, source}`, and what they show. */
export const mediaModalities: ReadonlyMap<string, Modality> = new Map([
  ["image", "image"],
  ["video", "video"],
  ["audio", "audio"],
  ["document", "document"],
]);

/** Formats whose MIME type is not the modality's own (`image/png`) with the format's name. */
const mimeTypes = new Map<string, string>([
  ["document/pdf", "application/pdf"],
  ["document/csv", "text/csv"],
  ["document/doc", "application/msword"],
  ["document/docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"],
  ["document/xls", "application/vnd.ms-excel"],
  ["document/xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"],
  ["document/html", "text/html"],
  ["document/txt", "text/plain"],
  ["document/md", "text/markdown"],
  ["video/mkv", "video/x-matroska"],
  ["video/mov", "video/quicktime"],
  ["video/flv", "video/x-flv"],
  ["video/mpg", "video/mpeg"],
  ["video/wmv", "video/x-ms-wmv"],
  ["video/three_gp", "video/3gpp"],
  ["audio/mp3", "audio/mpeg"],
]);

/** MIME type of a format as the wire names it. */
export function mimeTypeOf(modality: Modality, format: string): string {
  const name = `${modality}/${format}`;
  return mimeTypes.get(name) ?? (modality === "document" ? `application/${format}` : name);
}

/** The formats that Converse takes (@aws-sdk/client-bedrock-runtime 3.1162.0, read 2026-11-21). */
const formats: Readonly<Record<Modality, readonly string[]>> = {
  image: ["png", "jpeg", "gif", "webp"],
  document: ["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"],
  video: ["mp4", "mkv", "mov", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp"],
  audio: [
    "mp3",
    "opus",
    "wav",
    "aac",
    "flac",
    "mp4",
    "ogg",
    "mkv",
    "mka",
    "webm",
    "m4a",
    "x-aac",
    "mpeg",
    "mpga",
    "pcm",
  ],
};

/** The format of a MIME type; undefined where Converse has none, unless `any` one is to be named that `mimeTypeOf` read. */
export function formatOf(modality: Modality, mimeType: string, choice: "known" | "any" = "known"): string | undefined {
  const known = formats[modality].find((format) => mimeTypeOf(modality, format) === mimeType);
  return known ?? (choice === "any" ? mimeType.slice(mimeType.indexOf("/") + 1) : undefined);
}
