// Room spend: turns one price of the catalogue, or one override, into nano-dollars for a usage.
// Its one job is to split totals into parts that are priced apart (cached, written, audio, image, reasoning) and to add them up.
// Invariant: no token is charged twice, and a count that no rate covers gives no cost at all, never 0.
// A model that is billed by the length of a recording alone has no token rates: tokens stated beside the length are not charged.

import type { ModelPrice } from "@pydantic/genai-prices";

import type { Usage, UsageCount } from "../canonical/index.ts";

interface Unit {
  field: UsageCount;
  priceKey: string;
  /** What narrows the unit; a unit is part of every other whose facets are a proper subset of its own. */
  facets: readonly string[];
  /** How many units the catalogue's price is for. */
  per: number;
}

const tokens = (field: UsageCount, priceKey: string, ...facets: string[]): Unit => ({
  field,
  priceKey,
  facets,
  per: 1e6,
});

// The units of @pydantic/genai-prices 0.1.8 (its prices/units.yml) that Usage has a field for. What Usage does not
// tell apart (video, citations) is charged at the rate of the total that contains it. No entry prices images, characters
// or reranked searches by their number, so usage that has these alone has no price.
const units: readonly Unit[] = [
  tokens("cacheReadTextTokens", "cache_text_read_mtok", "input", "cache-read", "text"),
  tokens("cacheReadAudioTokens", "cache_audio_read_mtok", "input", "cache-read", "audio"),
  tokens("cacheReadImageTokens", "cache_image_read_mtok", "input", "cache-read", "image"),
  tokens("cacheWrite5mTokens", "cache_write_5m_mtok", "input", "cache-write", "5m"),
  tokens("cacheWrite1hTokens", "cache_write_1h_mtok", "input", "cache-write", "1h"),
  tokens("cacheReadTokens", "cache_read_mtok", "input", "cache-read"),
  tokens("cacheWriteTokens", "cache_write_mtok", "input", "cache-write"),
  tokens("inputTextTokens", "input_text_mtok", "input", "text"),
  tokens("inputAudioTokens", "input_audio_mtok", "input", "audio"),
  tokens("inputImageTokens", "input_image_mtok", "input", "image"),
  tokens("reasoningTokens", "output_reasoning_mtok", "output", "reasoning"),
  tokens("outputTextTokens", "output_text_mtok", "output", "text"),
  tokens("outputAudioTokens", "output_audio_mtok", "output", "audio"),
  tokens("outputImageTokens", "output_image_mtok", "output", "image"),
  tokens("inputTokens", "input_mtok", "input"),
  tokens("outputTokens", "output_mtok", "output"),
  { field: "webSearchRequests", priceKey: "web_searches_kcount", facets: ["web-search"], per: 1e3 },
  { field: "inputAudioSeconds", priceKey: "input_audio_hours", facets: ["audio-seconds"], per: 3600 },
];

interface Rate {
  baseNanoUsd: number;
  /** Ascending; the last tier whose start the whole input exceeds applies to every token of the call. */
  tiers: readonly { startTokens: number; nanoUsd: number }[];
}

interface Term {
  field: UsageCount;
  rate: Rate;
  /** Positions, in the card's terms, of the priced parts inside this one; all of them come earlier. */
  parts: readonly number[];
}

/** A model's price, ready for the hot path. All rates are nano-dollars for one unit. */
export interface RateCard {
  terms: readonly Term[];
  nanoUsdPerRequest: number;
  prices: { input: boolean; output: boolean; webSearch: boolean; audioSeconds: boolean };
  /** False when output is free, so that an answer without an output count (an embedding) still has a price. */
  outputCosts: boolean;
}

/** Reads a price of the catalogue; keys for which Usage has no field are left out. */
export function compileRateCard(price: ModelPrice): RateCard {
  const priced = units.filter((unit) => price[unit.priceKey] !== undefined);
  const terms = priced.map((unit) => ({
    field: unit.field,
    rate: compileRate(price[unit.priceKey], unit.per),
    parts: priced.flatMap((other, index) => (isPartOf(other, unit) ? [index] : [])),
  }));
  const outputTerms = terms.filter((_, index) => priced[index]?.facets[0] === "output");
  return {
    terms,
    nanoUsdPerRequest: compileRate(price["requests_kcount"], 1e3).baseNanoUsd,
    prices: {
      input: price["input_mtok"] !== undefined,
      output: price["output_mtok"] !== undefined,
      webSearch: price["web_searches_kcount"] !== undefined,
      audioSeconds: price["input_audio_hours"] !== undefined,
    },
    outputCosts: outputTerms.some(({ rate }) => rate.baseNanoUsd > 0 || rate.tiers.some((tier) => tier.nanoUsd > 0)),
  };
}

/**
 * Price of one call in whole nano-dollars; undefined when the usage or the card does not say enough.
 * Parts are added in double precision and rounded once, to the nearest nano-dollar, halves up.
 * Where counts contradict each other (more cached than input) each part is charged and the remainder is not negative.
 */
export function computeNanoUsd(card: RateCard, usage: Usage): number | undefined {
  if (!coversUsage(card, usage)) return undefined;
  const inputTokens = usage.inputTokens ?? 0;

  const remainders: number[] = [];
  let nanoUsd = card.nanoUsdPerRequest;
  for (const { field, rate, parts } of card.terms) {
    let remainder = usage[field] ?? 0;
    for (const part of parts) remainder -= remainders[part] ?? 0;
    if (remainder < 0) remainder = 0;
    remainders.push(remainder);
    if (remainder > 0) nanoUsd += remainder * rateFor(rate, inputTokens);
  }
  return Number.isFinite(nanoUsd) ? Math.round(nanoUsd) : undefined;
}

function coversUsage({ prices, outputCosts }: RateCard, usage: Usage): boolean {
  const { inputTokens, outputTokens } = usage;
  if ((usage.webSearchRequests ?? 0) > 0 && !prices.webSearch) return false;
  if (!prices.input && !prices.output) return prices.audioSeconds && usage.inputAudioSeconds !== undefined;
  if (inputTokens === undefined || (inputTokens > 0 && !prices.input)) return false;
  return outputTokens === undefined ? !outputCosts : outputTokens === 0 || prices.output;
}

function rateFor(rate: Rate, inputTokens: number): number {
  let nanoUsd = rate.baseNanoUsd;
  for (const tier of rate.tiers) if (inputTokens > tier.startTokens) nanoUsd = tier.nanoUsd;
  return nanoUsd;
}

function compileRate(price: ModelPrice[string], per: number): Rate {
  if (price === undefined) return { baseNanoUsd: 0, tiers: [] };
  // Multiplied before divided: 0.075 USD per million is then exactly 75 nano-dollars.
  const nanoUsd = (usd: number): number => (usd * 1e9) / per;
  if (typeof price === "number") return { baseNanoUsd: nanoUsd(price), tiers: [] };
  const tiers = price.tiers
    .map((tier) => ({ startTokens: tier.start, nanoUsd: nanoUsd(tier.price) }))
    .sort((a, b) => a.startTokens - b.startTokens);
  return { baseNanoUsd: nanoUsd(price.base), tiers };
}

function isPartOf(part: Unit, whole: Unit): boolean {
  return part.facets.length > whole.facets.length && whole.facets.every((facet) => part.facets.includes(facet));
}
