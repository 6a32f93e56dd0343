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

interface Found {
  status: "exact" | "alias";
  pricedModel: string;
  card: RateCard;
}

/** What is known of one name at one provider. */
interface NameEntry {
  /** Minutes since the epoch; the entry holds for this minute only. Undefined: for good. */
  minute: number | undefined;
  override: Found | undefined;
  listed: Found | undefined;
}

// Client-chosen names are keys here: bounded in number, and a longer name than any real one is not looked up.
const maxNamesOfProvider = 128;
const maxModelLength = 256;

const missing: Price = Object.freeze({ status: "missing" });
const nothing: NameEntry = Object.freeze({ minute: undefined, override: undefined, listed: undefined });

/** `overrides` are of the options; their order decides between equally close matches. */
export function createPricer(overrides: readonly PriceOverride[]): Pricer {
  // By provider, then by name: no key is put together for a look-up. By the provider itself, as another policy may mean another one by its id.
  let cache = new WeakMap<PricedProvider, BoundedMap<string, NameEntry>>();
  const cards = new WeakMap<object, RateCard>();
  let catalogue: Catalogue | undefined;
  let loading: Promise<void> | undefined;

  const cardOf = (price: CatalogueEntry["price"]): RateCard => {
    let card = cards.get(price);
    if (card === undefined) cards.set(price, (card = compileRateCard(price)));
    return card;
  };

  const lookUp = (provider: PricedProvider, name: string, minute: number): NameEntry => {
    const override = findOverride(overrides, provider, name);
    if (override !== undefined) {
      const { model, price } = override;
      return {
        minute: undefined,
        override: { status: "exact", pricedModel: model, card: cardOf(price) },
        listed: undefined,
      };
    }
    const entry = provider.priceId === undefined ? undefined : catalogue?.find(provider.priceId, name, minute * 60_000);
    if (entry === undefined) return nothing;
    const { status, model, price, changes } = entry;
    const listed: Found = { status, pricedModel: model, card: cardOf(price) };
    return { minute: changes ? minute : undefined, override: undefined, listed };
  };

  const findName = (provider: PricedProvider, name: string | undefined, epochMs: number): NameEntry => {
    if (name === undefined || name === "" || name.length > maxModelLength) return nothing;
    let names = cache.get(provider);
    if (names === undefined) cache.set(provider, (names = new BoundedMap(maxNamesOfProvider)));
    const minute = Math.floor(epochMs / 60_000);
    const known = names.get(name);
    if (known !== undefined && (known.minute === undefined || known.minute === minute)) return known;
    const entry = lookUp(provider, name, minute);
    names.set(name, entry);
    return entry;
  };

  const find = (provider: PricedProvider, { request, response }: PricedModels, epochMs: number): Found | undefined => {
    const answered = findName(provider, response, epochMs);
    if (answered.override !== undefined) return answered.override;
    const asked = response === request ? nothing : findName(provider, request, epochMs);
    if (asked.override !== undefined) return asked.override;
    const isSurer = answered.listed?.status === "exact" || asked.listed?.status !== "exact";
    return isSurer ? (answered.listed ?? asked.listed) : asked.listed;
  };

  return {
    load() {
      loading ??= openCatalogue().then((opened) => {
        catalogue = opened;
        cache = new WeakMap();
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
      const { override, listed } = findName(provider, model, epochMs);
      return (override ?? listed) !== undefined;
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
