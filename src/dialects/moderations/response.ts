// Room dialects, moderations: answers as canonical responses.
// Invariant: there are no choices; the verdicts are kept as they came, in `extensions`.

import type { InferenceResponse } from "../../canonical/index.ts";
import { FieldReader, type JsonObject } from "../json/fields.ts";
import { decodeUsage } from "../openai-chat/usage.ts";
import { ownExtensions } from "./schema.ts";

/** Decodes a parsed answer. OpenAI states no usage, for the call is free; Mistral does. */
export function decodeResponse(body: JsonObject): InferenceResponse {
  const fields = new FieldReader(body);
  const id = fields.filledString("id");
  const model = fields.filledString("model");
  const usage = fields.object("usage");
  fields.skipNull("usage");
  return {
    ...(id === undefined ? {} : { id }),
    ...(model === undefined ? {} : { model }),
    choices: [],
    ...(usage === undefined ? {} : { usage: decodeUsage(usage) }),
    ...ownExtensions(fields.rest()),
  };
}
