// Room dialects, gemini-generate-content: signatures and encrypted reasoning of any dialect as thought signatures.
// Google's own go to Google byte for byte; to a client, who only keeps them, everybody's go, with a mark of whose they are.
// Invariant: a signature of another family never reaches Google; it stays untaken in its bag and is thereby told.

import { Buffer } from "node:buffer";
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

/** Who is to read what is encoded. */
export type Reader = "provider" | "client";

/** A piece of reasoning with its signature, as it is to stand on the wire. */
export interface SignedThought {
  text: string;
  signature?: string;
}

/** One opaque value, and the names of the extensions that hold it. */
interface Opaque {
  format: SignatureFormat;
  value: string;
  dialect: "anthropic-messages" | "bedrock-converse" | "openai-responses" | "openai-chat";
  names: string[];
}

const google = "google-gemini-v1";

/** The reasoning of a part in pieces: several only where Chat's `reasoning_details` tell of several. */
export function encodeThoughts(
  part: ReasoningPart,
  encoding: Encoding,
  path: CanonicalPath,
  reader: Reader,
): SignedThought[] {
  const details = part.extensions?.["openai-chat"]?.["reasoning_details"];
  if (Array.isArray(details)) return encodeDetails(part, details as unknown[], encoding, path, reader);
  const opaque = findOpaque(part);
  const signature = opaque === undefined ? undefined : writeOpaque(opaque, reader);
  if (opaque === undefined || signature === undefined) return part.content === "" ? [] : [{ text: part.content }];
  for (const name of opaque.names) encoding.take(part, opaque.dialect, name);
  return [{ text: part.content, signature }];
}

/** The signature of a text or a call, which only Google gives. Chat clients keep it as Google's own Chat layer has it. */
export function encodeCallSignature(part: Part, encoding: Encoding): string | undefined {
  const extra = part.extensions?.["openai-chat"]?.["extra_content"];
  const own = isJsonObject(extra) ? extra["google"] : undefined;
  const signature = isJsonObject(own) ? own["thought_signature"] : undefined;
  if (typeof signature !== "string") return undefined;
  encoding.take(part, "openai-chat", "extra_content");
  return signature;
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

function findOpaque(part: Part): Opaque | undefined {
  const anthropic = part.extensions?.["anthropic-messages"];
  if (typeof anthropic?.["signature"] === "string" && anthropic["signature"] !== "") {
    const format = "anthropic-claude-v1";
    return { format, value: anthropic["signature"], dialect: "anthropic-messages", names: ["signature"] };
  }
  if (typeof anthropic?.["data"] === "string") {
    const format = "anthropic-claude-v1";
    const value = markRedacted(anthropic["data"]);
    return { format, value, dialect: "anthropic-messages", names: ["type", "data"] };
  }
  const bedrock = part.extensions?.["bedrock-converse"];
  if (bedrock !== undefined) {
    const format = "amazon-bedrock-v1";
    const nested = bedrock["reasoningText"];
    const signature = isJsonObject(nested) ? nested["signature"] : undefined;
    const dialect = "bedrock-converse";
    if (typeof signature === "string") return { format, value: signature, dialect, names: ["reasoningText"] };
    const redacted = bedrock["redactedContent"];
    if (typeof redacted === "string") {
      // Bytes on that wire: of another family's value, base64 of the marked text.
      const held = Buffer.from(redacted, "base64").toString("utf8");
      const value = unwrapSignature(held).format === undefined ? markRedacted(redacted) : held;
      return { format, value, dialect, names: ["redactedContent"] };
    }
  }
  const item = part.extensions?.["openai-responses"]?.["item"];
  const encrypted = isJsonObject(item) ? item["encrypted_content"] : undefined;
  if (typeof encrypted !== "string") return undefined;
  return { format: "openai-responses-v1", value: encrypted, dialect: "openai-responses", names: ["item"] };
}

/** A thought signature does not tell by itself that a value stands in place of its text. */
function markRedacted(value: string): string {
  return unwrapSignature(value).format === undefined ? `${redactedMark}${value}` : value;
}

function writeOpaque({ format, value }: Opaque, reader: Reader): string | undefined {
  const held = unwrapSignature(value);
  return writeOpaqueValue(held.format ?? format, held.value, reader);
}

/** A thought signature is base64 (its type is `bytes`), so what is not Google's is coded so. */
function writeOpaqueValue(format: SignatureFormat, value: string, reader: Reader): string | undefined {
  if (format === google) return value;
  return reader === "provider" ? undefined : Buffer.from(wrapSignature(format, value), "utf8").toString("base64");
}
