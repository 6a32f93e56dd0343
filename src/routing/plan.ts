// Room routing: one call's plan out of its itinerary, the health of the targets and what the call needs.
// Invariant: a fallback comes first only when every target was passed over, and for a failure that the fallback is for; limits of
// tier and region are never given up.

import type { Health } from "./health.ts";
import type { Itinerary, Step } from "./itinerary.ts";
import { orderCandidates } from "./order.ts";
import type { FallbackReason } from "./reasons.ts";
import type { CallFacts, CallNeeds, Candidate, ModelFacts, Plan, Skipped, SkipReason } from "./routing.ts";

/** A candidate passed over, with the failure that this amounts to, where it amounts to one. */
interface Refusal extends Skipped {
  reason: FallbackReason | undefined;
}

/** Plans one call. */
export function planCall(itinerary: Itinerary, call: CallFacts, health: Health): Plan {
  if (call.allowsFallback && isPlain(itinerary, call, health)) return planPlainly(itinerary, call, health);
  return planWithCare(itinerary, call, health);
}

/** Nothing speaks against any candidate: the usual case, told without a look at each. */
function isPlain({ keys, weakest, isPriced }: Itinerary, call: CallFacts, health: Health): boolean {
  return isPriced && health.refusesNone(keys) && (weakest === undefined || suffices(weakest, call));
}

/** Whether a model of which this is known can take the call. Most calls are far too short for any window to matter. */
function suffices(known: ModelFacts, call: CallFacts): boolean {
  const { contextTokens = Number.POSITIVE_INFINITY, tools, images, structuredOutput } = known;
  const isAble = tools !== false && images !== false && structuredOutput !== false;
  return (isAble && call.mostTokens() <= contextTokens) || findLack(known, call.needs()) === undefined;
}

function planPlainly(itinerary: Itinerary, call: CallFacts, health: Health): Plan {
  if (itinerary.fixed !== undefined) return itinerary.fixed;
  const order = ({ candidates, ordering }: Step): readonly Candidate[] =>
    orderCandidates(candidates, ordering, call, health);
  const [first, ...fallbacks] = itinerary.tail === undefined ? itinerary.steps : itinerary.steps.slice(0, 1);
  const targets = first === undefined ? [] : order(first);
  return assemble(itinerary, targets.concat(itinerary.tail ?? fallbacks.flatMap(order)));
}

function assemble({ alias, route, barred, hedge }: Itinerary, candidates: readonly Candidate[]): Plan {
  return { alias, route, candidates, skipped: barred, ...(hedge === undefined ? {} : { hedge }) };
}

function planWithCare(itinerary: Itinerary, call: CallFacts, health: Health): Plan {
  const examine = createExaminer(itinerary, call, health);
  const refused: Refusal[] = [];
  const pick = (step: Step): readonly Candidate[] => {
    const usable = step.candidates.filter((candidate) => {
      const refusal = examine(candidate, step);
      if (refusal !== undefined) refused.push(refusal);
      return refusal === undefined;
    });
    return orderCandidates(usable, step.ordering, call, health);
  };

  const [first, ...others] = itinerary.steps;
  const isOrdered = first?.ordering.strategy === "ordered";
  const steps = call.allowsFallback ? others : [];
  // `fallback: off` on an ordered alias asks for its first target and no other.
  const targets = first === undefined ? [] : pick(call.allowsFallback || !isOrdered ? first : shorten(first));
  const refusedTargets = [...refused];
  const fallbacks = steps.flatMap((step) => pick(step));

  let candidates = [...targets, ...fallbacks];
  let restored: readonly Candidate[] = [];
  if (targets.length === 0) {
    const entry = fallbacks.findIndex(({ when }) =>
      refusedTargets.some(({ reason }) => reason !== undefined && when?.has(reason)),
    );
    // Better a call that the provider itself refuses than one refused on an estimate, a hint or a missing price.
    if (entry < 0) restored = refusedTargets.filter(({ why }) => why !== "breaker_open").map(toCandidate);
    candidates = entry < 0 && restored.length === 0 ? [] : [...restored, ...fallbacks.slice(Math.max(entry, 0))];
  }
  if (!call.allowsFallback) candidates = candidates.slice(0, 1);

  const skipped = refused.filter(({ candidate }) => !restored.includes(candidate));
  const [chosen] = candidates;
  const passedOver = chosen && findPassedOver(chosen, isOrdered ? first?.candidates[0] : undefined, skipped);
  return {
    ...assemble(itinerary, candidates),
    skipped: [...itinerary.barred, ...skipped.map(({ candidate, why }) => ({ candidate, why }))],
    ...(passedOver === undefined
      ? {}
      : { diverted: { from: passedOver.candidate, why: passedOver.why, reason: passedOver.reason } }),
  };
}

/** What the first candidate of a plan stands in for; undefined: nothing, it is where the call belongs. */
function findPassedOver(
  chosen: Candidate,
  firstOfOrder: Candidate | undefined,
  skipped: readonly Refusal[],
): Refusal | undefined {
  if (chosen.step === 0) return skipped.find(({ candidate }) => candidate === firstOfOrder);
  return skipped.find(
    ({ candidate, reason }) => candidate.step === 0 && reason !== undefined && chosen.when?.has(reason),
  );
}

function shorten(step: Step): Step {
  return { ...step, candidates: step.candidates.slice(0, 1) };
}

function toCandidate({ candidate }: Skipped): Candidate {
  return candidate;
}

/** Says what speaks against a candidate now; what the call needs is worked out once, and only where it matters. */
function createExaminer(
  { facts }: Itinerary,
  call: CallFacts,
  health: Health,
): (candidate: Candidate, step: Step) => Refusal | undefined {
  let needs: CallNeeds | undefined;
  return (candidate, { ordering }) => {
    const refusal = health.findRefusal(candidate.key);
    if (refusal !== undefined) return { candidate, ...refusal };
    const known = facts.get(candidate.key);
    const lack = known === undefined ? undefined : findLack(known, (needs ??= call.needs()));
    if (lack !== undefined) {
      return { candidate, why: lack, reason: lack === "context_window" ? "context_length" : undefined };
    }
    const isUnpriced = ordering.strategy === "lowest-cost" && !ordering.prices.has(candidate.key);
    return isUnpriced ? { candidate, why: "price_unknown", reason: undefined } : undefined;
  };
}

function findLack(known: ModelFacts, needs: CallNeeds): SkipReason | undefined {
  if (known.contextTokens !== undefined && needs.contextTokens > known.contextTokens) return "context_window";
  if (needs.tools && known.tools === false) return "no_tools";
  if (needs.images && known.images === false) return "no_images";
  return needs.structuredOutput && known.structuredOutput === false ? "no_structured_output" : undefined;
}
