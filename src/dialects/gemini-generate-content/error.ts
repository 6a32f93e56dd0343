// Room dialects, gemini-generate-content: errors, in a body and inside a stream, read and written.
// Invariant: what Outrider writes has the provider's shape and words; Outrider's own code is the reason of an ErrorInfo detail.

import type { ProviderError } from "../../canonical/index.ts";
import type { SidecarError } from "../../errors.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { optional, ownExtensions } from "./schema.ts";

const errorInfoType = "type.googleapis.com/google.rpc.ErrorInfo";
const retryInfoType = "type.googleapis.com/google.rpc.RetryInfo";

/**
 * Reads `{"error":{code,message,status,details}}`, bare or as the one element of an array; undefined for any other shape.
 * `type` is the status word, `code` the reason of the ErrorInfo detail; the details stay.
 */
export function decodeError(body: unknown): ProviderError | undefined {
  const wire: unknown = Array.isArray(body) ? body[0] : body;
  // Asked of every chunk of a stream.
  if (!isJsonObject(wire) || !isJsonObject(wire["error"])) return undefined;
  const fields = new FieldReader(wire);
  const facts = fields.nested("error");
  const message = facts?.string("message");
  if (facts === undefined || message === undefined) return undefined;
  const error: ProviderError = {
    ...optional("type", facts.filledString("status")),
    ...optional("code", readReason(wire["error"])),
    message,
    ...optional("retryAfterMs", readRetryDelay(wire["error"])),
  };
  return { ...error, ...ownExtensions(fields.rest()) };
}

function readReason(facts: JsonObject): string | undefined {
  const reason = findDetail(facts, errorInfoType)?.["reason"];
  return typeof reason === "string" && reason !== "" ? reason : undefined;
}

/** `RetryInfo.retryDelay`, `"22s"` or `"0.5s"` (google/protobuf/duration.proto, JSON form), in milliseconds. */
function readRetryDelay(facts: JsonObject): number | undefined {
  const delay = findDetail(facts, retryInfoType)?.["retryDelay"];
  const seconds = typeof delay === "string" ? /^(\d+(?:\.\d{1,9})?)s$/.exec(delay)?.[1] : undefined;
  return seconds === undefined ? undefined : Math.round(Number(seconds) * 1000);
}

function findDetail({ details }: JsonObject, type: string): JsonObject | undefined {
  if (!Array.isArray(details)) return undefined;
  return (details as unknown[]).filter(isJsonObject).find((detail) => detail["@type"] === type);
}

/** Outrider's error as this API words it; `requestId` is Outrider's own. */
export function encodeError(error: SidecarError, requestId: string): JsonObject {
  const metadata: Record<string, string> = { request_id: requestId };
  for (const [key, value] of Object.entries(error.details)) metadata[key] = String(value);
  return {
    error: {
      code: error.httpStatus,
      message: error.message,
      status: statusWord(error.httpStatus),
      details: [{ "@type": errorInfoType, reason: error.code.toUpperCase(), domain: "outrider", metadata }],
    },
  };
}

/** The same as an event of a stream that already began. Google ends lines with CRLF and names no events. */
export function encodeStreamError(error: SidecarError, requestId: string): string {
  return `data: ${JSON.stringify(encodeError(error, requestId))}\r\n\r\n`;
}

/** Google's word for a status (google/rpc/code.proto, read 2026-11-21); the class of the status where it has none. */
function statusWord(httpStatus: number): string {
  switch (httpStatus) {
    case 401:
      return "UNAUTHENTICATED";
    case 403:
      return "PERMISSION_DENIED";
    case 404:
      return "NOT_FOUND";
    case 408:
    case 504:
      return "DEADLINE_EXCEEDED";
    case 409:
      return "ABORTED";
    case 429:
      return "RESOURCE_EXHAUSTED";
    case 501:
      return "UNIMPLEMENTED";
    case 503:
    case 529:
      return "UNAVAILABLE";
    default:
      return httpStatus >= 400 && httpStatus < 500 ? "INVALID_ARGUMENT" : "INTERNAL";
  }
}
