// Room dialects, cohere-chat: canonical requests as bodies of v2 chat.
// Invariant: every canonical field is written or told; Cohere's own leftovers come back at their node.

import type { InferenceRequest, OutputFormat, ReasoningControl, ToolDefinition } from "../../canonical/index.ts";
import type { Encoding, RequestFates } from "../encoding.ts";
import { listTurns } from "../history.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { mergeOwn } from "../json/merge.ts";
import { toJsonSchema } from "../json/open-api-schema.ts";
import { takeStructure } from "../structure.ts";
import { isNoOp, listRefused, loseFields } from "../unsupported-fields.ts";
import { encodeTurns } from "./message-encode.ts";
import { dialectId, optional } from "./schema.ts";

/** What becomes of each canonical field (wire.md §2.11). */
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
  topP: "approximated",
  topK: "mapped",
  seed: "mapped",
  frequencyPenalty: "approximated",
  presencePenalty: "approximated",
  stopSequences: "mapped",
  choiceCount: "refused",
  logprobs: "mapped",
  topLogprobs: "refused",
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

/** Writes a body of `POST /v2/chat`. @throws SidecarError request_lossy for a tool result that answers no call */
export function encodeRequest(request: InferenceRequest, encoding: Encoding): JsonObject {
  loseFields(request, encoding, refused);
  const isOwn = encoding.source === dialectId;
  const tools = encodeTools(request, encoding);
  const { topP, frequencyPenalty, presencePenalty } = request;
  const body = {
    model: encoding.model,
    messages: encodeTurns(listTurns(request, encoding), encoding),
    ...(request.stream ? { stream: true } : {}),
    ...tools,
    ...optional("max_tokens", request.maxOutputTokens),
    ...optional("temperature", request.temperature),
    ...optional("p", isOwn ? topP : clamp(topP, 0.01, 0.99, "topP", encoding)),
    ...optional("k", request.topK),
    ...optional("seed", request.seed),
    ...optional(
      "frequency_penalty",
      isOwn ? frequencyPenalty : clamp(frequencyPenalty, 0, 1, "frequencyPenalty", encoding),
    ),
    ...optional(
      "presence_penalty",
      isOwn ? presencePenalty : clamp(presencePenalty, 0, 1, "presencePenalty", encoding),
    ),
    ...optional("stop_sequences", request.stopSequences),
    ...(request.logprobs === undefined || (!isOwn && isNoOp(request, "logprobs"))
      ? {}
      : { logprobs: request.logprobs }),
    ...optional("response_format", encodeFormat(request.outputFormat, encoding)),
    ...optional("thinking", encodeThinking(request.reasoning, encoding)),
  };
  return mergeOwn(body, encoding.own(request));
}

/** Cohere's range is narrower than the others' (cohere-ai 8.1.0: V2ChatRequest). */
function clamp(
  value: number | undefined,
  low: number,
  high: number,
  field: "topP" | "frequencyPenalty" | "presencePenalty",
  encoding: Encoding,
): number | undefined {
  if (value === undefined) return undefined;
  const nearest = Math.min(Math.max(value, low), high);
  if (nearest !== value) encoding.lose([field], "approximated", `Cohere takes ${low} to ${high}`);
  return nearest;
}

/** Cohere knows no named choice and no subset: the others are left out of the list, which comes to the same. */
function encodeTools(request: InferenceRequest, encoding: Encoding): JsonObject {
  const { tools, toolChoice } = request;
  const names =
    toolChoice?.type === "tool" ? [toolChoice.name] : toolChoice?.type === "allowed" ? toolChoice.names : undefined;
  if (names !== undefined) {
    encoding.lose(["toolChoice"], "approximated", "the tools that may not be chosen are left out", "tuning");
  }
  const kept: JsonObject[] = [];
  const strict: unknown[] = [];
  for (const [index, tool] of (tools ?? []).entries()) {
    takeStructure(encoding, tool, ["tools", index]);
    const isOwn = encoding.source === dialectId;
    if (tool.type !== "function" && !isOwn) {
      encoding.lose(["tools", index], "unsupported", `Cohere runs no tools of the kind ${tool.type}`);
    } else if (names === undefined || names.includes(tool.name)) {
      kept.push(encodeTool(tool, encoding));
      strict.push(statedStrict(tool));
    } else encoding.lose(["tools", index], "approximated", "the tool may not be chosen, so it is left out", "tuning");
  }
  // One flag for all tools stands for each tool's own.
  const isStrict = strict.length > 0 && strict.every((value) => value === true);
  if (isStrict) for (const tool of tools ?? []) takeStrict(tool, encoding);
  return {
    ...(tools === undefined || (tools.length > 0 && kept.length === 0) ? {} : { tools: kept }),
    ...(isStrict ? { strict_tools: true } : {}),
    ...encodeChoice(request),
  };
}

function encodeChoice({ toolChoice }: InferenceRequest): JsonObject {
  if (toolChoice === undefined || toolChoice.type === "auto") return {};
  if (toolChoice.type === "none") return { tool_choice: "NONE" };
  return toolChoice.type === "allowed" && toolChoice.mode === "auto" ? {} : { tool_choice: "REQUIRED" };
}

function encodeTool(tool: ToolDefinition, encoding: Encoding): JsonObject {
  const noParameters = encoding.source === dialectId ? undefined : { type: "object", properties: {} };
  const isOpenApi = encoding.take(tool, "gemini-generate-content", "parameters") !== undefined;
  const stated = isOpenApi ? toJsonSchema(tool.parameters) : tool.parameters;
  const definition = {
    name: tool.name,
    ...optional("description", tool.description),
    ...optional("parameters", stated ?? noParameters),
  };
  return mergeOwn({ type: tool.type, function: definition }, encoding.own(tool));
}

/** OpenAI's and Anthropic's flag of one tool. */
function statedStrict({ extensions }: ToolDefinition): unknown {
  const chat = extensions?.["openai-chat"]?.["function"];
  if (isJsonObject(chat)) return chat["strict"];
  return extensions?.["openai-responses"]?.["strict"] ?? extensions?.["anthropic-messages"]?.["strict"];
}

function takeStrict(tool: ToolDefinition, encoding: Encoding): void {
  const chat = tool.extensions?.["openai-chat"]?.["function"];
  if (isJsonObject(chat) && Object.keys(chat).length === 1) encoding.take(tool, "openai-chat", "function");
  encoding.take(tool, "openai-responses", "strict");
  encoding.take(tool, "anthropic-messages", "strict");
}

/** Whose schemas may be of its own subset of OpenAPI. */
const isGoogle = ({ source }: Encoding): boolean => source === "gemini-generate-content";

/** A schema's name means nothing to Cohere, and every schema binds. */
function encodeFormat(format: OutputFormat | undefined, encoding: Encoding): JsonObject | undefined {
  switch (format?.type) {
    case undefined:
      return undefined;
    case "text":
      return encoding.source === dialectId ? { type: "text" } : undefined;
    case "json":
      return { type: "json_object" };
    case "json_schema":
      encoding.loseSchemaFacts(format, ["name", "description", "strict"]);
      return { type: "json_object", json_schema: isGoogle(encoding) ? toJsonSchema(format.schema) : format.schema };
  }
}

/** Outrider's own choice of budgets in tokens that stand for OpenAI's words; `minimal` and words that are not known only switch thinking on. */
const effortBudgets: ReadonlyMap<string, number> = new Map([
  ["low", 1024],
  ["medium", 4096],
  ["high", 16_384],
  ["xhigh", 32_768],
  ["max", 32_768],
]);

function encodeThinking(reasoning: ReasoningControl | undefined, encoding: Encoding): JsonObject | undefined {
  if (reasoning === undefined) return undefined;
  const { enabled, effort, budgetTokens } = reasoning;
  const isOff = enabled === false || effort === "none";
  const budget = budgetTokens ?? (effort === undefined ? undefined : effortBudgets.get(effort));
  if (effort !== undefined && !isOff) {
    const how = budget === undefined ? "thinking is switched on" : `thinking may take ${budget} tokens`;
    encoding.lose(["reasoning"], "approximated", `Cohere has no efforts: ${how}`);
  }
  if (isOff) return { type: "disabled", ...optional("token_budget", budgetTokens) };
  if (enabled === undefined && encoding.source === dialectId) return optional("token_budget", budgetTokens);
  return { type: "enabled", ...optional("token_budget", budget) };
}
