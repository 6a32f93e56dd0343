// Room dialects, rerank: answers as canonical responses.
// Invariant: the ranking stays in `extensions` as it came; only who answered and what it cost is canonical.

import type { InferenceResponse, Usage } from "../../canonical/index.ts";
import { FieldReader, type JsonObject, readCount } from "../json/fields.ts";
import { ownExtensions } from "./schema.ts";

/** Decodes a parsed answer. It has no choices. Usage is in `usage`, or in Cohere's `meta`. */
export function decodeResponse(body: JsonObject): InferenceResponse {
  const fields = new FieldReader(body);
  const id = fields.filledString("id");
  const model = fields.filledString("model");
  if (body["object"] === "list") fields.skip("object");
  const stated = fields.object("usage");
  const meta = stated === undefined ? fields.nested("meta") : undefined;
  const usage = stated === undefined ? decodeMeta(meta) : decodeUsage(stated);
  return {
    ...(id === undefined ? {} : { id }),
    ...(model === undefined ? {} : { model }),
    choices: [],
    ...(usage === undefined ? {} : { usage }),
    ...ownExtensions(fields.rest()),
  };
}

/**
 * `{prompt_tokens, total_tokens}` (llama.cpp, recorded; Together adds `completion_tokens`), or `total_tokens` alone
 * (Voyage, recorded; Jina), which then is the input: there is no output to count.
 */
function decodeUsage(raw: JsonObject): Usage {
  const inputTokens = readCount(raw, "prompt_tokens") ?? readCount(raw, "total_tokens");
  const outputTokens = readCount(raw, "completion_tokens");
  return {
    ...(inputTokens === undefined ? {} : { inputTokens }),
    ...(outputTokens === undefined ? {} : { outputTokens }),
    raw,
  };
}

/** Cohere bills searches; SiliconFlow, in the same shape, states tokens. */
function decodeMeta(meta: FieldReader | undefined): Usage | undefined {
  const billed = meta?.object("billed_units");
  const tokens = meta?.object("tokens");
  if (billed === undefined && tokens === undefined) return undefined;
  const inputTokens = readCount(tokens ?? billed, "input_tokens");
  const outputTokens = readCount(tokens ?? billed, "output_tokens");
  const searchUnits = readCount(billed, "search_units");
  return {
    ...(inputTokens === undefined ? {} : { inputTokens }),
    ...(outputTokens === undefined ? {} : { outputTokens }),
    ...(searchUnits === undefined ? {} : { searchUnits }),
    raw: {
      ...(billed === undefined ? {} : { billed_units: billed }),
      ...(tokens === undefined ? {} : { tokens }),
    },
  };
}
