// Room dialects, ollama-chat: canonical requests as bodies of chat.
// Invariant: every canonical field is written or told; `stream` is always said, because absent means true here.

import type { InferenceRequest, OutputFormat, ReasoningControl } from "../../canonical/index.ts";
import type { Encoding, RequestFates } from "../encoding.ts";
import { listTurns } from "../history.ts";
import type { JsonObject } from "../json/fields.ts";
import { mergeOwn } from "../json/merge.ts";
import { toJsonSchema } from "../json/open-api-schema.ts";
import { takeStructure } from "../structure.ts";
import { isNoOp, listRefused, loseFields } from "../unsupported-fields.ts";
import { encodeTurns } from "./message-encode.ts";
import { dialectId, optional } from "./schema.ts";

/** What becomes of each canonical field (wire.md §2.12). */
export const fates = {
  model: "mapped",
  stream: "mapped",
  systemInstructions: "moved",
  messages: "mapped",
  tools: "mapped",
  toolChoice: "approximated",
  parallelToolCalls: "refused",
  maxOutputTokens: "mapped",
  temperature: "mapped",
  topP: "mapped",
  topK: "mapped",
  seed: "mapped",
  frequencyPenalty: "mapped",
  presencePenalty: "mapped",
  stopSequences: "mapped",
  choiceCount: "refused",
  logprobs: "mapped",
  topLogprobs: "mapped",
  logitBias: "refused",
  outputFormat: "approximated",
  reasoning: "approximated",
  serviceTier: "refused",
  user: "refused",
  metadata: "refused",
  previousResponseId: "refused",
  conversationId: "refused",
  streamUsage: "mapped",
  inputCharacters: "refused",
  embedding: "refused",
  extensions: "mapped",
} as const satisfies RequestFates;

// Usage comes in every stream: `streamUsage` asks for what happens anyway.
const refused = listRefused(fates);

/** Writes a body of `POST /api/chat`. @throws SidecarError request_lossy for tool arguments that are no object */
export function encodeRequest(request: InferenceRequest, encoding: Encoding): JsonObject {
  loseFields(request, encoding, refused);
  const isOwn = encoding.source === dialectId;
  const options = encodeOptions(request);
  const body = {
    model: encoding.model,
    messages: encodeTurns(listTurns(request, encoding), encoding),
    stream: request.stream,
    ...optional("tools", encodeTools(request, encoding)),
    ...optional("format", encodeFormat(request.outputFormat, encoding)),
    ...optional("think", encodeThink(request.reasoning, encoding)),
    ...(isOwn || !isNoOp(request, "logprobs") ? optional("logprobs", request.logprobs) : {}),
    ...(isOwn || !isNoOp(request, "topLogprobs") ? optional("top_logprobs", request.topLogprobs) : {}),
    ...(Object.keys(options).length === 0 ? {} : { options }),
  };
  return mergeOwn(body, encoding.own(request));
}

function encodeOptions(request: InferenceRequest): JsonObject {
  return {
    ...optional("num_predict", request.maxOutputTokens),
    ...optional("temperature", request.temperature),
    ...optional("top_p", request.topP),
    ...optional("top_k", request.topK),
    ...optional("seed", request.seed),
    ...optional("frequency_penalty", request.frequencyPenalty),
    ...optional("presence_penalty", request.presencePenalty),
    ...optional("stop", request.stopSequences),
  };
}

/** Ollama knows no tool choice: tools that may not be chosen are left out, and a call cannot be forced. */
function encodeTools(request: InferenceRequest, encoding: Encoding): JsonObject[] | undefined {
  const { tools, toolChoice } = request;
  if (tools === undefined) return undefined;
  const allowed = chooseNames(request, encoding);
  const kept: JsonObject[] = [];
  for (const [index, tool] of tools.entries()) {
    takeStructure(encoding, tool, ["tools", index]);
    if (tool.type !== "function" && encoding.source !== dialectId) {
      encoding.lose(["tools", index], "unsupported", `Ollama runs no tools of the kind ${tool.type}`);
    } else if (allowed === undefined || allowed.includes(tool.name)) {
      const { name, description } = tool;
      const isOpenApi = encoding.take(tool, "gemini-generate-content", "parameters") !== undefined;
      const parameters = isOpenApi ? toJsonSchema(tool.parameters) : tool.parameters;
      const definition = { name, ...optional("description", description), ...optional("parameters", parameters) };
      kept.push(mergeOwn({ type: tool.type, function: definition }, encoding.own(tool)));
    } else encoding.lose(["tools", index], "approximated", "the tool may not be chosen, so it is left out", "tuning");
  }
  return toolChoice?.type === "none" || (kept.length === 0 && tools.length > 0) ? undefined : kept;
}

/** Names of the tools that may be offered; undefined for all. */
function chooseNames({ toolChoice }: InferenceRequest, encoding: Encoding): string[] | undefined {
  switch (toolChoice?.type) {
    case undefined:
    case "auto":
      return undefined;
    case "none":
      encoding.lose(["toolChoice"], "approximated", "the tools are left out", "tuning");
      return [];
    case "required":
      encoding.lose(["toolChoice"], "unsupported", "Ollama cannot be made to call a tool");
      return undefined;
    case "tool":
      encoding.lose(["toolChoice"], "unsupported", "only that tool is offered, but Ollama cannot be made to call it");
      return [toolChoice.name];
    case "allowed": {
      const isForced = toolChoice.mode === "required";
      const detail = "the tools that may not be chosen are left out";
      if (isForced) encoding.lose(["toolChoice"], "unsupported", `${detail}, but Ollama cannot be made to call a tool`);
      else encoding.lose(["toolChoice"], "approximated", detail, "tuning");
      return toolChoice.names;
    }
  }
}

/** `"json"`, or the schema itself, which has no name. */
function encodeFormat(format: OutputFormat | undefined, encoding: Encoding): unknown {
  switch (format?.type) {
    case undefined:
    case "text":
      return undefined;
    case "json":
      return "json";
    case "json_schema":
      encoding.loseSchemaFacts(format, ["name", "description", "strict"]);
      return encoding.source === "gemini-generate-content" ? toJsonSchema(format.schema) : format.schema;
  }
}

/** The nearest of Ollama's three words; `xhigh` and `max` are the newer Claude's and OpenAI's. */
const efforts: ReadonlyMap<string, string> = new Map([
  ["minimal", "low"],
  ["low", "low"],
  ["medium", "medium"],
  ["high", "high"],
  ["xhigh", "high"],
  ["max", "high"],
]);

/** Yes or no, or how much (wire.md §2.4); a budget in tokens only switches thinking on. */
function encodeThink(reasoning: ReasoningControl | undefined, encoding: Encoding): boolean | string | undefined {
  if (reasoning === undefined) return undefined;
  const { enabled, effort, budgetTokens } = reasoning;
  if (enabled === false || effort === "none" || budgetTokens === 0) return false;
  if (effort === undefined) {
    if (budgetTokens !== undefined) encoding.lose(["reasoning"], "approximated", "Ollama has no budget of thinking");
    return enabled === undefined && budgetTokens === undefined ? undefined : true;
  }
  if (encoding.source === dialectId) return effort;
  const word = efforts.get(effort);
  if (word !== effort)
    encoding.lose(["reasoning"], "approximated", `Ollama thinks low, medium or high: ${word ?? "on"}`);
  return word ?? true;
}
