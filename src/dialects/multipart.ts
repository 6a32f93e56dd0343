// Room dialects: reads the fields of a multipart/form-data body (RFC 7578) that says more than its files do: model, format, language.
// Invariant: pure, never throws, copies no file: of a file only its name, type and size are kept.

import { isJsonObject, type JsonObject } from "./json/fields.ts";

const maxParts = 200;
const maxFieldBytes = 65_536;
const headerEnd = Buffer.from("\r\n\r\n");

/**
 * The parts by name: a field as its text, a file as `{filename, content_type, bytes}`, repeated names as a list of these.
 * Undefined when the body is not what its content type says. Longer fields than 64 KiB and more than 200 parts are left out.
 */
export function parseMultipart(body: Buffer, contentType: string): JsonObject | undefined {
  const boundary = /;\s*boundary=(?:"([^"]{1,200})"|([^\s;]{1,200}))/i.exec(contentType);
  const name = boundary?.[1] ?? boundary?.[2];
  if (name === undefined) return undefined;
  const delimiter = Buffer.from(`--${name}`);
  const parsed: JsonObject = {};
  let start = body.indexOf(delimiter);
  if (start === -1) return undefined;
  for (let count = 0; count < maxParts; count++) {
    const partStart = start + delimiter.length;
    const end = body.indexOf(delimiter, partStart);
    if (end === -1) return parsed;
    addPart(parsed, body.subarray(partStart, end));
    start = end;
  }
  return parsed;
}

function addPart(parsed: JsonObject, part: Buffer): void {
  const cut = part.indexOf(headerEnd);
  if (cut === -1) return;
  const headers = part.toString("latin1", 0, Math.min(cut, maxFieldBytes));
  const name = parameter(headers, "name");
  if (name === undefined || name === "__proto__") return;
  // Each part ends with the line break before the next boundary.
  const content = part.subarray(cut + headerEnd.length, part.length - 2);
  const filename = parameter(headers, "filename");
  const value = filename === undefined ? fieldValue(content) : describeFile(headers, filename, content.length);
  if (value === undefined) return;
  const earlier = parsed[name];
  if (Array.isArray(earlier)) earlier.push(value);
  else parsed[name] = earlier === undefined ? value : [earlier, value];
}

function parameter(headers: string, name: string): string | undefined {
  const found = new RegExp(`;\\s*${name}="([^"\\r\\n]*)"`, "i").exec(headers);
  return found?.[1] === undefined ? undefined : Buffer.from(found[1], "latin1").toString("utf8");
}

function fieldValue(content: Buffer): string | undefined {
  return content.length > maxFieldBytes ? undefined : content.toString("utf8");
}

function describeFile(headers: string, filename: string, bytes: number): JsonObject {
  const type = /^content-type:\s*([^\r\n;]+)/im.exec(headers)?.[1];
  return { filename, ...(type === undefined ? {} : { content_type: type.trim() }), bytes };
}

/** Whether a parsed field is a file's description. */
export function isFileField(value: unknown): value is { filename: string; content_type?: string; bytes: number } {
  return isJsonObject(value) && typeof value["filename"] === "string" && typeof value["bytes"] === "number";
}
