// Room dialects, gemini-generate-content: signatures and encrypted reasoning of any dialect as thought signatures.
// Google's own go to Google byte for byte; to a client, who only keeps them, everybody's go, with a mark of whose they are.
// Invariant: a signature of another family never reaches Google; it stays untaken in its bag and is thereby told.

import { Buffer } from "node:buffer";
import type { ReasoningPart } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { findSeals, type HeldSeal, listSealing, takeSeal } from "../sealed.ts";
import { isSignatureFormat, redactedMark, type SignatureFormat, wrapSignature } from "../signatures.ts";
import { dialectId } from "./schema.ts";

/** Who is to read what is encoded. */
export type Reader = "provider" | "client";

/** A piece of reasoning with its signature, as it is to stand on the wire. */
export interface SignedThought {
  text: string;
  signature?: string;
}

const google = "google-gemini-v1";
const foreign = listSealing(dialectId);

/** The reasoning of a part in pieces: several only where Chat's `reasoning_details` tell of several. */
export function encodeThoughts(
  part: ReasoningPart,
  encoding: Encoding,
  path: CanonicalPath,
  reader: Reader,
): SignedThought[] {
  const details = part.extensions?.["openai-chat"]?.["reasoning_details"];
  if (Array.isArray(details)) return encodeDetails(part, details as unknown[], encoding, path, reader);
  const [seal] = findSeals(part, foreign);
  const signature = seal === undefined ? undefined : writeSeal(seal, reader);
  if (seal === undefined || signature === undefined) return part.content === "" ? [] : [{ text: part.content }];
  takeSeal(part, seal, encoding);
  return [{ text: part.content, signature }];
}

function encodeDetails(
  part: ReasoningPart,
  details: readonly unknown[],
  encoding: Encoding,
  path: CanonicalPath,
  reader: Reader,
): SignedThought[] {
  encoding.take(part, "openai-chat", "reasoning_details");
  const thoughts: SignedThought[] = [];
  for (const [place, detail] of details.entries()) {
    if (!isJsonObject(detail)) continue;
    const text = textOf(detail);
    const value = detail["signature"] ?? detail["data"];
    const format = isSignatureFormat(detail["format"]) ? detail["format"] : undefined;
    const signature =
      typeof value !== "string" || format === undefined ? undefined : writeOpaqueValue(format, value, reader);
    if (typeof value === "string" && signature === undefined) {
      const at = [...path, "reasoning_details", place];
      encoding.lose(at, "unsupported", "reasoning that another provider signed is of no use to this one", "tuning");
    }
    if (signature !== undefined) thoughts.push({ text, signature });
    else if (text !== "") thoughts.push({ text });
  }
  // The details are whole only if they say what the text beside them says.
  const told = thoughts.map(({ text }) => text).join("");
  if (told === part.content || part.content === "") return thoughts;
  const signed = thoughts.flatMap(({ signature }) => (signature === undefined ? [] : [{ text: "", signature }]));
  return [{ text: part.content }, ...signed];
}

function textOf(detail: JsonObject): string {
  const text = detail["text"] ?? detail["summary"];
  return typeof text === "string" ? text : "";
}

/** A thought signature does not tell by itself that a value stands in place of its text. */
function writeSeal({ format, value, isRedacted }: HeldSeal, reader: Reader): string | undefined {
  return writeOpaqueValue(format, isRedacted && format !== google ? `${redactedMark}${value}` : value, reader);
}

/** A thought signature is base64 (its type is `bytes`), so what is not Google's is coded so. */
function writeOpaqueValue(format: SignatureFormat, value: string, reader: Reader): string | undefined {
  if (format === google) return value;
  return reader === "provider" ? undefined : Buffer.from(wrapSignature(format, value), "utf8").toString("base64");
}
