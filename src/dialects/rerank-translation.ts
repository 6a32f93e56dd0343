// Room dialects: one shape's rerank call, or its answer, in another's words. It works on the JSON itself: the shapes differ in names alone.
// Invariant: what the client sent and the provider does not get is a `Loss` with a pointer into the client's body.

import type { Loss, LossSeverity, Usage } from "../canonical/index.ts";
import { SidecarError } from "../errors.ts";
import type { Dialect, Operation } from "./dialect.ts";
import { isJsonObject, type JsonObject } from "./json/fields.ts";
import { readRankedText, type RerankShape, type RerankShapeId, rerankShapes } from "./rerank-shapes.ts";
import { formatPointer, type TranslatedRequest, type TranslationFacts } from "./translation.ts";

/** A client's own call and the two shapes: its answer's form depends on them, and its documents are given back from here. */
export interface RerankCall {
  client: RerankShape;
  provider: RerankShape;
  /** The client's, parsed. */
  body: JsonObject;
}

/** The dialect of a provider that reranks in this shape. */
export function shapeDialect(dialect: Dialect, id: RerankShapeId): Dialect {
  return { ...dialect, rerankShape: () => rerankShapes[id] };
}

/** The client's call, in the shape that it is told by, for a provider of the target's. */
export function readRerankCall(client: Dialect, target: Dialect, operation: Operation, body: JsonObject): RerankCall {
  return { client: shapeOf(client, operation, body), provider: shapeOf(target, operation, body), body };
}

/** Settings whose loss changes how a ranking is made, not what is ranked. */
const tuningNames = new Set([
  "max_chunks_per_doc",
  "max_tokens_per_doc",
  "priority",
  "truncation",
  "truncate_prompt_tokens",
  "user",
]);

/**
 * The client's call in the provider's words; where the shape is the same, as it was but for the model.
 * @throws SidecarError request_lossy where there is nothing to rank, or no text where the provider ranks texts: with the pointer
 */
export function translateRerankRequest(
  { client: from, provider: to, body }: RerankCall,
  { model }: TranslationFacts,
): TranslatedRequest {
  const path = to.path(model);
  if (from.id === to.id) return { path, headers: [], body: { ...body, model }, losses: [] };
  if (to.id === "bedrock" && !model.includes("rerank")) {
    throw new SidecarError(
      "operation_unsupported",
      "this model of Bedrock does not rerank: those that do say so by name",
    );
  }
  const losses: Loss[] = [];
  const { query, [from.documents]: given, [from.count]: count } = body;
  const fields = readFields(body["rank_fields"]);
  const documents = Array.isArray(given) ? (given as unknown[]) : refuse([], "there are no documents to rank");
  const sent = documents.map((document, index) => sendOne(document, to, fields, [from.documents, index]));
  if (sent.some((document, index) => document !== documents[index])) {
    const detail = "of documents that are objects, the fields that are ranked go as one text";
    losses.push({ pointer: `/${from.documents}`, reason: "approximated", severity: "tuning", detail });
  }
  const sentQuery = sendOne(query, to, ["text"], ["query"]);
  if (sentQuery !== query) {
    const detail = `of a query that is an object, ${to.id} gets the text`;
    losses.push({ pointer: "/query", reason: "approximated", severity: "semantic", detail });
  }
  const encoded: JsonObject = {
    ...to.constants(model),
    ...(to.hasModel ? { model } : {}),
    query: sentQuery,
    [to.documents]: sent,
    ...(count === undefined || count === null ? {} : { [to.count]: count }),
  };
  const read = new Set(["model", "query", from.documents, from.count]);
  if (typeof body[from.returned] === "boolean") read.add(from.returned);
  for (const [name, value] of Object.entries(body)) {
    if (read.has(name) || value === null) continue;
    if (to.settings.includes(name)) encoded[name] = value;
    else if (saysMore(name, value, from, to)) losses.push(lose(name, to));
  }
  return { path, headers: [], body: encoded, losses };
}

/** What is so anyway at the target says nothing. */
function saysMore(name: string, value: unknown, from: RerankShape, to: RerankShape): boolean {
  if (name === "truncation") return value !== true || to.cutsLong !== true;
  if (value === false || value === "") return false;
  return !(from.id === "bedrock" && name === "api_version");
}

function lose(name: string, to: RerankShape): Loss {
  const pointer = formatPointer([name]);
  if (name === "rank_fields") {
    const detail = `${to.id} ranks texts: each document goes as one, made of these fields`;
    return { pointer, reason: "approximated", severity: "tuning", detail };
  }
  const severity: LossSeverity = tuningNames.has(name) ? "tuning" : "semantic";
  return { pointer, reason: "unsupported", severity, detail: `${to.id} has no place for ${name} in a rerank call` };
}

/** By what an object is ranked: Cohere v1's `rank_fields`, whose default is its text. */
function readFields(value: unknown): readonly string[] {
  const isNamed = Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === "string");
  return isNamed ? value : ["text"];
}

/** A document or query as it goes out: as it is where the target takes such, else its text. */
function sendOne(value: unknown, to: RerankShape, fields: readonly string[], path: (string | number)[]): unknown {
  if (typeof value === "string") return value;
  const { objects } = to;
  const isTaken = isJsonObject(value) && objects !== undefined;
  if (isTaken && (objects === "any" || Object.keys(value).every((name) => objects.includes(name)))) return value;
  return readRankedText(value, fields) ?? refuse(path, `it is not text alone, and ${to.id} ranks texts`);
}

function refuse(path: (string | number)[], detail: string): never {
  const pointer = formatPointer(path);
  throw new SidecarError("request_lossy", `${pointer === "" ? "(body)" : pointer}: ${detail}`, {
    details: { pointer },
  });
}

/** One place in a ranking: whose, and how much it is worth. Scores of two models are never comparable. */
interface Place {
  index: number;
  score: number;
}

/**
 * The provider's answer for the client, the best first, with the client's own documents where it wants them; where the shape is the
 * same, as it came. `usage` may have stood in the answer's headers. Undefined where the answer is no ranking of these documents.
 */
export function translateRerankResponse(
  answer: JsonObject,
  usage: Usage | undefined,
  { client: shape, provider, body }: RerankCall,
  facts: TranslationFacts,
): { body: JsonObject; losses: Loss[] } | undefined {
  const given = body[shape.documents];
  const documents = Array.isArray(given) ? (given as unknown[]) : [];
  const places = readPlaces(answer, documents.length);
  if (places === undefined) return undefined;
  if (provider.id === shape.id) return { body: answer, losses: [] };
  const form = shape.answer;
  const asked = body[shape.returned];
  const isReturned = typeof asked === "boolean" ? asked : form.returnsUnasked;
  const list = places.map(({ index, score }) => ({
    index,
    [form.score]: score,
    ...(isReturned ? { [form.document]: writeDocument(documents[index], shape) } : {}),
  }));
  const { id, model } = answer;
  const losses = collectLosses(answer);
  const counts = writeUsage(answer, usage ?? {}, shape, losses);
  return {
    body: {
      ...(form.object === undefined ? {} : { object: form.object }),
      ...(form.hasId && typeof id === "string" ? { id } : {}),
      ...(form.hasModel ? { model: typeof model === "string" && model !== "" ? model : facts.model } : {}),
      [form.list]: list,
      ...counts,
    },
    losses,
  };
}

/** Undefined when one of them is no place of a document, or two are the same's. */
function readPlaces(answer: JsonObject, documentCount: number): Place[] | undefined {
  const list = answer["results"] ?? answer["data"];
  if (!Array.isArray(list)) return undefined;
  const places = new Map<number, Place>();
  for (const item of list as unknown[]) {
    if (!isJsonObject(item)) return undefined;
    const { index } = item;
    const score = item["relevance_score"] ?? item["score"];
    if (typeof index !== "number" || typeof score !== "number") return undefined;
    if (!Number.isInteger(index) || index < 0 || index >= documentCount) return undefined;
    places.set(index, { index, score });
  }
  if (places.size !== list.length) return undefined;
  return [...places.values()].sort((one, other) => other.score - one.score);
}

function writeDocument(document: unknown, { answer }: RerankShape): unknown {
  return typeof document === "string" && answer.textForm === "object" ? { text: document } : document;
}

/** What is read of an answer, or says only what the client said itself. */
const answerNames = new Set(["id", "object", "model", "results", "data", "usage", "meta", "top_k", "return_input"]);
const countNames = new Set(["prompt_tokens", "completion_tokens", "total_tokens"]);
const placeNames = new Set(["index", "relevance_score", "score", "document", "input", "object"]);

function collectLosses(answer: JsonObject): Loss[] {
  const losses: Loss[] = [];
  for (const [name, value] of Object.entries(answer)) {
    if (!answerNames.has(name) && saysAnything(value)) losses.push(loseOfAnswer([name]));
  }
  for (const [name, value] of Object.entries(isJsonObject(answer["usage"]) ? answer["usage"] : {})) {
    if (!countNames.has(name) && saysAnything(value)) losses.push(loseOfAnswer(["usage", name]));
  }
  const listName = answer["results"] === undefined || answer["results"] === null ? "data" : "results";
  const told = new Set<string>();
  for (const [index, item] of (answer[listName] as JsonObject[]).entries()) {
    for (const [name, value] of Object.entries(item)) {
      if (placeNames.has(name) || told.has(name) || !saysAnything(value)) continue;
      told.add(name);
      losses.push(loseOfAnswer([listName, index, name]));
    }
  }
  return losses;
}

function saysAnything(value: unknown): boolean {
  return value !== null && value !== undefined && value !== "";
}

function loseOfAnswer(path: (string | number)[], detail = "the client's shape has no place for it"): Loss {
  return { pointer: `response:${formatPointer(path)}`, reason: "unsupported", severity: "tuning", detail };
}

/** What was counted or billed, where the client's shape has a place for it; the rest is told. */
function writeUsage(
  { meta, usage: stated }: JsonObject,
  { inputTokens, outputTokens = 0 }: Usage,
  { answer: form }: RerankShape,
  losses: Loss[],
): JsonObject {
  const written: JsonObject = {};
  const hasMeta = isJsonObject(meta);
  if (form.meta === true && hasMeta) written["meta"] = meta;
  else if (hasMeta) {
    for (const [name, value] of Object.entries(meta)) {
      const isCounted = name === "tokens" && form.tokens !== undefined;
      if (name !== "api_version" && !isCounted && saysAnything(value)) losses.push(loseOfAnswer(["meta", name]));
    }
  }
  if (form.tokens === undefined) {
    if (form.meta === true && !hasMeta && inputTokens !== undefined) {
      written["meta"] = { tokens: { input_tokens: inputTokens, output_tokens: outputTokens } };
    } else if (isJsonObject(stated)) losses.push(loseOfAnswer(["usage"]));
    return written;
  }
  if (inputTokens === undefined) {
    if (form.tokens.needed !== true) return written;
    const detail = "the provider states no tokens: the counts are 0";
    losses.push({ pointer: "response:/usage", reason: "injected", severity: "tuning", detail });
  }
  const counts = { prompt_tokens: inputTokens ?? 0, total_tokens: (inputTokens ?? 0) + outputTokens };
  written["usage"] = Object.fromEntries(form.tokens.names.map((name) => [name, counts[name]]));
  return written;
}

function shapeOf(dialect: Dialect, operation: Operation, body: JsonObject): RerankShape {
  if (dialect.rerankShape === undefined) throw new Error(`the dialect ${dialect.id} does not rerank`);
  return dialect.rerankShape(operation, body);
}
