// Room dialects, anthropic-messages: reasoning of any source as thinking blocks, with what its provider sealed.
// Invariant: a sealed value is written byte by byte. To a provider goes only what is Anthropic's; to a client everything,
// marked with its family where it is not Anthropic's.

import type { Part, ReasoningPart } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import {
  isSignatureFormat,
  redactedMark,
  type SignatureFormat,
  unwrapSignature,
  wrapSignature,
} from "../signatures.ts";
import { dialectId } from "./schema.ts";

/** Whether blocks go to a provider (`request`) or to a client (`answer`). */
export type Direction = "request" | "answer";

/** What a provider handed out with reasoning. Without `format` nobody knows whose it is; `value` may be empty. */
export interface Sealed {
  format?: SignatureFormat;
  value: string;
  /** The value stands in place of the text. */
  isRedacted: boolean;
  /** The text it seals, where the source says so. */
  text?: string;
}

const ownFormat = "anthropic-claude-v1";

/** The thinking blocks of one reasoning part, none where it cannot be used: then that is told. */
export function encodeReasoning(
  part: ReasoningPart,
  path: CanonicalPath,
  encoding: Encoding,
  direction: Direction,
): JsonObject[] {
  const own = encoding.own(part);
  if (encoding.source === dialectId || Object.keys(own).length > 0) {
    return encodeOwn(part.content, own, path, encoding, direction);
  }
  const sealed = takeSealed(part, encoding);
  if (direction === "answer") return encodeForClient(part.content, sealed);
  const usable = sealed.filter(({ format, value }) => format === ownFormat && value !== "");
  if (usable.length < Math.max(sealed.length, part.content === "" ? 0 : 1)) {
    const detail = "reasoning without Anthropic's own signature cannot be sent to it";
    encoding.lose(path, "unsupported", detail, "tuning");
  }
  return usable.map((item) => sealedBlock(item, item.text ?? (usable.length === 1 ? part.content : "")));
}

/** A thinking block that carries nothing but a sealed value, for what Anthropic has no place for (Gemini signs its calls). */
export function sealedBlock(sealed: Sealed, text = ""): JsonObject {
  const value = markFamily(sealed);
  if (sealed.isRedacted) return { type: "redacted_thinking", data: value };
  return { type: "thinking", thinking: text, signature: value };
}

/** The value as a client of this dialect is to keep it. */
export function markFamily({ format, value }: Sealed): string {
  return value === "" || format === undefined || format === ownFormat ? value : wrapSignature(format, value);
}

/** Takes what a foreign provider or client put beside a part's text: signatures, encrypted and redacted reasoning. */
export function takeSealed(part: Part, encoding: Encoding): Sealed[] {
  return [
    ...takeGemini(part, encoding),
    ...takeItem(part, encoding),
    ...takeConverse(part, encoding),
    ...takeDetails(part, encoding),
  ];
}

/** The signature of a Gemini part of any kind, also as a chat client hands it back on a tool call. */
export function takeThoughtSignature(part: Part, encoding: Encoding): Sealed | undefined {
  const [signature] = takeGemini(part, encoding);
  if (signature !== undefined) return signature;
  const extra = part.extensions?.["openai-chat"]?.["extra_content"];
  const google = isJsonObject(extra) ? extra["google"] : undefined;
  const value = isJsonObject(google) ? google["thought_signature"] : undefined;
  if (typeof value !== "string") return undefined;
  encoding.take(part, "openai-chat", "extra_content");
  return { format: "google-gemini-v1", value, isRedacted: false };
}

function encodeOwn(
  content: string,
  own: JsonObject,
  path: CanonicalPath,
  encoding: Encoding,
  direction: Direction,
): JsonObject[] {
  const isRedacted = own["type"] === "redacted_thinking";
  const block = isRedacted ? own : { type: "thinking", thinking: content, ...own };
  if (direction === "answer") return [block];
  const key = isRedacted ? "data" : "signature";
  const sealed = own[key];
  const { format, value } = unwrapSignature(typeof sealed === "string" ? sealed : "");
  if (format === undefined) return [block];
  if (format === ownFormat) return [{ ...block, [key]: value }];
  encoding.lose(path, "unsupported", `reasoning of another family (${format}) cannot be sent to Anthropic`, "tuning");
  return [];
}

function encodeForClient(content: string, sealed: Sealed[]): JsonObject[] {
  const thoughts = sealed.filter(({ isRedacted }) => !isRedacted);
  const blocks: JsonObject[] = [];
  // The SDKs' type wants a signature: "" says that there is none.
  if (content !== "" && thoughts.length === 0) blocks.push({ type: "thinking", thinking: content, signature: "" });
  let isFirst = true;
  for (const item of sealed) {
    blocks.push(sealedBlock(item, item.isRedacted ? "" : (item.text ?? (isFirst ? content : ""))));
    if (!item.isRedacted) isFirst = false;
  }
  return blocks;
}

function takeGemini(part: Part, encoding: Encoding): Sealed[] {
  const bag = "gemini-generate-content";
  const value = encoding.take(part, bag, "thoughtSignature") ?? encoding.take(part, bag, "thought_signature");
  if (typeof value !== "string" || value === "") return [];
  // Gemini's field is base64: of a foreign value, base64 of the marked text.
  const carried = unwrapSignature(Buffer.from(value, "base64").toString());
  return [carried.format === undefined ? { format: "google-gemini-v1", value, isRedacted: false } : unsealed(carried)];
}

function takeItem(part: Part, encoding: Encoding): Sealed[] {
  if (part.type !== "reasoning") return [];
  encoding.take(part, "openai-responses", "type");
  const item = encoding.take(part, "openai-responses", "item");
  const value = isJsonObject(item) ? item["encrypted_content"] : undefined;
  if (typeof value !== "string" || value === "") return [];
  return [unsealed({ format: "openai-responses-v1", ...unwrapSignature(value) })];
}

function takeConverse(part: Part, encoding: Encoding): Sealed[] {
  if (part.type !== "reasoning") return [];
  const holder = encoding.take(part, "bedrock-converse", "reasoningText");
  const signature = isJsonObject(holder) ? holder["signature"] : undefined;
  if (typeof signature === "string" && signature !== "") {
    return [unsealed({ format: "amazon-bedrock-v1", ...unwrapSignature(signature) })];
  }
  const redacted = encoding.take(part, "bedrock-converse", "redactedContent");
  if (typeof redacted !== "string" || redacted === "") return [];
  // Bytes on this wire: of a foreign value, base64 of the marked text. Bedrock's own stay the base64 they are.
  const carried = unwrapSignature(Buffer.from(redacted, "base64").toString());
  if (carried.format !== undefined) return [{ ...unsealed(carried), isRedacted: true }];
  return [{ format: "amazon-bedrock-v1", value: redacted, isRedacted: true }];
}

/** OpenRouter's form, in which chat clients keep and give back what belongs to any family. */
function takeDetails(part: Part, encoding: Encoding): Sealed[] {
  const details = encoding.take(part, "openai-chat", "reasoning_details");
  if (!Array.isArray(details)) return [];
  return details.filter(isJsonObject).map((detail): Sealed => {
    const { type, format, text, summary, signature, data } = detail;
    const isRedacted = type === "reasoning.encrypted";
    const value = isRedacted ? data : signature;
    const words = typeof text === "string" ? text : summary;
    return {
      ...(isSignatureFormat(format) ? { format } : {}),
      value: typeof value === "string" ? value : "",
      isRedacted,
      ...(typeof words === "string" && !isRedacted ? { text: words } : {}),
    };
  });
}

function unsealed({ format, value }: { format?: SignatureFormat; value: string }): Sealed {
  const isRedacted = format === ownFormat && value.startsWith(redactedMark);
  return {
    ...(format === undefined ? {} : { format }),
    value: isRedacted ? value.slice(redactedMark.length) : value,
    isRedacted,
  };
}
