// Room dialects, rerank: errors. Every provider words them as its other calls do, so all shapes of the OpenAI wire are read
// (Cohere's `{message}`, Voyage's and Jina's `{detail}`, Together's, llama.cpp's and vLLM's `{error}`); Cohere's is written, with Voyage's member.

import type { SidecarError } from "../../errors.ts";
import type { JsonObject } from "../json/fields.ts";

export { decodeError } from "../openai-chat/error.ts";

/** Outrider's error as Cohere words it; `id` is Outrider's request id. */
export function encodeError(error: SidecarError, requestId: string): JsonObject {
  return {
    id: requestId,
    message: error.message,
    // Where Voyage's and Jina's clients look for it.
    detail: error.message,
    code: error.code,
    ...(Object.keys(error.details).length === 0 ? {} : { details: error.details }),
  };
}

/** The same as a server-sent event, for a stream that no provider sends. */
export function encodeStreamError(error: SidecarError, requestId: string): string {
  return `data: ${JSON.stringify(encodeError(error, requestId))}\n\n`;
}
