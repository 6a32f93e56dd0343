// Room dialects, openai-responses: errors, in a body and inside a stream. Bodies are those of chat completions.
// Invariant: what is written carries no content, only the message of a SidecarError and its details.

import type { ProviderError } from "../../canonical/index.ts";
import type { SidecarError } from "../../errors.ts";
import { FieldReader, type JsonObject } from "../json/fields.ts";
import { decodeError } from "../openai-chat/error.ts";
import { optional, ownExtensions } from "./schema.ts";

export { decodeError, encodeError } from "../openai-chat/error.ts";

/**
 * Reads the body of an `error` event: `{type:"error",code,message,param,sequence_number}`, or with the three inside
 * `error` (OpenAI, recorded). The event alone is an error, also when its body cannot be read.
 */
export function decodeStreamError(body: JsonObject | undefined): ProviderError {
  const missing = "the provider ended the stream with an error it did not describe";
  if (body === undefined) return { message: missing };
  if (body["error"] !== undefined && body["error"] !== null) {
    const nested = decodeError(body);
    if (nested !== undefined) return nested;
  }
  const fields = new FieldReader(body);
  const code = typeof body["code"] === "number" ? String(body["code"]) : fields.filledString("code");
  const message = fields.filledString("message");
  fields.skip("type", "sequence_number", ...(code === undefined ? [] : ["code"]));
  fields.skipNull("code", "param", "message", "error");
  return { message: message ?? missing, ...optional("code", code), ...ownExtensions(fields.rest()) };
}

/**
 * Outrider's error as an `error` event. `sequence_number` is 0 because the number of the last event is not known here; the
 * official SDKs read none (openai-node 7.55.0).
 */
export function encodeStreamError(error: SidecarError, requestId: string): string {
  const body = {
    type: "error",
    code: error.code,
    message: error.message,
    param: null,
    sequence_number: 0,
    request_id: requestId,
    ...(Object.keys(error.details).length === 0 ? {} : { details: error.details }),
  };
  return `event: error\ndata: ${JSON.stringify(body)}\n\n`;
}
