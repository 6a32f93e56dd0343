// The rate card: parts priced apart, tiers, rounding, contradictory counts; and agreement with the package's own arithmetic.
import { calcPrice, findProvider, type ModelPrice, TieredPrices } from "@pydantic/genai-prices";
import { describe, expect, it, vi } from "vitest";

import type { Usage } from "../../../src/canonical/index.ts";
import { compileRateCard, computeNanoUsd } from "../../../src/spend/rate-card.ts";

const nanoUsd = (price: ModelPrice, usage: Usage): number | undefined => computeNanoUsd(compileRateCard(price), usage);

describe("parts of a total", () => {
  const anthropic: ModelPrice = {
    input_mtok: 3,
    output_mtok: 15,
    cache_read_mtok: 0.3,
    cache_write_mtok: 3.75,
    cache_write_1h_mtok: 6,
    web_searches_kcount: 10,
  };

  it("are charged once each: uncached, read, written for 5 minutes and for an hour", () => {
    const usage: Usage = {
      inputTokens: 1000,
      cacheReadTokens: 500,
      cacheWriteTokens: 300,
      cacheWrite5mTokens: 100,
      cacheWrite1hTokens: 200,
      outputTokens: 10,
    };
    expect(nanoUsd(anthropic, usage)).toBe(200 * 3000 + 500 * 300 + 100 * 3750 + 200 * 6000 + 10 * 15_000);
  });

  it("include billed web searches", () => {
    expect(nanoUsd(anthropic, { inputTokens: 0, outputTokens: 0, webSearchRequests: 3 })).toBe(30_000_000);
  });

  it("give no price when searches were billed and nobody says what one costs", () => {
    const usage = { inputTokens: 1, outputTokens: 1, webSearchRequests: 1 };
    expect(nanoUsd({ input_mtok: 1, output_mtok: 1 }, usage)).toBeUndefined();
  });

  it("tell audio and image tokens apart, cached ones too", () => {
    const realtime: ModelPrice = {
      input_mtok: 4,
      cache_read_mtok: 0.4,
      input_audio_mtok: 32,
      cache_audio_read_mtok: 0.5,
      input_image_mtok: 5,
      cache_image_read_mtok: 0.6,
      output_mtok: 16,
      output_audio_mtok: 64,
    };
    const usage: Usage = {
      inputTokens: 1000,
      inputAudioTokens: 400,
      inputImageTokens: 100,
      cacheReadTokens: 350,
      cacheReadAudioTokens: 200,
      cacheReadImageTokens: 50,
      outputTokens: 100,
      outputAudioTokens: 80,
    };
    // Text: 1000 - 400 - 100 = 500, of which 350 - 200 - 50 = 100 cached.
    const expected =
      400 * 4000 + 100 * 400 + 200 * 32_000 + 200 * 500 + 50 * 5000 + 50 * 600 + 20 * 16_000 + 80 * 64_000;
    expect(nanoUsd(realtime, usage)).toBe(expected);
  });

  it("charge reasoning at its own rate where there is one, else with the output", () => {
    const usage = { inputTokens: 0, outputTokens: 100, reasoningTokens: 60 };
    expect(nanoUsd({ input_mtok: 1, output_mtok: 8, output_reasoning_mtok: 3 }, usage)).toBe(40 * 8000 + 60 * 3000);
    expect(nanoUsd({ input_mtok: 1, output_mtok: 8 }, usage)).toBe(100 * 8000);
  });

  it("never make the rest negative when counts contradict each other", () => {
    const usage = { inputTokens: 100, cacheReadTokens: 150, outputTokens: 0 };
    expect(nanoUsd(anthropic, usage)).toBe(150 * 300);
  });

  it("add a price per request", () => {
    expect(nanoUsd({ input_mtok: 1, output_mtok: 1, requests_kcount: 12 }, { inputTokens: 0, outputTokens: 0 })).toBe(
      12_000_000,
    );
  });
});

describe("a tier", () => {
  const tiered: ModelPrice = {
    input_mtok: new TieredPrices({ base: 3, tiers: [{ start: 200_000, price: 6 }] }),
    output_mtok: new TieredPrices({ base: 15, tiers: [{ start: 200_000, price: 22.5 }] }),
  };

  it("applies to every token once the whole input exceeds its start", () => {
    expect(nanoUsd(tiered, { inputTokens: 200_000, outputTokens: 10 })).toBe(200_000 * 3000 + 10 * 15_000);
    expect(nanoUsd(tiered, { inputTokens: 200_001, outputTokens: 10 })).toBe(200_001 * 6000 + 10 * 22_500);
  });
});

describe("rounding", () => {
  it("happens once, to the nearest nano-dollar, halves up", () => {
    expect(nanoUsd({ input_mtok: 0.0005, output_mtok: 0 }, { inputTokens: 1, outputTokens: 0 })).toBe(1);
    expect(nanoUsd({ input_mtok: 0.0004, output_mtok: 0 }, { inputTokens: 1, outputTokens: 0 })).toBe(0);
    // Two parts of 0.4 nano-dollars each make 1, not 0 + 0.
    expect(nanoUsd({ input_mtok: 0.0004, output_mtok: 0.0004 }, { inputTokens: 1, outputTokens: 1 })).toBe(1);
  });
});

describe("agreement with the package", () => {
  const providerIds = [
    "anthropic",
    "avian",
    "aws",
    "azure",
    "cerebras",
    "cohere",
    "deepseek",
    "fireworks",
    "google",
    "groq",
    "minimax",
    "mistral",
    "moonshotai",
    "novita",
    "openai",
    "openrouter",
    "ovhcloud",
    "perplexity",
    "together",
    "voyageai",
    "x-ai",
    "zai",
  ];
  const known = new Set([
    "input_mtok",
    "output_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "cache_write_1h_mtok",
    "web_searches_kcount",
    "storage_searches_kcount",
    "input_audio_mtok",
    "output_audio_mtok",
    "cache_audio_read_mtok",
    "input_image_mtok",
    "cache_image_read_mtok",
    "output_image_mtok",
    "requests_kcount",
    "output_reasoning_mtok",
  ]);

  it("holds for every price of the catalogue that Usage can express, at three sizes", () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    let checked = 0;
    for (const providerId of providerIds) {
      const provider = findProvider({ providerId });
      for (const model of provider?.models ?? []) {
        const prices = Array.isArray(model.prices) ? model.prices.map((entry) => entry.prices) : [model.prices];
        for (const price of prices) {
          if (Object.keys(price).length === 0 || Object.keys(price).some((key) => !known.has(key))) continue;
          for (const scale of [1, 37, 6011]) {
            const usage: Usage = {
              inputTokens: 1000 * scale,
              cacheReadTokens: 300 * scale,
              cacheReadAudioTokens: 50 * scale,
              cacheReadImageTokens: 20 * scale,
              cacheWriteTokens: 200 * scale,
              cacheWrite1hTokens: 70 * scale,
              inputAudioTokens: 110 * scale,
              inputImageTokens: 60 * scale,
              outputTokens: price["output_mtok"] === undefined ? 0 : 400 * scale,
              outputAudioTokens: price["output_mtok"] === undefined ? 0 : 30 * scale,
              outputImageTokens: price["output_mtok"] === undefined ? 0 : 40 * scale,
              reasoningTokens: price["output_mtok"] === undefined ? 0 : 90 * scale,
            };
            const total = calcPrice(
              {
                input_tokens: usage.inputTokens,
                cache_read_tokens: usage.cacheReadTokens,
                cache_audio_read_tokens: usage.cacheReadAudioTokens,
                cache_image_read_tokens: usage.cacheReadImageTokens,
                cache_write_tokens: usage.cacheWriteTokens,
                cache_write_1h_tokens: usage.cacheWrite1hTokens,
                input_audio_tokens: usage.inputAudioTokens,
                input_image_tokens: usage.inputImageTokens,
                output_tokens: usage.outputTokens,
                output_audio_tokens: usage.outputAudioTokens,
                output_image_tokens: usage.outputImageTokens,
                output_reasoning_tokens: usage.reasoningTokens,
              },
              "m",
              {
                provider: {
                  id: "p",
                  name: "p",
                  api_pattern: "",
                  models: [{ id: "m", match: { equals: "m" }, prices: price }],
                },
              },
            )?.total_price;
            // Half a nano-dollar from rounding; the rest is what double precision loses at the package's scale.
            const difference = Math.abs((nanoUsd(price, usage) ?? NaN) - (total ?? NaN) * 1e9);
            expect(difference, `${providerId}/${model.id} × ${scale}`).toBeLessThan(0.5001);
            checked++;
          }
        }
      }
    }
    warn.mockRestore();
    expect(checked).toBeGreaterThan(3000);
  });
});
