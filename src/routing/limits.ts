// Room routing: who may answer at all: the weakest tier and the regions that an alias or a route allows.
// Invariant: limits only add up; who says no tier is weaker than every tier, who says no region is in none.

/** Of an alias or of a route; an absent limit bars nobody. */
export interface Limits {
  minTier?: string | undefined;
  regions?: readonly string[] | undefined;
}

/** What limits are held against. */
export interface Standing {
  tier?: string | undefined;
  region?: string | undefined;
}

/** Why one of this standing may never answer under all of these limits; undefined: it may. */
export function findBar(
  { tier, region }: Standing,
  limits: readonly Limits[],
  tiers: readonly string[],
): "below_min_tier" | "outside_regions" | undefined {
  const isBelow = ({ minTier }: Limits): boolean =>
    minTier !== undefined && rankOf(tier, tiers) > rankOf(minTier, tiers);
  if (limits.some(isBelow)) return "below_min_tier";
  const isOutside = ({ regions }: Limits): boolean =>
    regions !== undefined && (region === undefined || !regions.includes(region));
  return limits.some(isOutside) ? "outside_regions" : undefined;
}

/** A tier's place, 0 the strongest; a tier that is not there is weaker than all. */
function rankOf(tier: string | undefined, tiers: readonly string[]): number {
  const rank = tier === undefined ? -1 : tiers.indexOf(tier);
  return rank < 0 ? Number.POSITIVE_INFINITY : rank;
}
