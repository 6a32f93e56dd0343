// Room dialects, openai-responses: reasoning that is opaque (signed, encrypted), to a provider and to a client.
// Invariant: a value reaches only the family that made it, byte by byte; another family's travels with a client under its mark.

import type { Extensions, Part } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { findSeals, listSealing, listSealNames, takeSeal } from "../sealed.ts";
import { isSignatureFormat, redactedMark, type SignatureFormat, wrapSignature } from "../signatures.ts";
import { dialectId } from "./schema.ts";

/** How this dialect's own values are called elsewhere. */
const ownFormat = "openai-responses-v1";

const foreign = listSealing(dialectId);

/** Names of the extensions that `takeForeignSignature` reads. */
export const signatureNames: readonly string[] = [...listSealNames(foreign), "reasoning_details"];

/** Opaque reasoning of one part as an answer's item carries it to the client: marked with its family; undefined for none. */
export function takeForeignSignature(part: { extensions?: Extensions }, encoding: Encoding): string | undefined {
  const [seal] = findSeals(part, foreign);
  if (seal !== undefined) {
    takeSeal(part, seal, encoding);
    return markFamily(seal.format, seal.isRedacted ? `${redactedMark}${seal.value}` : seal.value);
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
  const seal = findSeals(part, foreign).find(({ format }) => format === ownFormat);
  if (seal !== undefined) {
    takeSeal(part, seal, encoding);
    return [reasoningItem(part.content === "" ? [] : [part.content], seal.value)];
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
