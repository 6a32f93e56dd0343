// Room routing: a routing document turned into something that plans calls, or into everything that is wrong with it.
// Invariant: what compiles, plans: every name in it is known, every alias has a target that may answer, no chain runs in a circle.

import { checkDocument } from "./check.ts";
import { readDurationMs } from "./durations.ts";
import { buildItinerary, type Destination, findDestination, type Itinerary } from "./itinerary.ts";
import type { BreakerSettings, ModelDocument, RoutingDocument } from "./options.ts";
import { planCall } from "./plan.ts";
import { compileRoutes } from "./routes.ts";
import type { CallFacts, Routing, RoutingFacts, RoutingIssue } from "./routing.ts";

/** Compiles a document; finds every issue at once. Itineraries are worked out at an alias's first call, so that a swap is quick. */
export function compileRouting(
  document: RoutingDocument,
  facts: RoutingFacts,
): { routing: Routing } | { issues: RoutingIssue[] } {
  const models = new Map(Object.entries(document.models));
  const issues = checkDocument(document, models, facts);
  return issues.length > 0 ? { issues } : { routing: createRouting(document, models, facts) };
}

function createRouting(
  document: RoutingDocument,
  models: ReadonlyMap<string, ModelDocument>,
  facts: RoutingFacts,
): Routing {
  const findRoute = compileRoutes(document.routes);
  const byAlias = new Map<string, Itinerary>();
  const byRoute = new Map<number, Itinerary>();

  const itineraryOf = (call: CallFacts): Itinerary | undefined => {
    const index = findRoute(call);
    const route = index === undefined ? undefined : document.routes[index];
    if (index !== undefined && route !== undefined) {
      const destination = findDestination(route.use, models);
      const path = { path: `routes.${index}`, limits: route };
      return destination && remember(byRoute, index, () => buildItinerary(destination, path, document, models, facts));
    }
    const alias = call.model;
    if (!call.bare || alias === undefined || !models.has(alias)) return undefined;
    const destination: Destination = { type: "alias", alias };
    return remember(byAlias, alias, () => buildItinerary(destination, undefined, document, models, facts));
  };

  return {
    retry: document.retry,
    breaker: readBreaker(document),
    aliases: new Set(models.keys()),
    models: listModels(document, models),
    plan(call, health) {
      const itinerary = itineraryOf(call);
      return itinerary && planCall(itinerary, call, health);
    },
  };
}

/** Everything of the form `provider/model` that the document names. */
function listModels({ routes }: RoutingDocument, models: ReadonlyMap<string, ModelDocument>): ReadonlySet<string> {
  const listed = new Set<string>();
  const add = (text: string): void => {
    if (findDestination(text, models)?.type === "model") listed.add(text);
  };
  for (const { targets, fallbacks } of models.values()) {
    for (const { provider, model } of targets) listed.add(`${provider}/${model}`);
    for (const { to } of fallbacks) add(to);
  }
  for (const { use } of routes) add(use);
  return listed;
}

function remember<Key, Value>(memory: Map<Key, Value>, key: Key, build: () => Value): Value {
  let value = memory.get(key);
  if (value === undefined) {
    value = build();
    memory.set(key, value);
  }
  return value;
}

/** The schema has refused what is no duration. */
function readBreaker({ breaker: { window, openFor, minRequests, failureRatio } }: RoutingDocument): BreakerSettings {
  return {
    windowMs: readDurationMs(window) ?? 60_000,
    openForMs: readDurationMs(openFor) ?? 15_000,
    minRequests,
    failureRatio,
  };
}
