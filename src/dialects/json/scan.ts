// Room dialects, json: one look over a request's raw bytes before anything parses them.
// Refuses what two readers could read differently, and tells where the top-level members we act on lie, for edits in place.
// Invariant: on bytes that parse as JSON the ranges are exact; messages name places, never content.

import { isUtf8 } from "node:buffer";
import { SidecarError } from "../../errors.ts";

/** Top-level members that Outrider reads or edits; each may occur once, in one spelling. */
const guardedKeys = ["model", "stream", "stream_options", "max_tokens", "max_completion_tokens"] as const;

export type GuardedKey = (typeof guardedKeys)[number];

/** Where a member lies: byte offsets, ends exclusive. The value's own bytes are `bytes.subarray(valueStart, valueEnd)`. */
export interface MemberRange {
  keyStart: number;
  valueStart: number;
  valueEnd: number;
}

/** What a scan found. Offsets hold for the scanned bytes only: after an edit, scan again. */
export interface BodyScan {
  /** Offset of the first byte after the opening brace. */
  bodyStart: number;
  isEmpty: boolean;
  members: ReadonlyMap<GuardedKey, MemberRange>;
}

/** Deepest nesting that a request may have; the top-level object is level 1. */
export const maxDepth = 128;

/**
 * Scans a request body. It must still be parsed: other JSON errors inside nested values are the parser's to find.
 * Throws `request_malformed` for a byte order mark, invalid UTF-8, a top level that is no object, nesting past
 * `maxDepth`, a guarded key that occurs twice (also in another case: some providers match keys without it), an
 * unterminated value, and anything after the object.
 */
export function scanBody(bytes: Buffer): BodyScan {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) refuse("begins with a byte order mark", 0);
  if (!isUtf8(bytes)) refuse("is not valid UTF-8", findInvalidUtf8(bytes));
  const members = new Map<GuardedKey, MemberRange>();
  const seen = new Set<GuardedKey>();
  let position = skipSpace(bytes, 0);
  if (bytes[position] !== openBrace) refuse("is not a JSON object", position);
  const bodyStart = position + 1;
  position = skipSpace(bytes, bodyStart);
  const isEmpty = bytes[position] === closeBrace;
  while (bytes[position] !== closeBrace) {
    const keyStart = position;
    if (bytes[keyStart] !== quote) refuse("is not valid JSON: a member name was expected", keyStart);
    const keyEnd = skipString(bytes, keyStart);
    position = skipSpace(bytes, keyEnd);
    if (bytes[position] !== colon) refuse("is not valid JSON: a colon was expected", position);
    const valueStart = skipSpace(bytes, position + 1);
    const valueEnd = skipValue(bytes, valueStart);
    const name = readKey(bytes, keyStart, keyEnd);
    const guarded = guardedByFold.get(foldCase(name));
    if (guarded !== undefined) {
      if (seen.has(guarded)) refuse(`has the member /${guarded} more than once`, keyStart);
      seen.add(guarded);
      if (name === guarded) members.set(guarded, { keyStart, valueStart, valueEnd });
    }
    position = skipSpace(bytes, valueEnd);
    if (bytes[position] === comma) {
      position = skipSpace(bytes, position + 1);
      if (bytes[position] === closeBrace) refuse("is not valid JSON: a member name was expected", position);
    } else if (bytes[position] !== closeBrace) {
      refuse("is not valid JSON: a comma or the end of the object was expected", position);
    }
  }
  const end = skipSpace(bytes, position + 1);
  if (end !== bytes.length) refuse("goes on after its JSON object", end);
  return { bodyStart, isEmpty, members };
}

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const comma = 0x2c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/** Longest guarded key in bytes with room for escapes: `\u0061` for each character. */
const maxGuardedKeyBytes = 2 + 6 * Math.max(...guardedKeys.map((key) => key.length));

const guardedByFold = new Map<string, GuardedKey>(guardedKeys.map((key) => [key, key]));

/** Simple case folding: through upper case first, so that U+017F and U+212A become `s` and `k` as in Go's decoder. */
function foldCase(text: string): string {
  return text.toUpperCase().toLowerCase();
}

function readKey(bytes: Buffer, start: number, end: number): string {
  if (end - start > maxGuardedKeyBytes) return "";
  const text = bytes.toString("utf8", start + 1, end - 1);
  if (!text.includes("\\")) return text;
  try {
    return String(JSON.parse(`"${text}"`));
  } catch {
    return refuse("is not valid JSON: a member name has a bad escape", start);
  }
}

function skipSpace(bytes: Buffer, start: number): number {
  let position = start;
  for (;;) {
    const byte = bytes[position];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return position;
    position++;
  }
}

function skipValue(bytes: Buffer, start: number): number {
  const first = bytes[start];
  if (first === quote) return skipString(bytes, start);
  if (first === openBrace || first === openBracket) return skipContainer(bytes, start);
  let position = start;
  while (position < bytes.length && !isDelimiter(bytes[position])) position++;
  if (position === start) refuse("is not valid JSON: a value was expected", start);
  return position;
}

function isDelimiter(byte: number | undefined): boolean {
  return (
    byte === comma ||
    byte === closeBrace ||
    byte === closeBracket ||
    byte === 0x20 ||
    byte === 0x0a ||
    byte === 0x0d ||
    byte === 0x09
  );
}

function skipContainer(bytes: Buffer, start: number): number {
  let depth = 1;
  let position = start;
  const end = bytes.length;
  while (position < end) {
    const byte = bytes[position] ?? 0;
    if (byte === quote) {
      position = skipString(bytes, position);
      continue;
    }
    position++;
    // Digits, commas, colons and blanks all have lower codes than the brackets.
    if (byte < openBracket) continue;
    if (byte === openBrace || byte === openBracket) {
      depth++;
      if (depth > maxDepth) refuse(`is nested deeper than ${maxDepth} levels`, position - 1);
    } else if (byte === closeBrace || byte === closeBracket) {
      depth--;
      if (depth === 1) return position;
    }
  }
  return refuse("is not valid JSON: a value does not end", start);
}

/** Bytes looked at one by one before a native search pays: most strings are short or full of escapes. */
const shortRunBytes = 32;

/** The offset after the string that opens at `start`. */
function skipString(bytes: Buffer, start: number): number {
  let position = start + 1;
  for (;;) {
    const runEnd = Math.min(position + shortRunBytes, bytes.length);
    while (position < runEnd) {
      const byte = bytes[position];
      if (byte === quote) return position + 1;
      position += byte === backslash ? 2 : 1;
    }
    const found = position < bytes.length ? bytes.indexOf(quote, position) : -1;
    if (found < 0) return refuse("is not valid JSON: a string does not end", start);
    let escapes = found;
    while (escapes > position && bytes[escapes - 1] === backslash) escapes--;
    if ((found - escapes) % 2 === 0) return found + 1;
    position = found + 1;
  }
}

function findInvalidUtf8(bytes: Buffer): number {
  let position = 0;
  while (position < bytes.length) {
    const lead = bytes[position] ?? 0;
    const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (length > 1 && !isUtf8(bytes.subarray(position, position + length))) return position;
    position += length;
  }
  return position;
}

function refuse(what: string, offset: number): never {
  throw new SidecarError("request_malformed", `The request body ${what} (byte ${offset}).`);
}
