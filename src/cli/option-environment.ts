// Room cli: options from OUTRIDER_* variables. Each key has one variable, by one rule (option-keys.ts).
// Invariant: a variable that means nothing is an error, because a misspelt one would else be ignored in silence.

import { nearestName, type OptionsIssue, quote } from "../options.ts";
import { listOptionKeys, type OptionKey, ruleVariable } from "./option-keys.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** One value and where it came from. */
export interface Setting {
  /** The variable's or flag's name. */
  source: string;
  path: string[];
  value: unknown;
}

/** OUTRIDER_* variables that are no option. */
const otherVariables: ReadonlySet<string> = new Set([
  "OUTRIDER_CONFIG",
  "OUTRIDER_SEMCONV",
  "OUTRIDER_RECORDINGS",
  "OUTRIDER_COMPONENTS_DIR",
  "OUTRIDER_URL",
]);

/**
 * Reads every OUTRIDER_* variable; an empty one counts as not set.
 * `providerIds`: ids that the file names, to find `azure-eu` again in `AZURE_EU`.
 */
export function readEnvironment(
  environment: Environment,
  providerIds: readonly string[],
): { settings: Setting[]; issues: OptionsIssue[] } {
  const settings: Setting[] = [];
  const issues: OptionsIssue[] = [];
  const names = Object.keys(environment).filter(
    (name) => name.startsWith("OUTRIDER_") && !otherVariables.has(name) && (environment[name] ?? "") !== "",
  );
  if (names.length === 0) return { settings, issues };

  const keys = listOptionKeys();
  for (const name of names.sort()) {
    const found = findKey(keys, name, providerIds);
    if (found === undefined) issues.push(unknownVariable(keys, name));
    else settings.push({ source: name, path: found.path, value: readValue(found.key, environment[name] ?? "") });
  }
  return { settings, issues };
}

function findKey(
  keys: readonly OptionKey[],
  name: string,
  providerIds: readonly string[],
): { key: OptionKey; path: string[] } | undefined {
  for (const key of keys) {
    if (key.variable === name) return { key, path: key.path };
    const [before, after] = key.variable.split("<ID>");
    if (before === undefined || after === undefined) continue;
    if (!name.startsWith(before) || !name.endsWith(after)) continue;
    const id = name.slice(before.length, name.length - after.length);
    if (id === "") continue;
    return { key, path: key.path.map((part) => (part === "*" ? providerId(id, providerIds) : part)) };
  }
  return undefined;
}

function providerId(inVariable: string, providerIds: readonly string[]): string {
  const known = providerIds.find((id) => id.toUpperCase().replaceAll("-", "_") === inVariable);
  return known ?? inVariable.toLowerCase().replaceAll("_", "-");
}

function unknownVariable(keys: readonly OptionKey[], name: string): OptionsIssue {
  const byName = new Map<string, string>();
  for (const key of keys) {
    if (key.path.includes("*")) continue;
    byName.set(key.variable, key.variable).set(ruleVariable(key.path), key.variable);
  }
  for (const other of otherVariables) byName.set(other, other);
  const nearest = nearestName(name, byName.keys());
  const hint = nearest === undefined ? "" : `; did you mean ${quote(byName.get(nearest) ?? nearest)}?`;
  return { source: name, message: `unknown variable${hint}` };
}

/** A text that does not fit stays a text, so that the schema says what it expected. */
function readValue({ node }: OptionKey, text: string): unknown {
  switch (node.type) {
    case "integer":
    case "number":
      return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
    case "boolean":
      return text === "true" ? true : text === "false" ? false : text;
    case "array":
      if (node.items?.type === "string") return splitList(text);
      try {
        return JSON.parse(text);
      } catch {
        return text;
      }
    default:
      return text;
  }
}

/** `a, b` → `["a", "b"]`. */
export function splitList(text: string): string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}
