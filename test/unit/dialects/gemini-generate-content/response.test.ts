import { describe, expect, it } from "vitest";
import type { Operation } from "../../../../src/dialects/dialect.ts";
import { geminiGenerateContent } from "../../../../src/dialects/gemini-generate-content/index.ts";

type Wire = Record<string, unknown>;

function find(verb: string): Operation {
  const operation = geminiGenerateContent.match("POST", `/v1beta/models/m:${verb}`);
  if (operation === undefined) throw new Error(`no ${verb}`);
  return operation;
}

const bag = (facts: Wire) => ({ extensions: { "gemini-generate-content": facts } });
const decode = (body: Wire) => geminiGenerateContent.decodeResponse(body, find("generateContent"));
const candidate = (facts: Wire) => decode({ candidates: [facts] }).choices[0];
const call = { functionCall: { name: "f", args: {} } };

describe("an answer", () => {
  it("says id, model, tier and usage, and keeps the rest", () => {
    const usageMetadata = { promptTokenCount: 1, serviceTier: "standard" };
    expect(decode({ responseId: "r", modelVersion: "v", candidates: [], usageMetadata, createTime: "t" })).toEqual({
      id: "r",
      model: "v",
      choices: [],
      usage: { inputTokens: 1, raw: usageMetadata },
      serviceTier: "standard",
      ...bag({ createTime: "t" }),
    });
  });

  it("keeps grounding, citations, ratings and log probabilities at the choice", () => {
    const facts = {
      safetyRatings: [{ category: "c" }],
      citationMetadata: { citations: [] },
      groundingMetadata: { webSearchQueries: ["q"] },
      logprobsResult: { chosenCandidates: [] },
      avgLogprobs: -1,
    };
    expect(
      candidate({ content: { role: "model", parts: [{ text: "a" }], more: 1 }, finishReason: "STOP", ...facts }),
    ).toEqual({
      index: 0,
      message: { role: "assistant", parts: [{ type: "text", content: "a" }] },
      finishReason: { unified: "stop", raw: "STOP" },
      ...bag({ content: { more: 1 }, ...facts }),
    });
  });

  it("numbers its candidates by index, or by place where there is none", () => {
    const indexes = (...candidates: unknown[]) => decode({ candidates }).choices.map(({ index }) => index);
    expect(indexes({}, { index: 1 }, {})).toEqual([0, 1, 2]);
    expect(indexes({ index: 3 }, { index: -1 }, { index: "x" }, null)).toEqual([3, 1, 2, 3]);
    expect(candidate({ index: -1 })).toMatchObject(bag({ index: -1 }));
  });

  it.each([
    ["STOP", "stop"],
    ["CONTINUATION", "stop"],
    ["MAX_TOKENS", "length"],
    ["SAFETY", "content_filter"],
    ["RECITATION", "content_filter"],
    ["BLOCKLIST", "content_filter"],
    ["PROHIBITED_CONTENT", "content_filter"],
    ["SPII", "content_filter"],
    ["IMAGE_SAFETY", "content_filter"],
    ["IMAGE_PROHIBITED_CONTENT", "content_filter"],
    ["NO_IMAGE", "error"],
    ["LANGUAGE", "error"],
    ["OTHER", "error"],
    ["MALFORMED_FUNCTION_CALL", "error"],
    ["UNEXPECTED_TOOL_CALL", "error"],
    ["A_WORD_OF_TOMORROW", "error"],
    [1, "stop"],
    [2, "length"],
    [5, "error"],
  ])("that ends with %s ends as %s, and only a clean stop after a call is a tool call", (wire, unified) => {
    expect(candidate({ finishReason: wire })?.finishReason).toEqual({ unified, raw: String(wire) });
    const isStop = wire === "STOP" || wire === 1;
    expect(candidate({ content: { parts: [call] }, finishReason: wire })?.finishReason).toEqual({
      unified: isStop ? "tool_call" : unified,
      raw: String(wire),
    });
  });

  it.each([undefined, null, "", 0, "FINISH_REASON_UNSPECIFIED", true, {}])("has not ended by %j", (finishReason) => {
    expect(candidate({ finishReason })).not.toHaveProperty("finishReason");
  });

  it("to a refused prompt is one empty choice, filtered", () => {
    const promptFeedback = { blockReason: "PROHIBITED_CONTENT", blockReasonMessage: "no" };
    expect(decode({ promptFeedback })).toEqual({
      choices: [
        {
          index: 0,
          message: { role: "assistant", parts: [] },
          finishReason: { unified: "content_filter", raw: "PROHIBITED_CONTENT" },
        },
      ],
      ...bag({ promptFeedback }),
    });
    expect(decode({ promptFeedback: { blockReason: "BLOCKED_REASON_UNSPECIFIED" } }).choices).toEqual([]);
    expect(decode({ promptFeedback: { safetyRatings: [] } }).choices).toEqual([]);
    expect(decode({ promptFeedback, candidates: [{ finishReason: "STOP" }] }).choices[0]?.finishReason?.raw).toBe(
      "STOP",
    );
  });

  it("keeps every wrongly typed field", () => {
    const wrong = { responseId: 1, modelVersion: null, candidates: "x", usageMetadata: [] };
    expect(decode(wrong)).toEqual({ choices: [], ...bag(wrong) });
    expect(decode({ candidates: [null, { content: 3, index: {} }] }).choices).toEqual([
      { index: 0, message: { role: "assistant", parts: [] }, ...bag({ value: null }) },
      { index: 1, message: { role: "assistant", parts: [] }, ...bag({ content: 3, index: {} }) },
    ]);
  });

  it("of the token counter spends nothing", () => {
    const body = { totalTokens: 5, promptTokensDetails: [] };
    expect(geminiGenerateContent.decodeResponse(body, find("countTokens"))).toEqual({ choices: [], ...bag(body) });
  });
});
