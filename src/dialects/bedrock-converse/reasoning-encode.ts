// Room dialects, bedrock-converse: reasoning of any source as `reasoningContent` blocks, with what its provider sealed.
// Invariant: a sealed value is written byte by byte. To Bedrock goes only what its model can read; to a client everything,
// marked with its family where that is not Bedrock's.

import type { Extensions, ReasoningPart } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import type { JsonObject } from "../json/fields.ts";
import { listSealing, type Sealed, takeDetails, takeSeals } from "../sealed.ts";
import { type SignatureFormat, wrapSignature } from "../signatures.ts";
import { findFamily } from "./model-family.ts";

const ownFormat: SignatureFormat = "amazon-bedrock-v1";
const sealing = listSealing();

/** Takes what any provider or client put beside reasoning, also Bedrock itself. */
export function takeSealed(part: { extensions?: Extensions }, encoding: Encoding): Sealed[] {
  const sealed = [...takeSeals(part, sealing, encoding), ...takeDetails(part, encoding)];
  return sealed.filter(({ value }) => value !== "");
}

/** The blocks of one reasoning part for Bedrock, none where it cannot be used: then that is told. */
export function encodeReasoning(part: ReasoningPart, path: CanonicalPath, encoding: Encoding): JsonObject[] {
  const sealed = takeSealed(part, encoding);
  const usable = sealed.filter(({ format }) => isReadable(format, encoding));
  if (usable.length < Math.max(sealed.length, part.content === "" ? 0 : 1)) {
    encoding.lose(
      path,
      "unsupported",
      "reasoning that this model's provider did not sign cannot be sent to it",
      "tuning",
    );
  }
  return usable.map(({ value, isRedacted, text }) => {
    if (isRedacted) return redactedBlock(value);
    return reasoningBlock(text ?? (usable.length === 1 ? part.content : ""), value);
  });
}

/** Claude's signatures hold on every platform that serves it (general knowledge, not verified). */
function isReadable(format: SignatureFormat | undefined, encoding: Encoding): boolean {
  return format === ownFormat || (format === "anthropic-claude-v1" && findFamily(encoding.model) === "anthropic");
}

/** The blocks of one reasoning part for a client. */
export function encodeReasoningAnswer(part: ReasoningPart, encoding: Encoding): JsonObject[] {
  const sealed = takeSealed(part, encoding);
  const signed = sealed.filter(({ isRedacted }) => !isRedacted);
  const blocks = sealed.map((one) => {
    if (one.isRedacted) return redactedBlock(markedBytes(one));
    return reasoningBlock(one.text ?? (one === signed[0] ? part.content : ""), markedText(one));
  });
  return part.content !== "" && signed.length === 0 ? [reasoningBlock(part.content), ...blocks] : blocks;
}

/** A block of nothing but a sealed value, for what Converse has no place for (Gemini signs its calls). */
export function sealedBlock(sealed: Sealed): JsonObject {
  return sealed.isRedacted ? redactedBlock(markedBytes(sealed)) : reasoningBlock("", markedText(sealed));
}

function reasoningBlock(text: string, signature?: string): JsonObject {
  return { reasoningContent: { reasoningText: { text, ...(signature === undefined ? {} : { signature }) } } };
}

/** The value is base64 already and stays as it is. */
function redactedBlock(value: string): JsonObject {
  return { reasoningContent: { redactedContent: value } };
}

/** A signature as a client of this dialect is to keep it. */
export function markedText({ format, value }: Sealed): string {
  return format === undefined || format === ownFormat ? value : wrapSignature(format, value);
}

/** Redacted reasoning is bytes on this wire: of a foreign value, base64 of the marked text. */
export function markedBytes(sealed: Sealed): string {
  const isOwn = sealed.format === undefined || sealed.format === ownFormat;
  return isOwn ? sealed.value : Buffer.from(markedText(sealed)).toString("base64");
}
