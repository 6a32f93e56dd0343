// Prices: status, choice of model, overrides, time of day, and the bound of the look-up cache.
import { beforeAll, describe, expect, it } from "vitest";

import type { Usage } from "../../../src/canonical/index.ts";
import { createPricer, type PriceOverride, type Pricer } from "../../../src/spend/index.ts";

const usage: Usage = { inputTokens: 1000, outputTokens: 100 };
const epochMs = Date.UTC(2026, 5, 15);
const openai = { id: "openai", priceId: "openai" };

async function loadedPricer(overrides: PriceOverride[] = []): Promise<Pricer> {
  const pricer = createPricer(overrides);
  await pricer.load();
  return pricer;
}

describe("the status of a price", () => {
  let pricer: Pricer;
  beforeAll(async () => {
    pricer = await loadedPricer();
  });
  const priceOf = (provider: { id: string; priceId?: string }, model: string) =>
    pricer.price({ provider, models: { request: model }, usage, epochMs });

  it("is exact for the provider's own entry", () => {
    // 0.15 and 0.60 USD per million: 1000 × 150 + 100 × 600 nano-dollars.
    expect(priceOf(openai, "gpt-4o-mini")).toEqual({ status: "exact", nanoUsd: 210_000, pricedModel: "gpt-4o-mini" });
    expect(priceOf(openai, "gpt-4o-mini-2024-07-18").status).toBe("exact");
  });

  it.each([
    ["a provider that falls back on another", { id: "azure", priceId: "azure" }, "gpt-4o-mini"],
    ["a provider that the catalogue does not have", { id: "corp", priceId: "corp" }, "gpt-4o-mini"],
    ["a vendor prefix", { id: "github-models", priceId: "github-models" }, "openai/gpt-4o-mini"],
    ["a date that the catalogue does not have", openai, "gpt-4o-mini-2031-01-01"],
    ["a compact date", openai, "gpt-4o-mini-20310101"],
    ["a provider id that only resembles the catalogue's", { id: "my-openai", priceId: "my-openai" }, "gpt-4o-mini"],
  ])("is alias through %s", (_, provider, model) => {
    expect(priceOf(provider, model)).toEqual({ status: "alias", nanoUsd: 210_000, pricedModel: "gpt-4o-mini" });
  });

  it.each([
    ["an unknown model", openai, "no-such-model"],
    ["an open model on a host without an entry", { id: "corp", priceId: "corp" }, "gpt-oss-120b"],
    ["a self-hosted provider, whatever the model is called", { id: "vllm" }, "gpt-4o-mini"],
    ["a catalogue entry that holds no price", { id: "cerebras", priceId: "cerebras" }, "qwen-3-coder-480b"],
    [
      "a free variant whose entry holds no price",
      { id: "openrouter", priceId: "openrouter" },
      "google/gemini-2.0-flash-exp:free",
    ],
    ["a name longer than any model's", openai, `gpt-4o-mini${"x".repeat(300)}`],
    ["an empty name", openai, ""],
  ])("is missing, without an amount, for %s", (_, provider, model) => {
    expect(priceOf(provider, model)).toEqual({ status: "missing" });
  });

  it.each<[string, Usage | undefined]>([
    ["no usage", undefined],
    ["no counts", {}],
    ["no input count", { outputTokens: 3 }],
    ["no output count where output costs", { inputTokens: 3 }],
  ])("is missing for %s", (_, stated) => {
    expect(pricer.price({ provider: openai, models: { request: "gpt-4o-mini" }, usage: stated, epochMs })).toEqual({
      status: "missing",
    });
  });

  it("needs no output count for an embedding", () => {
    const price = pricer.price({
      provider: openai,
      models: { request: "text-embedding-3-small" },
      usage: { inputTokens: 1000 },
      epochMs,
    });
    expect(price).toEqual({ status: "exact", nanoUsd: 20_000, pricedModel: "text-embedding-3-small" });
  });

  it.each([
    // 0.36 USD an hour is 100,000 nano-dollars a second.
    ["a second of a recording", openai, "whisper-1", { inputAudioSeconds: 6.5 }, 650_000],
    // 0.111 USD an hour, and ten seconds at the least.
    [
      "Groq's shortest recording",
      { id: "groq", priceId: "groq" },
      "whisper-large-v3",
      { inputAudioSeconds: 2 },
      308_333,
    ],
    [
      "a longer one at Groq",
      { id: "groq", priceId: "groq" },
      "whisper-large-v3",
      { inputAudioSeconds: 3600 },
      111_000_000,
    ],
    // 0.18 USD an hour; Mistral states tokens beside the length, which have no price.
    [
      "the length alone, where tokens are told beside it",
      { id: "mistral", priceId: "mistral" },
      "voxtral-mini-2602",
      { inputAudioSeconds: 10, inputTokens: 700, outputTokens: 30 },
      500_000,
    ],
    // 5 and 40 USD per million tokens, 10 for those of images: 14 × 5000 + 20 × 10,000 + 272 × 40,000.
    [
      "the tokens of an image",
      openai,
      "gpt-image-1",
      { inputTokens: 34, inputImageTokens: 20, outputTokens: 272, outputImageTokens: 272, outputImages: 1 },
      11_150_000,
    ],
  ])("charges %s", (_, provider, model, stated, nanoUsd) => {
    const price = pricer.price({ provider, models: { request: model }, usage: stated, epochMs });
    expect(price).toEqual({ status: "exact", nanoUsd, pricedModel: model });
  });

  it.each([
    ["images", "gpt-image-1", { outputImages: 2 }],
    ["images of a model that is billed by them", "dall-e-3", { outputImages: 2 }],
    ["characters", "gpt-4o-mini-tts", { inputCharacters: 100 }],
    ["characters of a model that is billed by them", "tts-1", { inputCharacters: 100 }],
    ["seconds of a model that is billed by tokens", "gpt-4o-transcribe", { inputAudioSeconds: 3 }],
    ["tokens of a model that is billed by seconds", "whisper-1", { inputTokens: 3, outputTokens: 3 }],
    ["searches", "gpt-4o-mini", { searchUnits: 1 }],
  ])("is missing, and never 0, where only %s are told", (_, model, stated) => {
    const price = pricer.price({ provider: openai, models: { request: model }, usage: stated, epochMs });
    expect(price).toEqual({ status: "missing" });
  });

  it("is missing when tokens were written but the catalogue prices only input", () => {
    const models = { request: "text-embedding-3-small" };
    expect(pricer.price({ provider: openai, models, usage, epochMs }).status).toBe("missing");
  });
});

describe("the model that is priced", () => {
  it("is the response model before the request model", async () => {
    const pricer = await loadedPricer();
    const models = { request: "gpt-4o", response: "gpt-4o-mini-2024-07-18" };
    expect(pricer.price({ provider: openai, models, usage, epochMs }).pricedModel).toBe("gpt-4o-mini");
  });

  it("is the request model when nobody knows the response model, or knows it only by alias", async () => {
    const pricer = await loadedPricer();
    for (const response of ["router-7f3a", "gpt-4o-2031-01-01"]) {
      const price = pricer.price({ provider: openai, models: { request: "gpt-4o-mini", response }, usage, epochMs });
      expect(price).toMatchObject({ status: "exact", pricedModel: "gpt-4o-mini" });
    }
  });
});

describe("an override", () => {
  const row = (provider: string, model: string, inputUsdPerMillion: number): PriceOverride => ({
    provider,
    model,
    inputUsdPerMillion,
    outputUsdPerMillion: 0,
  });

  it("wins over the catalogue, by the provider's id or the catalogue's", async () => {
    const pricer = await loadedPricer([row("gateway", "gpt-4o-mini", 7)]);
    const price = (provider: { id: string; priceId?: string }) =>
      pricer.price({
        provider,
        models: { request: "gpt-4o-mini", response: "gpt-4o-mini-2024-07-18" },
        usage,
        epochMs,
      });
    expect(price({ id: "gateway", priceId: "openai" })).toEqual({
      status: "exact",
      nanoUsd: 7_000_000,
      pricedModel: "gpt-4o-mini",
    });
    expect(price({ id: "x", priceId: "gateway" }).nanoUsd).toBe(7_000_000);
    expect(price(openai).nanoUsd).toBe(210_000);
  });

  it("may say that a model is free, and only then the price is 0", async () => {
    const pricer = await loadedPricer([row("ollama", "*", 0)]);
    const price = pricer.price({ provider: { id: "ollama" }, models: { request: "llama3.3" }, usage, epochMs });
    expect(price).toEqual({ status: "exact", nanoUsd: 0, pricedModel: "*" });
  });

  it("matches the whole name first, then the longest prefix, without case", async () => {
    const pricer = await loadedPricer([
      row("p", "*", 1),
      row("p", "lla*", 2),
      row("p", "llama-*", 3),
      row("p", "Llama-3", 4),
    ]);
    const nanoUsd = (model: string) =>
      pricer.price({ provider: { id: "p" }, models: { request: model }, usage, epochMs }).nanoUsd;
    expect(nanoUsd("llama-3")).toBe(4_000_000);
    expect(nanoUsd("LLAMA-4")).toBe(3_000_000);
    expect(nanoUsd("mixtral")).toBe(1_000_000);
    expect(nanoUsd("llab")).toBe(2_000_000);
  });

  it("charges cached tokens as input unless it names their price", async () => {
    const cached: Usage = { inputTokens: 1000, cacheReadTokens: 600, cacheWriteTokens: 100, outputTokens: 0 };
    const plain = await loadedPricer([row("p", "m", 10)]);
    const apart = await loadedPricer([
      { ...row("p", "m", 10), cacheReadUsdPerMillion: 1, cacheWriteUsdPerMillion: 12.5 },
    ]);
    const input = { provider: { id: "p" }, models: { request: "m" }, usage: cached, epochMs };
    expect(plain.price(input).nanoUsd).toBe(10_000_000);
    expect(apart.price(input).nanoUsd).toBe(300 * 10_000 + 600 * 1000 + 100 * 12_500);
  });

  it("is known before the catalogue is read in, and nothing else is", async () => {
    const pricer = createPricer([row("p", "m", 10)]);
    expect(pricer.loaded).toBe(false);
    expect(pricer.price({ provider: { id: "p" }, models: { request: "m" }, usage, epochMs }).status).toBe("exact");
    expect(pricer.price({ provider: openai, models: { request: "gpt-4o" }, usage, epochMs }).status).toBe("missing");
    await pricer.load();
    expect(pricer.loaded).toBe(true);
    expect(pricer.price({ provider: openai, models: { request: "gpt-4o" }, usage, epochMs }).status).toBe("exact");
  });
});

describe("the look-up cache", () => {
  it("follows prices that depend on the hour", async () => {
    const pricer = await loadedPricer();
    const provider = { id: "deepseek", priceId: "deepseek" };
    const at = (hour: number, minute: number) =>
      pricer.price({
        provider,
        models: { request: "deepseek-chat" },
        usage,
        epochMs: Date.UTC(2025, 5, 15, hour, minute),
      }).nanoUsd;
    // DeepSeek's discount ran from 16:30 to 00:30 UTC until September 2025 (its price page, as the catalogue has it).
    const [day, night] = [at(16, 29), at(16, 30)];
    expect(night).toBeLessThan(day ?? 0);
    expect(at(0, 29)).toBe(night);
    expect(at(0, 30)).toBe(day);
  });

  it("does not take one provider for another of the same id, as the next policy may mean it", async () => {
    const pricer = await loadedPricer();
    const statusOf = (priceId: string) =>
      pricer.price({ provider: { id: "mine", priceId }, models: { request: "gpt-4o" }, usage, epochMs }).status;
    expect(statusOf("openai")).toBe("exact");
    expect(statusOf("anthropic")).not.toBe("exact");
  });

  it("stays right when a client makes up model names", async () => {
    const pricer = await loadedPricer();
    for (let index = 0; index < 5000; index++) pricer.knows(openai, `made-up-${index}`, epochMs);
    expect(pricer.knows(openai, "gpt-4o-mini", epochMs)).toBe(true);
    expect(pricer.knows(openai, "made-up-0", epochMs)).toBe(false);
  });

  it("does not count an entry without a price as known", async () => {
    const pricer = await loadedPricer();
    expect(pricer.knows({ id: "cerebras", priceId: "cerebras" }, "qwen-3-coder-480b", epochMs)).toBe(false);
    expect(pricer.knows({ id: "vllm" }, "gpt-4o-mini", epochMs)).toBe(false);
  });

  it("does not mix up names that join to the same text", async () => {
    const pricer = await loadedPricer();
    const status = (response: string, request: string) =>
      pricer.price({ provider: openai, models: { request, response }, usage, epochMs }).status;
    expect(status("gpt-4o", "-mini")).toBe("exact");
    expect(status("gpt-4", "o-mini")).toBe("exact");
    expect(status("g", "pt-4o-mini")).toBe("missing");
  });
});

describe("the context window", () => {
  it("is the catalogue's, found as a price is", async () => {
    const pricer = await loadedPricer();
    const windowOf = (provider: { id: string; priceId?: string }, model: string): number | undefined =>
      pricer.contextTokens(provider, model, epochMs);
    expect(windowOf(openai, "gpt-4")).toBe(8192);
    expect(windowOf(openai, "gpt-4o-mini-2024-07-18")).toBe(128_000);
    expect(windowOf({ id: "azure", priceId: "azure" }, "gpt-4o-mini")).toBe(128_000);
    expect(windowOf(openai, "gpt-4o-mini-2031-01-01")).toBe(128_000);
  });

  it("is unknown where the catalogue has no entry or does not say, and before it is loaded", async () => {
    const pricer = await loadedPricer([
      { provider: "vllm", model: "*", inputUsdPerMillion: 0, outputUsdPerMillion: 0 },
    ]);
    for (const [provider, model] of [
      [openai, "no-such-model"],
      [openai, ""],
      [openai, `gpt-4${"x".repeat(300)}`],
      [{ id: "groq", priceId: "groq" }, "llama-3.3-70b-versatile"],
      [{ id: "vllm" }, "gpt-4"],
    ] as const) {
      expect(pricer.contextTokens(provider, model, epochMs), model).toBeUndefined();
    }
    expect(createPricer([]).contextTokens(openai, "gpt-4", epochMs)).toBeUndefined();
  });
});
