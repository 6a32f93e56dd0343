// Room dialects, bedrock-converse: the canonical request as the body of a Converse call.
// Invariant (law 4): every canonical field is written or told; model and streaming are in the path alone.

import type { InferenceRequest } from "../../canonical/index.ts";
import type { Encoding, RequestFates } from "../encoding.ts";
import { type JsonObject, optional } from "../json/fields.ts";
import { listRefused, loseFields } from "../unsupported-fields.ts";
import { encodeConversation } from "./message-encode.ts";
import { mergeOwn } from "../json/merge.ts";
import { encodeInferenceConfig, encodeMetadata, encodeModelFields, encodeServiceTier } from "./settings-encode.ts";
import { encodeToolConfig } from "./tools-encode.ts";

/** What becomes of each canonical field. */
export const fates = {
  model: "mapped",
  stream: "mapped",
  systemInstructions: "mapped",
  messages: "mapped",
  tools: "mapped",
  toolChoice: "mapped",
  parallelToolCalls: "moved",
  maxOutputTokens: "mapped",
  temperature: "mapped",
  topP: "mapped",
  topK: "moved",
  seed: "refused",
  frequencyPenalty: "refused",
  presencePenalty: "refused",
  stopSequences: "mapped",
  choiceCount: "refused",
  logprobs: "refused",
  topLogprobs: "refused",
  logitBias: "refused",
  outputFormat: "mapped",
  reasoning: "approximated",
  serviceTier: "mapped",
  user: "moved",
  metadata: "approximated",
  previousResponseId: "refused",
  conversationId: "refused",
  streamUsage: "mapped",
  inputCharacters: "refused",
  embedding: "refused",
  extensions: "mapped",
} satisfies RequestFates;

const refused = listRefused(fates);

/** @throws SidecarError request_lossy for a tool result that answers no call */
export function encodeRequest(request: InferenceRequest, encoding: Encoding): JsonObject {
  const { system, messages, calledTools } = encodeConversation(request, encoding);
  const inference = encodeInferenceConfig(request, encoding);
  const body: JsonObject = {
    ...optional("system", system),
    messages,
    ...optional("toolConfig", encodeToolConfig(request, calledTools, encoding)),
    ...(Object.keys(inference).length === 0 ? {} : { inferenceConfig: inference }),
    ...encodeModelFields(request, messages, encoding),
    ...encodeServiceTier(request.serviceTier, encoding),
    ...encodeMetadata(request, encoding),
  };
  loseFields(request, encoding, refused);
  return mergeOwn(body, encoding.own(request));
}
