// Room policy: what a new document changes, in names alone. Pure.
// Invariant: a diff holds names of aliases and providers, and counts; never an address or a rule.

import { canonicalJson } from "./version.ts";

/** Names that came, went, and stayed with another content; each sorted, and after twenty only `and N more`. */
export interface NameDiff {
  added: readonly string[];
  removed: readonly string[];
  changed: readonly string[];
}

/** What distinguishes two documents. Routes have no names; `settings` are the other top-level keys that differ. */
export interface PolicyDiff {
  aliases: NameDiff;
  providers: NameDiff;
  routes: { before: number; after: number; changed: boolean };
  settings: readonly string[];
}

/** The parts of a document that a diff looks at. */
export interface DiffedDocument {
  readonly models?: Readonly<Record<string, unknown>> | undefined;
  readonly providers?: Readonly<Record<string, unknown>> | undefined;
  readonly routes?: readonly unknown[] | undefined;
}

const nothing: DiffedDocument = {};
const named: ReadonlySet<string> = new Set(["models", "providers", "routes", "version", "apiVersion"]);

/** From `before` (undefined: no document) to `after`. */
export function diffDocuments(before: DiffedDocument = nothing, after: DiffedDocument = nothing): PolicyDiff {
  const [routesBefore, routesAfter] = [before.routes ?? [], after.routes ?? []];
  return {
    aliases: diffNames(before.models ?? {}, after.models ?? {}),
    providers: diffNames(before.providers ?? {}, after.providers ?? {}),
    routes: {
      before: routesBefore.length,
      after: routesAfter.length,
      changed: canonicalJson(routesBefore) !== canonicalJson(routesAfter),
    },
    settings: diffSettings(before, after),
  };
}

function diffNames(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>): NameDiff {
  const names = (of: object): string[] => Object.keys(of).sort();
  return {
    added: shorten(names(after).filter((name) => !Object.hasOwn(before, name))),
    removed: shorten(names(before).filter((name) => !Object.hasOwn(after, name))),
    changed: shorten(
      names(after).filter(
        (name) => Object.hasOwn(before, name) && canonicalJson(before[name]) !== canonicalJson(after[name]),
      ),
    ),
  };
}

const maxNames = 20;

function shorten(names: string[]): string[] {
  return names.length <= maxNames ? names : [...names.slice(0, maxNames), `and ${names.length - maxNames} more`];
}

function diffSettings(before: object, after: object): string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys]
    .filter((key) => !named.has(key))
    .filter((key) => canonicalJson(Reflect.get(before, key) ?? null) !== canonicalJson(Reflect.get(after, key) ?? null))
    .sort();
}
