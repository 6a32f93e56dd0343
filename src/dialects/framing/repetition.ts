// Room dialects, framing: recognises a frame of text that is the one before it but for a few values, as most frames of a stream are.
// Cutting, parsing and decoding such a frame anew was most of what observing it cost (measured 2026-11-21).
// Invariant: a frame that is recognised holds the JSON of the learned one with other values in its slots alone.

import type { StreamEvent } from "../../canonical/index.ts";

/** A member that may be another in every frame: the text, or what the decoder need not look at. Its value is a string or a count. */
export interface Slot {
  readonly name: string;
  readonly value: unknown;
  /** A count that is the same in most frames. */
  readonly isSteady?: boolean;
}

/** The event of a piece of text. */
export type TextDelta = Extract<StreamEvent, { type: "part_delta" }>;

/** What is said of a frame that cannot be told from its bytes. */
export const notRepeated = -1;

/** What is said of one whose output is counted later. */
export const toldLater = -2;

interface Place {
  /** Which of the slots given. */
  readonly slot: number;
  readonly isString: boolean;
  /** Of the value in the learned frame, a string's quotes left out. */
  readonly start: number;
  end: number;
  /** The same in the frame that was recognised last, and its value where it is a count. */
  valueStart: number;
  valueEnd: number;
  count: number;
}

/** The last frame of text of one stream. Its owner vouches that the same frame once more would be the same event once more. */
export class Repetition {
  #learned: Buffer | undefined;
  /** The frame that was recognised last, or learned. */
  #raw: Buffer | undefined;
  #places: readonly Place[] = [];
  /** Of the places, so many are steady and before all others: with what is around them they are compared at once. */
  #steadyPlaces = 0;
  /** Behind the last slot stand only brackets, among which blanks may be more or fewer (Anthropic's padding, recorded); undefined: not looked yet. */
  #hasLooseEnd: boolean | undefined;
  #told: TextDelta | undefined;

  /**
   * Takes a whole frame, line ends included, as the model of those that follow. Each slot must be the member of that name which the
   * owner read (undefined: it is not there); a frame in which that cannot be told for sure is not taken. `told`: the event of the
   * text in the first slot; undefined where the frame says nothing.
   */
  learn(raw: Buffer, slots: readonly (Slot | undefined)[], told: TextDelta | undefined): void {
    this.#learned = undefined;
    // Any other end may go on in the next chunk.
    const last = raw[raw.length - 1];
    if (last !== lineFeed && last !== closeBrace) return;
    const text = raw.toString("latin1");
    const places: Place[] = [];
    for (let slot = 0; slot < slots.length; slot++) {
      const member = slots[slot];
      if (member === undefined) continue;
      const place = findPlace(raw, text, member, slot);
      if (place === undefined) return;
      let at = places.length;
      for (; at > 0 && (places[at - 1] as Place).start > place.start; at--) places[at] = places[at - 1] as Place;
      places[at] = place;
    }
    if (text.includes("\\") && hasEscapesBeside(text, places)) return;
    let steady = 0;
    while (steady < places.length && slots[(places[steady] as Place).slot]?.isSteady === true) steady++;
    // A copy: the chunk that the frame is part of may be large.
    this.#learned = Buffer.from(raw);
    this.#raw = this.#learned;
    this.#places = places;
    this.#steadyPlaces = steady;
    this.#hasLooseEnd = undefined;
    this.#told = told;
  }

  /** Whether any frame can be recognised: for who must make its bytes first. */
  get isLearned(): boolean {
    return this.#learned !== undefined;
  }

  /** Another frame came: what it changed is not known here. */
  forget(): void {
    this.#learned = undefined;
  }

  /**
   * How many UTF-16 units of text the frame says, where it repeats the learned one: its values can be asked for then.
   * Else `notRepeated`, and nothing is learned any more.
   */
  read(raw: Buffer): number {
    const learned = this.#learned;
    if (learned === undefined) return notRepeated;
    const units = this.#match(learned, raw);
    if (units === notRepeated) this.#learned = undefined;
    else this.#raw = raw;
    return units;
  }

  /** The event of the frame that was recognised last; only of one that said some text. */
  tell(): TextDelta {
    const { choice, part } = this.#told as TextDelta;
    return { type: "part_delta", choice, part, text: this.textOf(0) ?? "" };
  }

  /** The text in a slot of the frame that was recognised last; undefined where that has no such slot. */
  textOf(slot: number): string | undefined {
    const place = this.#placeOf(slot);
    if (place?.isString !== true || this.#raw === undefined) return undefined;
    return decodeString(this.#raw, place.valueStart, place.valueEnd);
  }

  /** The same of a count. */
  countOf(slot: number): number | undefined {
    const place = this.#placeOf(slot);
    return place?.isString === false ? place.count : undefined;
  }

  #placeOf(slot: number): Place | undefined {
    const places = this.#places;
    for (let index = 0; index < places.length; index++) if (places[index]?.slot === slot) return places[index];
    return undefined;
  }

  #match(learned: Buffer, raw: Buffer): number {
    const places = this.#places;
    const steady = this.#steadyPlaces;
    let units = 0;
    let index = 0;
    let at = 0;
    let from = 0;
    if (steady > 0 && areSame(learned, raw, places, steady)) {
      const next = places[steady]?.start ?? (places[steady - 1] as Place).end;
      if (!isSame(learned, 0, next, raw, 0)) return notRepeated;
      index = steady;
      at = next;
      from = next;
    }
    for (; index < places.length; index++) {
      const place = places[index] as Place;
      if (!isSame(learned, from, place.start, raw, at)) return notRepeated;
      at += place.start - from;
      from = place.end;
      place.valueStart = at;
      if (place.isString) {
        const end = findClosingQuote(raw, at);
        if (end === noEnd) return notRepeated;
        place.valueEnd = end < 0 ? -end : end;
        const length = end < 0 ? decodeString(raw, at, -end)?.length : end - at;
        if (length === undefined) return notRepeated;
        if (place.slot === 0 && this.#told !== undefined) units = length;
      } else {
        if (!readCount(raw, place)) return notRepeated;
        if (index < steady && !restate(learned, raw, place)) return notRepeated;
      }
      at = place.valueEnd;
    }
    if (raw.length - at === learned.length - from && isSame(learned, from, learned.length, raw, at)) return units;
    this.#hasLooseEnd ??= looseEnd.test(learned.toString("latin1", from));
    return this.#hasLooseEnd && isSameButBlanks(learned, from, raw, at) ? units : notRepeated;
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
/** No value ends where a frame begins. */
const noEnd = 0;
const looseEnd = /^"?[}\] ]*\n*$/;

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

/** Where a string ends, without its quotes: negative where it has escapes or is not ASCII, and so must be decoded to be counted; 0: nowhere. */
export function findClosingQuote(raw: Buffer, start: number): number {
  let isPlain = true;
  for (let end = start; end < raw.length; end++) {
    const byte = raw[end] as number;
    if (byte === quote) return isPlain ? end : -end;
    if (byte < blank) return noEnd;
    if (byte !== backslash && byte < 0x80) continue;
    isPlain = false;
    if (byte === backslash) end++;
  }
  return noEnd;
}

/** What a string says that stands between these bytes; undefined where its escapes are none. */
export function decodeString(raw: Buffer, start: number, end: number): string | undefined {
  const text = raw.toString("utf8", start, end);
  if (!text.includes("\\")) return text;
  try {
    const value: unknown = JSON.parse(`"${text}"`);
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Reads the count that begins where the place's value does; false where there is none. */
function readCount(raw: Buffer, place: Place): boolean {
  const { valueStart } = place;
  let count = 0;
  let end = valueStart;
  for (; end < raw.length; end++) {
    const digit = (raw[end] as number) - zero;
    if (digit < 0 || digit > 9) break;
    count = count * 10 + digit;
  }
  const digits = end - valueStart;
  // No number begins with a zero but zero itself.
  if (digits === 0 || digits > longestCount || (digits > 1 && raw[valueStart] === zero)) return false;
  place.count = count;
  place.valueEnd = end;
  return true;
}

/** Whether in the first places stand the learned bytes. */
function areSame(learned: Buffer, raw: Buffer, places: readonly Place[], count: number): boolean {
  for (let index = 0; index < count; index++) {
    const { start, end } = places[index] as Place;
    if (!isSame(learned, start, end, raw, start)) return false;
  }
  return true;
}

/** Writes a steady count that changed into the learned frame; false where it does not fit. */
function restate(learned: Buffer, raw: Buffer, { start, end, valueStart, valueEnd }: Place): boolean {
  return valueEnd - valueStart === end - start && raw.copy(learned, start, valueStart, valueEnd) > 0;
}

/** A name in quotes before a colon is a member's, and here the only one of that name: beside the slots there are no escapes. */
function findPlace(raw: Buffer, text: string, { name, value }: Slot, slot: number): Place | undefined {
  let start = findMember(text, name);
  if (start === -1) return undefined;
  start += text[start + 1] === " " ? 2 : 1;
  if (typeof value !== "string") {
    const place: Place = { slot, isString: false, start, end: start, valueStart: start, valueEnd: start, count: 0 };
    if (!readCount(raw, place) || place.count !== value) return undefined;
    place.end = place.valueEnd;
    return place;
  }
  if (text[start++] !== '"') return undefined;
  const closing = findClosingQuote(raw, start);
  const end = closing < 0 ? -closing : closing;
  const isValue =
    closing > 0
      ? end - start === value.length && text.startsWith(value, start)
      : closing < 0 && decodeString(raw, start, end) === value;
  return isValue ? { slot, isString: true, start, end, valueStart: start, valueEnd: end, count: 0 } : undefined;
}

/** Where the colon is behind the one member of this name; -1 where that cannot be told for sure. */
function findMember(text: string, name: string): number {
  let colon = -1;
  for (let found = text.indexOf(name); found !== -1; found = text.indexOf(name, found + 1)) {
    const end = found + name.length;
    if (text[end] !== '"' || text[found - 1] !== '"') continue;
    const next = text[end + 1];
    // A value.
    if (next === "," || next === "}" || next === "]") continue;
    if (next !== ":" || colon !== -1) return -1;
    colon = end + 1;
  }
  return colon;
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
