// Room dialects, openai-chat: errors, both ways. Reads every error shape seen from OpenAI-compatible providers, writes OpenAI's.
// Invariant: what is written carries no content, only the message of a SidecarError and its details.

import type { ProviderError } from "../../canonical/index.ts";
import type { SidecarError } from "../../errors.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { ownExtensions } from "./schema.ts";

/**
 * Decodes an error body; undefined when it is none. Shapes: `{error:{message,type,param,code}}` (OpenAI),
 * `[{error:…}]` (Google's compatible endpoint), `{error:"text"}` (Venice), `{detail}` (FastAPI servers),
 * `{message,type,code}` (Mistral, vLLM), `{base_resp:{status_code,status_msg}}` with a 200 (MiniMax).
 */
export function decodeError(body: unknown): ProviderError | undefined {
  if (Array.isArray(body)) return body.length === 1 ? decodeError(body[0]) : undefined;
  if (!isJsonObject(body)) return undefined;
  const { error, detail } = body;
  if (isJsonObject(error)) return decodeErrorObject(error);
  if (typeof error === "string" && error !== "") return { message: error, ...codeOf(body["code"]) };
  if (isJsonObject(body["base_resp"])) return decodeBaseResponse(body["base_resp"]);
  if ("choices" in body || "data" in body) return undefined;
  if (typeof detail === "string") return { message: detail };
  if (isJsonObject(detail)) return decodeError({ error: detail });
  if (Array.isArray(detail)) return { message: detail.map(validationMessage).join("; "), ...ownExtensions({ detail }) };
  return typeof body["message"] === "string" ? decodeErrorObject(body) : undefined;
}

/**
 * Outrider's error as an OpenAI error body. `type` follows the status, `code` is the SidecarError's code; `request_id`
 * is Outrider's own.
 */
export function encodeError(error: SidecarError, requestId: string): JsonObject {
  return {
    error: {
      message: error.message,
      type: errorType(error.httpStatus),
      param: null,
      code: error.code,
      request_id: requestId,
      ...(Object.keys(error.details).length === 0 ? {} : { details: error.details }),
    },
  };
}

/** The same as one frame of a stream, without `[DONE]`: the official SDKs throw on it (openai-node 7.55.0, openai-python 3.22.1). */
export function encodeStreamError(error: SidecarError, requestId: string): string {
  return `data: ${JSON.stringify(encodeError(error, requestId))}\n\n`;
}

function errorType(httpStatus: number): string {
  if (httpStatus === 401) return "authentication_error";
  if (httpStatus === 429) return "rate_limit_error";
  return httpStatus >= 500 || httpStatus === 0 ? "server_error" : "invalid_request_error";
}

function decodeErrorObject(error: JsonObject): ProviderError {
  const fields = new FieldReader(error);
  const message = fields.string("message") ?? "";
  const type = fields.filledString("type");
  const code = codeOf(error["code"]);
  fields.skipNull("type", "code", "param");
  if (code.code !== undefined) fields.skip("code");
  return { message, ...(type === undefined ? {} : { type }), ...code, ...ownExtensions(fields.rest()) };
}

/** Codes are words at OpenAI and numbers at OpenRouter, llama.cpp and others. */
function codeOf(code: unknown): { code?: string } {
  if (typeof code === "number") return { code: String(code) };
  return typeof code === "string" && code !== "" ? { code } : {};
}

function decodeBaseResponse(response: JsonObject): ProviderError | undefined {
  const code = response["status_code"];
  if (typeof code !== "number" || code === 0) return undefined;
  const message = response["status_msg"];
  return { message: typeof message === "string" ? message : "", code: String(code) };
}

/** FastAPI's validation errors: `{loc, msg, type}`. */
function validationMessage(item: unknown): string {
  if (!isJsonObject(item) || typeof item["msg"] !== "string") return "";
  const place = Array.isArray(item["loc"]) ? item["loc"].filter((step) => typeof step !== "object").join(".") : "";
  return place === "" ? item["msg"] : `${place}: ${item["msg"]}`;
}
