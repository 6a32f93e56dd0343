// Room spend: prices that a person wrote in the options, which win over the catalogue.
// Invariant: the closest match decides: the very name, then the longest prefix, then the first in the list.

import type { Options } from "../options.ts";

/** One price of the options, in US dollars per million tokens. Without a cache price, cached tokens cost what input costs. */
export type PriceOverride = Options["prices"]["overrides"][number];

interface FoundOverride {
  /** The override's `model`, with its `*`. */
  model: string;
  /** In the catalogue's units. */
  price: Record<string, number>;
}

const prices = new WeakMap<PriceOverride, FoundOverride>();

/** The override for a model, or undefined. `provider` in an override is Outrider's id or the catalogue's; names compare without case. */
export function findOverride(
  overrides: readonly PriceOverride[],
  provider: { id: string; priceId?: string },
  model: string,
): FoundOverride | undefined {
  const name = model.toLowerCase();
  let best: PriceOverride | undefined;
  let bestLength = -1;
  for (const override of overrides) {
    if (override.provider !== provider.id && override.provider !== provider.priceId) continue;
    const length = matchLength(override.model.toLowerCase(), name);
    if (length > bestLength) [best, bestLength] = [override, length];
  }
  return best === undefined ? undefined : toFound(best);
}

/** How much of the name the pattern names: Infinity for the whole, -1 for no match. */
function matchLength(pattern: string, name: string): number {
  if (pattern === name) return Infinity;
  return pattern.endsWith("*") && name.startsWith(pattern.slice(0, -1)) ? pattern.length - 1 : -1;
}

function toFound(override: PriceOverride): FoundOverride {
  let found = prices.get(override);
  if (found === undefined) {
    const { cacheReadUsdPerMillion, cacheWriteUsdPerMillion } = override;
    const price: Record<string, number> = {
      input_mtok: override.inputUsdPerMillion,
      output_mtok: override.outputUsdPerMillion,
    };
    if (cacheReadUsdPerMillion !== undefined) price["cache_read_mtok"] = cacheReadUsdPerMillion;
    if (cacheWriteUsdPerMillion !== undefined) price["cache_write_mtok"] = cacheWriteUsdPerMillion;
    found = { model: override.model, price };
    prices.set(override, found);
  }
  return found;
}
