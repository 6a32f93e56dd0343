// Room dialects, images: request bodies as canonical requests, from JSON or from a form.
// Invariant: what is not understood is kept in `extensions`; a form's numbers and booleans are text there.

import type { InferenceRequest } from "../../canonical/index.ts";
import type { Operation } from "../dialect.ts";
import { FieldReader, type JsonObject } from "../json/fields.ts";
import { readFormBoolean, readFormNumber } from "../multipart.ts";
import { ownExtensions } from "./schema.ts";

/** Decodes a parsed body. The prompt is the one message; images to work on stay in the extensions. */
export function decodeRequest(body: JsonObject, operation: Operation): InferenceRequest {
  const fields = new FieldReader(body);
  const model = fields.string("model") ?? operation.model;
  const user = fields.string("user");
  const prompt = fields.string("prompt");
  const choiceCount = readFormNumber(fields, "n");
  return {
    stream: readFormBoolean(fields, "stream") ?? false,
    messages: prompt === undefined ? [] : [{ role: "user", parts: [{ type: "text", content: prompt }] }],
    ...(model === undefined ? {} : { model }),
    ...(user === undefined ? {} : { user }),
    ...(choiceCount === undefined ? {} : { choiceCount }),
    ...ownExtensions(fields.rest()),
  };
}
