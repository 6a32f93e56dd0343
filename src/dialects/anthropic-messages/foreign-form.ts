// Room dialects, anthropic-messages: extensions of other dialects that say nothing but how that dialect words a request.
// Invariant: taken here is only what changes neither the question nor the answer; anything else stays to be told as lost.

import type { Extensions, InferenceRequest, Part } from "../../canonical/index.ts";
import type { DialectId } from "../dialect.ts";
import type { Encoding } from "../encoding.ts";
import { isJsonObject } from "../json/fields.ts";

interface ExtendedNode {
  extensions?: Extensions;
}

/** Takes them off the request, its messages and its tools; parts see to themselves. */
export function takeRequestForm(request: InferenceRequest, encoding: Encoding): void {
  const take = (node: ExtendedNode, dialect: DialectId, name: string, isForm: (value: unknown) => boolean): void => {
    const bag = node.extensions?.[dialect];
    if (bag !== undefined && isForm(bag[name])) encoding.take(node, dialect, name);
  };
  take(request, "openai-chat", "modalities", isListOf("text"));
  take(request, "openai-responses", "include", isListOf("reasoning.encrypted_content"));
  take(request, "gemini-generate-content", "model", isAnything);
  take(request, "gemini-generate-content", "generationConfig", asksForThoughts);
  take(request, "gemini-generate-content", "systemInstruction", hasOnlyRole);
  take(request, "gemini-generate-content", "system_instruction", hasOnlyRole);
  take(request, "bedrock-converse", "inferenceConfig", isEmpty);
  take(request, "bedrock-converse", "additionalModelRequestFields", isEmpty);
  take(request, "cohere-chat", "documents", isEmpty);
  take(request, "ollama-chat", "options", isEmpty);
  take(request, "ollama-chat", "format", isEmpty);
  for (const message of request.messages) {
    for (const name of ["type", "id", "status"]) take(message, "openai-responses", name, isAnything);
    take(message, "openai-chat", "annotations", isEmpty);
    take(message, "openai-chat", "prefix", (value) => value === false);
    // The other of two words for the same reasoning, which is a part already.
    const hasReasoning = message.parts.some(({ type }) => type === "reasoning");
    if (hasReasoning) take(message, "openai-chat", "reasoning", isAnything);
  }
  for (const tool of request.tools ?? []) {
    take(tool, "openai-chat", "name", (value) => value === tool.name);
    take(tool, "ollama-chat", "name", (value) => value === tool.name);
  }
}

/** `parsed_arguments` is what openai-node 7.55.0 read out of the arguments. */
const itemForm: ReadonlySet<string> = new Set(["type", "id", "status", "role", "phase", "parsed_arguments"]);

/** Takes them off one part. */
export function takePartForm(part: Part, encoding: Encoding): void {
  if (part.type === "generic") return;
  encoding.take(part, "openai-chat", "type");
  const gemini = part.extensions?.["gemini-generate-content"];
  if (gemini?.["thought"] === false) encoding.take(part, "gemini-generate-content", "thought");
  const responses = part.extensions?.["openai-responses"];
  if (responses === undefined) return;
  encoding.take(part, "openai-responses", "type");
  const { item } = responses;
  if (isJsonObject(item) && Object.keys(item).every((key) => itemForm.has(key))) {
    encoding.take(part, "openai-responses", "item");
  }
  for (const name of ["annotations", "logprobs"]) {
    if (isEmpty(responses[name])) encoding.take(part, "openai-responses", name);
  }
}

/** Takes all that hangs on a node which is told as lost as a whole. */
export function takeWhole(node: ExtendedNode, encoding: Encoding): void {
  for (const [dialect, bag] of Object.entries(node.extensions ?? {})) {
    for (const name of Object.keys(bag)) encoding.take(node, dialect as DialectId, name);
  }
}

const isAnything = (): boolean => true;

function isEmpty(value: unknown): boolean {
  if (value === "") return true;
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

const isListOf =
  (word: string) =>
  (value: unknown): boolean =>
    Array.isArray(value) && value.every((item) => item === word);

const hasOnlyRole = (value: unknown): boolean =>
  isJsonObject(value) && Object.keys(value).every((key) => key === "role");

/** Or for nothing: Anthropic's thoughts come unasked. */
function asksForThoughts(value: unknown): boolean {
  if (!isJsonObject(value) || Object.keys(value).some((key) => key !== "thinkingConfig")) return false;
  const { thinkingConfig = {} } = value;
  if (!isJsonObject(thinkingConfig)) return false;
  return Object.entries(thinkingConfig).every(([key, wish]) => /^include_?thoughts$/i.test(key) && wish === true);
}
