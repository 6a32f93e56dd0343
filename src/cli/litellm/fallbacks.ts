// Room cli: LiteLLM's fallbacks, by failure and by default, as fallbacks of aliases.
// Invariant: no circle comes out (LiteLLM allows them and counts hops; Outrider never follows a fallback's own fallbacks).

import { isMapping } from "../option-file.ts";
import { type Alias, anyFailure, type Target } from "./models.ts";

/** What LiteLLM falls back for with each of its lists. */
const whenByList: Readonly<Record<string, readonly string[]>> = {
  fallbacks: anyFailure,
  context_window_fallbacks: ["context_length"],
  content_policy_fallbacks: ["content_filtered"],
};

/** The lists of one configuration, `router_settings` before `litellm_settings`. */
export interface FallbackLists {
  fallbacks: unknown;
  context_window_fallbacks: unknown;
  content_policy_fallbacks: unknown;
  default_fallbacks: unknown;
}

type Tell = (list: keyof FallbackLists, reason: string) => void;

/** Adds to the aliases. */
export function addFallbacks(lists: FallbackLists, aliases: ReadonlyMap<string, Alias>, tell: Tell): void {
  const withOwn = new Set<string>();
  let byDefault: readonly unknown[] = readNames(lists.default_fallbacks, "default_fallbacks", tell);
  for (const list of ["fallbacks", "context_window_fallbacks", "content_policy_fallbacks"] as const) {
    for (const [from, to] of readList(lists[list], list, tell)) {
      if (from === "*" && list === "fallbacks") {
        byDefault = byDefault.length > 0 ? byDefault : to;
        continue;
      }
      const alias = aliases.get(from);
      if (alias === undefined) {
        tell(list, `${JSON.stringify(from)} is no name in the policy, so its fallbacks are left out`);
        continue;
      }
      if (list === "fallbacks") withOwn.add(from);
      for (const name of to) addOne(from, alias, name, whenByList[list] ?? [], aliases, (reason) => tell(list, reason));
    }
  }
  for (const [from, alias] of aliases) {
    if (withOwn.has(from)) continue;
    for (const name of byDefault) {
      if (name !== from) {
        addOne(from, alias, name, anyFailure, aliases, (reason) => tell("default_fallbacks", reason));
      }
    }
  }
}

function* readList(list: unknown, name: keyof FallbackLists, tell: Tell): Generator<[string, readonly unknown[]]> {
  if (list === undefined || list === null) return;
  const mappings = Array.isArray(list) ? list : [list];
  for (const mapping of mappings) {
    if (!isMapping(mapping)) {
      tell(name, "an entry was not understood: expected a name with a list of names");
      continue;
    }
    for (const [from, to] of Object.entries(mapping)) yield [from, readNames(to, name, tell)];
  }
}

function readNames(names: unknown, list: keyof FallbackLists, tell: Tell): readonly unknown[] {
  if (names === undefined || names === null) return [];
  if (typeof names === "string") return [names];
  if (Array.isArray(names)) return names;
  tell(list, "not understood: expected a list of names");
  return [];
}

function addOne(
  from: string,
  alias: Alias,
  name: unknown,
  when: readonly string[],
  aliases: ReadonlyMap<string, Alias>,
  tell: (reason: string) => void,
): void {
  if (typeof name !== "string")
    return tell("a fallback with parameters of its own is left out: only names can be carried over");
  if (name === from) return tell(`${JSON.stringify(from)} falls back to itself, which Outrider does by retries`);
  const target = aliases.get(name);
  if (target === undefined)
    return tell(`${JSON.stringify(name)} is no name in the policy, so nothing falls back to it`);
  if (!leadsTo(name, from, aliases)) return addDestination(alias, name, when);
  // Its targets in its place: they have no fallbacks that could lead back.
  for (const each of target.targets) {
    const to = `${each.provider}/${each.model}`;
    if (alias.targets.some((own) => isSame(own, each))) continue;
    if (aliases.has(to) && (to === from || leadsTo(to, from, aliases))) {
      tell(`${JSON.stringify(from)} to ${JSON.stringify(to)} would run in a circle and is left out`);
    } else addDestination(alias, to, when);
  }
}

function isSame(a: Target, b: Target): boolean {
  return a.provider === b.provider && a.model === b.model;
}

function addDestination(alias: Alias, to: string, when: readonly string[]): void {
  const known = alias.fallbacks.find((fallback) => fallback.to === to);
  if (known === undefined) alias.fallbacks.push({ to, when: [...when] });
  else known.when = [...new Set([...known.when, ...when])];
}

/** Gives other names of a group, made by `model_group_alias`, the group's fallbacks. */
export function shareFallbacks(groupByName: ReadonlyMap<string, string>, aliases: ReadonlyMap<string, Alias>): void {
  for (const [name, group] of groupByName) {
    const [alias, source] = [aliases.get(name), aliases.get(group)];
    if (alias === undefined || source === undefined || alias.fallbacks.length > 0) continue;
    alias.fallbacks = source.fallbacks.filter(({ to }) => !leadsTo(to, name, aliases));
  }
}

/** Whether following fallbacks from one alias comes to another. */
function leadsTo(start: string, end: string, aliases: ReadonlyMap<string, Alias>): boolean {
  const seen = new Set<string>();
  const open = [start];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (name === end) return true;
    if (seen.has(name)) continue;
    seen.add(name);
    open.push(...(aliases.get(name)?.fallbacks.map(({ to }) => to) ?? []));
  }
  return false;
}
