// Room dialects, cohere-chat: errors, in a body and inside a stream, read and written.
// Invariant: what Outrider writes has the provider's shape; Outrider's own code stands beside the message.

import type { ProviderError } from "../../canonical/index.ts";
import type { SidecarError } from "../../errors.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { ownExtensions } from "./schema.ts";

/** Reads `{"id", "message"}`; undefined for any other shape. An answer has no text of the name `message`. */
export function decodeError(body: unknown): ProviderError | undefined {
  if (!isJsonObject(body)) return undefined;
  const fields = new FieldReader(body);
  const message = fields.string("message");
  return message === undefined ? undefined : { message, ...ownExtensions(fields.rest()) };
}

/** Outrider's error as this API words it; `id` is Outrider's request id. */
export function encodeError(error: SidecarError, requestId: string): JsonObject {
  return { id: requestId, ...encodeFacts(error) };
}

/** The same as the v2 stream says it: a `message-end` whose finish reason is ERROR. v1 has no frame that both its framings read. */
export function encodeStreamError(error: SidecarError, requestId: string): string {
  const { message, ...facts } = encodeFacts(error);
  const event = {
    id: requestId,
    type: "message-end",
    delta: { finish_reason: "ERROR", error: message, ...facts },
  };
  return `event: message-end\ndata: ${JSON.stringify(event)}\n\n`;
}

function encodeFacts(error: SidecarError): JsonObject {
  return {
    message: error.message,
    code: error.code,
    ...(Object.keys(error.details).length === 0 ? {} : { details: error.details }),
  };
}
