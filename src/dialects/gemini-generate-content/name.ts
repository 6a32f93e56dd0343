// Room dialects, gemini-generate-content: names of functions as Google takes them.
// Invariant: the same name is written the same in declarations, calls, results and choices.

import type { CanonicalPath, Encoding } from "../encoding.ts";
import { safeName } from "../names.ts";

/** A letter or an underscore, then letters, digits and `_ . : -`, 64 in all (Gemini API reference of FunctionDeclaration, read 2026-11-21). */
const taken = /^[A-Za-z_][A-Za-z0-9_.:-]{0,63}$/;

/** The name that goes on the wire; a changed one is told. */
export function encodeName(name: string, encoding: Encoding, path: CanonicalPath): string {
  if (taken.test(name)) return name;
  encoding.lose(path, "approximated", "Google does not take this name: it is changed the same way everywhere");
  return writableName(name);
}

/** The same without a word about it, for a name whose change was told elsewhere. */
export function writableName(name: string): string {
  if (taken.test(name)) return name;
  const safe = safeName(name, 63);
  return taken.test(safe) ? safe : `_${safe}`;
}
