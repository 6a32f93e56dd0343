// Room dialects, moderations: request bodies as canonical requests.
// Invariant: each input is a message of its own; every field not understood is kept in `extensions`.

import type { InferenceRequest, Message, Part } from "../../canonical/index.ts";
import type { Operation } from "../dialect.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { decodePart } from "../openai-chat/message.ts";
import { ownExtensions } from "./schema.ts";

/** Decodes the parsed body. Without a model the provider takes its newest, so the request has none. */
export function decodeRequest(body: JsonObject, operation: Operation): InferenceRequest {
  const fields = new FieldReader(body);
  const model = fields.string("model") ?? operation.model;
  return {
    stream: false,
    messages: decodeInputs(fields),
    ...(model === undefined ? {} : { model }),
    ...ownExtensions(fields.rest()),
  };
}

/** One text, a list of texts, or the parts of one input (text and image_url). */
function decodeInputs(fields: FieldReader): Message[] {
  const text = fields.string("input");
  if (text !== undefined) return [userMessage([{ type: "text", content: text }])];
  const list = fields.array("input");
  if (list === undefined) return [];
  if (list.length > 0 && list.every(isJsonObject)) return [userMessage(list.map(decodePart))];
  return list.map((item) =>
    userMessage([typeof item === "string" ? { type: "text", content: item } : decodePart(item)]),
  );
}

const userMessage = (parts: Part[]): Message => ({ role: "user", parts });
