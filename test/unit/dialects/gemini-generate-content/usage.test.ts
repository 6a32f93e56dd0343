import { describe, expect, it } from "vitest";
import { decodeUsage } from "../../../../src/dialects/gemini-generate-content/usage.ts";

describe("Google's usage", () => {
  it("adds thoughts to the candidates and the tools' prompt to the prompt, of which the cache is a part", () => {
    const raw = {
      promptTokenCount: 1000,
      cachedContentTokenCount: 900,
      toolUsePromptTokenCount: 70,
      candidatesTokenCount: 6,
      thoughtsTokenCount: 190,
      totalTokenCount: 1266,
    };
    expect(decodeUsage(raw)).toEqual({
      inputTokens: 1070,
      cacheReadTokens: 900,
      outputTokens: 196,
      reasoningTokens: 190,
      raw,
    });
  });

  it("splits by modality, as words or as numbers; the pages of a document are images", () => {
    const split = (...counts: [unknown, number][]) =>
      counts.map(([modality, tokenCount]) => ({ modality, tokenCount }));
    const raw = {
      promptTokenCount: 100,
      promptTokensDetails: split(["TEXT", 10], ["IMAGE", 20], ["AUDIO", 30], ["VIDEO", 35], ["DOCUMENT", 5]),
      toolUsePromptTokenCount: 3,
      toolUsePromptTokensDetails: split(["TEXT", 3]),
      cacheTokensDetails: split([1, 4], [2, 5], [4, 6]),
      candidatesTokensDetails: split(["TEXT", 1], ["IMAGE", 2], ["AUDIO", 3], ["VIDEO", 4]),
    };
    expect(decodeUsage(raw)).toEqual({
      inputTokens: 103,
      inputTextTokens: 13,
      inputImageTokens: 25,
      inputAudioTokens: 30,
      inputVideoTokens: 35,
      cacheReadTextTokens: 4,
      cacheReadImageTokens: 5,
      cacheReadAudioTokens: 6,
      outputTextTokens: 1,
      outputImageTokens: 2,
      outputAudioTokens: 3,
      outputVideoTokens: 4,
      raw,
    });
  });

  it.each([
    { trafficType: "ON_DEMAND" },
    { promptTokenCount: null, candidatesTokenCount: "3", thoughtsTokenCount: -1, cachedContentTokenCount: 1.5 },
    { promptTokensDetails: [null, 3, {}, { modality: "TEXT" }, { modality: 99, tokenCount: 1 }, { tokenCount: 1 }] },
    { promptTokensDetails: { modality: "TEXT", tokenCount: 1 }, toolUsePromptTokenCount: 4 },
  ])("says nothing of what is not stated: %j", (raw) => {
    expect(decodeUsage(raw)).toEqual({ raw });
  });
});
