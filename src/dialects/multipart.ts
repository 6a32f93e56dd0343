// Room dialects: reads the fields of a multipart/form-data body (RFC 7578) that says more than its files do: model, format, language.
// Invariant: pure, never throws, copies no file: of a file only its name, type and size are kept. Work is linear in the body.

import { type FieldReader, isJsonObject, type JsonObject } from "./json/fields.ts";

const maxParts = 200;
const maxFieldBytes = 65_536;
const maxHeaderBytes = 8192;
const headerEnd = Buffer.from("\r\n\r\n");

/** What is kept of a file. */
export interface FileField extends JsonObject {
  filename: string;
  content_type?: string;
  /** Its size. */
  bytes: number;
}

/**
 * The parts by name: a field as its text, a file as `{filename, content_type, bytes}`, repeated names as a list of these.
 * Undefined when the body is not what its content type says. Longer fields than 64 KiB and more than 200 parts are left
 * out, and so is a last part whose end did not come.
 */
export function parseMultipart(body: Buffer, contentType: string): JsonObject | undefined {
  const boundary = readParameters(contentType).get("boundary");
  if (boundary === undefined || boundary === "") return undefined;
  const delimiter = Buffer.from(`--${boundary}`, "latin1");
  let found = findDelimiter(body, delimiter, 0);
  if (found === undefined) return undefined;
  const parts = new Map<string, unknown>();
  for (let count = 0; count < maxParts && !found.isLast; count++) {
    const next = findDelimiter(body, delimiter, found.after);
    if (next === undefined) break;
    addPart(parts, body.subarray(found.after, next.before));
    found = next;
  }
  return Object.fromEntries(parts);
}

/** A boundary's line: where the content before it ends, where the next part's headers begin, and whether it is the closing one. */
interface Delimiter {
  before: number;
  after: number;
  isLast: boolean;
}

const [tab, lineFeed, carriageReturn, space, dash] = [9, 10, 13, 32, 45];

/** The first line from `from` on that is the delimiter and nothing else; the same bytes inside a line are content. */
function findDelimiter(body: Buffer, delimiter: Buffer, from: number): Delimiter | undefined {
  for (let at = body.indexOf(delimiter, from); at !== -1; at = body.indexOf(delimiter, at + 1)) {
    const startsLine = at === 0 || (at >= 2 && body[at - 1] === lineFeed && body[at - 2] === carriageReturn);
    if (!startsLine) continue;
    let end = at + delimiter.length;
    // The line break before the delimiter is its own; a part without any content has none to give.
    const before = Math.max(from, at - 2);
    if (body[end] === dash && body[end + 1] === dash) return { before, after: end + 2, isLast: true };
    while (body[end] === space || body[end] === tab) end += 1;
    if (body[end] === carriageReturn && body[end + 1] === lineFeed) return { before, after: end + 2, isLast: false };
  }
  return undefined;
}

function addPart(parts: Map<string, unknown>, part: Buffer): void {
  // A blank line first: no headers, and what follows only looks like some.
  if (part[0] === carriageReturn) return;
  const cut = part.subarray(0, maxHeaderBytes).indexOf(headerEnd);
  if (cut === -1) return;
  const headers = readHeaders(part.toString("latin1", 0, cut));
  const disposition = readParameters(headers.get("content-disposition") ?? "");
  const name = disposition.get("name");
  if (name === undefined || name === "__proto__") return;
  const content = part.subarray(cut + headerEnd.length);
  const filename = disposition.get("filename");
  const value =
    filename === undefined ? fieldText(content) : describeFile(filename, headers.get("content-type"), content.length);
  if (value === undefined) return;
  const earlier = parts.get(name);
  if (Array.isArray(earlier)) earlier.push(value);
  else parts.set(name, earlier === undefined ? value : [earlier, value]);
}

function readHeaders(text: string): Map<string, string> {
  const headers = new Map<string, string>();
  for (const line of text.split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return headers;
}

// `name=token`, `name="quoted"` or `name*=charset'language'percent-encoded`; sticky, so that nothing inside quotes is taken for one.
const parameterPattern = /[ \t]*([\w!#$%&'+.^`|~-]+)(\*?)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^;"\s]*))/sy;

/** The parameters of a header, by lower-case name. The form of RFC 5987 wins over the plain one (RFC 6266 §4.3). */
function readParameters(header: string): Map<string, string> {
  const parameters = new Map<string, string>();
  const extended = new Set<string>();
  const text = header.slice(0, maxHeaderBytes);
  for (let at = text.indexOf(";"); at !== -1;) {
    parameterPattern.lastIndex = at + 1;
    const match = parameterPattern.exec(text);
    at = text.indexOf(";", match === null ? at + 1 : parameterPattern.lastIndex);
    const [, rawName = "", star, quoted, token = ""] = match ?? [];
    const name = rawName.toLowerCase();
    if (star === "*") {
      const value = decodeExtended(token);
      if (value === undefined) continue;
      extended.add(name);
      parameters.set(name, value);
    } else if (name !== "" && !extended.has(name)) {
      parameters.set(name, fromUtf8(quoted === undefined ? token : unquote(quoted)));
    }
  }
  return parameters;
}

/** Only a backslash before a quote or another one escapes: Windows paths have bare ones. */
const unquote = (text: string): string => text.replaceAll(/\\(["\\])/g, "$1");

/** Headers are read as latin1; their bytes are UTF-8 (RFC 7578 §5.1). */
const fromUtf8 = (text: string): string => Buffer.from(text, "latin1").toString("utf8");

function decodeExtended(value: string): string | undefined {
  const encoded = /^utf-8'[^']*'(.*)$/i.exec(value)?.[1];
  if (encoded === undefined) return undefined;
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}

function fieldText(content: Buffer): string | undefined {
  return content.length > maxFieldBytes ? undefined : content.toString("utf8");
}

function describeFile(filename: string, contentType: string | undefined, bytes: number): FileField {
  const type = contentType?.split(";", 1)[0]?.trim();
  return { filename, ...(type === undefined || type === "" ? {} : { content_type: type }), bytes };
}

/** Whether a parsed field is a file's description. */
export function isFileField(value: unknown): value is FileField {
  return isJsonObject(value) && typeof value["filename"] === "string" && typeof value["bytes"] === "number";
}

/** A number that is one in JSON, and text in a form. */
export function readFormNumber(fields: FieldReader, key: string): number | undefined {
  const number = fields.number(key);
  if (number !== undefined) return number;
  const text = fields.string(key);
  if (text !== undefined && /^-?\d{1,15}(?:\.\d{1,15})?$/.test(text)) return Number(text);
  if (text !== undefined) fields.putBack(key);
  return undefined;
}

/** A boolean that is one in JSON, and text in a form. */
export function readFormBoolean(fields: FieldReader, key: string): boolean | undefined {
  const boolean = fields.boolean(key);
  if (boolean !== undefined) return boolean;
  const text = fields.string(key);
  if (text === "true" || text === "false") return text === "true";
  if (text !== undefined) fields.putBack(key);
  return undefined;
}
