// Room proxy: the lines of an HTTP/1.1 head, read and written strictly (RFC 9112 §5).
// Invariant: one way to read a line, or none: no folding, no bare CR or LF, no blank before the colon.

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// What no head may hold: controls but the tab, DEL, and a CR or LF that is not one half of a line's end. Heads are read as
// latin1, so there is no character above U+00FF.
const notInHead = /[^\t\r\n\x20-\x7e\x80-\xff]|\r(?!\n)|(?<!\r)\n/;
const notInValue = /[^\t\x20-\x7e\x80-\xff]/;

/** Header names as received, to lower case; the same few come again and again. */
const lowerNames = new Map<string, string>();
const maxLowerNames = 1024;
/** Characters; names that come again are shorter. */
const longestKept = 40;

/** The lower case of a valid header name, else undefined. */
export function toLowerName(name: string): string | undefined {
  const known = lowerNames.get(name);
  if (known !== undefined) return known;
  if (!token.test(name)) return undefined;
  if (lowerNames.size >= maxLowerNames || name.length > longestKept) return name.toLowerCase();
  // A slice of a head keeps the whole head in memory, with the credentials in it: what stays here is a copy.
  const copy = Buffer.from(name, "latin1").toString("latin1");
  const lower = copy.toLowerCase();
  lowerNames.set(copy, lower);
  return lower;
}

/** Takes one field; false: the head is not to be read further. */
export type TakeField = (rawName: string, lowerName: string, value: string) => boolean;

/** Whether a head's text, each line with its CRLF, holds nothing that no head may hold. */
export function isCleanHead(text: string): boolean {
  return !notInHead.test(text);
}

/** Reads the fields from `start` to the end of a clean head's text; false when one cannot be read or was not taken. */
export function readFields(text: string, start: number, take: TakeField): boolean {
  let position = start;
  while (position < text.length) {
    const end = text.indexOf("\r\n", position);
    const colon = text.indexOf(":", position);
    if (colon === -1 || colon > end) return false;
    const rawName = text.slice(position, colon);
    const name = toLowerName(rawName);
    if (name === undefined || !take(rawName, name, trimBlanks(text, colon + 1, end))) return false;
    position = end + 2;
  }
  return true;
}

/** One line of a head. @throws TypeError for a name or value that would split or end it. */
export function writeField(name: string, value: string): string {
  if (toLowerName(name) === undefined || notInValue.test(value)) {
    throw new TypeError(`header ${JSON.stringify(name.slice(0, 64))} holds a character that no header may hold`);
  }
  return `${name}: ${value}\r\n`;
}

/** Without the spaces and tabs around it (RFC 9110 §5.5); `trim` would take other blanks too. */
function trimBlanks(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}
