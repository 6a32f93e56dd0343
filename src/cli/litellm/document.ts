// Room cli: LiteLLM's config.yaml from disk, as LiteLLM reads it: YAML 1.1 (`80_000` is a number), the last of two equal keys counts.
// Invariant: an error names line and column but never quotes the file, which may hold keys in plain text.

import { LineCounter, parseDocument } from "yaml";
import { OptionsError } from "../../options.ts";
import { isMapping, readFileBytes } from "../option-file.ts";
import type { Notes } from "./notes.ts";

/**
 * Reads and parses.
 * @throws OptionsError `unreadable`, also for what is no YAML
 */
export function readConfiguration(file: string, notes: Notes): Record<string, unknown> {
  const lines = new LineCounter();
  const text = new TextDecoder("utf-8").decode(readFileBytes(file));
  const document = parseDocument(text, { version: "1.1", prettyErrors: false, lineCounter: lines, merge: true });
  const wrong = (source: string, message: string): OptionsError =>
    new OptionsError([{ source, message }], { unreadable: true });
  for (const { code, pos } of document.errors) {
    const { line, col } = lines.linePos(pos[0]);
    if (code !== "DUPLICATE_KEY") {
      throw wrong(`${file}:${line}:${col}`, `no YAML: ${code.toLowerCase().replaceAll("_", " ")}`);
    }
    notes.add(
      { key: `line ${line}` },
      "a key that stood there before in the same mapping; the later one counts, as for LiteLLM",
    );
  }
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 100 });
  } catch {
    throw wrong(file, "YAML aliases that cannot be resolved, or too many of them");
  }
  if (content === null || content === undefined) return {};
  if (isMapping(content)) return content;
  throw wrong(file, "expected a mapping of keys to values");
}
