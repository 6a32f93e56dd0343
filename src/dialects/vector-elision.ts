// Room dialects: answers of embeddings without their numbers, for whoever wants their facts alone: parsing thousands of numbers is nearly all
// that reading such an answer costs. Every long list of numbers becomes its length, by looking for quotes and brackets alone.
// Invariant: all else is parsed as it would have been. The numbers themselves are not checked: of a list that is broken in itself (`[1,,2]`)
// nobody will know.

import { isJsonObject } from "./json/fields.ts";

/** Shorter ones stay: they cost little, and they are no vectors. */
const shortestText = 100;

const beginsWithNumber = /^\s*-?\d/;

/**
 * The text of a JSON answer with its long lists of numbers left out. In place of each stands what `measureNumbers` knows; null in place of those
 * that follow one of the same member, because of such lists only the first is ever measured. What is no JSON comes back as none.
 */
export function elideVectors(text: string): string {
  let elided = "";
  let copiedTo = 0;
  let quote = text.indexOf('"');
  let open = text.indexOf("[");
  let close = -1;
  let nameStart = 0;
  let nameEnd = 0;
  let lastName: string | undefined;
  while (open !== -1) {
    if (quote !== -1 && quote < open) {
      nameStart = quote;
      nameEnd = endString(text, quote);
      if (nameEnd === -1) return text;
      quote = text.indexOf('"', nameEnd + 1);
      if (open < nameEnd) open = text.indexOf("[", nameEnd + 1);
      continue;
    }
    const nextOpen = text.indexOf("[", open + 1);
    if (close < open) close = text.indexOf("]", open);
    if (close === -1) return text;
    const holdsOther = (quote !== -1 && quote < close) || (nextOpen !== -1 && nextOpen < close);
    // The answer itself is no vector, even where it is a list.
    const mayBeVector = !holdsOther && nameEnd > 0 && close - open > shortestText;
    if (mayBeVector && isNumbers(text.slice(open + 1, close))) {
      const name = text.slice(nameStart, nameEnd);
      elided += text.slice(copiedTo, open);
      elided += name === lastName ? "null" : `{"numbers":${countItems(text, open, close)}}`;
      lastName = name;
      copiedTo = close + 1;
    }
    open = nextOpen;
  }
  return copiedTo === 0 ? text : elided + text.slice(copiedTo);
}

/** Length of a list, or of one that was left out; undefined for what is neither. */
export function measureNumbers(value: unknown): number | undefined {
  if (Array.isArray(value)) return value.length;
  const length = isJsonObject(value) ? value["numbers"] : undefined;
  return typeof length === "number" ? length : undefined;
}

/** Where the string ends that begins at `start`: its closing quote; -1 where it has none. */
function endString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text[end - 1 - backslashes] === "\\") backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
  return -1;
}

/** Of what is within a list without strings and lists: no object, and none of `null true false NaN Infinity` (each has one of the letters). */
function isNumbers(list: string): boolean {
  return (
    beginsWithNumber.test(list) &&
    !list.includes("{") &&
    !list.includes("}") &&
    !list.includes(":") &&
    !list.includes("n") &&
    !list.includes("t") &&
    !list.includes("a")
  );
}

function countItems(text: string, open: number, close: number): number {
  let count = 1;
  // No number is shorter than a digit.
  for (let comma = text.indexOf(",", open); comma !== -1 && comma < close; comma = text.indexOf(",", comma + 2)) {
    count += 1;
  }
  return count;
}
