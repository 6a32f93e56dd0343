// Room dialects, anthropic-messages: reasoning of any source as thinking blocks, with what its provider sealed.
// Invariant: a sealed value is written byte by byte. To a provider goes only what is Anthropic's; to a client everything,
// marked with its family where it is not Anthropic's.

import type { ReasoningPart } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import type { JsonObject } from "../json/fields.ts";
import { listSealing, type Sealed, takeDetails, takeSeals } from "../sealed.ts";
import { unwrapSignature, wrapSignature } from "../signatures.ts";
import { dialectId } from "./schema.ts";

/** Whether blocks go to a provider (`request`) or to a client (`answer`). */
export type Direction = "request" | "answer";

const ownFormat = "anthropic-claude-v1";
const foreign = listSealing(dialectId);

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

/** Takes what a foreign provider or client put beside reasoning: signatures, encrypted and redacted reasoning. */
export function takeSealed(part: ReasoningPart, encoding: Encoding): Sealed[] {
  encoding.take(part, "openai-responses", "type");
  encoding.take(part, "openai-responses", "item");
  return [...takeSeals(part, foreign, encoding), ...takeDetails(part, encoding)];
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
