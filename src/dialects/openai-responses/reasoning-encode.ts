// Room dialects, openai-responses: reasoning that is opaque (signed, encrypted), to a provider and to a client.
// Invariant: a value reaches only the family that made it, byte by byte; another family's travels with a client under its mark.

import type { Extensions, Part } from "../../canonical/index.ts";
import type { DialectId } from "../dialect.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import {
  isSignatureFormat,
  redactedMark,
  unwrapSignature,
  wrapSignature,
  type SignatureFormat,
} from "../signatures.ts";

/** How this dialect's own values are called elsewhere. */
const ownFormat = "openai-responses-v1";

/** Where the other dialects keep an opaque value of a part. */
interface Holder {
  dialect: DialectId;
  /** Member of the bag, and the one inside it where it is nested. */
  name: string;
  inner?: string;
  format: SignatureFormat;
  /** The wire wants base64, so a foreign value stands there in base64. */
  isBase64?: true;
}

const holders: readonly Holder[] = [
  { dialect: "anthropic-messages", name: "signature", format: "anthropic-claude-v1" },
  { dialect: "anthropic-messages", name: "data", format: "anthropic-claude-v1" },
  { dialect: "gemini-generate-content", name: "thoughtSignature", format: "google-gemini-v1", isBase64: true },
  { dialect: "gemini-generate-content", name: "thought_signature", format: "google-gemini-v1", isBase64: true },
  { dialect: "bedrock-converse", name: "reasoningText", inner: "signature", format: "amazon-bedrock-v1" },
  { dialect: "bedrock-converse", name: "redactedContent", format: "amazon-bedrock-v1", isBase64: true },
];

/** Members whose value stands in place of a text, which an item does not tell by itself. */
const redactedNames: ReadonlySet<string> = new Set(["data", "redactedContent"]);

/** Names of the extensions that `takeForeignSignature` reads. */
export const signatureNames: readonly string[] = [...holders.map(({ name }) => name), "reasoning_details"];

/** Opaque reasoning of one part as an answer's item carries it to the client: marked with its family; undefined for none. */
export function takeForeignSignature(part: { extensions?: Extensions }, encoding: Encoding): string | undefined {
  for (const holder of holders) {
    const value = readHolder(part, holder);
    if (value === undefined) continue;
    takeHolder(part, holder, encoding);
    // A value that a client of that dialect carried for another family keeps its own mark.
    const carried = unwrapSignature(holder.isBase64 === true ? fromBase64(value) : value);
    if (carried.format !== undefined) return markFamily(carried.format, carried.value);
    return markFamily(holder.format, redactedNames.has(holder.name) ? `${redactedMark}${value}` : value);
  }
  for (const detail of chatDetails(part)) {
    const { data, signature, format } = detail;
    const value = data ?? signature;
    if (typeof value !== "string" || !isSignatureFormat(format)) continue;
    encoding.take(part, "openai-chat", "reasoning_details");
    const isRedacted = (format === "anthropic-claude-v1" || format === "amazon-bedrock-v1") && data === value;
    return markFamily(format, isRedacted ? `${redactedMark}${value}` : value);
  }
  // The text of the details is that of the part.
  if (chatDetails(part).length > 0) encoding.take(part, "openai-chat", "reasoning_details");
  return undefined;
}

/**
 * Items of reasoning that a client carried for this dialect, out of a part of the history. Reasoning of any other family
 * cannot be used by the provider and is told as a loss.
 */
export function encodeCarriedReasoning(
  part: Part & { type: "reasoning" },
  path: CanonicalPath,
  encoding: Encoding,
): JsonObject[] {
  const details = chatDetails(part);
  if (details.some((detail) => detail["format"] === ownFormat)) return encodeDetails(part, details, path, encoding);
  for (const holder of holders) {
    const value = readHolder(part, holder);
    if (value === undefined) continue;
    const carried = unwrapSignature(holder.isBase64 === true ? fromBase64(value) : value);
    if (carried.format !== ownFormat) continue;
    takeHolder(part, holder, encoding);
    return [reasoningItem(part.content === "" ? [] : [part.content], carried.value)];
  }
  encoding.lose(path, "unsupported", "reasoning of another provider cannot be given to this one", "tuning");
  return [];
}

function markFamily(format: SignatureFormat, value: string): string {
  return format === ownFormat ? value : wrapSignature(format, value);
}

/** One item up to each encrypted entry; text without one is nothing that OpenAI would take. */
function encodeDetails(
  part: Part,
  details: readonly JsonObject[],
  path: CanonicalPath,
  encoding: Encoding,
): JsonObject[] {
  encoding.take(part, "openai-chat", "reasoning_details");
  const items: JsonObject[] = [];
  let texts: string[] = [];
  let isForeign = false;
  for (const detail of details) {
    if (detail["format"] !== ownFormat) {
      isForeign = true;
      continue;
    }
    const text = detail["summary"] ?? detail["text"];
    if (typeof text === "string" && text !== "") texts.push(text);
    const value = detail["data"] ?? detail["signature"];
    if (typeof value !== "string") continue;
    const { id } = detail;
    items.push({ ...(typeof id === "string" && id.startsWith("rs_") ? { id } : {}), ...reasoningItem(texts, value) });
    texts = [];
  }
  if (isForeign || texts.length > 0) {
    encoding.lose(path, "unsupported", "reasoning that this provider did not encrypt cannot be given to it", "tuning");
  }
  return items;
}

function reasoningItem(summary: readonly string[], encrypted: string): JsonObject {
  return {
    type: "reasoning",
    summary: summary.map((text) => ({ type: "summary_text", text })),
    encrypted_content: encrypted,
  };
}

function chatDetails(part: { extensions?: Extensions }): JsonObject[] {
  const details = part.extensions?.["openai-chat"]?.["reasoning_details"];
  return Array.isArray(details) ? (details as unknown[]).filter(isJsonObject) : [];
}

function readHolder(part: { extensions?: Extensions }, { dialect, name, inner }: Holder): string | undefined {
  const held = part.extensions?.[dialect]?.[name];
  const value = inner !== undefined && isJsonObject(held) ? held[inner] : held;
  return typeof value === "string" && value !== "" ? value : undefined;
}

function takeHolder(part: { extensions?: Extensions }, { dialect, name }: Holder, encoding: Encoding): void {
  encoding.take(part, dialect, name);
  // A redacted block's kind, which its value tells.
  if (name === "data") encoding.take(part, dialect, "type");
}

function fromBase64(value: string): string {
  return Buffer.from(value, "base64").toString();
}
