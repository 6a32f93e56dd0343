import { describe, expect, it } from "vitest";
import { embeddings } from "../../../../src/dialects/embeddings/index.ts";
import { framesOf } from "../../../support/stream-decoding.ts";

const operation = embeddings.match("POST", "/v1/embeddings");
if (operation === undefined) throw new Error("no operation");
const decodeRequest = (body: Record<string, unknown>) => embeddings.decodeRequest(body, operation);
const decodeResponse = (body: Record<string, unknown>) => embeddings.decodeResponse(body, operation);
const base64 = (floats: number[]) => Buffer.from(new Float32Array(floats).buffer).toString("base64");

describe("embeddings request", () => {
  it.each([
    { input: "a", count: 1 },
    { input: ["a", "b"], count: 2 },
    { input: [1, 2, 3], count: 1 },
    { input: [[1], [2, 3]], count: 2 },
    { input: [], count: 0 },
    { input: undefined, count: undefined },
  ])("counts the inputs of $input", ({ input, count }) => {
    expect(decodeRequest({ model: "m", ...(input === undefined ? {} : { input }) }).embedding?.inputCount).toBe(count);
  });

  it("keeps formats, dimensions and what it does not know", () => {
    const request = decodeRequest({
      model: "m",
      input: "a",
      encoding_format: "base64",
      output_dimension: 8,
      input_type: "query",
      user: 7,
    });
    expect(request).toMatchObject({
      model: "m",
      stream: false,
      embedding: { dimensions: 8, encodingFormats: ["base64"] },
    });
    expect(request.extensions).toEqual({ embeddings: { input_type: "query", user: 7 } });
  });
});

describe("embeddings response", () => {
  it.each([
    { name: "a list of numbers", embedding: [0.1, 0.2, 0.3], dimensions: 3 },
    { name: "base64 of float32", embedding: base64([0.25, -0.5, 0, 0.125]), dimensions: 4 },
    // 64 int8 values: as float32 they would be 16 absurd numbers.
    {
      name: "base64 of int8",
      embedding: Buffer.from(Int8Array.from({ length: 64 }, (_, i) => i * 37)).toString("base64"),
      dimensions: undefined,
    },
    { name: "an empty text", embedding: "", dimensions: undefined },
  ])("measures $name", ({ embedding, dimensions }) => {
    const response = decodeResponse({ object: "list", model: "m", data: [{ index: 0, embedding }] });
    expect(response.embeddingDimensions).toBe(dimensions);
    expect(response).toMatchObject({ model: "m", choices: [] });
    expect(JSON.stringify(response)).not.toContain("data");
  });

  it("takes Voyage's total as the input and leaves the output unsaid", () => {
    expect(decodeResponse({ data: [], usage: { total_tokens: 7 } }).usage).toEqual({
      inputTokens: 7,
      raw: { total_tokens: 7 },
    });
  });
});

describe("embeddings stream", () => {
  it("is unrecognized and never throws", () => {
    const decoder = embeddings.eventDecoder(operation);
    expect(framesOf({ a: 1 }).flatMap((frame) => decoder.push(frame))).toEqual([
      { type: "unrecognized", name: "embeddings" },
    ]);
    expect(decoder.end()).toEqual([]);
  });
});
