// Room dialects, bedrock-converse: errors of Bedrock's runtime, in a body and inside a stream, read and written.
// Shared with bedrock-invoke. Invariant: what Outrider writes has the provider's shape and words; its own code stands beside.

import type { ProviderError } from "../../canonical/index.ts";
import type { SidecarError } from "../../errors.ts";
import type { Frame, HeaderLookup } from "../dialect.ts";
import { encodeAwsMessage } from "../framing/aws-eventstream.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { readObject } from "../json/parse.ts";
import { optional, ownExtensions } from "./schema.ts";

/**
 * Reads `{"message"}`; undefined for any other shape. The type is the body's `__type`, or else the header
 * `x-amzn-errortype`, without what surrounds the word (`ValidationException:http://…`, recorded).
 */
export function decodeError(body: unknown, header?: HeaderLookup): ProviderError | undefined {
  if (!isJsonObject(body)) return undefined;
  const fields = new FieldReader(body);
  // Gateways in front of the models write it with a capital.
  const message = fields.string("message") ?? fields.string("Message");
  if (message === undefined) return undefined;
  const type = fields.string("__type") ?? header?.("x-amzn-errortype");
  return {
    ...optional("type", type === undefined ? undefined : bareType(type)),
    ...optional("code", fields.string("code")),
    message,
    ...ownExtensions(fields.rest()),
  };
}

/** Reads a message of the type exception or error; the message alone is an error, also when it cannot be read. */
export function decodeException(frame: Frame): ProviderError {
  const body = readObject(frame.data);
  const stated = decodeError(body);
  const type = frame.event === undefined ? undefined : bareType(frame.event);
  const undescribed = frame.data === "" || body !== undefined;
  const message = undescribed ? "the provider ended the stream with an error it did not describe" : frame.data;
  return { message, ...(stated ?? ownExtensions(body)), ...optional("type", type ?? stated?.type) };
}

/** Outrider's error as Bedrock words it; `requestId` is Outrider's own. */
export function encodeError(error: SidecarError, requestId: string): JsonObject {
  return { ...describe(error, requestId), __type: exceptionName(error.httpStatus) };
}

/** The same as an exception message of a stream that already began. */
export function encodeStreamError(error: SidecarError, requestId: string): Buffer {
  return encodeAwsMessage(
    {
      ":exception-type": streamExceptionName(error.httpStatus),
      ":content-type": "application/json",
      ":message-type": "exception",
    },
    JSON.stringify(describe(error, requestId)),
  );
}

function describe(error: SidecarError, requestId: string): JsonObject {
  return {
    message: error.message,
    code: error.code,
    request_id: requestId,
    ...(Object.keys(error.details).length === 0 ? {} : { details: error.details }),
  };
}

const maxTypeLength = 64;

/** The word alone, as the API reference writes it; streams begin it in lower case (`throttlingException`). */
function bareType(type: string): string {
  const word = (type.split(":", 1)[0] ?? "").replace(/^.*#/, "").slice(0, maxTypeLength);
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}

/** Bedrock's exception for a status (API reference of the Bedrock runtime, read 2026-11-21). */
function exceptionName(httpStatus: number): string {
  switch (httpStatus) {
    case 401:
    case 403:
      return "AccessDeniedException";
    case 404:
      return "ResourceNotFoundException";
    case 408:
    case 504:
      return "ModelTimeoutException";
    case 429:
      return "ThrottlingException";
    case 503:
      return "ServiceUnavailableException";
    default:
      return httpStatus >= 400 && httpStatus < 500 ? "ValidationException" : "InternalServerException";
  }
}

/** A stream knows five exceptions only; an SDK makes an unknown error of any other. */
function streamExceptionName(httpStatus: number): string {
  switch (httpStatus) {
    case 429:
      return "throttlingException";
    case 502:
    case 504:
      return "modelStreamErrorException";
    case 503:
      return "serviceUnavailableException";
    default:
      return httpStatus >= 400 && httpStatus < 500 ? "validationException" : "internalServerException";
  }
}
