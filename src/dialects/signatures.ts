// Room dialects: opaque reasoning of one provider family (signatures, encrypted reasoning) inside a field of another family's dialect.
// A client keeps it there without knowing and hands it back; the mark in front says whose it is.
// Invariant: unwrapping gives the value byte by byte; what carries no mark is the dialect's own.

/** Whose opaque reasoning it is, in the words of `reasoning_details[].format` (OpenRouter's reference, read 2026-11-21). */
export type SignatureFormat = "anthropic-claude-v1" | "google-gemini-v1" | "openai-responses-v1" | "amazon-bedrock-v1";

const formats = new Set<string>([
  "anthropic-claude-v1",
  "google-gemini-v1",
  "openai-responses-v1",
  "amazon-bedrock-v1",
] satisfies SignatureFormat[]);

const mark = "outrider:";

/** `outrider:<format>:<value>`: how a foreign value stands in a dialect's own field. */
export function wrapSignature(format: SignatureFormat, value: string): string {
  return `${mark}${format}:${value}`;
}

/** The value as its family gave it. `format` is absent where the value has no mark: it is the own of the dialect that carried it. */
export function unwrapSignature(value: string): { format?: SignatureFormat; value: string } {
  if (!value.startsWith(mark)) return { value };
  const end = value.indexOf(":", mark.length);
  const format = value.slice(mark.length, Math.max(end, mark.length));
  return isSignatureFormat(format) ? { format, value: value.slice(end + 1) } : { value };
}

/** Whether a word names a family whose values may be carried. */
export function isSignatureFormat(word: unknown): word is SignatureFormat {
  return typeof word === "string" && formats.has(word);
}

/**
 * In front of the data of a redacted thinking block (Anthropic's, Bedrock's), where its family's value stands in a field for
 * signatures: `outrider:anthropic-claude-v1:redacted:<data>`. Elsewhere the kind of the field tells the two apart.
 */
export const redactedMark = "redacted:";
