// Room dialects: the shapes in which rerank calls are spoken. All say the same (a query, documents, how many are wanted; places and
// scores) under other names, so a shape is a row of names here and nothing more. A new one is one row.
// Invariant: names only; who speaks which shape is told by the client's own call, or by the provider's row.

import type { Operation } from "./dialect.ts";
import { isJsonObject, type JsonObject } from "./json/fields.ts";

/** Every shape's id. `plain`: `/v1/rerank` as Jina made it and Cohere v1, vLLM, llama.cpp and LiteLLM speak it. */
export const rerankShapeIds = ["cohere", "plain", "jina", "together", "voyage", "mixedbread", "bedrock"] as const;

export type RerankShapeId = (typeof rerankShapeIds)[number];

/** One way to word the call and its answer. */
export interface RerankShape {
  id: RerankShapeId;
  /** The body names the model; else the path does. */
  hasModel: boolean;
  /** As `joinUrl` takes a client's. */
  path: (model: string) => string;
  documents: "documents" | "input";
  count: "top_n" | "top_k";
  returned: "return_documents" | "return_input";
  /** Members that a document or query which is an object may have; absent: it must be a text. */
  objects?: "any" | readonly string[];
  /** Members beyond these that it takes, under the same name and with the same meaning in every shape. */
  settings: readonly string[];
  /** A text that is too long is cut, asked or not. */
  cutsLong?: true;
  /** What the call has beside what the client said. */
  constants: (model: string) => JsonObject;
  answer: {
    list: "results" | "data";
    score: "relevance_score" | "score";
    document: "document" | "input";
    /** How a document that was a text stands in the answer. */
    textForm: "text" | "object";
    /** Documents come back where the client does not say. */
    returnsUnasked: boolean;
    /** `object` of the answer. */
    object?: string;
    hasModel: boolean;
    hasId: boolean;
    /** Where usage stands: Cohere's `meta`, the counts of tokens named, or nowhere. `needed`: clients read it without a look. */
    meta?: true;
    tokens?: { names: readonly ("prompt_tokens" | "total_tokens")[]; needed?: true };
  };
}

const v1 = (): string => "/v1/rerank";
const nothing = (): JsonObject => ({});

const plain: RerankShape = {
  id: "plain",
  hasModel: true,
  path: v1,
  documents: "documents",
  count: "top_n",
  returned: "return_documents",
  settings: [],
  constants: nothing,
  answer: {
    list: "results",
    score: "relevance_score",
    document: "document",
    textForm: "object",
    // Jina's default and vLLM's habit: their clients read it; those of Cohere v1 pass over it.
    returnsUnasked: true,
    hasModel: true,
    hasId: true,
    meta: true,
    tokens: { names: ["prompt_tokens", "total_tokens"] },
  },
};

/** Voyage's and Mixedbread's answers. */
const listAnswer = {
  list: "data",
  textForm: "text",
  returnsUnasked: false,
  object: "list",
  hasModel: true,
  hasId: false,
} as const;

/**
 * The rows. Cohere, Voyage, llama.cpp and Bedrock as recorded; Jina and Mixedbread as public clients of theirs call them (read
 * 2026-11-21); Together, which says that it is compatible with Cohere, and vLLM by general knowledge, not verified.
 */
export const rerankShapes: Readonly<Record<RerankShapeId, RerankShape>> = {
  plain,
  cohere: {
    ...plain,
    id: "cohere",
    path: () => "/v2/rerank",
    settings: ["max_tokens_per_doc", "priority"],
    cutsLong: true,
    answer: {
      list: "results",
      score: "relevance_score",
      document: "document",
      textForm: "object",
      returnsUnasked: false,
      hasModel: false,
      hasId: true,
      meta: true,
    },
  },
  // Documents are Outrider's to give back: what Jina returns unasked need not travel.
  jina: { ...plain, id: "jina", objects: ["text", "image"], constants: () => ({ return_documents: false }) },
  together: { ...plain, id: "together", objects: "any", settings: ["rank_fields"] },
  voyage: {
    ...plain,
    id: "voyage",
    count: "top_k",
    settings: ["truncation"],
    cutsLong: true,
    answer: {
      ...listAnswer,
      score: "relevance_score",
      document: "document",
      tokens: { names: ["total_tokens"], needed: true },
    },
  },
  mixedbread: {
    ...plain,
    id: "mixedbread",
    path: () => "/v1/reranking",
    documents: "input",
    count: "top_k",
    returned: "return_input",
    objects: "any",
    settings: ["rank_fields"],
    answer: {
      ...listAnswer,
      score: "score",
      document: "input",
      tokens: { names: ["prompt_tokens", "total_tokens"], needed: true },
    },
  },
  bedrock: {
    ...plain,
    id: "bedrock",
    hasModel: false,
    path: (model) => `/model/${encodeURIComponent(model)}/invoke`,
    settings: ["max_tokens_per_doc"],
    cutsLong: true,
    // Cohere's models there want it (recorded); Amazon's have no such member.
    constants: (model) => (/(^|[./])cohere\./.test(model) ? { api_version: 2 } : {}),
    answer: {
      list: "results",
      score: "relevance_score",
      document: "document",
      textForm: "object",
      returnsUnasked: false,
      hasModel: false,
      hasId: false,
    },
  },
};

/** What of a client's call its shape is told by: the path where only one has it, else a member that only one has. */
export function findRerankShape({ route }: Operation, body: JsonObject): RerankShape {
  if (route.startsWith("/v2/")) return rerankShapes.cohere;
  if (Array.isArray(body["input"])) return rerankShapes.mixedbread;
  // Voyage's SDK always sends `truncation` (recorded).
  if (body["top_k"] !== undefined || body["truncation"] !== undefined) return rerankShapes.voyage;
  return rerankShapes.plain;
}

/** A document or query as a shape without a place for such an object is to have it; undefined where there is no text to rank. */
export function readRankedText(value: unknown, fields: readonly string[]): string | undefined {
  if (typeof value === "string") return value;
  // A picture cannot be left out of what is ranked (Jina).
  if (!isJsonObject(value) || Object.hasOwn(value, "image")) return undefined;
  const said = fields.flatMap((name) => (typeof value[name] === "string" ? [[name, value[name]] as const] : []));
  if (said.length === 0) return undefined;
  if (fields.length === 1) return said[0]?.[1];
  return said.map(([name, text]) => `${name}: ${text}`).join("\n");
}
