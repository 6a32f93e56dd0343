import { describe, expect, it } from "vitest";
import type { Operation } from "../../../../src/dialects/dialect.ts";
import { geminiGenerateContent } from "../../../../src/dialects/gemini-generate-content/index.ts";

type Wire = Record<string, unknown>;

function find(path: string): Operation {
  const operation = geminiGenerateContent.match("POST", path);
  if (operation === undefined) throw new Error(`no ${path}`);
  return operation;
}

const one = find("/v1beta/models/e-embedding:embedContent");
const many = find("/v1beta/models/e-embedding:batchEmbedContents");
const predict = find("/v1/projects/p/locations/l/publishers/google/models/text-embedding-005:predict");
const bag = (facts: Wire) => ({ extensions: { "gemini-generate-content": facts } });
const said = (content: string) => ({ role: "user", parts: [{ type: "text", content }] });
const request = (body: Wire, operation: Operation) => geminiGenerateContent.decodeRequest(body, operation);
const response = (body: Wire, operation: Operation) => geminiGenerateContent.decodeResponse(body, operation);

describe("embedding requests", () => {
  it("of one content count one input, also when the content itself is left undecoded", () => {
    const facts = { outputDimensionality: 768, taskType: "RETRIEVAL_DOCUMENT" };
    const known = { model: "e-embedding", stream: false, embedding: { inputCount: 1, dimensions: 768 } };
    const kept = bag({ taskType: "RETRIEVAL_DOCUMENT" });
    expect(request({ content: { parts: [{ text: "a" }] }, ...facts }, one)).toEqual({
      ...known,
      messages: [said("a")],
      ...kept,
    });
    expect(geminiGenerateContent.contentMembers.has("content")).toBe(true);
    expect(request(facts, one)).toEqual({ ...known, messages: [], ...kept });
  });

  it("of many give a message each, with what stands beside its content", () => {
    const item = (text: string) => ({
      model: "models/e-embedding",
      content: { parts: [{ text }], more: 1 },
      output_dimensionality: 4,
    });
    const decoded = request({ requests: [item("a"), item("b")] }, many);
    expect(decoded.embedding).toEqual({ inputCount: 2, dimensions: 4 });
    expect(decoded.messages).toEqual(
      ["a", "b"].map((text) => ({
        ...said(text),
        ...bag({ more: 1, model: "models/e-embedding", output_dimensionality: 4 }),
      })),
    );
  });

  it("of Vertex are instances with parameters", () => {
    const body = {
      instances: [{ content: "a", task_type: "T" }, null],
      parameters: { outputDimensionality: 3, autoTruncate: true },
    };
    expect(request(body, predict)).toEqual({
      model: "text-embedding-005",
      stream: false,
      messages: [
        { ...said("a"), ...bag({ task_type: "T" }) },
        { role: "user", parts: [], ...bag({ value: null }) },
      ],
      embedding: { inputCount: 2, dimensions: 3 },
      ...bag({ parameters: { autoTruncate: true } }),
    });
  });

  it("of any other shape keep it", () => {
    expect(request({ requests: "x", content: 3 }, many)).toEqual({
      model: "e-embedding",
      stream: false,
      messages: [],
      embedding: {},
      ...bag({ requests: "x", content: 3 }),
    });
  });
});

describe("embedding answers", () => {
  const values = [0.125, 0.25, 0.5];

  it("keep the length of the vectors alone, and the usage where there is one", () => {
    const usageMetadata = { promptTokenCount: 4, promptTokenDetails: [{ modality: "TEXT", tokenCount: 4 }] };
    expect(response({ embedding: { values } }, one)).toEqual({ choices: [], embeddingDimensions: 3 });
    expect(response({ embeddings: [{ values }, { values }], usageMetadata }, many)).toEqual({
      choices: [],
      embeddingDimensions: 3,
      usage: { inputTokens: 4, inputTextTokens: 4, raw: usageMetadata },
    });
  });

  it("of Vertex add up the tokens of each text, and say the billed characters", () => {
    const embed = (token_count: number) => ({ embeddings: { values, statistics: { token_count, truncated: false } } });
    const metadata = { billableCharacterCount: 21 };
    expect(response({ predictions: [embed(4), embed(5)], metadata, deployedModelId: "7" }, predict)).toEqual({
      choices: [],
      embeddingDimensions: 3,
      usage: {
        inputTokens: 9,
        inputCharacters: 21,
        raw: {
          statistics: [
            { token_count: 4, truncated: false },
            { token_count: 5, truncated: false },
          ],
          metadata,
        },
      },
      ...bag({ deployedModelId: "7" }),
    });
    expect(response({ predictions: [{ imageEmbedding: values }] }, predict)).toEqual({
      choices: [],
      embeddingDimensions: 3,
    });
  });

  it.each([
    {},
    { embedding: null },
    { embeddings: [] },
    { predictions: [null, { embeddings: 3 }] },
    { embedding: { values: "x" } },
  ])("without a vector say no length: %j", (body) => {
    expect(response(body, predict).embeddingDimensions).toBeUndefined();
    expect(response(body, one)).not.toHaveProperty("usage");
  });
});
