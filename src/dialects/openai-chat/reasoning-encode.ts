// Room dialects, openai-chat: reasoning of other families on this wire, and the opaque values that belong to it.
// Toward a client they travel in `reasoning_details` (OpenRouter's form), byte by byte; a provider is never given another family's.

import type { Extensions, Part } from "../../canonical/index.ts";
import type { DialectId } from "../dialect.ts";
import type { Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import type { SignatureFormat } from "../signatures.ts";

/** An opaque value of one part: a signature stands beside a text, an encrypted value in place of it. */
export interface Opaque {
  kind: "signature" | "encrypted";
  format: SignatureFormat;
  value: string;
  /** Of the item that it belongs to (Responses). */
  id?: string;
}

/** Takes the opaque value of a part, of whatever family; undefined where it has none. */
export function takeOpaque(part: { extensions?: Extensions }, encoding: Encoding): Opaque | undefined {
  return (
    takeAnthropic(part, encoding) ??
    takeGoogle(part, encoding) ??
    takeAmazon(part, encoding) ??
    takeItem(part, encoding)
  );
}

type Node = Pick<Part, "extensions">;

function takeAnthropic(part: Node, encoding: Encoding): Opaque | undefined {
  const dialect: DialectId = "anthropic-messages";
  const bag = part.extensions?.[dialect];
  if (bag?.["type"] === "redacted_thinking") {
    encoding.take(part, dialect, "type");
    return opaque("encrypted", "anthropic-claude-v1", encoding.take(part, dialect, "data"));
  }
  return opaque("signature", "anthropic-claude-v1", encoding.take(part, dialect, "signature"));
}

function takeGoogle(part: Node, encoding: Encoding): Opaque | undefined {
  const dialect: DialectId = "gemini-generate-content";
  const value = encoding.take(part, dialect, "thoughtSignature") ?? encoding.take(part, dialect, "thought_signature");
  return opaque("signature", "google-gemini-v1", value);
}

function takeAmazon(part: Node, encoding: Encoding): Opaque | undefined {
  const dialect: DialectId = "bedrock-converse";
  const text = encoding.take(part, dialect, "reasoningText");
  const signature = isJsonObject(text) ? opaque("signature", "amazon-bedrock-v1", text["signature"]) : undefined;
  return signature ?? opaque("encrypted", "amazon-bedrock-v1", encoding.take(part, dialect, "redactedContent"));
}

function takeItem(part: Node, encoding: Encoding): Opaque | undefined {
  const item = part.extensions?.["openai-responses"]?.["item"];
  if (!isJsonObject(item)) return undefined;
  const found = opaque("encrypted", "openai-responses-v1", item["encrypted_content"]);
  if (found === undefined) return undefined;
  encoding.take(part, "openai-responses", "item");
  return typeof item["id"] === "string" ? { ...found, id: item["id"] } : found;
}

function opaque(kind: Opaque["kind"], format: SignatureFormat, value: unknown): Opaque | undefined {
  return typeof value === "string" && value !== "" ? { kind, format, value } : undefined;
}

/** Families whose reasoning is signed block by block: a client must be able to hand back each block's text with its signature. */
const signingDialects: ReadonlyMap<string, SignatureFormat> = new Map([
  ["anthropic-messages", "anthropic-claude-v1"],
  ["bedrock-invoke", "anthropic-claude-v1"],
  ["bedrock-converse", "amazon-bedrock-v1"],
]);

/** The entry that holds a piece of reasoning text; undefined for families whose signatures stand apart from texts. */
export function reasoningTextDetail(text: string, index: number, encoding: Encoding): JsonObject | undefined {
  if (encoding.source === "openai-responses" && text !== "") {
    return { type: "reasoning.summary", summary: text, format: "openai-responses-v1", index };
  }
  const format = signingDialects.get(encoding.source);
  if (format === undefined || text === "") return undefined;
  return { type: "reasoning.text", text, format, index };
}

/** The entry of an opaque value; with the text of its block where the answer is whole. */
export function opaqueDetail({ kind, format, value, id }: Opaque, index: number, text?: string): JsonObject {
  if (kind === "encrypted") {
    return { type: "reasoning.encrypted", data: value, format, index, ...(id === undefined ? {} : { id }) };
  }
  return {
    type: "reasoning.text",
    ...(text === undefined || text === "" ? {} : { text }),
    signature: value,
    format,
    index,
  };
}
