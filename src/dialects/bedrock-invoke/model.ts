// Room dialects, bedrock-invoke: what a model id says about the bodies it takes. Ids are `vendor.model`, after a region for
// inference profiles (`us.`, `eu.`, `global.`), or the last part of an ARN; what an ARN of one's own stands for is not known.
// Invariant: only the id is asked, because a call's operation must be known before its body is read.

import type { OperationName } from "../dialect.ts";

/** The operations that InvokeModel serves; also the dialect's kinds. */
export type InvokeKind = Extract<
  OperationName,
  "chat" | "text_completion" | "embeddings" | "rerank" | "image_generation"
>;

/**
 * By the first pattern that fits; anything else is chat. Text completions are the families whose body is a prompt and
 * nothing but (Bedrock user guide, inference parameters, read 2026-11-21; recorded traffic). Claude takes both and is chat.
 */
const kinds: readonly [RegExp, InvokeKind][] = [
  [/embed/, "embeddings"],
  [/rerank/, "rerank"],
  [/(^|[./])(stability\.|amazon\.(titan-image|nova-canvas))/, "image_generation"],
  [/(^|[./])(amazon\.titan-t|meta\.llama|ai21\.j2|cohere\.command-(light-)?text|deepseek\.r1)/, "text_completion"],
  [/(^|[./])mistral\.(mistral-7b|mixtral|mistral-(small|large)-2402)/, "text_completion"],
];

/** What a call of this model does. */
export function findKind(model: string): InvokeKind {
  return kinds.find(([pattern]) => pattern.test(model))?.[1] ?? "chat";
}

/** Which dialect a chat model's request has, where the body leaves that open. */
export function findVendor(model: string): "anthropic" | "nova" | "cohere" | undefined {
  if (/(^|[./])anthropic\./.test(model)) return "anthropic";
  if (/(^|[./])amazon\.nova/.test(model)) return "nova";
  return /(^|[./])cohere\./.test(model) ? "cohere" : undefined;
}
