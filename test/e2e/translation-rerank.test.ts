// Rerank calls of any client at any provider, through the built bundle: what the provider is asked, what the client reads, what is told.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { waitForExchange } from "../support/exchange-log.ts";
import {
  type Asked,
  askThrough,
  startTranslatingOutrider,
  type TranslatingOutrider,
} from "../support/translating-outrider.ts";

type Json = Record<string, unknown>;

const query = "which of them";
const documents = ["one", "two", "three"];

let sidecar: TranslatingOutrider;
let upstream: TranslatingOutrider["upstream"];
let receiver: TranslatingOutrider["receiver"];
let outrider: TranslatingOutrider["outrider"];

beforeAll(async () => {
  sidecar = await startTranslatingOutrider(["cohere", "voyage", "jina", "bedrock", "anthropic"]);
  ({ upstream, receiver, outrider } = sidecar);
});

afterAll(() => sidecar?.stop());

const ask = (path: string, body: Json, answer: Json, status = 200): Promise<Asked> =>
  askThrough(sidecar, [path, body], answer, { status });

const voyageAnswer = {
  object: "list",
  data: [
    { relevance_score: 0.75, index: 2 },
    { relevance_score: 0.5, index: 0 },
  ],
  model: "rerank-2-lite",
  usage: { total_tokens: 57 },
};
const cohereAnswer = {
  id: "abc",
  results: [
    { index: 2, relevance_score: 0.75 },
    { index: 0, relevance_score: 0.5 },
  ],
  meta: { api_version: { version: "2" }, billed_units: { search_units: 1 } },
};
const jinaAnswer = {
  model: "jina-reranker-v2",
  usage: { total_tokens: 57 },
  results: [
    { index: 2, relevance_score: 0.75 },
    { index: 0, relevance_score: 0.5 },
  ],
};

describe("a Cohere client", () => {
  const body = { query, documents, top_n: 2 };

  it("at Voyage asks in its words, and reads its own with the tokens", async () => {
    const call = { model: "voyage/rerank-2-lite", ...body };
    const { response, read, seen, asked } = await ask("/v2/rerank", call, voyageAnswer);
    expect(response.status, JSON.stringify(read)).toBe(200);
    expect(seen?.path).toBe("/v1/rerank");
    expect(asked).toEqual({ model: "rerank-2-lite", query, documents, top_k: 2 });
    expect(read).toEqual({ results: cohereAnswer.results, meta: { tokens: { input_tokens: 57, output_tokens: 0 } } });
    expect(response.headers.get("x-outrider-loss")).toBeNull();
    expect(seen?.rawHeaders.join("\n")).toContain("test-key-voyage");
    expect(seen?.rawHeaders.join("\n")).not.toContain("test-key-of-the-client");
  });

  it("at Jina asks for no documents, which would come unasked", async () => {
    const call = { model: "jina/jina-reranker-v2", ...body };
    const { response, read, seen, asked } = await ask("/v2/rerank", call, jinaAnswer);
    expect(response.status, JSON.stringify(read)).toBe(200);
    expect(seen?.path).toBe("/v1/rerank");
    expect(asked).toEqual({ model: "jina-reranker-v2", query, documents, top_n: 2, return_documents: false });
    expect(read["results"]).toEqual(cohereAnswer.results);
  });

  it("is told in a header what Voyage is not", async () => {
    const call = { model: "voyage/rerank-2-lite", ...body, max_tokens_per_doc: 100 };
    const { response } = await ask("/v2/rerank", call, voyageAnswer);
    expect(response.status).toBe(200);
    expect(response.headers.get("x-outrider-loss")).toContain("/max_tokens_per_doc");
  });

  it("is refused what would rank something else, before the provider is called", async () => {
    const before = upstream.requests.length;
    const call = { model: "voyage/rerank-2-lite", ...body, instruction: "prefer the newest" };
    const { response, read } = await ask("/v2/rerank", call, voyageAnswer);
    expect(response.status).toBe(422);
    expect(read["message"]).toContain("/instruction: voyage has no place for instruction");
    expect(JSON.stringify(read)).not.toContain("newest");
    expect(upstream.requests.length).toBe(before);
  });

  it("reads Voyage's error in its own words", async () => {
    const call = { model: "voyage/rerank-2-lite", ...body };
    const { response, read } = await ask("/v2/rerank", call, { detail: "too many tokens" }, 429);
    expect(response.status).toBe(429);
    expect(read["message"]).toContain("too many tokens");
  });

  it.each([
    { why: "has no list", answer: { object: "list", model: "m", usage: { total_tokens: 1 } } },
    { why: "names a document that is none", answer: { ...voyageAnswer, data: [{ index: 3, relevance_score: 1 }] } },
  ])("gets an error, not a wrong ranking, where the answer $why", async ({ answer }) => {
    const { response, read } = await ask("/v2/rerank", { model: "voyage/rerank-2-lite", ...body }, answer);
    expect(response.status).toBe(502);
    expect(read["message"]).toContain("could not be read");
  });

  it("at Cohere keeps every word of both sides but the model's", async () => {
    const call = { model: "cohere/rerank-v3.5", ...body, priority: 2, new_member: { deep: [1] } };
    const { response, read, seen, asked } = await ask("/v2/rerank", call, { ...cohereAnswer, more: 1 });
    expect(seen?.path).toBe("/v2/rerank");
    expect(asked).toEqual({ ...call, model: "rerank-v3.5" });
    expect(read).toEqual({ ...cohereAnswer, more: 1 });
    expect(response.headers.get("x-outrider-loss")).toBeNull();
  });

  it("at Bedrock puts the model in the path", async () => {
    const call = { model: "bedrock/cohere.rerank-v3-5:0", ...body };
    const { response, read, seen, asked } = await ask("/v2/rerank", call, { results: cohereAnswer.results });
    expect(response.status, JSON.stringify(read)).toBe(200);
    expect(decodeURIComponent(seen?.path ?? "")).toBe("/model/cohere.rerank-v3-5:0/invoke");
    expect(asked).toEqual({ api_version: 2, query, documents, top_n: 2 });
    expect(read).toEqual({ results: cohereAnswer.results });
  });
});

describe("a Voyage client", () => {
  // As its SDK sends them (recorded).
  const body = { query, documents, top_k: 2, truncation: true };

  it("at Cohere reads its own documents, and is told that what was billed has no place", async () => {
    const call = { model: "cohere/rerank-v3.5", ...body, return_documents: true };
    const { response, read, seen, asked } = await ask("/v1/rerank", call, cohereAnswer);
    expect(response.status, JSON.stringify(read)).toBe(200);
    expect(seen?.path).toBe("/v2/rerank");
    expect(asked).toEqual({ model: "rerank-v3.5", query, documents, top_n: 2 });
    expect(read).toEqual({
      object: "list",
      model: "rerank-v3.5",
      data: [
        { index: 2, relevance_score: 0.75, document: "three" },
        { index: 0, relevance_score: 0.5, document: "one" },
      ],
      usage: { total_tokens: 0 },
    });
    const exchange = await waitForExchange(outrider, response.headers.get("x-outrider-request-id") ?? "");
    expect(response.headers.get("x-outrider-loss")).toContain("response:/meta/billed_units");
    expect(exchange.usage).toMatchObject({ source: "provider" });
  });

  it("reads Cohere's error where its SDK looks for it", async () => {
    const call = { model: "cohere/rerank-v3.5", ...body };
    const { response, read } = await ask("/v1/rerank", call, { id: "x", message: "no such model" }, 404);
    expect(response.status).toBe(404);
    expect(read["detail"]).toContain("no such model");
  });
});

describe("a Jina client", () => {
  it("at Cohere reads the documents that it did not ask for, and what was billed", async () => {
    const call = { model: "cohere/rerank-v3.5", query, documents: ["one", "two", { text: "three" }], top_n: 2 };
    const { response, read, asked } = await ask("/v1/rerank", call, cohereAnswer);
    expect(response.status, JSON.stringify(read)).toBe(200);
    expect(asked).toEqual({ model: "rerank-v3.5", query, documents, top_n: 2 });
    expect(read).toEqual({
      id: "abc",
      model: "rerank-v3.5",
      results: [
        { index: 2, relevance_score: 0.75, document: { text: "three" } },
        { index: 0, relevance_score: 0.5, document: { text: "one" } },
      ],
      meta: cohereAnswer.meta,
    });
    expect(response.headers.get("x-outrider-loss")).toContain("/documents");
  });

  it("is refused a picture at Cohere", async () => {
    const before = upstream.requests.length;
    const call = { model: "cohere/rerank-v3.5", query, documents: ["one", { image: "https://example.com/a.png" }] };
    const { response, read } = await ask("/v1/rerank", call, cohereAnswer);
    expect(response.status).toBe(422);
    expect(read["detail"]).toContain("/documents/1: ");
    expect(upstream.requests.length).toBe(before);
  });
});

it("a Bedrock client at Voyage reads what Bedrock answers", async () => {
  const path = `/model/${encodeURIComponent("voyage/rerank-2-lite")}/invoke`;
  const { response, read, seen, asked } = await ask(path, { query, documents, top_n: 2, api_version: 2 }, voyageAnswer);
  expect(response.status, JSON.stringify(read)).toBe(200);
  expect(seen?.path).toBe("/v1/rerank");
  expect(asked).toEqual({ model: "rerank-2-lite", query, documents, top_k: 2 });
  expect(read).toEqual({ results: cohereAnswer.results });
});

it("a provider that does not rerank is told as such", async () => {
  const { response, read } = await ask("/v2/rerank", { model: "anthropic/claude-x", query, documents }, {});
  expect(response.status).toBeGreaterThanOrEqual(400);
  expect(read["message"]).toContain("anthropic does not speak rerank");
});

it("no document is remembered", async () => {
  const marker = "kept-by-nobody";
  const call = { model: "voyage/rerank-2-lite", query: marker, documents: [marker], top_n: 1 };
  const said = { ...voyageAnswer, data: [{ index: 0, relevance_score: 0.5, document: marker }] };
  const { response } = await ask("/v2/rerank", call, said);
  expect(response.status).toBe(200);
  const exchange = await waitForExchange(outrider, response.headers.get("x-outrider-request-id") ?? "");
  expect(exchange.dialect).toBe("rerank");
  expect(JSON.stringify(exchange)).not.toContain(marker);
  const isExported = (): boolean => receiver.spans.some(({ traceId }) => traceId === exchange.traceId);
  await expect.poll(isExported, { timeout: 5000 }).toBe(true);
  expect(Buffer.concat(receiver.bodies).toString("latin1")).not.toContain(marker);
});
