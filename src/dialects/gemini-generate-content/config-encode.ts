// Room dialects, gemini-generate-content: `generationConfig`, with the output format and the control of thinking.
// Invariant: no default is invented; what Gemini words otherwise is told with the words or numbers that were sent.

import { isDeepStrictEqual } from "node:util";
import type { InferenceRequest, OutputFormat, ReasoningControl } from "../../canonical/index.ts";
import type { Encoding } from "../encoding.ts";
import { isJsonObject, type JsonObject, optional } from "../json/fields.ts";
import { readSpelled } from "./restore.ts";

/** More are refused (Gemini API reference of GenerationConfig, read 2026-11-21). */
const maxStopSequences = 5;

/** The config of a request; `{}` where it says nothing. */
export function encodeConfig(request: InferenceRequest, encoding: Encoding): JsonObject {
  const isOwn = encoding.source === encoding.target;
  /** Of another dialect, what is the default here is not said. */
  const unless = <Value>(value: Value | undefined, noOp: Value): Value | undefined =>
    value === noOp && !isOwn ? undefined : value;
  return {
    ...optional("maxOutputTokens", request.maxOutputTokens),
    ...optional("temperature", request.temperature),
    ...optional("topP", request.topP),
    ...optional("topK", request.topK),
    ...optional("seed", request.seed),
    ...optional("frequencyPenalty", unless(request.frequencyPenalty, 0)),
    ...optional("presencePenalty", unless(request.presencePenalty, 0)),
    ...optional("stopSequences", encodeStop(request.stopSequences, encoding)),
    ...optional("candidateCount", unless(request.choiceCount, 1)),
    ...optional("responseLogprobs", unless(request.logprobs, false)),
    ...optional("logprobs", unless(request.topLogprobs, 0)),
    ...(request.outputFormat === undefined ? {} : encodeFormat(request.outputFormat, request, encoding)),
    ...optional("thinkingConfig", isOwn ? restoreThinking(request.reasoning) : encodeThinking(request, encoding)),
  };
}

function encodeStop(stop: readonly string[] | undefined, encoding: Encoding): string[] | undefined {
  if (stop === undefined || encoding.source === encoding.target) return stop?.slice();
  if (stop.length === 0) return undefined;
  if (stop.length > maxStopSequences) {
    const detail = `Gemini takes ${maxStopSequences} stop sequences: those after them are left out`;
    encoding.lose(["stopSequences"], "approximated", detail);
  }
  return stop.slice(0, maxStopSequences);
}

function encodeFormat(format: OutputFormat, request: InferenceRequest, encoding: Encoding): JsonObject {
  const isOwn = encoding.source === encoding.target;
  if (format.type === "text") return isOwn ? { responseMimeType: "text/plain" } : {};
  if (format.type === "json") return { responseMimeType: "application/json" };
  encoding.loseSchemaFacts(format, ["name", "description", "strict"]);
  const kept = readSpelled(readSpelled(encoding.own(request), "generationConfig"), "responseSchema");
  const isSubset = kept !== undefined && isDeepStrictEqual(kept, format.schema);
  return { responseMimeType: "application/json", ...(isSubset ? {} : { responseJsonSchema: format.schema }) };
}

function restoreThinking(reasoning: ReasoningControl | undefined): JsonObject | undefined {
  if (reasoning === undefined) return undefined;
  return { ...optional("thinkingBudget", reasoning.budgetTokens), ...optional("thinkingLevel", reasoning.effort) };
}

/** Models before 2.5, and Gemma: they refuse a thinkingConfig ("Thinking", read 2026-11-21). */
const thoughtless = /gemini-(?:1|2\.0)|gemma/;

/** Gemini 3 has levels, 2.5 has budgets; a name that tells no generation (`gemini-flash-latest`) is taken as one of now. */
function encodeThinking(request: InferenceRequest, encoding: Encoding): JsonObject | undefined {
  const includeThoughts = takeShownThoughts(request, encoding);
  const control = request.reasoning ?? {};
  if (thoughtless.test(encoding.model)) {
    const isAsked = control.enabled ?? (control.effort !== undefined && control.effort !== "none");
    if (isAsked) encoding.lose(["reasoning"], "unsupported", "this model does not think");
    return undefined;
  }
  const isBudgeted = encoding.model.includes("gemini-2.5");
  const strength = isBudgeted ? encodeBudget(control, encoding) : encodeLevel(control, encoding);
  const config = { ...strength, ...(includeThoughts ? { includeThoughts } : {}) };
  return Object.keys(config).length === 0 ? undefined : config;
}

/** Whether the client is to see thoughts. Chat has no such wish; Anthropic shows them unless told not to. */
function takeShownThoughts(request: InferenceRequest, encoding: Encoding): boolean {
  if (encoding.source === "openai-responses") {
    const kept = request.extensions?.["openai-responses"]?.["reasoning"];
    const isPlain =
      isJsonObject(kept) && Object.keys(kept).every((name) => name === "summary" || name === "generate_summary");
    if (!isPlain) return false;
    encoding.take(request, "openai-responses", "reasoning");
    return Object.values(kept).some((value) => typeof value === "string" && value !== "none");
  }
  if (encoding.source !== "anthropic-messages") return false;
  const thinking = encoding.take(request, "anthropic-messages", "thinking");
  const isOmitted = isJsonObject(thinking) && thinking["display"] === "omitted";
  return request.reasoning?.enabled === true && !isOmitted;
}

const levels: ReadonlyMap<string, string> = new Map([
  ["none", "MINIMAL"],
  ["minimal", "MINIMAL"],
  ["low", "LOW"],
  ["medium", "MEDIUM"],
  ["high", "HIGH"],
  ["xhigh", "HIGH"],
  ["max", "HIGH"],
]);

const exactEfforts: ReadonlySet<string> = new Set(["minimal", "low", "medium", "high"]);

function encodeLevel({ enabled, effort, budgetTokens }: ReasoningControl, encoding: Encoding): JsonObject {
  const word = enabled === false ? "none" : effort?.toLowerCase();
  if (word === undefined) {
    // These models still take a budget, but not beside a level (Gemini API, "Thinking", read 2026-11-21).
    return budgetTokens === undefined ? {} : { thinkingBudget: budgetTokens };
  }
  const thinkingLevel = levels.get(word);
  if (thinkingLevel === undefined) {
    encoding.lose(["reasoning"], "unsupported", "Gemini has no level of thinking by this name");
    return {};
  }
  if (!exactEfforts.has(word)) {
    encoding.lose(["reasoning"], "approximated", `Gemini's nearest level of thinking is ${thinkingLevel}`);
  } else if (budgetTokens !== undefined) {
    encoding.lose(["reasoning"], "approximated", `sent as the level ${thinkingLevel}, without the budget`);
  }
  return { thinkingLevel };
}

/** What Google's own Chat layer makes of the efforts (Gemini API, "OpenAI compatibility", read 2026-11-21). */
const budgets: ReadonlyMap<string, number> = new Map([
  ["none", 0],
  ["minimal", 1024],
  ["low", 1024],
  ["medium", 8192],
  ["high", 24_576],
  ["xhigh", 24_576],
  ["max", 24_576],
]);

/** Gemini 2.5 Pro cannot leave thinking out: this is its least ("Thinking", read 2026-11-21). */
const leastProBudget = 128;

function encodeBudget({ enabled, effort, budgetTokens }: ReasoningControl, encoding: Encoding): JsonObject {
  const word = enabled === false ? "none" : effort?.toLowerCase();
  const least = encoding.model.includes("pro") ? leastProBudget : 0;
  if (budgetTokens !== undefined && word !== "none") return { thinkingBudget: budgetTokens };
  // -1 leaves it to the model.
  if (word === undefined) return enabled === true ? { thinkingBudget: -1 } : {};
  const budget = budgets.get(word);
  if (budget === undefined) {
    encoding.lose(["reasoning"], "unsupported", "Gemini has no budget of thinking for this word");
    return {};
  }
  const thinkingBudget = Math.max(budget, least);
  if (thinkingBudget > 0) {
    encoding.lose(["reasoning"], "approximated", `sent as a budget of ${thinkingBudget} tokens of thinking`);
  }
  return { thinkingBudget };
}
