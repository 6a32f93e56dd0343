// Room proxy: the targets that policy has for one call, in the order in which they may be tried, each known and payable.
// Invariant: facts in, targets out; what was left out is told with its reason, never silently.

import { SidecarError } from "../errors.ts";
import type { Replaced } from "../record/index.ts";
import type { BreakerSettings, Candidate, Plan, RetrySettings, Routing } from "../routing/index.ts";
import type { Call } from "./call.ts";
import { ReadFacts } from "./call-facts.ts";
import type { Exchange } from "./exchange.ts";
import type { Destination } from "./ingress.ts";
import { canPay, chooseTarget, type Target } from "./placement.ts";
import { noteSkipped } from "./recording.ts";

/** One call's way. */
export interface Route {
  /** At least one. */
  candidates: readonly Candidate[];
  /** Of a candidate; undefined where the client's credential is for somebody else, and Outrider holds none. */
  findTarget(index: number): Target | undefined;
  /** The first stands in for another that was passed over. */
  diverted: Replaced | undefined;
  hedge: Plan["hedge"];
  retry: RetrySettings;
  breaker: BreakerSettings;
}

/**
 * The way that policy has for the call; where no alias and no route applies, the one target that its path or model names.
 * @throws SidecarError upstream_overloaded when every target is left out, operation_unsupported for an alias in what is never edited
 */
export function planRoute(exchange: Exchange, call: Call, routing: Routing): Route {
  const { record, rooms } = exchange;
  const { retry, breaker } = routing;
  if (call.json === undefined) {
    refuseAlias(routing, call.destination, call.request?.model ?? call.destination.call.operation.model);
  }
  const plan = call.json === undefined ? undefined : routing.plan(new ReadFacts(exchange, call), rooms.health);
  if (plan === undefined) {
    const target = goWhereNamed(exchange, call);
    return {
      candidates: [toCandidate(target)],
      findTarget: () => target,
      diverted: undefined,
      hedge: undefined,
      retry,
      breaker,
    };
  }
  for (const { candidate, why } of plan.skipped) noteSkipped(record, candidate.key, why);
  const { candidates, hedge } = plan;
  if (candidates.length === 0) {
    const named = (record.skippedTargets ?? []).map(({ target, why }) => `${target} (${why})`).join(", ");
    throw new SidecarError(
      "upstream_overloaded",
      `no target of ${plan.alias ?? plan.route} can be tried now: ${named}`,
    );
  }
  // Most calls end at the first: nobody looks at the others before they are needed.
  const findTarget = (index: number): Target | undefined => resolveTarget(exchange, call, candidates[index]);
  return { candidates, findTarget, diverted: findDiversion(plan), hedge, retry, breaker };
}

/** Where the call goes by itself: the provider of its path, or the one that its model names. */
export function goWhereNamed({ policy, rooms }: Exchange, call: Call): Target {
  return chooseTarget(call, { providers: policy.providers, credentials: rooms.credentials });
}

/**
 * For what reaches its provider as it is, where an alias would stand for a model that nobody has.
 * @throws SidecarError operation_unsupported
 */
export function refuseAlias(routing: Routing | undefined, { bare }: Destination, model: string | undefined): void {
  if (!bare || model === undefined || routing?.aliases.has(model) !== true) return;
  throw new SidecarError(
    "operation_unsupported",
    `${model} is an alias of the policy, and this kind of call goes to its provider as it is: name the model itself`,
  );
}

function toCandidate({ provider, model = "" }: Target): Candidate {
  return { provider: provider.id, model, weight: 1, kind: "target", step: 0, key: `${provider.id}/${model}` };
}

/** What the first candidate stands in for, where policy would have had another. */
function findDiversion({ diverted }: Plan): Replaced | undefined {
  if (diverted === undefined) return undefined;
  const { from, why } = diverted;
  return { provider: from.provider, model: from.model, reason: why };
}

function resolveTarget(
  { policy, rooms }: Exchange,
  { destination, request }: Call,
  candidate: Candidate | undefined,
): Target | undefined {
  const provider = candidate === undefined ? undefined : policy.providers.get(candidate.provider);
  if (candidate === undefined || provider === undefined) return undefined;
  const isAddressed = provider.id === destination.provider.id;
  if (!isAddressed && !canPay(provider, rooms.credentials)) return undefined;
  const { model } = candidate;
  const chosen = !isAddressed || model !== (request?.model ?? destination.call.operation.model);
  const dialect = provider.dialects.find((id) => id === candidate.dialect);
  return { provider, model, chosen, ...(dialect === undefined ? {} : { dialect }) };
}
