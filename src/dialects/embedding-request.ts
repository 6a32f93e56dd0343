// Room dialects: what a request for embeddings asks, out of any dialect's decoded request, for those who write it in another's words.
// Invariant: what is read here is carried, or the caller tells its loss: nothing that is taken disappears.

import type { InferenceRequest } from "../canonical/index.ts";
import type { DialectId } from "./dialect.ts";
import type { Refuse } from "./embedding-codec.ts";
import type { CanonicalPath, Encoding } from "./encoding.ts";

/** What a vector is for. Models that are told make other vectors for a query than for a document. */
export type EmbeddingTask =
  | "search_document"
  | "search_query"
  | "classification"
  | "clustering"
  | "similarity"
  | "question_answering"
  | "fact_verification"
  | "code_query";

/** Cohere's words, Google's and Voyage's, in lower case (wire.md §1.9, read 2026-11-21). */
const taskWords: ReadonlyMap<string, EmbeddingTask> = new Map([
  ["search_document", "search_document"],
  ["retrieval_document", "search_document"],
  ["document", "search_document"],
  ["search_query", "search_query"],
  ["retrieval_query", "search_query"],
  ["query", "search_query"],
  ["classification", "classification"],
  ["clustering", "clustering"],
  ["semantic_similarity", "similarity"],
  ["question_answering", "question_answering"],
  ["fact_verification", "fact_verification"],
  ["code_retrieval_query", "code_query"],
]);

const taskPlaces: readonly (readonly [DialectId, string])[] = [
  ["cohere-chat", "input_type"],
  ["bedrock-invoke", "input_type"],
  ["embeddings", "input_type"],
  ["gemini-generate-content", "taskType"],
  ["gemini-generate-content", "task_type"],
];

/** One text per input. What is no text cannot be left out of what is embedded, so it ends the translation. */
export function readTexts(request: InferenceRequest, encoding: Encoding, refuse: Refuse): string[] {
  return request.messages.map(({ parts }, index) => {
    const at = ["messages", index];
    const texts = parts.map((part, place) => {
      if (part.type === "text") return part.content;
      const isTokens = part.type === "generic" && part.generic_type === "tokens";
      return refuse(
        [...at, "parts", place],
        isTokens ? `${encoding.target} takes texts, no lists of tokens` : "only texts are embedded across dialects",
      );
    });
    if (texts.length === 0) return refuse(at, "there is no text to embed");
    if (texts.length > 1) {
      encoding.lose(at, "approximated", "the texts of this input are joined by line breaks", "tuning");
    }
    return texts.join("\n");
  });
}

/** What the client says its vectors are for, and where. One call has one task: another one further on is told as lost. */
export function readTask(
  request: InferenceRequest,
  encoding: Encoding,
): { task: EmbeddingTask; path: CanonicalPath } | undefined {
  let found: { task: EmbeddingTask; path: CanonicalPath } | undefined;
  const said = new Set<unknown>();
  for (const { path, word } of collectTasks(request, encoding)) {
    const task = taskWords.get(word.toLowerCase());
    if (task === undefined) {
      if (word !== "TASK_TYPE_UNSPECIFIED") {
        encoding.lose(path, "unsupported", "no other dialect has this task", "tuning");
      }
    } else if (found === undefined) found = { task, path };
    else if (found.task !== task) {
      encoding.lose(path, "unsupported", "one call has one task, and that of the first input is kept");
    }
    if (path[0] === "messages") said.add(path[1]);
  }
  for (const index of said.size === 0 ? [] : request.messages.keys()) {
    if (!said.has(index)) encoding.lose(["messages", index], "approximated", "this input gets the task of the others");
  }
  return found;
}

/** Every place where a task may stand: the call, or each input of a batch. */
function collectTasks(request: InferenceRequest, encoding: Encoding): { path: CanonicalPath; word: string }[] {
  const nodes = [
    { node: request as Parameters<Encoding["take"]>[0], at: [] as CanonicalPath },
    ...request.messages.map((node, index) => ({ node, at: ["messages", index] })),
  ];
  return nodes.flatMap(({ node, at }) =>
    taskPlaces.flatMap(([dialect, name]) => {
      const word = encoding.take(node, dialect, name);
      return typeof word === "string" ? [{ path: [...at, name], word }] : [];
    }),
  );
}

/** For a target whose models are not told what a vector is for. */
export function loseTask(request: InferenceRequest, encoding: Encoding): void {
  const said = readTask(request, encoding);
  if (said === undefined) return;
  encoding.lose(said.path, "unsupported", `${encoding.target} is not told what a vector is for`, "tuning");
}

/** What becomes of a text that is too long. */
export type Truncation = "start" | "end" | "none";

/** What the client says of it, and under which name; Ollama's and Voyage's yes is an end cut off (their documentation, read 2026-11-21). */
export function readTruncation(
  request: InferenceRequest,
  encoding: Encoding,
): { truncation: Truncation; name: string } | undefined {
  const places: readonly (readonly [DialectId, string])[] = [
    ["cohere-chat", "truncate"],
    ["bedrock-invoke", "truncate"],
    ["ollama-chat", "truncate"],
    ["embeddings", "truncation"],
  ];
  for (const [dialect, name] of places) {
    const value = request.extensions?.[dialect]?.[name];
    const truncation =
      typeof value === "boolean"
        ? value
          ? "end"
          : "none"
        : value === "START" || value === "LEFT"
          ? "start"
          : value === "END" || value === "RIGHT"
            ? "end"
            : value === "NONE"
              ? "none"
              : undefined;
    if (truncation === undefined) continue;
    encoding.take(request, dialect, name);
    return { truncation, name };
  }
  return undefined;
}

/** For a target that cannot be told. */
export function loseTruncation(request: InferenceRequest, encoding: Encoding): void {
  const said = readTruncation(request, encoding);
  if (said === undefined) return;
  encoding.lose(
    [said.name],
    "unsupported",
    `${encoding.target} decides itself about texts that are too long`,
    "tuning",
  );
}

/** Tells each form of numbers that a translated answer does not have: only float32 and its base64 are the same everywhere. */
export function loseFormats(request: InferenceRequest, encoding: Encoding): void {
  const formats = request.embedding?.encodingFormats ?? [];
  if (formats.every((format) => format === "float" || format === "base64")) return;
  encoding.lose(["embedding", "encodingFormats"], "unsupported", "translated vectors come as floats alone");
}

/** For a target that has no place for the caller's end user. */
export function loseUser(request: InferenceRequest, encoding: Encoding): void {
  if (request.user === undefined) return;
  encoding.lose(["user"], "unsupported", `${encoding.target} has no place for the user`);
}

/** Takes what says in the source's words no more than the canonical request does: the model, and the length of each vector of a batch. */
export function takeRepeated(request: InferenceRequest, encoding: Encoding): void {
  encoding.take(request, "gemini-generate-content", "model");
  if (request.extensions?.["bedrock-invoke"]?.["normalize"] === true) {
    // Vectors of length one are what everybody else makes.
    encoding.take(request, "bedrock-invoke", "normalize");
  }
  for (const [index, message] of request.messages.entries()) {
    encoding.take(message, "gemini-generate-content", "model");
    for (const name of ["outputDimensionality", "output_dimensionality"]) {
      const length = encoding.take(message, "gemini-generate-content", name);
      if (length === undefined || length === request.embedding?.dimensions) continue;
      encoding.lose(["messages", index, name], "unsupported", "all vectors of one call have one length");
    }
  }
}
