// Room dialects, anthropic-messages: errors, in a body and inside a stream, read and written.
// Invariant: what Outrider writes has the provider's shape and words; Outrider's own code stands beside them in `error.code`.

import type { ProviderError } from "../../canonical/index.ts";
import type { SidecarError } from "../../errors.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { optional, ownExtensions } from "./schema.ts";

/** Reads `{"type":"error","error":{type,message},"request_id"}`; undefined for any other shape. */
export function decodeError(body: unknown): ProviderError | undefined {
  if (!isJsonObject(body)) return undefined;
  const fields = new FieldReader(body);
  const facts = fields.nested("error");
  const message = facts?.string("message");
  if (facts === undefined || message === undefined) return undefined;
  if (body["type"] === "error") fields.skip("type");
  const error: ProviderError = {
    ...optional("type", facts.string("type")),
    // Newer answers carry `details.error_code` (SDK 1.11.0); compatible servers, a `code` beside the message.
    ...optional("code", facts.nested("details")?.string("error_code") ?? facts.string("code")),
    message,
  };
  return { ...error, ...ownExtensions(fields.rest()) };
}

/** Reads the body of an `event: error`; the event alone is an error, also when its body cannot be read. */
export function decodeStreamError(body: JsonObject | undefined): ProviderError {
  return (
    decodeError(body) ?? {
      message: "the provider ended the stream with an error it did not describe",
      ...ownExtensions(body),
    }
  );
}

/** Outrider's error as this API words it; `requestId` is Outrider's own. */
export function encodeError(error: SidecarError, requestId: string): JsonObject {
  return {
    type: "error",
    error: {
      type: errorWord(error.httpStatus),
      message: error.message,
      code: error.code,
      ...(Object.keys(error.details).length === 0 ? {} : { details: error.details }),
    },
    request_id: requestId,
  };
}

/** The same as a frame of a stream that already began; no `message_stop` follows. */
export function encodeStreamError(error: SidecarError, requestId: string): string {
  return `event: error\ndata: ${JSON.stringify(encodeError(error, requestId))}\n\n`;
}

/** The API's own words for errors (error reference of the API, read 2026-11-21). */
export const errorWords: ReadonlySet<string> = new Set([
  "invalid_request_error",
  "authentication_error",
  "billing_error",
  "permission_error",
  "not_found_error",
  "rate_limit_error",
  "timeout_error",
  "api_error",
  "overloaded_error",
]);

/** Anthropic's word for a status (error reference of the API, read 2026-11-21); the class of the status where it has none. */
function errorWord(httpStatus: number): string {
  switch (httpStatus) {
    case 401:
      return "authentication_error";
    case 402:
      return "billing_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 408:
    case 504:
      return "timeout_error";
    case 429:
      return "rate_limit_error";
    case 503:
    case 529:
      return "overloaded_error";
    default:
      return httpStatus >= 400 && httpStatus < 500 ? "invalid_request_error" : "api_error";
  }
}
