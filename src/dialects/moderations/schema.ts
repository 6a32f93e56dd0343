// Room dialects, moderations: what the wire says. OpenAI's moderation call and Mistral's of the same shape
// (openai-node 7.55.0, mistralai 2.7.0, read 2026-11-21).

import { keepUnder } from "../extensions.ts";

/** Id of this dialect, and the key of its bag in `extensions`. */
export const dialectId = "moderations";

/** The bag of this dialect, or nothing where there is nothing to keep. */
export const ownExtensions = keepUnder(dialectId);
