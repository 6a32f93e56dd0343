// Room dialects: the opaque values that providers hand out with reasoning (signatures, encrypted and redacted reasoning), as
// canonical parts hold them: in the bag of the dialect they came by, or in the form in which chat clients keep them.
// Invariant: a value is found byte by byte as its family gave it, with the family's name.

import type { Extensions } from "../canonical/index.ts";
import type { DialectId } from "./dialect.ts";
import type { Encoding } from "./encoding.ts";
import { isJsonObject } from "./json/fields.ts";
import { isSignatureFormat, redactedMark, type SignatureFormat, unwrapSignature } from "./signatures.ts";

/** One opaque value. Without `format` nobody knows whose it is; of a chat client's details, `value` may be empty. */
export interface Sealed {
  format?: SignatureFormat;
  value: string;
  /** The value stands in place of the text. */
  isRedacted: boolean;
  /** The text it belongs to, where the source says so. */
  text?: string;
}

/** An opaque value and the extensions that hold it. */
export interface HeldSeal extends Sealed {
  format: SignatureFormat;
  dialect: DialectId;
  names: readonly string[];
}

/** What can hold opaque values: a part, or what a stream told of one. */
type Node = { extensions?: Extensions };

/** Where a dialect keeps an opaque value of a part. */
interface Holder {
  dialect: DialectId;
  /** Of the dialect's own values. */
  format: SignatureFormat;
  /** The member that has it, and those that say no more than that. */
  names: readonly [string, ...string[]];
  /** The member inside, where it is nested. */
  inner?: string;
  /** The wire wants base64: a foreign value stands there as base64 of its marked text. */
  isBase64?: true;
  isRedacted?: true;
}

const holders: readonly Holder[] = [
  { dialect: "anthropic-messages", format: "anthropic-claude-v1", names: ["signature"] },
  { dialect: "anthropic-messages", format: "anthropic-claude-v1", names: ["data", "type"], isRedacted: true },
  { dialect: "gemini-generate-content", format: "google-gemini-v1", names: ["thoughtSignature"], isBase64: true },
  { dialect: "gemini-generate-content", format: "google-gemini-v1", names: ["thought_signature"], isBase64: true },
  { dialect: "bedrock-converse", format: "amazon-bedrock-v1", names: ["reasoningText"], inner: "signature" },
  {
    dialect: "bedrock-converse",
    format: "amazon-bedrock-v1",
    names: ["redactedContent"],
    isBase64: true,
    isRedacted: true,
  },
  { dialect: "openai-responses", format: "openai-responses-v1", names: ["item"], inner: "encrypted_content" },
];

/** The dialects whose parts hold opaque values, but for one's own. */
export function listSealing(own?: DialectId): ReadonlySet<DialectId> {
  return new Set(holders.map(({ dialect }) => dialect).filter((dialect) => dialect !== own));
}

/** Names of the extensions that hold the values of these dialects. */
export function listSealNames(from: ReadonlySet<DialectId>): string[] {
  return holders.filter(({ dialect }) => from.has(dialect)).map(({ names }) => names[0]);
}

/** The opaque values in the bags of these dialects. They are not taken thereby. */
export function findSeals({ extensions }: Node, from: ReadonlySet<DialectId>): HeldSeal[] {
  const seals: HeldSeal[] = [];
  for (const holder of holders) {
    const bag = from.has(holder.dialect) ? extensions?.[holder.dialect] : undefined;
    const held = bag?.[holder.names[0]];
    const value = holder.inner !== undefined && isJsonObject(held) ? held[holder.inner] : held;
    if (typeof value === "string" && value !== "") seals.push(readSeal(value, holder));
  }
  return seals;
}

function readSeal(value: string, { dialect, names, format, isBase64, isRedacted: isPlaceholder }: Holder): HeldSeal {
  const carried = unwrapSignature(isBase64 === true ? Buffer.from(value, "base64").toString() : value);
  if (carried.format === undefined) return { format, value, isRedacted: isPlaceholder === true, dialect, names };
  const isMarked = carried.value.startsWith(redactedMark);
  return {
    format: carried.format,
    value: isMarked ? carried.value.slice(redactedMark.length) : carried.value,
    isRedacted: isPlaceholder === true || isMarked,
    dialect,
    names,
  };
}

/** Takes what a value was found in. */
export function takeSeal(node: Node, { dialect, names }: HeldSeal, encoding: Encoding): void {
  for (const name of names) encoding.take(node, dialect, name);
}

/** The opaque values in the bags of these dialects, all taken. */
export function takeSeals(node: Node, from: ReadonlySet<DialectId>, encoding: Encoding): HeldSeal[] {
  const seals = findSeals(node, from);
  for (const seal of seals) takeSeal(node, seal, encoding);
  return seals;
}

/** OpenRouter's form, in which chat clients keep and give back what belongs to any family. */
export function takeDetails(node: Node, encoding: Encoding): Sealed[] {
  const details = encoding.take(node, "openai-chat", "reasoning_details");
  if (!Array.isArray(details)) return [];
  return details.filter(isJsonObject).map((detail): Sealed => {
    const { type, format, text, summary, signature, data } = detail;
    const isRedacted = type === "reasoning.encrypted";
    const value = isRedacted ? data : signature;
    const words = typeof text === "string" ? text : summary;
    return {
      ...(isSignatureFormat(format) ? { format } : {}),
      value: typeof value === "string" ? value : "",
      isRedacted,
      ...(typeof words === "string" && !isRedacted ? { text: words } : {}),
    };
  });
}

const google: ReadonlySet<DialectId> = new Set(["gemini-generate-content"]);

/** The signature of a text or a tool call, which only Google gives; none, or one. */
export function takeCallSignature(node: Node, encoding: Encoding): Sealed[] {
  const seals = takeSeals(node, google, encoding);
  if (seals.length > 0) return seals;
  const value = takeChatSignature(node, encoding);
  return value === undefined ? [] : [{ format: "google-gemini-v1", value, isRedacted: false }];
}

/** Google's signature of a text or a call where chat clients keep it: as Google's own Chat layer has it. */
export function takeChatSignature(node: Node, encoding: Encoding): string | undefined {
  const extra = node.extensions?.["openai-chat"]?.["extra_content"];
  const own = isJsonObject(extra) ? extra["google"] : undefined;
  const signature = isJsonObject(own) ? own["thought_signature"] : undefined;
  if (typeof signature !== "string") return undefined;
  encoding.take(node, "openai-chat", "extra_content");
  return signature;
}
