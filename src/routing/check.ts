// Room routing: what is wrong with a routing document that has the right shape: names, tiers, weights, patterns, circles.
// Invariant: every issue is found, each told once, at the path of the key to change.

import { nearestName, quote } from "../options.ts";
import { checkGlob } from "./globs.ts";
import { type Destination, findDestination, keyOf } from "./itinerary.ts";
import { findBar, type Limits } from "./limits.ts";
import type { ModelDocument, RouteDocument, RoutingDocument } from "./options.ts";
import type { RoutingFacts, RoutingIssue } from "./routing.ts";

/** Names of a circle that are shown. */
const longestCircle = 8;

/** Issues that a nearest alias is looked for. */
const maxNearest = 50;

/** All issues, in the document's order, circles last. */
export function checkDocument(
  document: RoutingDocument,
  models: ReadonlyMap<string, ModelDocument>,
  facts: RoutingFacts,
): RoutingIssue[] {
  const check = new DocumentCheck(document, models, facts);
  check.checkTiers();
  for (const [alias, model] of models) check.checkModel(`models.${alias}`, model);
  for (const [index, route] of document.routes.entries()) check.checkRoute(`routes.${index}`, route);
  check.checkCircles();
  return check.issues;
}

class DocumentCheck {
  readonly issues: RoutingIssue[] = [];
  readonly #tiers: readonly string[];
  readonly #models: ReadonlyMap<string, ModelDocument>;
  readonly #facts: RoutingFacts;

  constructor({ tiers }: RoutingDocument, models: ReadonlyMap<string, ModelDocument>, facts: RoutingFacts) {
    this.#tiers = tiers;
    this.#models = models;
    this.#facts = facts;
  }

  checkTiers(): void {
    for (const [index, tier] of this.#tiers.entries()) {
      if (this.#tiers.indexOf(tier) < index) this.#complain(`tiers.${index}`, `the tier ${quote(tier)} is there twice`);
    }
  }

  checkModel(path: string, model: ModelDocument): void {
    const seen = new Map<string, number>();
    for (const [index, target] of model.targets.entries()) {
      const here = `${path}.targets.${index}`;
      this.#checkProvider(`${here}.provider`, target.provider);
      this.#checkTier(`${here}.tier`, target.tier);
      const earlier = seen.get(keyOf(target));
      if (earlier === undefined) seen.set(keyOf(target), index);
      else this.#complain(here, `the same target as ${path}.targets.${earlier}`);
    }
    if (model.targets.every(({ weight }) => weight === 0)) {
      this.#complain(`${path}.targets`, "every weight is 0, so that no target would be chosen");
    }
    this.#checkTier(`${path}.minTier`, model.minTier);
    this.#checkReach(path, model, model);

    const destinations = new Map<string, number>();
    for (const [index, { to, tier, region }] of model.fallbacks.entries()) {
      const here = `${path}.fallbacks.${index}`;
      const destination = this.#findDestination(`${here}.to`, to);
      this.#checkTier(`${here}.tier`, tier);
      if (region !== undefined && destination?.type === "alias") {
        this.#complain(`${here}.region`, `${quote(to)} is an alias, whose targets say their regions`);
      }
      const place = region === undefined ? to : `${to}/${region}`;
      const earlier = destinations.get(place);
      if (earlier !== undefined) {
        this.#complain(
          `${here}.to`,
          `the same fallback as ${path}.fallbacks.${earlier}; name the reasons of both in one \`when\``,
        );
      }
      destinations.set(place, earlier ?? index);
      if (destination?.type === "model" && seen.has(keyOf({ ...destination, region }))) {
        this.#complain(`${here}.to`, `the same as a target of this alias, which has failed by then`);
      }
    }
  }

  checkRoute(path: string, route: RouteDocument): void {
    const { match, use, minTier, regions } = route;
    const { tags, ...patterns } = match;
    for (const [name, pattern] of Object.entries(patterns)) {
      if (pattern !== undefined) this.#checkPattern(`${path}.match.${name}`, pattern);
    }
    for (const [tag, pattern] of Object.entries(tags ?? {})) this.#checkPattern(`${path}.match.tags.${tag}`, pattern);
    if (match.provider !== undefined && !match.provider.includes("*")) {
      this.#checkProvider(`${path}.match.provider`, match.provider);
    }
    const destination = this.#findDestination(`${path}.use`, use);
    this.#checkTier(`${path}.minTier`, minTier);
    if (destination?.type === "alias") this.#checkReach(path, this.#models.get(destination.alias), route);
    if (destination?.type !== "model") return;
    if (minTier !== undefined) {
      this.#complain(`${path}.minTier`, `${quote(use)} has no tier; use an alias that says it`);
    }
    if (regions !== undefined) {
      this.#complain(`${path}.regions`, `${quote(use)} has no region; use an alias that says it`);
    }
  }

  /** Circles of fallbacks, each told once. Without recursion: a chain may be as long as the document. */
  checkCircles(): void {
    const done = new Set<string>();
    for (const start of this.#models.keys()) {
      const trail: { alias: string; index: number }[] = done.has(start) ? [] : [{ alias: start, index: -1 }];
      const underWay = new Set(trail.map(({ alias }) => alias));
      for (let last = trail.at(-1); last !== undefined; last = trail.at(-1)) {
        last.index += 1;
        const fallback = this.#models.get(last.alias)?.fallbacks[last.index];
        if (fallback === undefined) {
          trail.pop();
          underWay.delete(last.alias);
          done.add(last.alias);
        } else if (underWay.has(fallback.to)) {
          const circle = trail.slice(trail.findIndex(({ alias }) => alias === fallback.to)).map(({ alias }) => alias);
          const names = [
            ...circle.slice(0, longestCircle),
            ...(circle.length > longestCircle ? ["…"] : []),
            fallback.to,
          ];
          this.#complain(
            `models.${last.alias}.fallbacks.${last.index}.to`,
            `fallbacks run in a circle: ${names.map((name) => quote(name)).join(" → ")}`,
          );
        } else if (this.#models.has(fallback.to) && !done.has(fallback.to)) {
          trail.push({ alias: fallback.to, index: -1 });
          underWay.add(fallback.to);
        }
      }
    }
  }

  #checkProvider(path: string, provider: string): void {
    if (this.#facts.isProvider(provider)) return;
    this.#complain(path, `no provider ${quote(provider)} is known`, this.#facts.nearestProvider(provider));
  }

  #checkTier(path: string, tier: string | undefined): void {
    if (tier === undefined || this.#tiers.includes(tier)) return;
    this.#complain(path, `${quote(tier)} is none of the tiers`, nearestName(tier, this.#tiers));
  }

  /** Some target must be let through by each of these limits, and by all of them and the alias's own at once. */
  #checkReach(path: string, model: ModelDocument | undefined, limits: Limits): void {
    const { minTier, regions } = limits;
    if (model === undefined || (minTier === undefined && regions === undefined)) return;
    const isReached = (...held: Limits[]): boolean =>
      model.targets.some((target) => findBar(target, held, this.#tiers) === undefined);
    const isTierReached = isReached({ minTier });
    if (!isTierReached) {
      this.#complain(`${path}.minTier`, `no target is of the tier ${quote(minTier ?? "")} or a stronger one`);
    }
    if (!isReached({ regions })) {
      const listed = (regions ?? []).map((region) => quote(region)).join(", ");
      this.#complain(`${path}.regions`, `no target is in the regions ${listed}`);
    } else if (isTierReached && !isReached(limits, model) && (limits === model || isReached(model))) {
      const key = regions === undefined ? "minTier" : "regions";
      this.#complain(`${path}.${key}`, "no target is within this and the other limits of tier and region at once");
    }
  }

  #checkPattern(path: string, pattern: string): void {
    const problem = checkGlob(pattern);
    if (problem !== undefined) this.#complain(path, problem);
  }

  #findDestination(path: string, text: string): Destination | undefined {
    const destination = findDestination(text, this.#models);
    if (destination === undefined) {
      this.#complain(
        path,
        `no alias ${quote(text)} is there; a model is written provider/model`,
        this.#findNearestAlias(text),
      );
    } else if (destination.type === "model" && !this.#facts.isProvider(destination.provider)) {
      const provider = this.#facts.nearestProvider(destination.provider);
      const nearest = this.#findNearestAlias(text) ?? (provider && `${provider}/${destination.model}`);
      this.#complain(path, `neither an alias nor a model of a known provider: ${quote(text)}`, nearest);
    }
    return destination;
  }

  /** The alias that was meant; not looked for in a document that is wrong all over. */
  #findNearestAlias(text: string): string | undefined {
    if (this.issues.length >= maxNearest) return undefined;
    const near = [...this.#models.keys()].filter(
      (alias) => Math.abs(alias.length - text.length) <= 2 + text.length / 3,
    );
    return nearestName(text, near);
  }

  #complain(path: string, message: string, nearest?: string): void {
    this.issues.push(nearest === undefined ? { path, message } : { path, message, nearest });
  }
}
