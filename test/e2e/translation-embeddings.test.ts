// Embeddings of any client at any provider, through the built bundle: what the provider is asked, what the client reads, what is told.
// Every vector is of numbers that float32 holds exactly, so that each form of them can be compared.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { waitForExchange } from "../support/exchange-log.ts";
import {
  type Asked,
  askThrough,
  startTranslatingOutrider,
  type TranslatingOutrider,
} from "../support/translating-outrider.ts";

type Json = Record<string, unknown>;

const vectors = [
  [0.5, -0.25, 0.125],
  [1, 0, -0.75],
];
/** `0.5 -0.25 0.125` as little-endian float32 (IEEE 754: 3F000000, BE800000, 3E000000), and `1 0 -0.75` (3F800000, 0, BF400000). */
const asBase64 = ["AAAAPwAAgL4AAAA+", "AACAPwAAAAAAAEC/"];

let sidecar: TranslatingOutrider;
let upstream: TranslatingOutrider["upstream"];
let receiver: TranslatingOutrider["receiver"];
let outrider: TranslatingOutrider["outrider"];

beforeAll(async () => {
  sidecar = await startTranslatingOutrider(["openai", "google", "cohere", "anthropic", "bedrock"]);
  ({ upstream, receiver, outrider } = sidecar);
});

afterAll(() => sidecar?.stop());

const ask = (path: string, body: Json, answer: Json, headers: Record<string, string> = {}): Promise<Asked> =>
  askThrough(sidecar, [path, body], answer, { headers });

const cohereAnswer = {
  id: "abc",
  embeddings: { float: vectors },
  texts: ["one", "two"],
  meta: { api_version: { version: "2" }, billed_units: { input_tokens: 7 } },
  response_type: "embeddings_by_type",
};
const openaiAnswer = {
  object: "list",
  // Not in the order of the inputs.
  data: [
    { object: "embedding", index: 1, embedding: vectors[1] },
    { object: "embedding", index: 0, embedding: vectors[0] },
  ],
  model: "embed-test-1",
  usage: { prompt_tokens: 7, total_tokens: 7 },
};

describe("an OpenAI client at Cohere", () => {
  it("reads floats, its model and the usage", async () => {
    const { response, read, seen, asked } = await ask(
      "/v1/embeddings",
      { model: "cohere/embed-v4.0", input: ["one", "two"], dimensions: 256 },
      cohereAnswer,
    );
    expect(response.status).toBe(200);
    expect(seen?.path).toBe("/v2/embed");
    expect(asked).toEqual({
      model: "embed-v4.0",
      texts: ["one", "two"],
      input_type: "search_document",
      embedding_types: ["float"],
      output_dimension: 256,
    });
    expect(read).toEqual({
      object: "list",
      data: [
        { object: "embedding", index: 0, embedding: vectors[0] },
        { object: "embedding", index: 1, embedding: vectors[1] },
      ],
      model: "embed-v4.0",
      usage: { prompt_tokens: 7, total_tokens: 7 },
    });
    expect(response.headers.get("x-outrider-loss")).toContain("injected");
    expect(JSON.stringify(seen)).not.toContain("test-key-of-the-client");
  });

  it("reads base64 where it asked for it, bit for bit", async () => {
    const body = { model: "cohere/embed-v4.0", input: ["one", "two"], encoding_format: "base64" };
    const { read } = await ask("/v1/embeddings", body, cohereAnswer);
    expect((read["data"] as Json[]).map(({ embedding }) => embedding)).toEqual(asBase64);
  });

  it("is told that Cohere takes no lists of tokens, before the provider is called", async () => {
    const before = upstream.requests.length;
    const body = { model: "cohere/embed-v4.0", input: [[1, 2], [3]] };
    const { response, read } = await ask("/v1/embeddings", body, cohereAnswer);
    expect(response.status).toBe(422);
    expect(JSON.stringify(read)).toContain("/input/0: cohere-chat takes texts, no lists of tokens");
    expect(upstream.requests.length).toBe(before);
  });

  it("gets an error, not a shorter list, when a vector is missing", async () => {
    const answer = { ...cohereAnswer, embeddings: { float: vectors.slice(0, 1) } };
    const { response } = await ask("/v1/embeddings", { model: "cohere/embed-v4.0", input: ["one", "two"] }, answer);
    expect(response.status).toBe(502);
  });

  it("gets the provider's error in its own words", async () => {
    upstream.setScript({
      status: 429,
      headers: { "content-type": "application/json" },
      contentLength: true,
      chunks: [JSON.stringify({ id: "x", message: "too many" })],
    });
    const response = await fetch(`${outrider.url}/v1/embeddings`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "cohere/embed-v4.0", input: "one" }),
    });
    expect(response.status).toBe(429);
    const { error } = (await response.json()) as { error: Json };
    expect(error["message"]).toContain("too many");
  });
});

describe("an OpenAI client at Bedrock", () => {
  const model = "bedrock/amazon.titan-embed-text-v2:0";

  it("puts one text to Titan", async () => {
    const { response, read, seen, asked } = await ask(
      "/v1/embeddings",
      { model, input: "one", dimensions: 256 },
      { embedding: vectors[0], inputTextTokenCount: 3, embeddingsByType: { float: vectors[0] } },
    );
    expect(response.status, JSON.stringify(read)).toBe(200);
    expect(decodeURIComponent(seen?.path ?? "")).toBe("/model/amazon.titan-embed-text-v2:0/invoke");
    expect(asked).toEqual({ inputText: "one", dimensions: 256 });
    expect(read["data"]).toEqual([{ object: "embedding", index: 0, embedding: vectors[0] }]);
    expect(read["usage"]).toEqual({ prompt_tokens: 3, total_tokens: 3 });
  });

  it("is refused two texts for Titan", async () => {
    const { response, read } = await ask("/v1/embeddings", { model, input: ["one", "two"] }, {});
    expect(response.status).toBe(422);
    expect(JSON.stringify(read)).toContain("/input/1: Titan embeds one text a call");
  });

  it("reads the usage that Cohere's models state in a header alone", async () => {
    const { read, asked } = await ask(
      "/v1/embeddings",
      { model: "bedrock/cohere.embed-english-v3", input: ["one", "two"] },
      { id: "x", embeddings: vectors, texts: ["one", "two"], response_type: "embeddings_floats" },
      { "x-amzn-bedrock-input-token-count": "9" },
    );
    expect(asked).toEqual({ texts: ["one", "two"], input_type: "search_document", embedding_types: ["float"] });
    expect(read["usage"]).toEqual({ prompt_tokens: 9, total_tokens: 9 });
  });
});

describe("a Gemini client at OpenAI", () => {
  const at = (verb: string): string => `/v1beta/models/${encodeURIComponent("openai/embed-test-1")}:${verb}`;

  it("reads a batch in the order of its inputs", async () => {
    const item = (text: string): Json => ({
      model: "models/openai/embed-test-1",
      content: { parts: [{ text }] },
      outputDimensionality: 3,
    });
    const body = { requests: [item("one"), item("two")] };
    const { response, read, seen, asked } = await ask(at("batchEmbedContents"), body, openaiAnswer);
    expect(response.status, JSON.stringify(read)).toBe(200);
    expect(seen?.path).toBe("/v1/embeddings");
    expect(asked).toEqual({ model: "embed-test-1", input: ["one", "two"], dimensions: 3 });
    expect(read).toEqual({
      embeddings: [{ values: vectors[0] }, { values: vectors[1] }],
      usageMetadata: { promptTokenCount: 7 },
    });
    expect(response.headers.get("x-outrider-loss")).toBeNull();
  });

  it("reads one embedding, and is told that its task is not", async () => {
    const { response, read } = await ask(
      at("embedContent"),
      { content: { parts: [{ text: "one" }] }, taskType: "RETRIEVAL_QUERY" },
      { ...openaiAnswer, data: openaiAnswer.data.slice(1) },
    );
    expect(read["embedding"]).toEqual({ values: vectors[0] });
    expect(response.headers.get("x-outrider-loss")).toContain("/taskType");
  });
});

describe("a Cohere client at Google", () => {
  it("makes a batch of several texts, each with the task", async () => {
    const body = {
      model: "google/gemini-embedding-001",
      texts: ["one", "two"],
      input_type: "search_query",
      embedding_types: ["float", "base64"],
      output_dimension: 3,
    };
    const { response, read, seen, asked } = await ask("/v2/embed", body, {
      embeddings: vectors.map((values) => ({ values })),
    });
    expect(response.status, JSON.stringify(read)).toBe(200);
    expect(seen?.path).toBe("/v1beta/models/gemini-embedding-001:batchEmbedContents");
    const item = (text: string): Json => ({
      model: "models/gemini-embedding-001",
      content: { parts: [{ text }] },
      taskType: "RETRIEVAL_QUERY",
      outputDimensionality: 3,
    });
    expect(asked).toEqual({ requests: [item("one"), item("two")] });
    expect(read).toMatchObject({
      embeddings: { float: vectors, base64: asBase64 },
      texts: ["one", "two"],
      response_type: "embeddings_by_type",
    });
    expect(response.headers.get("x-outrider-loss")).toBeNull();
  });

  it("is refused numbers that floats cannot be", async () => {
    const body = { model: "google/m", texts: ["one"], input_type: "search_query", embedding_types: ["int8"] };
    const { response, read } = await ask("/v2/embed", body, {});
    expect(response.status).toBe(422);
    expect(JSON.stringify(read)).toContain("/embedding_types");
  });
});

describe("an Ollama client at OpenAI", () => {
  it.each([
    {
      path: "/api/embed",
      input: { input: "one" },
      answer: { model: "embed-test-1", embeddings: [vectors[0]], prompt_eval_count: 7 },
    },
    { path: "/api/embeddings", input: { prompt: "one" }, answer: { embedding: vectors[0] } },
  ])("answers $path", async ({ path, input, answer }) => {
    const body = { model: "openai/embed-test-1", ...input };
    const { read, asked } = await ask(path, body, { ...openaiAnswer, data: openaiAnswer.data.slice(1) });
    expect(asked).toEqual({ model: "embed-test-1", input: ["one"] });
    expect(read).toEqual(answer);
  });
});

it("a provider without embeddings is told as such", async () => {
  const { response, read } = await ask("/v1/embeddings", { model: "anthropic/claude-x", input: "one" }, {});
  expect([response.status, JSON.stringify(read)]).toEqual([
    expect.any(Number),
    expect.stringContaining("anthropic does not speak embeddings"),
  ]);
  expect(response.status).toBeGreaterThanOrEqual(400);
});

it("no vector is remembered", async () => {
  const marker = 0.000732421875;
  const { response } = await ask(
    "/v1/embeddings",
    { model: "cohere/embed-v4.0", input: "one" },
    { ...cohereAnswer, embeddings: { float: [[marker, marker]] } },
  );
  expect(response.status).toBe(200);
  const id = response.headers.get("x-outrider-request-id") ?? "";
  const exchange = await waitForExchange(outrider, id);
  expect(exchange.dialect).toBe("embeddings");
  expect(JSON.stringify(exchange)).not.toContain(String(marker));
  const isExported = (): boolean => receiver.spans.some(({ traceId }) => traceId === exchange.traceId);
  await expect.poll(isExported, { timeout: 5000 }).toBe(true);
  expect(Buffer.concat(receiver.bodies).toString("latin1")).not.toContain(String(marker));
});
