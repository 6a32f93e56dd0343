// Room routing: a routing document turned into something that plans calls, or into everything that is wrong with it.
// Invariant: what compiles, plans: every name in it is known, every alias has a target that may answer, no chain runs in a circle.

import { checkDocument } from "./check.ts";
import { readDurationMs } from "./durations.ts";
import { buildItinerary, findDestination, type Itinerary, nameCandidate } from "./itinerary.ts";
import { ModelMemory } from "./model-memory.ts";
import type { BreakerSettings, ModelDocument, RoutingDocument } from "./options.ts";
import { planCall } from "./plan.ts";
import { compileRoutes } from "./routes.ts";
import type { CallFacts, Candidate, Routing, RoutingFacts, RoutingIssue } from "./routing.ts";

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
  const named = new Map<string, ModelMemory<readonly Candidate[]>>();

  const buildAlias = (alias: string): Itinerary => {
    const itinerary = buildItinerary({ type: "alias", alias }, undefined, document, models, facts);
    byAlias.set(alias, itinerary);
    return itinerary;
  };
  const buildRoute = (index: number): Itinerary | undefined => {
    const route = document.routes[index];
    const destination = route && findDestination(route.use, models);
    if (route === undefined || destination === undefined) return undefined;
    const path = { path: `routes.${index}`, limits: route };
    const itinerary = buildItinerary(destination, path, document, models, facts);
    byRoute.set(index, itinerary);
    return itinerary;
  };
  const itineraryOf = (call: CallFacts): Itinerary | undefined => {
    const index = findRoute(call);
    if (index !== undefined) return byRoute.get(index) ?? buildRoute(index);
    const alias = call.model;
    if (!call.bare || alias === undefined) return undefined;
    return byAlias.get(alias) ?? (models.has(alias) ? buildAlias(alias) : undefined);
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
    planNamed(provider, model) {
      let memory = named.get(provider);
      if (memory === undefined) named.set(provider, (memory = new ModelMemory()));
      let candidates = memory.get(model);
      if (candidates === undefined) memory.set(model, (candidates = [nameCandidate(provider, model)]));
      return candidates;
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

/** The schema has refused what is no duration. */
function readBreaker({ breaker: { window, openFor, minRequests, failureRatio } }: RoutingDocument): BreakerSettings {
  return {
    windowMs: readDurationMs(window) ?? 60_000,
    openForMs: readDurationMs(openFor) ?? 15_000,
    minRequests,
    failureRatio,
  };
}
