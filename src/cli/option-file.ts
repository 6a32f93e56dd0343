// Room cli: an options file from disk to a plain object. YAML 1.2, of which JSON is a part.
// Invariant: an error names line and column but never quotes the file, which may hold a secret in the wrong place.

import { readFileSync } from "node:fs";
import { LineCounter, parseDocument } from "yaml";
import { OptionsError } from "../options.ts";

const maxFileBytes = 8 * 1024 * 1024;

/**
 * Reads and parses. An empty file gives an empty object.
 * @throws OptionsError `unreadable` when the file cannot be read; else with line and column of what is wrong
 */
export function readOptionsFile(file: string): Record<string, unknown> {
  return parseOptionsText(file, readFileBytes(file));
}

/**
 * Parses what `readFileBytes` gave. An empty file gives an empty object.
 * @throws OptionsError with line and column of what is wrong
 */
export function parseOptionsText(file: string, bytes: Buffer): Record<string, unknown> {
  const text = decodeFile(file, bytes);
  const lines = new LineCounter();
  const document = parseDocument(text, { version: "1.2", prettyErrors: false, lineCounter: lines });
  const problems = [...document.errors, ...document.warnings];
  if (problems.length > 0) {
    throw new OptionsError(
      problems.map(({ pos: [start], message }) => {
        const { line, col } = lines.linePos(start);
        return { source: `${file}:${line}:${col}`, message: withoutExcerpt(message) };
      }),
    );
  }
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 100 });
  } catch {
    throw new OptionsError([{ source: file, message: "YAML aliases that cannot be resolved, or too many of them" }]);
  }
  if (content === null || content === undefined) return {};
  if (!isMapping(content)) {
    throw new OptionsError([{ source: file, message: "expected a mapping of keys to values" }]);
  }
  return content;
}

/** A mapping of a parsed document. */
export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * A document's bytes, 8 MiB at the most.
 * @throws OptionsError `unreadable`
 */
export function readFileBytes(file: string): Buffer {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reasons: Record<string, string> = {
      ENOENT: "no such file",
      EACCES: "permission denied",
      EISDIR: "it is a directory",
    };
    const reason = reasons[code ?? ""] ?? code ?? "unknown error";
    throw new OptionsError([{ source: file, message: `cannot be read: ${reason}` }], { unreadable: true });
  }
  if (bytes.length > maxFileBytes) {
    throw new OptionsError([{ source: file, message: `cannot be read: larger than ${maxFileBytes} bytes` }], {
      unreadable: true,
    });
  }
  return bytes;
}

function decodeFile(file: string, bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new OptionsError([{ source: file, message: "cannot be read: not UTF-8" }], { unreadable: true });
  }
}

/** The parser's messages end in the offending text, after a colon or in quotes. */
function withoutExcerpt(message: string): string {
  const [line = ""] = message.split("\n");
  const kept = line.replace(/(["'`]|: ).*$/, "").trim();
  return kept === "Missing closing" ? "Missing closing quote" : kept;
}
