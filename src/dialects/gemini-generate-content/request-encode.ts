// Room dialects, gemini-generate-content: a canonical request of any dialect as a body of generateContent.
// Invariant: every canonical field is written or told as lost; a request of this dialect is written as it was read.

import type { InferenceRequest } from "../../canonical/index.ts";
import { type CanonicalPath, type Encoding, type RequestFates } from "../encoding.ts";
import { type JsonObject, optional } from "../json/fields.ts";
import { encodeConfig } from "./config-encode.ts";
import { encodeMessages } from "./content-encode.ts";
import { takeEmpty } from "./foreign-mark.ts";
import { encodePart } from "./part-encode.ts";
import { restoreFields } from "./restore.ts";
import { encodeToolChoice, encodeTools } from "./tool-encode.ts";
import { signUnsignedCalls } from "./unsigned-call.ts";

/** What becomes of each field. `model` and `stream` are in the path. */
export const fates = {
  model: "mapped",
  stream: "mapped",
  systemInstructions: "mapped",
  messages: "mapped",
  tools: "mapped",
  toolChoice: "mapped",
  parallelToolCalls: "refused",
  maxOutputTokens: "mapped",
  temperature: "mapped",
  topP: "mapped",
  topK: "mapped",
  seed: "mapped",
  frequencyPenalty: "mapped",
  presencePenalty: "mapped",
  stopSequences: "mapped",
  choiceCount: "mapped",
  logprobs: "mapped",
  topLogprobs: "mapped",
  logitBias: "refused",
  outputFormat: "mapped",
  reasoning: "approximated",
  serviceTier: "mapped",
  user: "refused",
  metadata: "refused",
  previousResponseId: "refused",
  conversationId: "refused",
  streamUsage: "mapped",
  inputCharacters: "refused",
  embedding: "refused",
  extensions: "mapped",
} satisfies RequestFates;

/** @throws SidecarError request_lossy for a tool result that answers no call */
export function encodeRequest(request: InferenceRequest, encoding: Encoding): JsonObject {
  const isOwn = encoding.source === encoding.target;
  const { contents, instructions } = encodeMessages(request.messages, encoding);
  const config = encodeConfig(request, encoding);
  const tools = request.tools === undefined ? undefined : encodeTools(request.tools, encoding);
  const system = encodeInstructions(request, instructions, encoding);
  const body: JsonObject = {
    ...optional("systemInstruction", system),
    contents,
    ...optional("tools", tools?.length === 0 && !isOwn ? undefined : tools),
    ...optional("toolConfig", encodeToolConfig(request, encoding)),
    ...(Object.keys(config).length === 0 ? {} : { generationConfig: config }),
    ...optional("serviceTier", encodeTier(request.serviceTier, encoding)),
    ...(isOwn ? optional("labels", request.metadata) : {}),
  };
  if (isOwn) return restoreFields(body, encoding.own(request));
  takeEmpty(request, encoding);
  takeInclude(request, encoding);
  loseRefused(request, encoding);
  signUnsignedCalls(contents, encoding);
  return body;
}

function encodeInstructions(
  { systemInstructions }: InferenceRequest,
  leading: readonly JsonObject[],
  encoding: Encoding,
): JsonObject | undefined {
  const parts = (systemInstructions ?? []).flatMap((part, place) =>
    encodePart(part, encoding, { path: ["systemInstructions", place], reader: "provider" }),
  );
  parts.push(...leading);
  const isKept = encoding.source === encoding.target && systemInstructions !== undefined;
  return parts.length === 0 && !isKept ? undefined : { parts };
}

function encodeToolConfig({ toolChoice, tools }: InferenceRequest, encoding: Encoding): JsonObject | undefined {
  if (toolChoice === undefined) return undefined;
  const isOwn = encoding.source === encoding.target;
  // Without functions there is nothing to choose, and Google refuses a mode that asks for one.
  const hasFunctions = tools?.some(({ type }) => type === "function") === true;
  if (!isOwn && (toolChoice.type === "auto" || (toolChoice.type === "none" && !hasFunctions))) return undefined;
  return { functionCallingConfig: encodeToolChoice(toolChoice, encoding) };
}

/** Google's word for a tier; `auto` is no word of Google's and says nothing. */
const tiers: ReadonlyMap<string, string> = new Map([
  ["default", "standard"],
  ["standard", "standard"],
  ["standard_only", "standard"],
  ["flex", "flex"],
  ["priority", "priority"],
]);

function encodeTier(tier: string | undefined, encoding: Encoding): string | undefined {
  if (tier === undefined || encoding.source === encoding.target) return tier;
  const word = tiers.get(tier);
  if (word === undefined && tier !== "auto") {
    encoding.lose(["serviceTier"], "unsupported", "Gemini has no service tier by this name");
  }
  return word;
}

/** Encrypted reasoning is asked for by name at the Responses API; Gemini signs its thoughts unasked. */
function takeInclude(request: InferenceRequest, encoding: Encoding): void {
  const include = request.extensions?.["openai-responses"]?.["include"];
  if (!Array.isArray(include) || !include.every((name) => name === "reasoning.encrypted_content")) return;
  encoding.take(request, "openai-responses", "include");
  encoding.lose(["include"], "moved", "Gemini signs its thoughts unasked", "tuning");
}

/** What Gemini has no place for, where it says more than a default. */
function loseRefused(request: InferenceRequest, encoding: Encoding): void {
  const lose = (isSaid: boolean, path: CanonicalPath, detail: string): void => {
    if (isSaid) encoding.lose(path, "unsupported", detail);
  };
  const hasTools = (request.tools ?? []).length > 0;
  const { logitBias, metadata } = request;
  lose(request.parallelToolCalls === false && hasTools, ["parallelToolCalls"], "Gemini may call several tools at once");
  lose(logitBias !== undefined && Object.keys(logitBias).length > 0, ["logitBias"], "Gemini has no bias of tokens");
  lose(request.user !== undefined, ["user"], "Gemini has no place for the end user's name");
  lose(metadata !== undefined && Object.keys(metadata).length > 0, ["metadata"], "Gemini keeps no metadata");
  const stored = "Gemini keeps no conversation: what came before must be in the messages";
  lose(request.previousResponseId !== undefined, ["previousResponseId"], stored);
  lose(request.conversationId !== undefined, ["conversationId"], stored);
  lose(request.inputCharacters !== undefined, ["inputCharacters"], "generateContent does not speak a text");
  lose(request.embedding !== undefined, ["embedding"], "generateContent makes no embeddings");
}
