// Room dialects, embeddings: what the wire says. OpenAI's embeddings call, as every compatible provider speaks it
// (openai-node 7.55.0; Voyage, Perplexity, llama.cpp and others as recorded; read 2026-11-21).

import type { Extensions } from "../../canonical/index.ts";
import type { JsonObject } from "../json/fields.ts";

/** Id of this dialect, and the key of its bag in `extensions`. */
export const dialectId = "embeddings";

/** The bag of this dialect, or nothing where there is nothing to keep. */
export function ownExtensions(bag: JsonObject | undefined): { extensions?: Extensions } {
  return bag === undefined ? {} : { extensions: { [dialectId]: bag } };
}
