// Room dialects, ollama-chat: errors, in a body and as a line of a stream, read and written.
// Invariant: what Outrider writes has the provider's shape; Outrider's own code stands beside the text.

import type { ProviderError } from "../../canonical/index.ts";
import type { SidecarError } from "../../errors.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { ownExtensions } from "./schema.ts";

/** Reads `{"error":"text"}`; undefined for any other shape. An object with a message is what the compatible calls say. */
export function decodeError(body: unknown): ProviderError | undefined {
  if (!isJsonObject(body)) return undefined;
  const fields = new FieldReader(body);
  const facts = fields.nested("error");
  const message = fields.filledString("error") ?? facts?.string("message");
  if (message === undefined) return undefined;
  const type = facts?.filledString("type");
  return { ...(type === undefined ? {} : { type }), message, ...ownExtensions(fields.rest()) };
}

/** Outrider's error as this API words it; `request_id` is Outrider's own. */
export function encodeError(error: SidecarError, requestId: string): JsonObject {
  return {
    error: error.message,
    code: error.code,
    request_id: requestId,
    ...(Object.keys(error.details).length === 0 ? {} : { details: error.details }),
  };
}

/** The same as a line of a stream that already began: ollama-js 0.6.4 throws on it. No `done` follows. */
export function encodeStreamError(error: SidecarError, requestId: string): string {
  return `${JSON.stringify(encodeError(error, requestId))}\n`;
}
