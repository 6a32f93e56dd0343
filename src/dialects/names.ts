// Room dialects: tool names and call ids that a provider would refuse, made into ones that it takes.
// Invariant: the same name gives the same safe one, so that a call and its result still belong together, and different
// names stay different.

import { createHash } from "node:crypto";

/** What Anthropic and Bedrock allow in tool names and call ids, and OpenAI in tool names: up to 64 of these. */
const safePattern = /^[A-Za-z0-9_-]+$/;

const defaultMax = 64;

/** Hexadecimal digits of the hash that tells shortened names apart. */
const hashLength = 8;

/**
 * A tool-call id of 1 to `max` letters, digits, `_` and `-`: the id itself where it is one already, else its allowed
 * characters and a hash of the whole. `max` is more than 9.
 */
export function safeId(id: string, max: number = defaultMax): string {
  if (id.length <= max && safePattern.test(id)) return id;
  const hash = createHash("sha256").update(id).digest("hex").slice(0, hashLength);
  const kept = id.replaceAll(/[^A-Za-z0-9_-]/gu, "_").slice(0, max - hashLength - 1);
  return `${kept}_${hash}`;
}

/** A tool name by the same rule, with the same limits. */
export function safeName(name: string, max: number = defaultMax): string {
  return safeId(name, max);
}
