// Room dialects, gemini-generate-content: Google's generateContent, its embeddings and its token counter, at the Gemini API and at Vertex AI.
// Other calls (interactions, files, batches, caches, images and videos by `:predict`) are not this dialect's: they match nothing.

import type { Dialect, Operation, OperationName } from "../dialect.ts";
import { type GooglePath, parseGooglePath } from "../google-path.ts";
import { embeddingCodec } from "./embedding-codec.ts";
import { decodeError, encodeError, encodeStreamError } from "./error.ts";
import { encoder } from "./encoder.ts";
import { decodeRequest } from "./request.ts";
import { decodeResponse } from "./response.ts";
import { dialectId } from "./schema.ts";
import { createEventDecoder } from "./stream.ts";

interface Verb {
  kind: string;
  name?: OperationName;
  stream?: true;
}

const verbs: ReadonlyMap<string, Verb> = new Map<string, Verb>([
  ["generateContent", { kind: "generate_content", name: "generate_content" }],
  ["streamGenerateContent", { kind: "generate_content", name: "generate_content", stream: true }],
  ["embedContent", { kind: "embed_one", name: "embeddings" }],
  ["batchEmbedContents", { kind: "embed_many", name: "embeddings" }],
  ["countTokens", { kind: "count_tokens" }],
]);

/** Vertex's one call for every old model: only those that embed are read, by their names. */
const predict: Verb = { kind: "embed_many", name: "embeddings" };

/** Google's Gemini models (fields as of 2026-11-21). */
export const geminiGenerateContent: Dialect = {
  id: dialectId,
  framings: ["sse", "json-array"],
  contentMembers: new Set(["contents", "content", "systemInstruction", "system_instruction", "tools"]),
  match: matchCall,
  decodeRequest,
  decodeResponse,
  eventDecoder: createEventDecoder,
  decodeError,
  encodeError,
  encodeStreamError,
  encoder,
  embeddingCodec,
};

/** Without its collection a name is a base model's; a tuned model and an endpoint keep theirs. */
function matchCall(method: string, path: string): Operation | undefined {
  if (method !== "POST") return undefined;
  const call = parseGooglePath(path);
  if (call === undefined || (call.publisher ?? "google") !== "google") return undefined;
  const { kind, name, stream } = verbs.get(call.verb) ?? (isEmbedder(call) ? predict : {});
  if (kind === undefined) return undefined;
  return {
    kind,
    route: call.route,
    path: call.path,
    model: call.collection === "models" ? call.name : `${call.collection}/${call.name}`,
    ...(name === undefined ? {} : { name }),
    ...(stream === undefined ? {} : { stream }),
    ...(call.isVertex ? { home: "vertex" } : {}),
  };
}

function isEmbedder({ verb, collection, name }: GooglePath): boolean {
  return verb === "predict" && collection === "models" && name.includes("embedding");
}
