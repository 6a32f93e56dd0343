// Room dialects, framing: recognises a frame of text that is the one before it but for a few values, as most frames of a stream are.
// Cutting, parsing and decoding such a frame anew was most of what observing it cost (measured 2026-11-21).
// Invariant: a frame that is recognised holds the JSON of the learned one with other values in its slots alone.

/** A member that may be another in every frame: the text, or what the decoder need not look at. Its value is a string or a count. */
export interface Slot {
  readonly name: string;
  readonly value: unknown;
  /** Nobody will ask for its value. */
  readonly isIdle?: boolean;
}

interface Place {
  readonly name: string;
  /** Of the value in the learned frame, a string's quotes left out. */
  readonly start: number;
  readonly end: number;
  readonly isString: boolean;
  readonly isIdle: boolean;
}

/** The last frame of text of one stream. Its owner vouches that the same frame once more would be the same event once more. */
export class Repetition {
  #learned: Buffer | undefined;
  #places: readonly Place[] = [];
  /** Behind the last slot stand only brackets, among which blanks may be more or fewer (Anthropic's padding, recorded). */
  #hasLooseEnd = false;
  /** By slot, of the frame that was recognised last. */
  readonly #values: (string | number)[] = [];

  /**
   * Takes a whole frame, line ends included, as the model of those that follow. Each slot must be the member of that name which the
   * owner read; a frame in which that cannot be told for sure is not taken.
   */
  learn(raw: Buffer, slots: readonly Slot[]): void {
    this.#learned = undefined;
    // Any other end may go on in the next chunk.
    const last = raw[raw.length - 1];
    if (last !== lineFeed && last !== closeBrace) return;
    const text = raw.toString("latin1");
    const places: Place[] = [];
    for (const slot of slots) {
      const place = findPlace(raw, text, slot);
      if (place === undefined) return;
      places.push(place);
    }
    places.sort((a, b) => a.start - b.start);
    if (hasEscapesBeside(text, places)) return;
    this.#places = places;
    this.#hasLooseEnd = /^"?[}\] ]*\n*$/.test(text.slice(places.at(-1)?.end));
    // A copy: the chunk that the frame is part of may be large.
    this.#learned = Buffer.from(raw);
  }

  /** Whether any frame can be recognised: for who must make its bytes first. */
  get isLearned(): boolean {
    return this.#learned !== undefined;
  }

  /** Another frame came: what it changed is not known here. */
  forget(): void {
    this.#learned = undefined;
  }

  /** Whether the frame repeats the learned one; `valueOf` tells its values then. If not, nothing is learned any more. */
  matches(raw: Buffer): boolean {
    const learned = this.#learned;
    if (learned === undefined) return false;
    if (this.#read(learned, raw)) return true;
    this.#learned = undefined;
    return false;
  }

  /** The value of a slot in the frame that was recognised last; undefined where it has no such slot. */
  valueOf(name: string): string | number | undefined {
    const places = this.#places;
    for (let index = 0; index < places.length; index++) if (places[index]?.name === name) return this.#values[index];
    return undefined;
  }

  #read(learned: Buffer, raw: Buffer): boolean {
    const places = this.#places;
    let at = 0;
    let from = 0;
    for (let index = 0; index < places.length; index++) {
      const { start, end, isString, isIdle } = places[index] as Place;
      if (!isSame(learned, from, start, raw, at)) return false;
      at += start - from;
      from = end;
      at = isString ? this.#readString(raw, at, isIdle ? -1 : index) : this.#readCount(raw, at, index);
      if (at === -1) return false;
    }
    if (this.#hasLooseEnd) return isSameButBlanks(learned, from, raw, at);
    return raw.length - at === learned.length - from && isSame(learned, from, learned.length, raw, at);
  }

  /** Where a string ends, without its quotes; -1 where none does. `index` is -1 where its value is of no use. */
  #readString(raw: Buffer, start: number, index: number): number {
    let end = start;
    let all = 0;
    let isEscaped = false;
    for (; end < raw.length; end++) {
      const byte = raw[end] as number;
      if (byte === quote) break;
      if (byte < 0x20) return -1;
      all |= byte;
      if (byte !== backslash) continue;
      isEscaped = true;
      end++;
    }
    if (end >= raw.length) return -1;
    if (index === -1 && !isEscaped) return end;
    const value = isEscaped
      ? parseString(raw.toString("utf8", start - 1, end + 1))
      : raw.toString(all > 0x7f ? "utf8" : "latin1", start, end);
    if (value === undefined) return -1;
    if (index !== -1) this.#values[index] = value;
    return end;
  }

  #readCount(raw: Buffer, start: number, index: number): number {
    let value = 0;
    let end = start;
    for (; end < raw.length; end++) {
      const digit = (raw[end] as number) - zero;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    // No number begins with a zero but zero itself.
    if (end === start || end - start > longestCount || (end - start > 1 && raw[start] === zero)) return -1;
    this.#values[index] = value;
    return end;
  }
}

const lineFeed = 0x0a;
const blank = 0x20;
const quote = 0x22;
const zero = 0x30;
const backslash = 0x5c;
const closeBrace = 0x7d;
/** Digits of a count that is exact. */
const longestCount = 15;
/** Bytes from which on a native comparison pays. */
const longRun = 48;

function isSame(learned: Buffer, from: number, to: number, raw: Buffer, at: number): boolean {
  const length = to - from;
  if (at + length > raw.length) return false;
  if (length >= longRun) return raw.compare(learned, from, to, at, at + length) === 0;
  for (let offset = 0; offset < length; offset++) if (raw[at + offset] !== learned[from + offset]) return false;
  return true;
}

function isSameButBlanks(learned: Buffer, from: number, raw: Buffer, at: number): boolean {
  let mine = from;
  let theirs = at;
  let isInLine = true;
  for (;;) {
    // A line of blanks is no blank line.
    if (isInLine) {
      mine = skipBlanks(learned, mine);
      theirs = skipBlanks(raw, theirs);
    }
    if (mine === learned.length || theirs === raw.length) return mine === learned.length && theirs === raw.length;
    if (learned[mine] === lineFeed) isInLine = false;
    if (learned[mine++] !== raw[theirs++]) return false;
  }
}

function skipBlanks(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] === blank) at++;
  return at;
}

function parseString(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A name in quotes before a colon is a member's, and here the only one of that name: beside the slots there are no escapes. */
function findPlace(raw: Buffer, text: string, { name, value, isIdle = false }: Slot): Place | undefined {
  const isString = typeof value === "string";
  if (!isString && !(Number.isSafeInteger(value) && (value as number) >= 0)) return undefined;
  let start = findMember(text, `"${name}"`);
  if (start === -1) return undefined;
  start += text[start + 1] === " " ? 2 : 1;
  if (!isString) {
    const end = start + String(value).length;
    return text.startsWith(String(value), start) ? { name, start, end, isString, isIdle } : undefined;
  }
  const end = findClosingQuote(text, start + 1);
  const isValue = text[start] === '"' && parseString(raw.toString("utf8", start, end + 1)) === value;
  return isValue ? { name, start: start + 1, end, isString, isIdle } : undefined;
}

/** Where the colon is behind the one member of this name; -1 where that cannot be told for sure. */
function findMember(text: string, quotedName: string): number {
  let colon = -1;
  for (let found = text.indexOf(quotedName); found !== -1; found = text.indexOf(quotedName, found + 1)) {
    const end = found + quotedName.length;
    const next = text[end];
    // A value.
    if (next === "," || next === "}" || next === "]") continue;
    if (next !== ":" || colon !== -1) return -1;
    colon = end;
  }
  return colon;
}

/** The text's length where there is none. */
function findClosingQuote(text: string, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return Math.min(at, text.length);
}

/** `places` in order. */
function hasEscapesBeside(text: string, places: readonly Place[]): boolean {
  let from = 0;
  for (const { start, end } of places) {
    if (text.slice(from, start).includes("\\")) return true;
    from = end;
  }
  return text.includes("\\", from);
}
