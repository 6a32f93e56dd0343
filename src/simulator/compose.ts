// Simulator: what the pretended model says. Knows tools, stop words and token limits; knows no wire format.

import { countTokens, splitWords, writeJsonValue, writeText, type Random } from "./text.ts";

/** A function tool of the request. */
export interface Tool {
  name: string;
  /** JSON Schema of its arguments. */
  schema: unknown;
}

/** What both wire formats ask for, in one shape. */
export interface Ask {
  /** Text of the last message if a person wrote it; empty after a tool result. */
  userText: string;
  tools: Tool[];
  toolChoice: { mode: "auto" | "none" | "required"; name?: string };
  parallelTools: boolean;
  /** The model name ordered tool calls. */
  wantsTools: boolean;
  maxTokens: number | undefined;
  stops: string[];
  /** JSON Schema of the answer, where the client asked for JSON. */
  answerSchema: unknown;
  thinks: boolean;
}

/** A call the model makes; its id belongs to the wire. */
export interface ToolCall {
  name: string;
  argumentsJson: string;
}

/** One answer of the model. */
export interface Choice {
  /** Empty when the model does not think. */
  thinking: string;
  text: string;
  toolCalls: ToolCall[];
  finish: "stop" | "length" | "tool_calls" | "stop_sequence" | "content_filter";
  /** The stop word that ended it, with finish `stop_sequence`. */
  stopSequence?: string;
}

/** Words of a tool's name that are long enough to mean something: `get_weather` → weather. */
const nameWords = (name: string): string[] =>
  name
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word.length > 3);

function chooseTools(ask: Ask): Tool[] {
  const { tools, toolChoice } = ask;
  const [first] = tools;
  if (first === undefined || toolChoice.mode === "none") return [];
  const limit = ask.parallelTools ? 4 : 1;
  if (toolChoice.name !== undefined) return tools.filter((tool) => tool.name === toolChoice.name).slice(0, 1);
  if (ask.wantsTools) return tools.slice(0, Math.min(limit, 2));
  const said = ask.userText.toLowerCase();
  const named = tools.filter((tool) => nameWords(tool.name).some((word) => said.includes(word)));
  if (named.length > 0) return named.slice(0, limit);
  return toolChoice.mode === "required" || /\btools?\b/.test(said) ? [first] : [];
}

function cutText(text: string, ask: Ask): Pick<Choice, "text" | "finish" | "stopSequence"> {
  const ends = ask.stops
    .map((stop) => ({ stop, at: stop === "" ? -1 : text.indexOf(stop) }))
    .filter(({ at }) => at >= 0);
  const earliest = ends.sort((a, b) => a.at - b.at)[0];
  const kept = earliest === undefined ? text : text.slice(0, earliest.at);
  if (ask.maxTokens !== undefined && countTokens(kept) > ask.maxTokens) {
    // Never half of a surrogate pair: the answer must be text.
    return { text: kept.slice(0, ask.maxTokens * 4).replace(/[\ud800-\udbff]$/, ""), finish: "length" };
  }
  return earliest === undefined
    ? { text: kept, finish: "stop" }
    : { text: kept, finish: "stop_sequence", stopSequence: earliest.stop };
}

/** One answer. The same ask and the same chance give the same answer. */
export function composeChoice(ask: Ask, random: Random): Choice {
  const thinking = ask.thinks ? `Let me think. ${writeText(random, "")}` : "";
  const called = chooseTools(ask);
  if (called.length > 0) {
    const toolCalls = called.map((tool) => ({
      name: tool.name,
      argumentsJson: JSON.stringify(writeJsonValue(random, tool.schema)),
    }));
    return { thinking, text: "", toolCalls, finish: "tool_calls" };
  }
  const text =
    ask.answerSchema === undefined
      ? writeText(random, ask.userText)
      : JSON.stringify(writeJsonValue(random, ask.answerSchema));
  return { thinking, toolCalls: [], ...cutText(text, ask) };
}

/** The same answer as a content filter would leave it: its first words. */
export function censorChoice(choice: Choice): Choice {
  return { ...choice, text: splitWords(choice.text).slice(0, 3).join(""), toolCalls: [], finish: "content_filter" };
}

/** Tokens the answer cost, thinking included. */
export function countChoiceTokens(choice: Choice): number {
  const calls = choice.toolCalls.reduce((sum, call) => sum + countTokens(call.name + call.argumentsJson) + 4, 0);
  return Math.max(1, countTokens(choice.thinking) + countTokens(choice.text) + calls);
}
