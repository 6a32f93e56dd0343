// Room dialects, embeddings: what the wire says. OpenAI's embeddings call, as every compatible provider speaks it
// (openai-node 7.55.0; Voyage, Perplexity, llama.cpp and others as recorded; read 2026-11-21).

import { keepUnder } from "../extensions.ts";

/** Id of this dialect, and the key of its bag in `extensions`. */
export const dialectId = "embeddings";

/** The bag of this dialect, or nothing where there is nothing to keep. */
export const ownExtensions = keepUnder(dialectId);
