// Room dialects, openai-chat: reasoning of other families on this wire, and the opaque values that belong to it.
// Toward a client they travel in `reasoning_details` (OpenRouter's form), byte by byte; a provider is never given another family's.

import type { Extensions } from "../../canonical/index.ts";
import type { Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { listSealing, takeSeals } from "../sealed.ts";
import type { SignatureFormat } from "../signatures.ts";

/** An opaque value of one part: a signature stands beside a text, an encrypted value in place of it. */
export interface Opaque {
  kind: "signature" | "encrypted";
  format: SignatureFormat;
  value: string;
  /** Of the item that it belongs to (Responses). */
  id?: string;
}

const sealing = listSealing();

/** Takes the opaque value of a part, of whatever family; undefined where it has none. */
export function takeOpaque(part: { extensions?: Extensions }, encoding: Encoding): Opaque | undefined {
  const [seal] = takeSeals(part, sealing, encoding);
  if (seal === undefined) return undefined;
  const { format, value, isRedacted, dialect } = seal;
  if (dialect !== "openai-responses") return { kind: isRedacted ? "encrypted" : "signature", format, value };
  const item = part.extensions?.[dialect]?.["item"];
  const id = isJsonObject(item) ? item["id"] : undefined;
  return { kind: "encrypted", format, value, ...(typeof id === "string" ? { id } : {}) };
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
