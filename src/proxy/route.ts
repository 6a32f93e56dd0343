// Room proxy: the targets that policy has for one call, in the order in which they may be tried, each known and payable.
// Invariant: facts in, targets out; what was left out is told with its reason, never silently.

import { SidecarError } from "../errors.ts";
import type { Replaced } from "../record/index.ts";
import type { Candidate, Plan, Routing } from "../routing/index.ts";
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
  /** The one candidate's, where no alias and no route applies. */
  named: Target | undefined;
  /** The first stands in for another that was passed over. */
  diverted: Replaced | undefined;
  hedge: Plan["hedge"];
  routing: Routing;
}

/**
 * The way that policy has for the call; where no alias and no route applies, the one target that its path or model names.
 * @throws SidecarError upstream_overloaded when every target is left out, operation_unsupported for an alias in what is never edited
 */
export function planRoute(exchange: Exchange, call: Call, routing: Routing): Route {
  const { record, rooms } = exchange;
  if (call.json === undefined) {
    refuseAlias(routing, call.destination, call.request?.model ?? call.destination.call.operation.model);
  }
  const plan = call.json === undefined ? undefined : routing.plan(new ReadFacts(exchange, call), rooms.health);
  if (plan === undefined) {
    const named = goWhereNamed(exchange, call);
    const candidates = routing.planNamed(named.provider.id, named.model ?? "");
    return { candidates, named, diverted: undefined, hedge: undefined, routing };
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
  return { candidates, named: undefined, diverted: findDiversion(plan), hedge, routing };
}

/**
 * Who the candidate at this place is, for this call; undefined where the client's credential is for somebody else, and Outrider holds
 * none. Most calls end at the first: nobody looks at the others before they are needed.
 */
export function resolveTarget(exchange: Exchange, call: Call, route: Route, index: number): Target | undefined {
  if (route.named !== undefined) return route.named;
  const { policy, rooms } = exchange;
  const { destination, request } = call;
  const candidate = route.candidates[index];
  const provider = candidate === undefined ? undefined : policy.providers.get(candidate.provider);
  if (candidate === undefined || provider === undefined) return undefined;
  const isAddressed = provider.id === destination.provider.id;
  if (!isAddressed && !canPay(provider, rooms.credentials)) return undefined;
  const { model } = candidate;
  const chosen = !isAddressed || model !== (request?.model ?? destination.call.operation.model);
  const target: Target = { provider, model, chosen };
  const dialect = candidate.dialect === undefined ? undefined : findDialect(provider, candidate.dialect);
  if (dialect !== undefined) target.dialect = dialect;
  return target;
}

function findDialect({ dialects }: Target["provider"], named: string): Target["dialect"] {
  return dialects.find((id) => id === named);
}

/** What the health of the target at this place is kept by. */
export function keyAt({ candidates }: Route, index: number): string {
  return (candidates[index] as Candidate).key;
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

/** What the first candidate stands in for, where policy would have had another. */
function findDiversion({ diverted }: Plan): Replaced | undefined {
  if (diverted === undefined) return undefined;
  const { from, why } = diverted;
  return { provider: from.provider, model: from.model, reason: why };
}
