// Room policy: bytes to plain values. YAML 1.2, of which JSON is a part. Pure; also runs in a thread of its own (parse-thread.ts).
// Invariant: nothing that a text holds makes it throw, and no issue quotes the text.

import { LineCounter, parseDocument } from "yaml";
import type { PolicyIssue } from "./issue.ts";
import { maxDocumentBytes } from "./source.ts";

/** A mapping, or why there is none. */
export type ParsedText = { raw: Record<string, unknown> } | { issues: PolicyIssue[] };

const maxIssues = 50;

/** Parses a whole document. */
export function parseText(bytes: Uint8Array): ParsedText {
  if (bytes.length > maxDocumentBytes) return { issues: [{ message: `larger than ${maxDocumentBytes} bytes` }] };
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return { issues: [{ message: "not UTF-8" }] };
  }
  try {
    const json = looksLikeJson(text) ? parseJson(text) : undefined;
    return json === undefined ? parseYaml(text) : toMapping(json);
  } catch (error) {
    const isDeep = error instanceof RangeError;
    const message = isDeep ? "nested too deeply" : "YAML aliases that cannot be resolved, or too many of them";
    return { issues: [{ message }] };
  }
}

/** Whether the text is likely to be JSON, which parses far faster than YAML. */
export function looksLikeJson(text: string): boolean {
  return /^\s*\{/.test(text);
}

/** Undefined when it is none: YAML's flow form starts alike. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof RangeError) throw error;
    return undefined;
  }
}

function parseYaml(text: string): ParsedText {
  const lines = new LineCounter();
  const document = parseDocument(text, { version: "1.2", prettyErrors: false, lineCounter: lines });
  const problems = [...document.errors, ...document.warnings];
  if (problems.length === 0) return toMapping(document.toJS({ maxAliasCount: 100 }));
  return {
    issues: problems.slice(0, maxIssues).map(({ pos: [start], code }) => {
      const { line, col } = lines.linePos(start);
      // The parser's own message may quote the text.
      return { path: `${line}:${col}`, message: `no YAML: ${code.toLowerCase().replaceAll("_", " ")}` };
    }),
  };
}

function toMapping(content: unknown): ParsedText {
  if (typeof content === "object" && content !== null && !Array.isArray(content)) {
    return { raw: content as Record<string, unknown> };
  }
  // An empty file is what a writer that was cut short leaves.
  const isEmpty = content === null || content === undefined;
  return { issues: [{ message: isEmpty ? "empty" : "expected a mapping of keys to values" }] };
}
