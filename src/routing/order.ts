// Room routing: the strategies: in which order the targets of one alias are tried by one call.
// Invariant: what comes out is what went in, in another order; a weight of 0 is first only when nothing else is there.

import { orderBySession } from "./affinity.ts";
import type { Health } from "./health.ts";
import type { AffinitySource, Strategy } from "./options.ts";
import type { CallFacts, Candidate } from "./routing.ts";

/** What orders the targets of an alias. */
export interface Ordering {
  strategy: Strategy;
  affinity: readonly AffinitySource[] | undefined;
  /** What turns are counted by. */
  name: string;
  /** Nano-dollars by key, where known; of lowest-cost only. */
  prices: ReadonlyMap<string, number>;
}

/** A target unmeasured for this long is worth a call, so that its recovery is seen. */
const staleAfterMs = 30_000;

/** Share of calls that look at such a target: small, since each may be slow, and so that a quiet alias is not all looking. */
const explorationShare = 0.05;

/** Whether calls differ in the order of a step's candidates. */
export function isFixed(candidates: readonly Candidate[], { strategy }: Ordering): boolean {
  return candidates.length < 2 || strategy === "ordered";
}

/** Orders candidates that may all be tried now. */
export function orderCandidates(
  candidates: readonly Candidate[],
  ordering: Ordering,
  call: CallFacts,
  health: Health,
): readonly Candidate[] {
  if (isFixed(candidates, ordering)) return candidates;
  if (ordering.affinity !== undefined && ordering.strategy !== "lowest-cost") {
    const session = call.affinityKey(ordering.affinity);
    if (session !== undefined) return orderBySession(candidates, session);
  }
  switch (ordering.strategy) {
    case "ordered":
      return candidates;
    case "weighted":
      return drawByWeight(candidates, health.random);
    case "round-robin":
      return rotate(candidates, health.nextTurn(ordering.name));
    case "least-busy":
      return sortBy(candidates, health.random, (candidate) => loadOf(candidate, health));
    case "lowest-latency":
      return orderByLatency(candidates, health);
    case "lowest-cost":
      return sortBy(candidates, undefined, ({ key }) => ordering.prices.get(key) ?? Number.POSITIVE_INFINITY);
  }
}

/** Drawing without replacement: the greatest of random^(1/weight) is drawn first (Efraimidis and Spirakis, 2006). */
function drawByWeight(candidates: readonly Candidate[], random: () => number): Candidate[] {
  return sortBy(candidates, random, ({ weight }) =>
    weight === 0 ? Number.POSITIVE_INFINITY : -Math.log(1 - random()) / weight,
  );
}

function rotate(candidates: readonly Candidate[], turn: number): Candidate[] {
  const start = turn % candidates.length;
  return [...candidates.slice(start), ...candidates.slice(0, start)];
}

function loadOf({ key, weight }: Candidate, health: Health): number {
  return ((health.load(key)?.inFlight ?? 0) + 1) / weight;
}

/**
 * The least average first, times the calls under way: an average knows nothing of calls that have not come back, and without them all
 * calls would follow one that was quick a moment ago (peak EWMA, as in Finagle). A target never measured gets one call at once, and no
 * more before that has come back: it may be hanging.
 */
function orderByLatency(candidates: readonly Candidate[], health: Health): Candidate[] {
  const ordered = sortBy(candidates, health.random, ({ key, weight }) => {
    if (weight === 0) return Number.POSITIVE_INFINITY;
    const { latencyMs, inFlight = 0 } = health.load(key) ?? {};
    if (latencyMs !== undefined) return latencyMs * (inFlight + 1);
    return inFlight === 0 ? 0 : unmeasuredMs + inFlight;
  });
  const staleAtMs = health.nowMs() - staleAfterMs;
  const stale = ordered.findIndex(({ key, weight }, index) => {
    const load = health.load(key);
    return index > 0 && weight > 0 && load !== undefined && load.measuredAtMs < staleAtMs;
  });
  if (stale < 0 || health.random() >= explorationShare) return ordered;
  const [explored] = ordered.splice(stale, 1);
  return explored === undefined ? ordered : [explored, ...ordered];
}

/** Above what any measured target may come to. */
const unmeasuredMs = 1e12;

/** Ascending; equals in the order written, or shuffled where a random is given. By insertion: there are few, and once per call. */
function sortBy(
  candidates: readonly Candidate[],
  random: (() => number) | undefined,
  rank: (candidate: Candidate) => number,
): Candidate[] {
  const sorted: Candidate[] = [];
  const ranks: number[] = [];
  const ties: number[] = [];
  for (const candidate of candidates) {
    const own = rank(candidate);
    const tie = random?.() ?? 0;
    let place = sorted.length;
    for (; place > 0; place--) {
      const before = ranks[place - 1] ?? 0;
      if (before < own || (before === own && (ties[place - 1] ?? 0) <= tie)) break;
      sorted[place] = sorted[place - 1] ?? candidate;
      ranks[place] = before;
      ties[place] = ties[place - 1] ?? 0;
    }
    sorted[place] = candidate;
    ranks[place] = own;
    ties[place] = tie;
  }
  return sorted;
}
