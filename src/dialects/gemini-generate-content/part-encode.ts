// Room dialects, gemini-generate-content: canonical parts as parts of the wire, in requests and in answers.
// Invariant: every kind of part is written or told as lost; a part of this dialect is written as it was read.

import type { BlobPart, FilePart, Modality, Part, ToolCallPart, UriPart } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject, optional } from "../json/fields.ts";
import { takeChatSignature } from "../sealed.ts";
import { takeMarks, takeMediaHints } from "./foreign-mark.ts";
import { encodeName } from "./name.ts";
import { readWhole, restoreFields } from "./restore.ts";
import { encodeThoughts, type Reader } from "./signature-encode.ts";

/** Where a part stands, and for whom it is written. */
export interface PartPlace {
  path: CanonicalPath;
  reader: Reader;
}

/** The wire's parts that stand for one part; none where nothing of it can be told. Tool results: `encodeToolResult`. */
export function encodePart(part: Part, encoding: Encoding, place: PartPlace): JsonObject[] {
  return encoding.source === encoding.target ? [restorePart(part, encoding)] : encodeForeign(part, encoding, place);
}

/** A part that this dialect's decode half read. */
export function restorePart(part: Part, encoding: Encoding): JsonObject {
  const kept = encoding.own(part);
  if (part.type === "generic") return (readWhole(kept)?.value ?? kept) as JsonObject;
  return restoreFields(encodeOwnKind(part), kept);
}

function encodeOwnKind(part: Exclude<Part, { type: "generic" }>): JsonObject {
  const id = "id" in part ? optional("id", part.id) : {};
  switch (part.type) {
    case "text":
      return { text: part.content };
    case "reasoning":
      return { text: part.content, thought: true };
    case "tool_call":
      return { functionCall: { ...id, name: part.name, args: part.arguments ?? {} } };
    case "tool_call_response":
      return { functionResponse: { ...id, ...optional("response", part.response ?? undefined) } };
    case "server_tool_call": {
      const { type, input, ...facts } = part.server_tool_call;
      if (type === "code_execution") return { executableCode: { ...id, ...facts } };
      return { toolCall: { ...id, toolType: part.name, ...optional("args", input) } };
    }
    case "server_tool_call_response": {
      const { type, ...facts } = part.server_tool_call_response;
      if (type === "code_execution") return { codeExecutionResult: { ...id, ...facts } };
      return { toolResponse: { ...id, toolType: type, ...facts } };
    }
    case "blob":
      return { inlineData: { ...optional("mimeType", part.mime_type), data: part.content } };
    case "uri":
      return { fileData: { ...optional("mimeType", part.mime_type), fileUri: part.uri } };
    case "file":
      return { fileData: { ...optional("mimeType", part.mime_type), fileUri: part.file_id } };
    case "compaction":
      return { text: part.content ?? "" };
  }
}

function encodeForeign(part: Part, encoding: Encoding, { path, reader }: PartPlace): JsonObject[] {
  takeMarks(part, encoding);
  // A redacted block of Anthropic's is opaque: its type says how the rest is to be read.
  if (part.extensions?.["anthropic-messages"]?.["data"] === undefined) encoding.take(part, encoding.source, "type");
  switch (part.type) {
    case "text": {
      const signature = optional("thoughtSignature", takeChatSignature(part, encoding));
      if (part.content === "" && signature.thoughtSignature === undefined) return [];
      return [{ text: part.content, ...signature }];
    }
    case "reasoning":
      return encodeThoughts(part, encoding, path, reader).map(({ text, signature }) => ({
        text,
        thought: true,
        ...optional("thoughtSignature", signature),
      }));
    case "tool_call":
      return [encodeCall(part, encoding, path, reader)];
    case "blob":
      takeMediaHints(part, encoding, path);
      return [{ inlineData: encodeBlob(part, encoding, path) }];
    case "uri":
    case "file":
      return encodeAddress(part, encoding, path);
    case "compaction":
      if (part.content === undefined || part.content === "") break;
      encoding.lose(path, "approximated", "the summary of an earlier conversation is sent as text");
      return [{ text: part.content }];
    case "server_tool_call":
    case "server_tool_call_response":
    case "generic":
    case "tool_call_response":
      break;
  }
  loseWhole(part, encoding, path);
  return [];
}

/** Tells a part as lost, once, with all that it says. */
function loseWhole(part: Part, encoding: Encoding, path: CanonicalPath): void {
  for (const [dialect, bag] of Object.entries(part.extensions ?? {})) {
    for (const name of Object.keys(bag)) encoding.take(part, dialect as typeof encoding.source, name);
  }
  const kind = part.type === "generic" ? `generic (${part.generic_type})` : part.type;
  encoding.lose(path, "unsupported", `${encoding.target} has no part for this one: ${kind}`);
}

/** A client gets the name that it gave itself. */
function encodeCall(part: ToolCallPart, encoding: Encoding, path: CanonicalPath, reader: Reader): JsonObject {
  const functionCall = {
    ...optional("id", part.id),
    name: reader === "client" ? part.name : encodeName(part.name, encoding, [...path, "name"]),
    args: encodeArguments(part.arguments, encoding, [...path, "arguments"]),
  };
  return { functionCall, ...optional("thoughtSignature", takeChatSignature(part, encoding)) };
}

/** `args` is an object on the wire, whatever else stands for the arguments elsewhere. */
function encodeArguments(value: unknown, encoding: Encoding, path: CanonicalPath): JsonObject {
  if (isJsonObject(value)) return value;
  if (value === undefined || value === null || value === "") return {};
  encoding.lose(path, "approximated", "arguments that are no JSON object are sent as the member `input` of one");
  return { input: value };
}

const usualMimeTypes: Readonly<Record<Modality, string>> = {
  image: "image/png",
  audio: "audio/wav",
  video: "video/mp4",
  document: "application/pdf",
};

/** Google does not take bytes without their media type. */
export function encodeBlob(part: BlobPart, encoding: Encoding, path: CanonicalPath): JsonObject {
  if (part.mime_type !== undefined) return { mimeType: part.mime_type, data: part.content };
  const mimeType = usualMimeTypes[part.modality];
  encoding.lose([...path, "mime_type"], "injected", `no media type was given: sent as ${mimeType}`, "tuning");
  return { mimeType, data: part.content };
}

/** What Google fetches itself: its storage, its Files API and YouTube (wire.md §2.2). */
const ownAddress =
  /^(?:gs:\/\/|https:\/\/generativelanguage\.googleapis\.com\/|https:\/\/(?:www\.)?youtube\.com\/|https:\/\/youtu\.be\/)/;

/** Whether Google takes media at this address. */
export function isOwnAddress(address: string): boolean {
  return ownAddress.test(address);
}

function encodeAddress(part: UriPart | FilePart, encoding: Encoding, path: CanonicalPath): JsonObject[] {
  const fileUri = part.type === "uri" ? part.uri : part.file_id;
  takeMediaHints(part, encoding, path);
  if (isOwnAddress(fileUri)) return [{ fileData: { ...optional("mimeType", part.mime_type), fileUri } }];
  const why = part.type === "uri" ? "Google does not fetch this address" : "a file stored at another provider";
  for (const name of Object.keys(part.extensions?.[encoding.source] ?? {})) encoding.take(part, encoding.source, name);
  encoding.lose(path, "unsupported", `${why}: the ${part.modality} is left out`);
  return [];
}
