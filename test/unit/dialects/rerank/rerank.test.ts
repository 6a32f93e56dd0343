import { describe, expect, it } from "vitest";
import { rerank } from "../../../../src/dialects/rerank/index.ts";
import { SidecarError } from "../../../../src/errors.ts";
import { framesOf } from "../../../support/stream-decoding.ts";

const operation = rerank.match("POST", "/v1/rerank");
if (operation === undefined) throw new Error("no operation");
const decodeRequest = (body: Record<string, unknown>) => rerank.decodeRequest(body, operation);
const decodeResponse = (body: Record<string, unknown>) => rerank.decodeResponse(body, operation);
const bag = (facts: Record<string, unknown>) => ({ rerank: facts });
const hostile = [null, 7, "x", true, [], {}, [null], [[]], { text: 7 }];

describe("the rerank call", () => {
  it.each(["/v2/rerank", "/v1/rerank", "/rerank", "/v1/reranking", "/reranking"])("is matched at %s", (path) => {
    expect(rerank.match("POST", path)).toMatchObject({ name: "rerank", route: path });
    expect(rerank.match("GET", path)).toBeUndefined();
  });

  it.each(["/v3/rerank", "/v1/rerank/", "/__proto__"])("is not matched at %s", (path) => {
    expect(rerank.match("POST", path)).toBeUndefined();
  });
});

describe("rerank request", () => {
  it("has the query and every document as a message, and keeps the rest", () => {
    const image = { image: "https://example.test/a.png" };
    expect(
      decodeRequest({ model: "m", query: "q", documents: ["a", { text: "b", id: 1 }, image], top_n: 2, stream: true }),
    ).toEqual({
      model: "m",
      stream: false,
      messages: [
        { role: "user", parts: [{ type: "text", content: "q" }] },
        { role: "user", parts: [{ type: "text", content: "a" }] },
        { role: "user", parts: [{ type: "text", content: "b" }], extensions: bag({ id: 1 }) },
        { role: "user", parts: [{ type: "generic", generic_type: "document", extensions: bag({ value: image }) }] },
      ],
      extensions: bag({ top_n: 2, stream: true }),
    });
  });

  it("never throws, whatever the types", () => {
    for (const value of hostile) {
      expect(() => decodeRequest({ model: value, query: value, documents: value })).not.toThrow();
      expect(() => decodeRequest({ documents: [value] })).not.toThrow();
    }
  });
});

describe("rerank response", () => {
  it.each([
    {
      name: "Cohere",
      body: { meta: { api_version: { version: "2" }, billed_units: { search_units: 3 } } },
      usage: { searchUnits: 3, raw: { billed_units: { search_units: 3 } } },
    },
    {
      name: "SiliconFlow",
      body: {
        meta: { billed_units: { input_tokens: 9, search_units: 0 }, tokens: { input_tokens: 7, output_tokens: 0 } },
      },
      usage: {
        inputTokens: 7,
        outputTokens: 0,
        searchUnits: 0,
        raw: { billed_units: { input_tokens: 9, search_units: 0 }, tokens: { input_tokens: 7, output_tokens: 0 } },
      },
    },
    {
      name: "Jina and Voyage",
      body: { usage: { total_tokens: 5 } },
      usage: { inputTokens: 5, raw: { total_tokens: 5 } },
    },
    {
      name: "Together",
      body: { usage: { prompt_tokens: 4, completion_tokens: 0, total_tokens: 4 } },
      usage: { inputTokens: 4, outputTokens: 0, raw: { prompt_tokens: 4, completion_tokens: 0, total_tokens: 4 } },
    },
    { name: "one that states nothing", body: { meta: {} }, usage: undefined },
    { name: "one that states nonsense", body: { usage: { total_tokens: -1 } }, usage: { raw: { total_tokens: -1 } } },
  ])("of $name has its usage", ({ body, usage }) => {
    expect(decodeResponse({ results: [], ...body }).usage).toEqual(usage);
  });

  it("keeps the ranking and what it does not know", () => {
    const results = [{ index: 1, relevance_score: 0.5, document: { text: "b" } }];
    expect(decodeResponse({ id: "i", model: "m", object: "list", results, meta: { warnings: ["w"] } })).toEqual({
      id: "i",
      model: "m",
      choices: [],
      extensions: bag({ results, meta: { warnings: ["w"] } }),
    });
  });

  it("never throws, whatever the types", () => {
    for (const value of hostile) {
      expect(() => decodeResponse({ id: value, usage: value, meta: value, results: value })).not.toThrow();
      expect(() => decodeResponse({ meta: { billed_units: value, tokens: value } })).not.toThrow();
    }
  });
});

describe("rerank errors and streams", () => {
  it.each([
    { body: { id: "i", message: "no such model" }, message: "no such model" },
    { body: { detail: "bad input" }, message: "bad input" },
    { body: { error: { message: "bad", type: "t", code: 400 } }, message: "bad" },
  ])("reads $body", ({ body, message }) => {
    expect(rerank.decodeError(body)?.message).toBe(message);
  });

  it("takes no answer for an error", () => {
    expect(rerank.decodeError({ results: [], meta: {} })).toBeUndefined();
    expect(rerank.decodeError({ data: [], usage: {} })).toBeUndefined();
  });

  it("writes Cohere's shape, with Voyage's member", () => {
    const error = new SidecarError("overloaded", "too much", { details: { limit: 3 } });
    const body = { id: "r1", message: "too much", detail: "too much", code: "overloaded", details: { limit: 3 } };
    expect(rerank.encodeError(error, "r1")).toEqual(body);
    expect(rerank.encodeStreamError(error, "r1")).toBe(`data: ${JSON.stringify(body)}\n\n`);
  });

  it("counts a stream that nobody sends as unrecognized", () => {
    const decoder = rerank.eventDecoder(operation);
    expect(framesOf({ a: 1 }).flatMap((frame) => decoder.push(frame))).toEqual([
      { type: "unrecognized", name: "rerank" },
    ]);
    expect(decoder.end()).toEqual([]);
  });
});
