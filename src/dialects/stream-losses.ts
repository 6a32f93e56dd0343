// Room dialects: what a streamed answer says in its source's own words and the target has no place for.
// Invariant: each place is told once in a stream, however often it comes.

import type { Extensions, LossReason } from "../canonical/index.ts";
import type { CanonicalPath, Encoding } from "./encoding.ts";
import { isStructure } from "./structure.ts";

/** Tells the losses of one stream. */
export class StreamLosses {
  readonly #encoding: Encoding;
  readonly #told = new Set<string>();

  constructor(encoding: Encoding) {
    this.#encoding = encoding;
  }

  /** Tells a loss, unless one of that place was told before. */
  lose(path: CanonicalPath, reason: LossReason, detail: string): void {
    const key = path.join("/");
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#encoding.lose(path, reason, detail);
  }

  /** Tells the foreign extensions of one node, but for the names that were carried. */
  loseExtensions(path: CanonicalPath, extensions: Extensions | undefined, ...carried: string[]): void {
    for (const dialect in extensions) {
      if (dialect === this.#encoding.target) continue;
      const bag = extensions[dialect] ?? {};
      for (const name in bag) {
        if (bag[name] === null || carried.includes(name) || isStructure(dialect, name, bag[name])) continue;
        this.lose([...path, name], "unsupported", `${this.#encoding.target} has no place for ${name}`);
      }
    }
  }
}
