// Room dialects, bedrock-converse: which maker's model an id names, for what Converse hands on to the model as it is.
// Invariant: an id that says nothing (an ARN of one's own) is of no family, and nothing is guessed for it.

/** Makers whose own request fields are known. */
export type ModelFamily = "anthropic" | "nova" | "qwen" | "openai" | "mistral";

/** Ids are `vendor.model`, after a region for inference profiles (`us.`), or the last part of an ARN. */
const families: readonly [RegExp, ModelFamily][] = [
  [/(^|[./])anthropic\./, "anthropic"],
  [/(^|[./])amazon\.nova/, "nova"],
  [/(^|[./])qwen\./, "qwen"],
  [/(^|[./])openai\./, "openai"],
  [/(^|[./])mistral\./, "mistral"],
];

/** The family of a model id; undefined where it is not known. */
export function findFamily(model: string): ModelFamily | undefined {
  return families.find(([pattern]) => pattern.test(model))?.[1];
}
