// Room dialects, openai-responses: a canonical request as the body that creates a response.
// Invariant (law 4): every canonical field is written or told as a loss; what this dialect decoded comes back as it was.

import type { InferenceRequest, OutputFormat, ReasoningControl } from "../../canonical/index.ts";
import type { Encoding, RequestFates } from "../encoding.ts";
import { isJsonObject, optional, type JsonObject } from "../json/fields.ts";
import { toJsonSchema } from "../json/open-api-schema.ts";
import { listRefused, loseFields } from "../unsupported-fields.ts";
import { encodeInput, encodeOwnInput } from "./message-encode.ts";
import { encodeOwnTool, encodeTool, encodeToolChoice } from "./tool-encode.ts";

/** What becomes of each canonical field. */
export const fates = {
  model: "mapped",
  stream: "mapped",
  systemInstructions: "mapped",
  messages: "mapped",
  tools: "mapped",
  toolChoice: "mapped",
  parallelToolCalls: "mapped",
  maxOutputTokens: "mapped",
  temperature: "mapped",
  topP: "mapped",
  topK: "refused",
  seed: "refused",
  frequencyPenalty: "refused",
  presencePenalty: "refused",
  stopSequences: "refused",
  choiceCount: "refused",
  logprobs: "moved",
  topLogprobs: "mapped",
  logitBias: "refused",
  outputFormat: "moved",
  reasoning: "approximated",
  serviceTier: "mapped",
  user: "mapped",
  metadata: "mapped",
  previousResponseId: "mapped",
  conversationId: "mapped",
  streamUsage: "moved",
  inputCharacters: "refused",
  embedding: "refused",
  extensions: "mapped",
} satisfies RequestFates;

const refused = listRefused(fates);

/**
 * The body for the provider.
 * @throws SidecarError request_lossy: a tool result that answers no call
 */
export function encodeRequest(request: InferenceRequest, encoding: Encoding): JsonObject {
  loseFields(request, encoding, refused);
  const isOwn = encoding.source === encoding.target;
  const body: JsonObject = {
    model: encoding.model,
    ...(isOwn ? encodeOwnHistory(request, encoding) : encodeHistory(request, encoding)),
    ...encodeTools(request, encoding),
    ...optional("parallel_tool_calls", request.parallelToolCalls),
    ...optional("max_output_tokens", request.maxOutputTokens),
    ...optional("temperature", request.temperature),
    ...optional("top_p", request.topP),
    ...optional("top_logprobs", request.topLogprobs),
    ...optional("reasoning", encodeReasoning(request.reasoning, encoding)),
    ...optional("text", encodeText(request, encoding)),
    ...optional("service_tier", encodeServiceTier(request.serviceTier, encoding)),
    ...optional("user", request.user),
    ...optional("metadata", encodeMetadata(request.metadata, encoding)),
    ...optional("include", encodeInclude(request, encoding)),
    ...encodeState(request, encoding),
    ...(request.stream ? { stream: true } : {}),
    ...(isOwn ? {} : takeChatMembers(request, encoding)),
  };
  return mergeOwn(body, encoding.own(request));
}

function encodeOwnHistory(request: InferenceRequest, encoding: Encoding): JsonObject {
  const [instructions] = request.systemInstructions ?? [];
  return {
    ...(instructions?.type === "text" ? { instructions: instructions.content } : {}),
    // A request may have no input at all: a prompt of the provider's store stands for it.
    ...(request.messages.length === 0 && "prompt" in encoding.own(request)
      ? {}
      : { input: encodeOwnInput(request.messages, encoding) }),
  };
}

/** One text of instructions has its own field; several stay apart as a message of the system in front. */
function encodeHistory(request: InferenceRequest, encoding: Encoding): JsonObject {
  const system = request.systemInstructions ?? [];
  const [only] = system;
  const { instructions, input } = encodeInput(request.messages, system.length > 0, encoding);
  if (only === undefined) return { ...optional("instructions", instructions), input };
  if (system.length === 1 && only.type === "text") return { instructions: only.content, input };
  const content: JsonObject[] = [];
  for (const [index, part] of system.entries()) {
    if (part.type === "text") content.push({ type: "input_text", text: part.content });
    else encoding.lose(["systemInstructions", index], "unsupported", "instructions are text alone");
  }
  return { input: [...(content.length === 0 ? [] : [{ role: "system", content }]), ...input] };
}

function encodeTools(request: InferenceRequest, encoding: Encoding): JsonObject {
  const { tools, toolChoice } = request;
  const isOwn = encoding.source === encoding.target;
  const encoded: JsonObject[] = [];
  for (const [index, tool] of (tools ?? []).entries()) {
    const wire = isOwn ? encodeOwnTool(tool, encoding) : encodeTool(tool, ["tools", index], encoding);
    if (wire !== undefined) encoded.push(wire);
  }
  const search = encoding.take(request, "openai-chat", "web_search_options");
  if (isJsonObject(search)) {
    const { user_location: location, ...options } = search;
    const place = isJsonObject(location) && isJsonObject(location["approximate"]) ? location["approximate"] : undefined;
    encoded.push({
      type: "web_search",
      ...options,
      ...(place === undefined ? {} : { user_location: { type: "approximate", ...place } }),
    });
    encoding.lose(
      ["web_search_options"],
      "approximated",
      "the search is a tool here, which the model may leave unused",
    );
  }
  return {
    ...(tools !== undefined || encoded.length > 0 ? { tools: encoded } : {}),
    ...(toolChoice === undefined
      ? {}
      : { tool_choice: encodeToolChoice(toolChoice, tools ?? [], ["toolChoice"], encoding) }),
  };
}

function encodeText(request: InferenceRequest, encoding: Encoding): JsonObject | undefined {
  const format = request.outputFormat === undefined ? undefined : encodeFormat(request.outputFormat, request, encoding);
  const text = {
    ...optional("format", format),
    ...optional("verbosity", encoding.take(request, "openai-chat", "verbosity")),
  };
  return Object.keys(text).length === 0 ? undefined : text;
}

function encodeFormat(format: OutputFormat, request: InferenceRequest, encoding: Encoding): JsonObject {
  if (format.type === "text") return { type: "text" };
  if (format.type === "json") return { type: "json_object" };
  const isOwn = encoding.source === encoding.target;
  if (format.name === undefined && !isOwn) {
    encoding.lose(["outputFormat", "name"], "injected", "a schema must have a name here", "tuning");
  }
  return {
    type: "json_schema",
    ...optional("name", format.name ?? (isOwn ? undefined : "answer")),
    ...optional("description", format.description),
    schema: takeOpenapiSchema(request, encoding) ?? format.schema,
    ...optional("strict", format.strict),
  };
}

/** Gemini's `responseSchema` is OpenAPI's kind, which its decoder says by keeping it beside. */
function takeOpenapiSchema(request: InferenceRequest, encoding: Encoding): unknown {
  const config = request.extensions?.["gemini-generate-content"]?.["generationConfig"];
  if (!isJsonObject(config)) return undefined;
  const schema = config["responseSchema"] ?? config["response_schema"];
  // Other settings in there are still to be told.
  if (schema !== undefined && Object.keys(config).length === 1) {
    encoding.take(request, "gemini-generate-content", "generationConfig");
  }
  return schema === undefined ? undefined : toJsonSchema(schema);
}

/** Words of `reasoning.effort` (openai-node 7.55.0). */
const efforts: ReadonlySet<string> = new Set(["none", "minimal", "low", "medium", "high", "xhigh", "max"]);

/** From this many tokens of budget on, the effort is so; published in docs/losses.md. */
const budgetEfforts: readonly [number, string][] = [
  [16_384, "high"],
  [4096, "medium"],
  [1, "low"],
  [0, "none"],
];

function encodeReasoning(reasoning: ReasoningControl | undefined, encoding: Encoding): JsonObject | undefined {
  if (reasoning === undefined) return undefined;
  const { enabled, effort, budgetTokens } = reasoning;
  if (encoding.source === encoding.target) return { effort };
  if (enabled === false) return { effort: "none" };
  const word = effort?.toLowerCase();
  if (word !== undefined && efforts.has(word)) {
    if (budgetTokens !== undefined) {
      encoding.lose(["reasoning"], "approximated", "the effort was stated too, and stands for the budget of tokens");
    }
    return { effort: word };
  }
  if (budgetTokens !== undefined) {
    encoding.lose(["reasoning"], "approximated", "a budget of tokens is told as the effort nearest to it");
    return { effort: budgetEfforts.find(([from]) => budgetTokens >= from)?.[1] ?? "none" };
  }
  encoding.lose(["reasoning"], "approximated", "how much to think is left to the model");
  return undefined;
}

const serviceTiers: ReadonlySet<string> = new Set([
  "auto",
  "default",
  "flex",
  "scale",
  "priority",
  "fast",
  "ultrafast",
]);

function encodeServiceTier(tier: string | undefined, encoding: Encoding): string | undefined {
  if (tier === undefined || serviceTiers.has(tier) || encoding.source === encoding.target) return tier;
  // Anthropic's word for what OpenAI calls `default`.
  const isStandard = tier === "standard_only";
  const detail = isStandard ? "the provider's standard tier is asked for" : "the provider has no such service tier";
  encoding.lose(["serviceTier"], isStandard ? "approximated" : "unsupported", detail);
  return isStandard ? "default" : undefined;
}

function encodeMetadata(metadata: InferenceRequest["metadata"], encoding: Encoding): JsonObject | undefined {
  if (metadata === undefined || encoding.source === encoding.target) return metadata;
  const isTaken = Object.values(metadata).every((value) => typeof value === "string");
  if (!isTaken) encoding.lose(["metadata"], "unsupported", "metadata is a map of texts here");
  return isTaken ? metadata : undefined;
}

const logprobsWord = "message.output_text.logprobs";
const encryptedWord = "reasoning.encrypted_content";

/** Reasoning is asked for in its encrypted form, so that a client that keeps the history itself can hand it back. */
function encodeInclude(request: InferenceRequest, encoding: Encoding): string[] | undefined {
  const include = request.logprobs === true ? [logprobsWord] : [];
  const { reasoning } = request;
  const isReasoning = reasoning?.effort !== undefined || (reasoning?.budgetTokens ?? 0) > 0;
  if (encoding.source !== encoding.target && isReasoning && reasoning?.enabled !== false) {
    if (reasoning?.effort !== "none") {
      include.push(encryptedWord);
      encoding.lose(
        ["reasoning"],
        "injected",
        "encrypted reasoning is asked for, so that it can be handed back",
        "tuning",
      );
    }
  }
  return include.length === 0 ? undefined : include;
}

/** What the provider keeps is known to it alone. */
function encodeState(request: InferenceRequest, encoding: Encoding): JsonObject {
  const { previousResponseId, conversationId } = request;
  if (encoding.source === encoding.target) {
    return { ...optional("previous_response_id", previousResponseId), ...optional("conversation", conversationId) };
  }
  if (previousResponseId !== undefined) {
    encoding.lose(["previousResponseId"], "unsupported", "an answer of another provider is not known to this one");
  }
  if (conversationId !== undefined) {
    encoding.lose(["conversationId"], "unsupported", "a conversation of another provider is not known to this one");
  }
  return {};
}

/** Members of a chat completion that are called and mean the same here (openai-node 7.55.0). */
const chatMembers = [
  "moderation",
  "prompt_cache_key",
  "prompt_cache_options",
  "prompt_cache_retention",
  "safety_identifier",
  "store",
  "stream_options",
];

function takeChatMembers(request: InferenceRequest, encoding: Encoding): JsonObject {
  const taken: JsonObject = {};
  for (const name of chatMembers) {
    const value = encoding.take(request, "openai-chat", name);
    if (value !== undefined && value !== null) taken[name] = value;
  }
  return taken;
}

/** The dialect's own leftovers, back in their places; an object is merged into what is there already. */
function mergeOwn(body: JsonObject, own: JsonObject): JsonObject {
  const merged = { ...body };
  for (const [key, value] of Object.entries(own)) {
    const before = merged[key];
    if (isJsonObject(before) && isJsonObject(value) && key !== "tool_choice") merged[key] = { ...before, ...value };
    else if (key === "conversation" && typeof before === "string" && isJsonObject(value)) {
      merged[key] = { id: before, ...value };
    } else merged[key] = value;
  }
  return merged;
}
