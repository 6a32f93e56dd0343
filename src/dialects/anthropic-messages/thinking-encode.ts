// Room dialects, anthropic-messages: how much the model should think, in this API's words, and what that forbids.
// Newer models take `adaptive` and an effort (types of @anthropic-ai/sdk 1.11.0); a token budget is the older way.
// Invariant: nothing is sent that the API refuses beside thinking; what is left out for that is told.

import type { InferenceRequest } from "../../canonical/index.ts";
import type { Encoding } from "../encoding.ts";
import { type JsonObject, optional } from "../json/fields.ts";
import { isLoopUnreasoned } from "../tool-loop.ts";
import { dialectId } from "./schema.ts";

/** `thinking`, and the effort that `output_config` takes; each absent where nothing is asked for. */
export interface EncodedThinking {
  thinking?: JsonObject;
  effort?: string;
}

/** Smallest token budget of thinking (Messages API reference, read 2026-11-21). */
const smallestBudget = 1024;

const efforts: ReadonlySet<string> = new Set(["low", "medium", "high", "xhigh", "max"]);

/** Encodes the wish. `messages` as they are sent; `maxTokens`: what the request allows as its whole output. */
export function encodeThinking(
  request: InferenceRequest,
  messages: readonly unknown[],
  maxTokens: number,
  encoding: Encoding,
): EncodedThinking {
  const { reasoning } = request;
  if (reasoning === undefined) return {};
  const { enabled, effort, budgetTokens } = reasoning;
  if (encoding.source === dialectId) {
    const budget = optional("budget_tokens", budgetTokens);
    // Which kind of enabled it is, the client's own word says, which is written over this one.
    const type = enabled === undefined ? {} : { type: enabled ? "enabled" : "disabled" };
    const thinking = { ...type, ...budget };
    return {
      ...(Object.keys(thinking).length === 0 ? {} : { thinking }),
      ...optional("effort", effort),
    };
  }
  const encoded = encodeForeign({ enabled, effort, budgetTokens }, maxTokens, encoding);
  if (encoded.thinking?.["type"] === "enabled" && isLoopUnreasoned(messages, ({ type }) => String(type))) {
    encoding.lose(
      ["reasoning"],
      "approximated",
      "Anthropic cannot think on in a tool loop that began without thinking",
    );
    return { ...encoded, thinking: { type: "disabled" } };
  }
  const choice = request.toolChoice;
  const isForced = choice?.type === "required" || choice?.type === "tool";
  const isThinking = encoded.thinking !== undefined && encoded.thinking["type"] !== "disabled";
  if (!isForced || !isThinking) return encoded;
  encoding.lose(["reasoning"], "approximated", "Anthropic cannot think when it must call a tool");
  return optional("effort", encoded.effort);
}

function encodeForeign(
  {
    enabled,
    effort,
    budgetTokens,
  }: { [K in "enabled" | "effort" | "budgetTokens"]: NonNullable<InferenceRequest["reasoning"]>[K] | undefined },
  maxTokens: number,
  encoding: Encoding,
): EncodedThinking {
  if (enabled === false || effort === "none" || budgetTokens === 0) return { thinking: { type: "disabled" } };
  const known = encodeEffort(effort, encoding);
  if (budgetTokens !== undefined && budgetTokens > 0) {
    const budget = Math.max(smallestBudget, budgetTokens);
    if (budget >= maxTokens) {
      const detail = "the budget of thinking must be below max_tokens: the model decides instead";
      encoding.lose(["reasoning", "budgetTokens"], "approximated", detail);
      return { thinking: { type: "adaptive" }, ...known };
    }
    if (budget !== budgetTokens) {
      const detail = `Anthropic thinks with ${smallestBudget} tokens or more`;
      encoding.lose(["reasoning", "budgetTokens"], "approximated", detail);
    }
    return { thinking: { type: "enabled", budget_tokens: budget }, ...known };
  }
  if (enabled !== true && budgetTokens === undefined && known.effort === undefined) return {};
  return { thinking: { type: "adaptive" }, ...known };
}

function encodeEffort(effort: string | undefined, encoding: Encoding): { effort?: string } {
  if (effort === undefined) return {};
  const word = effort.toLowerCase();
  if (efforts.has(word)) return { effort: word };
  if (word === "minimal") {
    encoding.lose(["reasoning", "effort"], "approximated", "Anthropic's least effort is low");
    return { effort: "low" };
  }
  encoding.lose(["reasoning", "effort"], "unsupported", "Anthropic has no such effort");
  return {};
}

/** Temperature, top_p and top_k within what the API takes, which is less beside thinking. */
export function encodeSampling(
  { temperature, topP, topK }: Pick<InferenceRequest, "temperature" | "topP" | "topK">,
  thinking: JsonObject | undefined,
  encoding: Encoding,
): JsonObject {
  const stated: JsonObject = {
    ...optional("temperature", temperature),
    ...optional("top_p", topP),
    ...optional("top_k", topK),
  };
  if (encoding.source === dialectId) return stated;
  if (thinking !== undefined && thinking["type"] !== "disabled") {
    // Extended thinking guide, read 2026-11-21: temperature 1 alone, top_p from 0.95, no top_k.
    const beside = "Anthropic refuses it beside thinking";
    if (temperature !== undefined && temperature !== 1) encoding.lose(["temperature"], "unsupported", beside);
    if (topP !== undefined && topP < 0.95) encoding.lose(["topP"], "unsupported", beside);
    if (topK !== undefined) encoding.lose(["topK"], "unsupported", beside);
    return {
      ...(temperature === 1 ? { temperature } : {}),
      ...(topP !== undefined && topP >= 0.95 ? { top_p: topP } : {}),
    };
  }
  if (temperature !== undefined && temperature > 1) {
    encoding.lose(["temperature"], "approximated", "Anthropic's highest temperature is 1");
    return { ...stated, temperature: 1 };
  }
  return stated;
}
