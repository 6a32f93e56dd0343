// Room dialects, audio: what the wire says. OpenAI's speech, transcription and translation calls, as every compatible
// provider speaks them (openai-node 7.55.0; Mistral, OpenRouter and Venice as recorded; read 2026-11-21).

import { keepUnder } from "../extensions.ts";

/** Id of this dialect, and the key of its bag in `extensions`. */
export const dialectId = "audio";

/** The bag of this dialect, or nothing where there is nothing to keep. */
export const ownExtensions = keepUnder(dialectId);
