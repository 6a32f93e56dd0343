// Room dialects, rerank: what the wire says. Cohere's rerank call (v1 and v2) and those made after it: Jina, Voyage,
// Together, llama.cpp, vLLM (Cohere, Voyage and llama.cpp as recorded, the others by their API references; read 2026-11-21).

import type { Extensions } from "../../canonical/index.ts";
import type { JsonObject } from "../json/fields.ts";

/** Id of this dialect, and the key of its bag in `extensions`. */
export const dialectId = "rerank";

/** The bag of this dialect, or nothing where there is nothing to keep. */
export function ownExtensions(...bags: (JsonObject | undefined)[]): { extensions?: Extensions } {
  const kept = bags.filter((bag) => bag !== undefined);
  return kept.length === 0 ? {} : { extensions: { [dialectId]: Object.assign({}, ...kept) as JsonObject } };
}
