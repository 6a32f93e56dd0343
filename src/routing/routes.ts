// Room routing: which route a call takes: the first whose every matcher fits.
// Invariant: what clients choose (names of models) costs at most one look at each pattern, and a bounded memory.

import { compileGlob } from "./globs.ts";
import { ModelMemory } from "./model-memory.ts";
import type { RouteDocument } from "./options.ts";
import type { CallFacts } from "./routing.ts";

type Matcher = (call: CallFacts) => boolean;

interface CompiledRoute {
  index: number;
  namesProvider: boolean;
  matchesModel: ((model: string) => boolean) | undefined;
  matchers: readonly Matcher[];
}

/** Finds the place in the list of the route that a call takes; undefined: none. */
export function compileRoutes(routes: readonly RouteDocument[]): (call: CallFacts) => number | undefined {
  const compiled = routes.map((route, index) => compileRoute(route, index));
  const byModel = new ModelMemory<readonly CompiledRoute[]>();
  const unnamed = compiled.filter(({ matchesModel }) => matchesModel === undefined);

  const routesFor = (model: string | undefined): readonly CompiledRoute[] => {
    if (model === undefined) return unnamed;
    const remembered = byModel.get(model);
    if (remembered !== undefined) return remembered;
    const fitting = compiled.filter(({ matchesModel }) => matchesModel === undefined || matchesModel(model));
    byModel.set(model, fitting);
    return fitting;
  };

  return (call) => {
    if (compiled.length === 0) return undefined;
    for (const { index, namesProvider, matchers } of routesFor(call.model)) {
      if ((call.bare || namesProvider) && matchers.every((matches) => matches(call))) return index;
    }
    return undefined;
  };
}

function compileRoute({ match }: RouteDocument, index: number): CompiledRoute {
  const matchers: Matcher[] = [];
  for (const name of ["dialect", "operation", "provider", "app", "team"] as const) {
    const pattern = match[name];
    if (pattern === undefined) continue;
    const matches = compileGlob(pattern);
    matchers.push((call) => fits(call[name], matches));
  }
  for (const [tag, pattern] of Object.entries(match.tags ?? {})) {
    const matches = compileGlob(pattern);
    matchers.push(({ tags }) => fits(Object.hasOwn(tags, tag) ? tags[tag] : undefined, matches));
  }
  return {
    index,
    namesProvider: match.provider !== undefined,
    matchesModel: match.model === undefined ? undefined : compileGlob(match.model),
    matchers,
  };
}

/** What a call does not have fits no pattern, `*` included. */
function fits(text: string | undefined, matches: (text: string) => boolean): boolean {
  return text !== undefined && matches(text);
}
