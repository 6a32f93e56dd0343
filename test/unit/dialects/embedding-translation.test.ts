// Embeddings from each dialect to each other: the same question in five wordings, and the same vectors in five answers, all by hand.
import { describe, expect, it } from "vitest";
import {
  type DialectId,
  findDialect,
  translateEmbeddingRequest,
  translateEmbeddingResponse,
} from "../../../src/dialects/index.ts";
import type { Operation } from "../../../src/dialects/index.ts";
import { readVectors, writeFloats } from "../../../src/dialects/vectors.ts";
import { SidecarError } from "../../../src/errors.ts";

type Json = Record<string, unknown>;

const facts = { model: "m-1", exchangeId: "0".repeat(32), epochSeconds: 0 };
/** Which each of these wires can carry exactly. */
const vector = [0.5, -0.25, 0.125];
const text = "the sea";

interface Wording {
  path: string;
  request: Json;
  answer: Json;
  /** The model that the wording stands for, where it decides the form of the body. */
  model?: string;
  /** The vectors of the wording's answer have no place for the count. */
  usage?: false;
}

/** One text, three dimensions, nothing else that can be left out; seven tokens. */
const wordings: Partial<Record<DialectId, Wording>> = {
  embeddings: {
    path: "/v1/embeddings",
    request: { model: "m-1", input: [text], dimensions: 3 },
    answer: {
      object: "list",
      data: [{ object: "embedding", index: 0, embedding: vector }],
      model: "m-1",
      usage: { prompt_tokens: 7, total_tokens: 7 },
    },
  },
  "gemini-generate-content": {
    path: "/v1beta/models/m-1:embedContent",
    request: { content: { parts: [{ text }] }, outputDimensionality: 3 },
    answer: { embedding: { values: vector }, usageMetadata: { promptTokenCount: 7 } },
  },
  "cohere-chat": {
    path: "/v2/embed",
    request: {
      model: "m-1",
      texts: [text],
      input_type: "search_document",
      embedding_types: ["float"],
      output_dimension: 3,
    },
    answer: {
      id: "0".repeat(32),
      embeddings: { float: [vector] },
      texts: [text],
      meta: { api_version: { version: "2" }, billed_units: { input_tokens: 7 } },
      response_type: "embeddings_by_type",
    },
  },
  "ollama-chat": {
    path: "/api/embed",
    request: { model: "m-1", input: [text], dimensions: 3 },
    answer: { model: "m-1", embeddings: [vector], prompt_eval_count: 7 },
  },
  "bedrock-invoke": {
    path: "/model/amazon.titan-embed-text-v2%3A0/invoke",
    request: { inputText: text, dimensions: 3 },
    answer: { embedding: vector, inputTextTokenCount: 7 },
    model: "amazon.titan-embed-text-v2:0",
  },
};

function operationAt(id: DialectId, path: string): Operation {
  const operation = findDialect(id).match("POST", path);
  if (operation === undefined) throw new Error(`${id} has no call at ${path}`);
  return operation;
}

function ask(
  from: DialectId,
  to: DialectId,
  path: string,
  body: Json,
  model = "m-1",
): ReturnType<typeof translateEmbeddingRequest> {
  const source = findDialect(from);
  const operation = operationAt(from, path);
  const asked = { operation, request: source.decodeRequest(body, operation) };
  return translateEmbeddingRequest(source, findDialect(to), body, asked, { ...facts, model });
}

const ids = Object.keys(wordings) as DialectId[];
const pairs = ids.flatMap((from) => ids.filter((to) => to !== from).map((to) => [from, to] as const));

describe("one text", () => {
  it.each(pairs)("%s asks in the words of %s", (from, to) => {
    const [source, target] = [wordings[from] as Wording, wordings[to] as Wording];
    const { path, body, losses } = ask(from, to, source.path, source.request, target.model);
    expect(path).toBe(target.path);
    const isCarried = from === "cohere-chat" && to === "gemini-generate-content";
    expect(body).toEqual(isCarried ? { ...target.request, taskType: "RETRIEVAL_DOCUMENT" } : target.request);
    // Cohere alone must be told what vectors are for; of the others only Google can be.
    const told = losses.map(({ reason, severity, pointer }) => `${reason} ${severity} ${pointer}`);
    const isSaid = from === "cohere-chat" && !isCarried;
    expect(told).toEqual(
      to === "cohere-chat" ? ["injected tuning "] : isSaid ? ["unsupported tuning /input_type"] : [],
    );
  });

  it("of Cohere's client keeps its own task at Google", () => {
    const { body } = ask("cohere-chat", "gemini-generate-content", "/v2/embed", {
      model: "m-1",
      texts: [text],
      input_type: "clustering",
    });
    expect(body).toEqual({ content: { parts: [{ text }] }, taskType: "CLUSTERING" });
  });

  it.each(pairs)("%s reads the answer of %s", (client, provider) => {
    const [asked, answered] = [wordings[client] as Wording, wordings[provider] as Wording];
    const [source, target] = [findDialect(provider), findDialect(client)];
    const vectors = source.embeddingCodec?.decodeVectors(answered.answer) ?? [];
    const response = source.decodeResponse(answered.answer, operationAt(provider, answered.path));
    const operation = operationAt(client, asked.path);
    const request = target.decodeRequest(asked.request, operation);
    const answer = { response, vectors, usage: response.usage };
    const { body, losses } = translateEmbeddingResponse(source, target, answer, { operation, request }, facts);
    expect(body).toEqual(asked.answer);
    expect(losses).toEqual([]);
    // What is kept of the answer has no number of the vector.
    expect(JSON.stringify(response)).not.toContain("0.125");
  });
});

describe("what is lost", () => {
  it.each([
    { input: [[1, 2], [3]], pointer: "/input/0" },
    { input: [1, 2], pointer: "/input" },
    { input: [text, { image: "x" }], pointer: "/input/1" },
  ])("ends the translation where an input is no text: $pointer", ({ input, pointer }) => {
    const call = (): unknown => ask("embeddings", "cohere-chat", "/v1/embeddings", { model: "m-1", input });
    expect(call).toThrow(SidecarError);
    expect(call).toThrow(`${pointer}: `);
  });

  it("is told with its place in a batch", () => {
    const item = (more: Json): Json => ({ model: "models/m-1", content: { parts: [{ text }] }, ...more });
    const requests = [
      item({ taskType: "RETRIEVAL_QUERY" }),
      item({ taskType: "CLUSTERING", title: "t" }),
      item({ taskType: "RETRIEVAL_QUERY", outputDimensionality: 5 }),
      item({}),
    ];
    const path = "/v1beta/models/m-1:batchEmbedContents";
    const { body, losses } = ask("gemini-generate-content", "cohere-chat", path, { requests });
    expect(body["input_type"]).toBe("search_query");
    expect(losses.map(({ pointer, severity }) => `${pointer} ${severity}`).sort()).toEqual([
      "/requests/1/taskType semantic",
      "/requests/1/title semantic",
      "/requests/2/outputDimensionality semantic",
      "/requests/3/content semantic",
    ]);
  });

  it("is each word that the target does not have", () => {
    const { losses } = ask("cohere-chat", "embeddings", "/v2/embed", {
      model: "m-1",
      texts: [text],
      input_type: "search_query",
      embedding_types: ["ubinary"],
      truncate: "START",
      priority: 3,
    });
    expect(losses.map(({ pointer, severity }) => `${pointer} ${severity}`).sort()).toEqual([
      "/embedding_types semantic",
      "/input_type tuning",
      "/priority semantic",
      "/truncate tuning",
    ]);
  });

  it("is a user toward a dialect without one", () => {
    const { losses } = ask("embeddings", "ollama-chat", "/v1/embeddings", { model: "m-1", input: text, user: "u" });
    expect(losses).toMatchObject([{ pointer: "/user", reason: "unsupported", severity: "tuning" }]);
  });

  it("is how long Ollama keeps a model loaded, which only tunes", () => {
    const { losses } = ask("ollama-chat", "embeddings", "/api/embed", { model: "m-1", input: text, keep_alive: "5m" });
    expect(losses).toMatchObject([{ pointer: "/keep_alive", severity: "tuning" }]);
  });

  it("is the nearest of Cohere's tasks", () => {
    const body = { content: { parts: [{ text }] }, taskType: "SEMANTIC_SIMILARITY" };
    const said = ask("gemini-generate-content", "cohere-chat", "/v1beta/models/m-1:embedContent", body);
    expect(said.body["input_type"]).toBe("clustering");
    expect(said.losses).toMatchObject([{ pointer: "/taskType", reason: "approximated", severity: "tuning" }]);
  });
});

it("Ollama's yes to cutting is Cohere's end, and its no none", () => {
  const cut = (truncate: boolean): unknown =>
    ask("ollama-chat", "cohere-chat", "/api/embed", { model: "m-1", input: text, truncate }).body["truncate"];
  expect([cut(true), cut(false)]).toEqual(["END", "NONE"]);
});

it("a client of OpenAI reads counts where the provider states none, and the record tells", () => {
  const [google, openai] = [findDialect("gemini-generate-content"), findDialect("embeddings")];
  const operation = operationAt("embeddings", "/v1/embeddings");
  const request = openai.decodeRequest({ model: "m-1", input: text }, operation);
  const answer = { response: { choices: [] }, vectors: [vector], usage: undefined };
  const { body, losses } = translateEmbeddingResponse(google, openai, answer, { operation, request }, facts);
  expect(body["usage"]).toEqual({ prompt_tokens: 0, total_tokens: 0 });
  expect(losses).toMatchObject([{ pointer: "response:/usage", reason: "injected" }]);
});

describe("a vector in base64", () => {
  // 0.1 as float32 is 0x3DCCCCCD, which is 0.100000001490116119384765625.
  const tenth = Buffer.from([0xcd, 0xcc, 0xcc, 0x3d]);

  it("is little-endian float32, both ways", () => {
    expect(writeFloats([0.1])).toBe(tenth.toString("base64"));
    expect(readVectors([tenth.toString("base64")])).toEqual([[0.100000001490116119384765625]]);
  });

  it("stays the same bytes when it is read and written again", () => {
    const bytes = Buffer.concat([tenth, Buffer.from([0, 0, 0x80, 0xbf]), Buffer.from([1, 2, 3, 0x3e])]);
    const [floats = []] = readVectors([bytes.toString("base64")]) ?? [];
    expect(floats).toHaveLength(3);
    expect(Buffer.from(writeFloats(floats), "base64")).toEqual(bytes);
  });

  it.each([
    { why: "int8, as Perplexity sends it", item: Buffer.from([127, 5, 130, 90, 3, 200, 17, 99]).toString("base64") },
    { why: "three bytes", item: "AAAA" },
    { why: "nothing", item: "" },
  ])("is not made of $why", ({ item }) => {
    expect(readVectors([item])).toBeUndefined();
  });
});
