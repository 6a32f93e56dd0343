// Room dialects, rerank: what the wire says. Cohere's rerank call (v1 and v2) and those made after it: Jina, Voyage,
// Together, llama.cpp, vLLM (Cohere, Voyage and llama.cpp as recorded, the others by their API references; read 2026-11-21).

import { keepUnder } from "../extensions.ts";

/** Id of this dialect, and the key of its bag in `extensions`. */
export const dialectId = "rerank";

/** The bag of this dialect, or nothing where there is nothing to keep. */
export const ownExtensions = keepUnder(dialectId);
