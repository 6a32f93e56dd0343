// Room dialects, images: what the wire says. OpenAI's image calls, as every compatible provider speaks them
// (openai-node 7.55.0; xAI as recorded; read 2026-11-21).

import { keepUnder } from "../extensions.ts";

/** Id of this dialect, and the key of its bag in `extensions`. */
export const dialectId = "images";

/** The bag of this dialect, or nothing where there is nothing to keep. */
export const ownExtensions = keepUnder(dialectId);

/** The media type of an `output_format` (`png`, `webp`, `jpeg`). */
export function imageMimeType(format: string): string {
  return format.includes("/") ? format : `image/${format}`;
}
