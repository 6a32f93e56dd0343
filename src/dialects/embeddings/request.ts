// Room dialects, embeddings: request bodies as canonical requests.
// Invariant: the texts themselves become messages, one per input; every field not understood is kept in `extensions`.

import type { InferenceRequest, Message, Part } from "../../canonical/index.ts";
import type { Operation } from "../dialect.ts";
import { FieldReader, isNumber, type JsonObject } from "../json/fields.ts";
import { dialectId, ownExtensions } from "./schema.ts";

/** Decodes the parsed body. Both OpenAI's `dimensions` and Voyage's `output_dimension` say how long a vector should be. */
export function decodeRequest(body: JsonObject, operation: Operation): InferenceRequest {
  const fields = new FieldReader(body);
  const model = fields.string("model") ?? operation.model;
  const user = fields.string("user");
  const inputs = decodeInputs(fields);
  const dimensions = fields.number("dimensions") ?? fields.number("output_dimension");
  const format = fields.string("encoding_format");
  return {
    stream: false,
    messages: inputs ?? [],
    embedding: {
      ...(inputs === undefined ? {} : { inputCount: inputs.length }),
      ...(dimensions === undefined ? {} : { dimensions }),
      ...(format === undefined ? {} : { encodingFormats: [format] }),
    },
    ...(model === undefined ? {} : { model }),
    ...(user === undefined ? {} : { user }),
    ...ownExtensions(fields.rest()),
  };
}

/** One text, one list of token numbers, or a list of either. */
function decodeInputs(fields: FieldReader): Message[] | undefined {
  const text = fields.string("input");
  if (text !== undefined) return [userMessage({ type: "text", content: text })];
  const list = fields.array("input");
  if (list === undefined) return undefined;
  if (list.length > 0 && list.every(isNumber)) return [userMessage(wholePart("tokens", list))];
  return list.map((item) =>
    userMessage(
      typeof item === "string"
        ? { type: "text", content: item }
        : wholePart(Array.isArray(item) ? "tokens" : "unknown", item),
    ),
  );
}

const userMessage = (part: Part): Message => ({ role: "user", parts: [part] });

const wholePart = (kind: string, value: unknown): Part => ({
  type: "generic",
  generic_type: kind,
  extensions: { [dialectId]: { value } },
});
