// Room cli: options from file, environment and flags. Flags win over variables, variables over the file, the file over defaults.
// Invariant: either whole valid options, or an OptionsError that names for each issue where the value came from.

import type { z } from "zod";
import { nearestName, type Options, OptionsError, type OptionsIssue, optionsSchema, quote } from "../options.ts";
import { createProviders } from "../providers/index.ts";
import { type Environment, readEnvironment, type Setting } from "./option-environment.ts";
import { isMapping, readOptionsFile } from "./option-file.ts";
import { buildOptionsSchema, describeExpected, findNode, knownKeys, type SchemaNode } from "./option-keys.ts";

/** Flags of a command line that are options. */
export interface OptionFlags {
  listen?: string[];
  admin?: string;
  app?: string;
  capture?: string;
}

export interface OptionSources {
  /** Path of an options file; else `OUTRIDER_CONFIG`, else none. */
  file?: string | undefined;
  environment: Environment;
  flags?: OptionFlags;
}

/**
 * Reads all sources and checks the whole.
 * @throws OptionsError
 */
export function loadOptions({ file, environment, flags = {} }: OptionSources): Options {
  const path = file ?? (environment["OUTRIDER_CONFIG"] || undefined);
  const document = path === undefined ? {} : readOptionsFile(path);
  const providerIds = ["providers", "credentials"].flatMap((key) => {
    const section = document[key];
    return isMapping(section) ? Object.keys(section) : [];
  });
  const { settings, issues } = readEnvironment(environment, providerIds);
  return check(document, [...settings, ...readFlags(flags)], path ?? "options", issues);
}

/**
 * Checks one file alone, without environment and flags.
 * @throws OptionsError
 */
export function checkOptionsDocument(document: Record<string, unknown>, file: string): Options {
  return check(document, [], file, []);
}

function readFlags(flags: OptionFlags): Setting[] {
  const settings: Setting[] = [
    { source: "--listen", path: ["listen"], value: flags.listen },
    { source: "--admin", path: ["admin"], value: flags.admin },
    { source: "--app", path: ["app"], value: flags.app },
    { source: "--capture", path: ["telemetry", "capture"], value: flags.capture },
  ];
  return settings.filter(({ value }) => value !== undefined);
}

function check(
  document: Record<string, unknown>,
  settings: readonly Setting[],
  documentName: string,
  earlier: readonly OptionsIssue[],
): Options {
  const sources = new Map<string, string>();
  let merged: unknown = document;
  for (const { source, path, value } of settings) {
    merged = withValue(merged, path, value);
    sources.set(path.join("."), source);
  }
  const result = optionsSchema.safeParse(merged);
  if (result.success) {
    const issues = [...earlier, ...checkProviders(result.data).map((issue) => relocate(issue, sources, documentName))];
    if (issues.length === 0) return result.data;
    throw new OptionsError(issues);
  }
  const schema = buildOptionsSchema();
  const found = result.error.issues.flatMap((issue) => explainIssue(schema, issue, merged));
  throw new OptionsError([...earlier, ...found.map((issue) => locate(issue, sources, documentName))]);
}

/** What only the providers' room can tell: ids that nobody knows. */
function checkProviders(options: Options): readonly OptionsIssue[] {
  try {
    createProviders({ options });
    return [];
  } catch (error) {
    if (error instanceof OptionsError) return error.issues;
    throw error;
  }
}

function relocate(issue: OptionsIssue, sources: ReadonlyMap<string, string>, documentName: string): OptionsIssue {
  const { path, ...rest } = issue;
  const setting = path === undefined ? undefined : sources.get(path);
  return setting === undefined ? { source: documentName, ...issue } : { ...rest, source: setting };
}

/** A copy of `value` with `leaf` at `path`; a value in the way that is no mapping is left for the schema to refuse. */
function withValue(value: unknown, [key, ...rest]: string[], leaf: unknown): unknown {
  if (key === undefined) return leaf;
  if (value !== undefined && !isMapping(value)) return value;
  const own = value !== undefined && Object.hasOwn(value, key) ? value[key] : undefined;
  return { ...value, [key]: withValue(own, rest, leaf) };
}

interface Explained {
  path: PropertyKey[];
  /** Instead of the dotted path, where the issue is about the document. */
  message: string;
}

function explainIssue(schema: SchemaNode, issue: z.core.$ZodIssue, document: unknown): Explained[] {
  const node = findNode(schema, issue.path);
  const value = valueAt(document, issue.path);
  const known = knownKeys(node);
  if (known !== undefined && isMapping(value)) {
    const unknown = Object.keys(value).filter((key) => !known.includes(key));
    if (unknown.length > 0) return unknown.map((key) => explainUnknownKey(issue.path, key, known));
  }
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => explainUnknownKey(issue.path, key, known ?? []));
  }
  return [
    { path: issue.path, message: `expected ${describeExpected(node)}, found ${describeFound(issue.path, value)}` },
  ];
}

function explainUnknownKey(path: PropertyKey[], key: string, known: readonly string[]): Explained {
  const nearest = nearestName(key, known);
  const hint = nearest === undefined ? "" : `; did you mean ${quote(nearest)}?`;
  return { path, message: `unknown key ${quote(key)}${hint}` };
}

function locate(
  { path, message }: Explained,
  sources: ReadonlyMap<string, string>,
  documentName: string,
): OptionsIssue {
  const dotted = formatPath(path);
  for (let length = path.length; length > 0; length--) {
    const source = sources.get(path.slice(0, length).map(String).join("."));
    if (source !== undefined) return { source, message };
  }
  return { source: documentName, ...(dotted === "" ? {} : { path: dotted }), message };
}

function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");
}

function valueAt(document: unknown, path: readonly PropertyKey[]): unknown {
  let value = document;
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}

/** A key may stand where the name of its variable should, and a URL may carry a password: neither is shown. */
function describeFound(path: readonly PropertyKey[], value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  const hidden =
    path[0] === "credentials" ||
    (path[0] === "providers" && path.length < 3) ||
    (path.at(-1) === "baseUrl" && !(typeof value === "string" && value.includes("://")));
  if (hidden) return `a ${typeof value === "string" ? "text" : typeof value} (not shown)`;
  if (typeof value === "number" || typeof value === "boolean") return `${value}`;
  if (typeof value !== "string") return `a ${typeof value}`;
  return quote(value.replace(/\/\/[^/]*@/, "//[redacted]@").replace(/\?.*$/s, "?…"));
}
