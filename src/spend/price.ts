// Room spend: what a call cost. Overrides first, then the catalogue; response model first, then request model.
// Invariant: an unknown price is `missing` and carries no amount; 0 comes only from an override or a catalogue rate of 0.

import type { Usage } from "../canonical/index.ts";
import { BoundedMap } from "./bounded-map.ts";
import { openCatalogue, type Catalogue, type CatalogueEntry } from "./catalogue.ts";
import { findOverride, type PriceOverride } from "./override.ts";
import { compileRateCard, computeNanoUsd, type RateCard } from "./rate-card.ts";

/** How sure a price is. `exact`: an override, or the provider's own catalogue entry; `alias`: another entry that stands in for it; `assumed`: set by policy; `missing`: none. */
export type PriceStatus = "exact" | "alias" | "assumed" | "missing";

/** The price of one call. */
export interface Price {
  status: PriceStatus;
  /** Whole nano-dollars; absent exactly when the status is `missing`. */
  nanoUsd?: number;
  /** The catalogue's id of the model, or the override's `model`. */
  pricedModel?: string;
}

/** What the pricer must know of a provider. */
export interface PricedProvider {
  id: string;
  /** Its id in the price catalogue; absent when nobody bills by the token (self-hosted), then only overrides apply. */
  priceId?: string;
}

/** The models of one call, as they stand on the wire. */
export interface PricedModels {
  request?: string | undefined;
  response?: string | undefined;
}

/** What a call is priced by. */
export interface PriceInput {
  provider: PricedProvider;
  models: PricedModels;
  /** Absent: the price is `missing`. */
  usage: Usage | undefined;
  /** When the call was made; some prices depend on the day or the hour. */
  epochMs: number;
}

/** Prices calls. One per process. */
export interface Pricer {
  /** Reads the catalogue in, once; await it before the first `price`. Until then only overrides are known. */
  load(): Promise<void>;
  readonly loaded: boolean;
  price(input: PriceInput): Price;
  /** Whether a model of this provider has a price; bounds model names in metric labels. */
  knows(provider: PricedProvider, model: string, epochMs: number): boolean;
  /** The model's context window by the catalogue, in tokens; undefined: unknown. Looked up at each call: keep it. */
  contextTokens(provider: PricedProvider, model: string, epochMs: number): number | undefined;
}

/** A look-up's outcome for one provider and pair of models. */
interface CacheEntry {
  /** Minutes since the epoch; the entry holds for this minute only. Undefined: for good. */
  minute: number | undefined;
  found: { status: "exact" | "alias"; pricedModel: string; card: RateCard } | undefined;
}

// Client-chosen names are keys here: bounded in number, and a longer name than any real one is not looked up.
const maxCacheEntries = 2048;
const maxModelLength = 256;

const missing: Price = Object.freeze({ status: "missing" });

/** `overrides` are of the options; their order decides between equally close matches. */
export function createPricer(overrides: readonly PriceOverride[]): Pricer {
  const cache = new BoundedMap<string, CacheEntry>(maxCacheEntries);
  const cards = new WeakMap<object, RateCard>();
  let catalogue: Catalogue | undefined;
  let loading: Promise<void> | undefined;

  const cardOf = (price: CatalogueEntry["price"]): RateCard => {
    let card = cards.get(price);
    if (card === undefined) cards.set(price, (card = compileRateCard(price)));
    return card;
  };

  const lookUp = (provider: PricedProvider, names: string[], minute: number): CacheEntry => {
    for (const name of names) {
      const override = findOverride(overrides, provider, name);
      if (override !== undefined) {
        return {
          minute: undefined,
          found: { status: "exact", pricedModel: override.model, card: cardOf(override.price) },
        };
      }
    }
    if (catalogue === undefined || provider.priceId === undefined) return { minute: undefined, found: undefined };
    let best: CatalogueEntry | undefined;
    for (const name of names) {
      const entry = catalogue.find(provider.priceId, name, minute * 60_000);
      if (entry !== undefined && (best === undefined || (best.status === "alias" && entry.status === "exact"))) {
        best = entry;
      }
    }
    if (best === undefined) return { minute: undefined, found: undefined };
    return {
      minute: best.changes ? minute : undefined,
      found: { status: best.status, pricedModel: best.model, card: cardOf(best.price) },
    };
  };

  const find = (provider: PricedProvider, models: PricedModels, epochMs: number): CacheEntry["found"] => {
    const { request, response } = models;
    // The length keeps apart what would join to the same text.
    const key = `${provider.id}\n${response?.length ?? 0}\n${response ?? ""}${request ?? ""}`;
    const minute = Math.floor(epochMs / 60_000);
    const cached = cache.get(key);
    if (cached !== undefined && (cached.minute === undefined || cached.minute === minute)) return cached.found;
    const names = [response, request].filter(
      (name, index, all): name is string =>
        name !== undefined && name !== "" && name.length <= maxModelLength && all.indexOf(name) === index,
    );
    if (names.length === 0) return undefined;
    const entry = lookUp(provider, names, minute);
    if (key.length > 3 * maxModelLength) return entry.found;
    cache.set(key, entry);
    return entry.found;
  };

  return {
    load() {
      loading ??= openCatalogue().then((opened) => {
        catalogue = opened;
        cache.clear();
      });
      return loading;
    },
    get loaded() {
      return catalogue !== undefined;
    },
    price({ provider, models, usage, epochMs }) {
      if (usage === undefined) return missing;
      const found = find(provider, models, epochMs);
      if (found === undefined) return missing;
      const nanoUsd = computeWhole(found.card, billedUsage(provider, usage));
      return nanoUsd === undefined ? missing : { status: found.status, nanoUsd, pricedModel: found.pricedModel };
    },
    knows(provider, model, epochMs) {
      return find(provider, { response: model }, epochMs) !== undefined;
    },
    contextTokens({ priceId }, model, epochMs) {
      if (priceId === undefined || model === "" || model.length > maxModelLength) return undefined;
      return catalogue?.find(priceId, model, epochMs)?.contextTokens;
    },
  };
}

/** Compaction is a run of the model of its own, at the same rates. */
function computeWhole(card: RateCard, usage: Usage): number | undefined {
  const nanoUsd = computeNanoUsd(card, usage);
  if (usage.compaction === undefined || nanoUsd === undefined) return nanoUsd;
  const beside = computeNanoUsd(card, usage.compaction);
  return beside === undefined ? undefined : nanoUsd + beside;
}

/** Groq bills ten seconds of a recording at the least (the rule of @pydantic/genai-prices 0.1.8). */
const groqMinimumSeconds = 10;

function billedUsage(provider: PricedProvider, usage: Usage): Usage {
  const { inputAudioSeconds: seconds = 0 } = usage;
  if (provider.priceId !== "groq" || seconds === 0 || seconds >= groqMinimumSeconds) return usage;
  return { ...usage, inputAudioSeconds: groqMinimumSeconds };
}
