// Room canonical: a rough count of tokens where the provider states none.
// Invariant: only ever reported as `estimated`.

import type { Part } from "./message.ts";
import type { InferenceRequest } from "./request.ts";

/** English prose averages about four characters a token in the common vocabularies (OpenAI help centre, read 2026-11-21). */
const charactersPerToken = 4;

/** Tokens of `characters` characters of text, rounded up. */
export function estimateTokens(characters: number): number {
  return Math.ceil(characters / charactersPerToken);
}

function countCharacters(part: Part): number {
  switch (part.type) {
    case "text":
    case "reasoning":
      return part.content.length;
    case "tool_call":
      return part.name.length + jsonLength(part.arguments);
    case "tool_call_response":
      return jsonLength(part.response);
    default:
      return 0;
  }
}

function jsonLength(value: unknown): number {
  if (value === undefined) return 0;
  if (typeof value === "string") return value.length;
  try {
    return JSON.stringify(value).length;
  } catch {
    // Nested deeper than the stack: an estimate may leave it out.
    return 0;
  }
}

/** Input tokens of a request, from the text of its messages, instructions and tools; media count nothing. */
export function estimateInputTokens(request: InferenceRequest): number {
  let characters = 0;
  for (const part of request.systemInstructions ?? []) characters += countCharacters(part);
  for (const message of request.messages) {
    for (const part of message.parts) characters += countCharacters(part);
  }
  for (const tool of request.tools ?? []) {
    characters += tool.name.length + (tool.description?.length ?? 0) + jsonLength(tool.parameters);
  }
  return estimateTokens(characters);
}
