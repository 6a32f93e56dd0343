// Room dialects, bedrock-converse: the opaque values that any family hands out with its reasoning, as canonical parts hold them.
// Invariant: a value is found byte by byte as its family gave it, with the family's name, and is thereby taken.

import type { Extensions } from "../../canonical/index.ts";
import type { Encoding } from "../encoding.ts";
import { isJsonObject } from "../json/fields.ts";
import { isSignatureFormat, redactedMark, type SignatureFormat, unwrapSignature } from "../signatures.ts";

/** One opaque value. Without `format` nobody knows whose it is. */
export interface Sealed {
  format?: SignatureFormat;
  value: string;
  /** The value stands in place of the text. */
  isRedacted: boolean;
  /** The text it belongs to, where the source says so. */
  text?: string;
}

type Node = { extensions?: Extensions };

/** Takes what a foreign provider or client put beside a part; empty where it is nothing. */
export function takeSealed(part: Node, encoding: Encoding): Sealed[] {
  return [
    ...takeOwn(part, encoding),
    ...takeAnthropic(part, encoding),
    ...takeGemini(part, encoding),
    ...takeItem(part, encoding),
    ...takeDetails(part, encoding),
  ];
}

/** The signature of a tool call, which only Google gives; chat clients keep it in `extra_content`. */
export function takeCallSignature(part: Node, encoding: Encoding): Sealed[] {
  const extra = part.extensions?.["openai-chat"]?.["extra_content"];
  const google = isJsonObject(extra) ? extra["google"] : undefined;
  const value = isJsonObject(google) ? google["thought_signature"] : undefined;
  if (typeof value !== "string") return takeGemini(part, encoding);
  encoding.take(part, "openai-chat", "extra_content");
  return [{ format: "google-gemini-v1", value, isRedacted: false }];
}

/** What Bedrock itself gave, or a client of this dialect gave back: then it may be of any family. */
function takeOwn(part: Node, encoding: Encoding): Sealed[] {
  const bag = "bedrock-converse";
  const holder = encoding.take(part, bag, "reasoningText");
  const signature = isJsonObject(holder) ? holder["signature"] : undefined;
  if (typeof signature === "string" && signature !== "") return [readMarked(signature, "amazon-bedrock-v1")];
  const redacted = encoding.take(part, bag, "redactedContent");
  return typeof redacted === "string" ? [{ format: "amazon-bedrock-v1", value: redacted, isRedacted: true }] : [];
}

function takeAnthropic(part: Node, encoding: Encoding): Sealed[] {
  const bag = "anthropic-messages";
  if (part.extensions?.[bag]?.["type"] === "redacted_thinking") {
    encoding.take(part, bag, "type");
    const data = encoding.take(part, bag, "data");
    if (typeof data !== "string") return [];
    return [{ ...readMarked(data, "anthropic-claude-v1"), isRedacted: true }];
  }
  const signature = encoding.take(part, bag, "signature");
  return typeof signature === "string" && signature !== "" ? [readMarked(signature, "anthropic-claude-v1")] : [];
}

function takeGemini(part: Node, encoding: Encoding): Sealed[] {
  const bag = "gemini-generate-content";
  const value = encoding.take(part, bag, "thoughtSignature") ?? encoding.take(part, bag, "thought_signature");
  if (typeof value !== "string" || value === "") return [];
  // Gemini's field is base64: of a foreign value, base64 of the marked text.
  const carried = Buffer.from(value, "base64").toString();
  if (unwrapSignature(carried).format !== undefined) return [readMarked(carried, "google-gemini-v1")];
  return [{ format: "google-gemini-v1", value, isRedacted: false }];
}

function takeItem(part: Node, encoding: Encoding): Sealed[] {
  const held = part.extensions?.["openai-responses"]?.["item"];
  const value = isJsonObject(held) ? held["encrypted_content"] : undefined;
  if (typeof value !== "string" || value === "") return [];
  encoding.take(part, "openai-responses", "item");
  return [readMarked(value, "openai-responses-v1")];
}

/** OpenRouter's form, in which chat clients keep and give back what belongs to any family. */
function takeDetails(part: Node, encoding: Encoding): Sealed[] {
  const details = encoding.take(part, "openai-chat", "reasoning_details");
  if (!Array.isArray(details)) return [];
  return details.filter(isJsonObject).flatMap((detail): Sealed[] => {
    const { type, format, text, summary, signature, data } = detail;
    const isRedacted = type === "reasoning.encrypted";
    const value = isRedacted ? data : signature;
    const words = typeof text === "string" ? text : summary;
    if (typeof value !== "string" || value === "") return [];
    return [
      {
        ...(isSignatureFormat(format) ? { format } : {}),
        value,
        isRedacted,
        ...(typeof words === "string" && !isRedacted ? { text: words } : {}),
      },
    ];
  });
}

/** A value that may carry the mark of another family than the field's own. */
function readMarked(carried: string, own: SignatureFormat): Sealed {
  const { format = own, value } = unwrapSignature(carried);
  const isRedacted = format !== own && value.startsWith(redactedMark);
  return { format, value: isRedacted ? value.slice(redactedMark.length) : value, isRedacted };
}
