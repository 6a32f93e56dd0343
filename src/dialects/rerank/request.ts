// Room dialects, rerank: request bodies as canonical requests.
// Invariant: the query is the first message, each document one more; every field not understood is kept in `extensions`.

import type { InferenceRequest, Message } from "../../canonical/index.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { ownExtensions } from "./schema.ts";

/** Decodes the parsed body. How many results are wanted (`top_n`, Voyage's `top_k`) stays in the extensions. */
export function decodeRequest(body: JsonObject): InferenceRequest {
  const fields = new FieldReader(body);
  const model = fields.string("model");
  const query = fields.string("query");
  const documents = fields.array("documents") ?? [];
  return {
    ...(model === undefined ? {} : { model }),
    stream: false,
    messages: [...(query === undefined ? [] : [query]), ...documents].map(decodeText),
    ...ownExtensions(fields.rest()),
  };
}

/** A text, or an object with one (Cohere v1, Jina); of anything else (images at Jina) the whole is kept. */
function decodeText(wire: unknown): Message {
  const fields = isJsonObject(wire) ? new FieldReader(wire) : undefined;
  const content = fields === undefined ? wire : fields.string("text");
  if (typeof content === "string") {
    return { role: "user", parts: [{ type: "text", content }], ...ownExtensions(fields?.rest()) };
  }
  return {
    role: "user",
    parts: [{ type: "generic", generic_type: "document", ...ownExtensions({ value: wire }) }],
  };
}
