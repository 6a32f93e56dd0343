// Room routing: an alias or a single model with everything about it that does not change between calls, worked out once.
// Invariant: a key stands in one step only, the first that names it, which then is for the failures of all that did.

import { findBar, type Limits } from "./limits.ts";
import type { ModelDocument, RoutingDocument } from "./options.ts";
import { isFixed, type Ordering } from "./order.ts";
import { defaultWhen, type FallbackReason } from "./reasons.ts";
import type { Candidate, ModelFacts, Plan, RoutingFacts, Skipped } from "./routing.ts";

/** Candidates that are equals: the targets, or one fallback's. */
export interface Step {
  candidates: readonly Candidate[];
  ordering: Ordering;
}

/** Where the calls of one alias or route may go. */
export interface Itinerary {
  alias: string | undefined;
  route: string | undefined;
  /** The targets first; never empty, but its steps may be. */
  steps: readonly Step[];
  /** Left out of every plan. */
  barred: readonly Skipped[];
  /** By key, of candidates of which something is known that could be held against them. */
  facts: ReadonlyMap<string, ModelFacts>;
  hedge: { afterMs: number } | undefined;
  /** The least that any candidate has of what is known; undefined: nothing is known of any. */
  weakest: ModelFacts | undefined;
  /** No candidate lacks a price that its strategy asks for. */
  isPriced: boolean;
  /** Every candidate's. */
  keys: ReadonlySet<string>;
  /** The candidates of all fallbacks, where their order is always the same. */
  tail: readonly Candidate[] | undefined;
  /** The plan of every call against whose candidates nothing speaks, where the order of the targets is fixed too; frozen. */
  fixed: Plan | undefined;
}

/** Where `use` and `to` point: an alias where there is one of that name, else `provider/model`. */
export type Destination = { type: "alias"; alias: string } | { type: "model"; provider: string; model: string };

/** Undefined: neither an alias nor of the form `provider/model`. Whether the provider exists is not looked at. */
export function findDestination(text: string, aliases: { has(alias: string): boolean }): Destination | undefined {
  if (aliases.has(text)) return { type: "alias", alias: text };
  const slash = text.indexOf("/");
  if (slash < 1 || slash === text.length - 1) return undefined;
  return { type: "model", provider: text.slice(0, slash), model: text.slice(slash + 1) };
}

/** What breakers, cooldowns and figures of a deployment are kept by. */
export function keyOf({
  provider,
  model,
  region,
}: {
  provider: string;
  model: string;
  region?: string | undefined;
}): string {
  return region === undefined ? `${provider}/${model}` : `${provider}/${model}/${region}`;
}

/** A model by itself, whatever the policy. */
export function nameCandidate(provider: string, model: string): Candidate {
  return { provider, model, weight: 1, kind: "target", step: 0, key: keyOf({ provider, model }) };
}

/** Works out where calls go; of a document in which `compileRouting` found nothing wrong. */
export function buildItinerary(
  destination: Destination,
  route: { path: string; limits: Limits } | undefined,
  document: RoutingDocument,
  models: ReadonlyMap<string, ModelDocument>,
  facts: RoutingFacts,
): Itinerary {
  const model = destination.type === "alias" ? models.get(destination.alias) : undefined;
  const ownName = destination.type === "alias" ? destination.alias : "";
  const whenByKey = new Map<string, Set<FallbackReason> | undefined>();
  const known = new Map<string, ModelFacts>();
  const barredByKey = new Map<string, Skipped>();
  const steps: Step[] = [];

  const addStep = (to: Destination, fallback: FallbackDocument | undefined): void => {
    const alias = to.type === "alias" ? models.get(to.alias) : undefined;
    const targets: readonly TargetInput[] = to.type === "alias" ? (alias?.targets ?? []) : [to];
    const prices = new Map<string, number>();
    const candidates: Candidate[] = [];
    const limits = [route?.limits, model, alias].filter((each) => each !== undefined);
    for (const target of targets) {
      const candidate = toCandidate(target, steps.length, fallback);
      const { key, provider, model, when } = candidate;
      if (whenByKey.has(key)) {
        for (const reason of when ?? []) whenByKey.get(key)?.add(reason);
        continue;
      }
      const why = findBar(candidate, limits, document.tiers);
      if (why !== undefined) {
        barredByKey.set(key, { candidate, why });
        continue;
      }
      whenByKey.set(key, when);
      candidates.push(candidate);
      const description = facts.describeModel(provider, model);
      if (description !== undefined) known.set(key, description);
      const price = alias?.strategy === "lowest-cost" ? facts.price(provider, model) : undefined;
      if (price !== undefined) prices.set(key, price);
    }
    const ordering: Ordering = {
      strategy: alias?.strategy ?? "ordered",
      affinity: alias?.affinity?.by,
      // Turns of a fallback are its own: those of the alias's own calls would skip with each plan that only lists it.
      name: to.type === "alias" ? `${steps.length === 0 ? "" : `${ownName} `}${to.alias}` : "",
      prices,
    };
    steps.push({ candidates, ordering });
  };

  addStep(destination, undefined);
  for (const fallback of model?.fallbacks ?? []) {
    const next = findDestination(fallback.to, models);
    if (next !== undefined) addStep(next, fallback);
  }
  const alias = destination.type === "alias" ? destination.alias : undefined;
  const hedge = model?.hedge;
  // What one fallback's own minimum bars, another may bring.
  const barred = [...barredByKey.values()].filter(({ candidate }) => !whenByKey.has(candidate.key));
  const [first, ...fallbacks] = steps;
  const tail = fallbacks.every(({ candidates, ordering }) => isFixed(candidates, ordering))
    ? fallbacks.flatMap(({ candidates }) => candidates)
    : undefined;
  const isWhollyFixed = first !== undefined && tail !== undefined && isFixed(first.candidates, first.ordering);
  return {
    alias,
    route: route?.path,
    steps,
    barred,
    facts: known,
    hedge,
    weakest: known.size === 0 ? undefined : findWeakest([...known.values()]),
    isPriced: steps.every(
      ({ candidates, ordering }) =>
        ordering.strategy !== "lowest-cost" || candidates.every(({ key }) => ordering.prices.has(key)),
    ),
    keys: new Set(whenByKey.keys()),
    tail,
    fixed: isWhollyFixed
      ? Object.freeze({
          alias,
          route: route?.path,
          candidates: Object.freeze([...first.candidates, ...tail]),
          skipped: barred,
          ...(hedge === undefined ? {} : { hedge }),
        })
      : undefined,
  };
}

function findWeakest(facts: readonly ModelFacts[]): ModelFacts {
  const lacks = (name: "tools" | "images" | "structuredOutput"): boolean =>
    facts.some((known) => known[name] === false);
  return {
    contextTokens: Math.min(...facts.map(({ contextTokens }) => contextTokens ?? Number.POSITIVE_INFINITY)),
    tools: !lacks("tools"),
    images: !lacks("images"),
    structuredOutput: !lacks("structuredOutput"),
  };
}

type FallbackDocument = ModelDocument["fallbacks"][number];

type TargetInput = Pick<ModelDocument["targets"][number], "provider" | "model"> &
  Partial<ModelDocument["targets"][number]>;

/**
 * A fallback's `when` is its own set, which may grow while the itinerary is built. A target's own tier wins over the fallback's; a
 * region of the fallback's is there only where it names its one target itself.
 */
function toCandidate(
  { provider, model, dialect, tier, region: ownRegion, weight = 1 }: TargetInput,
  step: number,
  fallback: FallbackDocument | undefined,
): Candidate & { when?: Set<FallbackReason> } {
  const shownTier = tier ?? fallback?.tier;
  const region = ownRegion ?? fallback?.region;
  return {
    provider,
    model,
    ...(dialect === undefined ? {} : { dialect }),
    ...(shownTier === undefined ? {} : { tier: shownTier }),
    ...(region === undefined ? {} : { region }),
    weight,
    kind: fallback === undefined ? "target" : "fallback",
    step,
    ...(fallback === undefined ? {} : { when: new Set(fallback.when ?? defaultWhen) }),
    key: keyOf({ provider, model, region }),
  };
}
