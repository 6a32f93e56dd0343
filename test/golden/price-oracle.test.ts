// Golden: our price of every row of the usage oracle (genai-prices' own test set) that names one, against the oracle's.
// What differs is listed below with its reason; a new difference fails.
import { readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import type { Usage } from "../../src/canonical/index.ts";
import { createPricer } from "../../src/spend/index.ts";
import { recordingsRoot } from "../support/recordings.ts";

interface OracleRecord {
  id: string;
  model: string;
  extracted: {
    usage: Record<string, number>;
    extractors: {
      provider_id: string;
      api_flavor: string;
      input_price?: string;
      output_price?: string;
      total_price?: string;
    }[];
  }[];
}

/** Fields of Usage by the oracle's names; video tokens have none and are charged with the total that contains them. */
const fields: Record<string, keyof Usage> = {
  input_tokens: "inputTokens",
  output_tokens: "outputTokens",
  output_reasoning_tokens: "reasoningTokens",
  input_text_tokens: "inputTextTokens",
  output_text_tokens: "outputTextTokens",
  cache_read_tokens: "cacheReadTokens",
  cache_write_tokens: "cacheWriteTokens",
  cache_write_5m_tokens: "cacheWrite5mTokens",
  cache_write_1h_tokens: "cacheWrite1hTokens",
  input_image_tokens: "inputImageTokens",
  input_audio_tokens: "inputAudioTokens",
  cache_text_read_tokens: "cacheReadTextTokens",
  cache_image_read_tokens: "cacheReadImageTokens",
  cache_audio_read_tokens: "cacheReadAudioTokens",
  output_image_tokens: "outputImageTokens",
  output_audio_tokens: "outputAudioTokens",
  web_searches: "webSearchRequests",
};

/** The oracle's prices are those of this day (later ones differ for some models) and hour (DeepSeek's old discount was nightly). */
const oracleEpochMs = Date.UTC(2026, 5, 15, 12);

const noUsage = "the body states no counts: the oracle says 0, an unknown price is missing";
const noPrice = "the catalogue's entry holds no price: the oracle says 0, an unknown price is missing";
const otherPrice = "0.1.8 has another price for this model than the oracle's commit";
const otherTiers = "0.1.8 has a higher tier above 200,000 input tokens here, the oracle's commit has none";

/** Differences by record, provider and flavour. */
const allowed: Record<string, string> = {
  "9d4e1fd40766 google anthropic claude-sonnet-4-5-20250929": otherTiers,
  "4c7f71f2bdfc google anthropic claude-sonnet-4-5-20250929": otherTiers,
  "8143a6a0863d mistral default ministral-8b-latest": otherPrice,
  "9c66ab9905f1 cerebras chat qwen-3-coder-480b": noPrice,
  "4297225dcc49 cerebras chat qwen-3-coder-480b": noPrice,
  "0da6e6180802 openrouter chat google/gemini-2.0-flash-exp:free": noPrice,
  "91e126baf103 azure responses gpt-4o-2024-08-06": noUsage,
  "91e126baf103 azure anthropic gpt-4o-2024-08-06": noUsage,
  "91e126baf103 openai responses gpt-4o-2024-08-06": noUsage,
};

describe("the usage oracle", () => {
  it("gives the prices that we compute, row by row", async () => {
    const path = `${recordingsRoot}/usage-oracle.json`;
    const { records }: { records: OracleRecord[] } = JSON.parse(readFileSync(path, "utf8"));
    const pricer = createPricer([]);
    await pricer.load();

    const different: string[] = [];
    let compared = 0;
    for (const { id, model, extracted } of records) {
      // A chat body also has the shape of an embeddings body, which would then be read without its output.
      const isChat = extracted.some(({ extractors }) => extractors.some(({ api_flavor }) => api_flavor === "chat"));
      for (const { usage: counts, extractors } of extracted) {
        for (const { provider_id, api_flavor, input_price, output_price, total_price } of extractors) {
          if (input_price === undefined || output_price === undefined) continue;
          if (isChat && api_flavor === "embeddings") continue;
          const { nanoUsd } = pricer.price({
            provider: { id: provider_id, priceId: provider_id },
            models: { response: model },
            usage: toUsage(counts),
            epochMs: oracleEpochMs,
          });
          // `total_price` stands where something besides tokens is billed (web searches).
          const oracleUsd =
            total_price === undefined ? Number(input_price) + Number(output_price) : Number(total_price);
          compared++;
          if (nanoUsd === undefined || Math.abs(nanoUsd / 1e9 - oracleUsd) > 1e-9) {
            different.push(`${id} ${provider_id} ${api_flavor} ${model}`);
          }
        }
      }
    }
    expect(different.filter((row) => allowed[row] === undefined)).toEqual([]);
    expect(Object.keys(allowed).length).toBeLessThanOrEqual(9);
    expect(compared).toBeGreaterThan(100);
  });
});

function toUsage(counts: Record<string, number>): Usage {
  const usage: Record<string, number> = {};
  for (const [name, count] of Object.entries(counts)) {
    const field = fields[name];
    if (field !== undefined) usage[field] = count;
  }
  return usage;
}
