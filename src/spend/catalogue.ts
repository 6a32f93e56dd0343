// Room spend: the door to the price catalogue of @pydantic/genai-prices, and how a model is looked up in it.
// The package is 0.8 MB of source and is imported only when asked for: 60 ms and 19 MB of resident memory.
// Invariant: no network; the package's own updating is never switched on.

import type { calcPrice, findProvider, ModelPrice } from "@pydantic/genai-prices";

/** A price that the catalogue has. */
export interface CatalogueEntry {
  /** `exact`: the provider's own entry for this very name; `alias`: another provider's, or found under a shortened name. */
  status: "exact" | "alias";
  /** The catalogue's id of the model. */
  model: string;
  price: ModelPrice;
  /** What the model takes in, and with most vendors gives out, in tokens; absent where the catalogue does not say. */
  contextTokens?: number;
  /** The price depends on the day or the hour: ask again for another minute. */
  changes: boolean;
}

/** The catalogue, read in. Look-ups cost tens of microseconds: keep what they give. */
export interface Catalogue {
  /** `priceId` is the catalogue's id of the provider, or the provider's own id where the catalogue has none. */
  find(priceId: string, model: string, epochMs: number): CatalogueEntry | undefined;
}

// Where another provider resells one of these vendors' closed models, it does so at or near the list price. The price
// of an open model differs from host to host, so it is never borrowed.
const listPriceOwners = new Set(["openai", "anthropic", "google", "x-ai"]);
const openModel = /gpt-oss|gemma|grok-[12]\b/i;

const dateSuffix = /[-@](?:20\d{6}|20\d{2}-\d{2}-\d{2})$/;

/** Reads the catalogue in; repeated calls share the module. */
export async function openCatalogue(): Promise<Catalogue> {
  const { calcPrice, findProvider } = await import("@pydantic/genai-prices");
  return {
    find: (priceId, model, epochMs) => find({ calcPrice, findProvider }, priceId, model, epochMs),
  };
}

interface PricesPackage {
  calcPrice: typeof calcPrice;
  findProvider: typeof findProvider;
}

function find(prices: PricesPackage, priceId: string, model: string, epochMs: number): CatalogueEntry | undefined {
  const own = lookUp(prices, priceId, model, epochMs);
  if (own !== undefined) return hasPrice(own) ? own : undefined;
  const undated = model.replace(dateSuffix, "");
  const bare = undated.slice(undated.lastIndexOf("/") + 1);
  for (const name of new Set([undated, bare])) {
    const found = name === model ? undefined : lookUp(prices, priceId, name, epochMs);
    if (found !== undefined && hasPrice(found)) return { ...found, status: "alias" };
  }
  for (const name of new Set([model.slice(model.lastIndexOf("/") + 1), bare])) {
    const owner = prices.findProvider({ modelId: name })?.id;
    if (owner === undefined || !listPriceOwners.has(owner) || openModel.test(name)) continue;
    const found = lookUp(prices, owner, name, epochMs);
    if (found !== undefined && hasPrice(found)) return { ...found, status: "alias" };
  }
  return undefined;
}

/**
 * 162 entries of 0.1.8 hold no price at all (previews, `:free` variants), for which the package would charge 0. They are
 * unknown prices here, and no other entry stands in for them.
 */
function hasPrice(entry: CatalogueEntry): boolean {
  return Object.keys(entry.price).length > 0;
}

function lookUp(prices: PricesPackage, priceId: string, model: string, epochMs: number): CatalogueEntry | undefined {
  const found = prices.calcPrice({}, model, { providerId: priceId, timestamp: new Date(epochMs) });
  if (found === null) return undefined;
  const own = found.provider.id === priceId.toLowerCase() && found.provider.models.includes(found.model);
  const { id, context_window: contextTokens } = found.model;
  return {
    status: own ? "exact" : "alias",
    model: id,
    price: found.model_price,
    ...(contextTokens === undefined ? {} : { contextTokens }),
    changes: Array.isArray(found.model.prices),
  };
}
