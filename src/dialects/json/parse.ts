// Room dialects, json: bytes to one JSON object, with errors that are safe to show.
// Invariant: no message carries content. V8's own messages quote the text, so they are never passed on, nor as `cause`.

import { isUtf8 } from "node:buffer";
import { SidecarError } from "../../errors.ts";
import { isJsonObject, type JsonObject } from "./fields.ts";

/** The JSON object that a frame of a stream holds; undefined for any other text. */
export function readObject(text: string): JsonObject | undefined {
  if (text === "") return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Parses a body that must be one JSON object. Throws `request_malformed`, or `upstream_invalid` for an answer's body,
 * when it is not valid UTF-8, not JSON or no object.
 */
export function parseObject(
  bytes: Buffer,
  code: "request_malformed" | "upstream_invalid" = "request_malformed",
): JsonObject {
  const subject = code === "request_malformed" ? "The request body" : "The provider's answer";
  if (!isUtf8(bytes)) throw new SidecarError(code, `${subject} is not valid UTF-8.`);
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    const position = error instanceof Error ? /at position (\d+)/.exec(error.message)?.[1] : undefined;
    throw new SidecarError(
      code,
      `${subject} is not valid JSON${position === undefined ? "" : ` (character ${position})`}.`,
    );
  }
  if (!isJsonObject(value)) throw new SidecarError(code, `${subject} is not a JSON object.`);
  return value;
}
