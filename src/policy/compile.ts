// Room policy: a document and the options together, compiled to a snapshot. Options win for providers and prices, the document for the rest.
// Invariant: a snapshot comes out whole, or every issue found; nothing here waits or does I/O.

import { nearestName, type Options, OptionsError } from "../options.ts";
import { createProviders, type Providers } from "../providers/index.ts";
import { compileRouting, type RoutingFacts } from "../routing/index.ts";
import type { Pricer } from "../spend/index.ts";
import type { PolicyIssue } from "./issue.ts";
import type { PolicyDocument } from "./schema.ts";
import type { PolicySnapshot, PolicyTimeouts, SnapshotSource } from "./snapshot.ts";

/** What a document is compiled against. */
export interface CompileSettings {
  options: Pick<Options, "providers" | "credentials" | "timeouts" | "losses" | "prices">;
  /** The process's own. */
  environment: Readonly<Record<string, string | undefined>>;
  epochMs: () => number;
}

/** What names the snapshot. */
export interface SnapshotName {
  version: string;
  source: SnapshotSource;
}

/**
 * The snapshot of the options alone: no routing, no retry. `pricer` is for the options' overrides.
 * @throws OptionsError for providers that make no sense
 */
export function compileOptions(pricer: Pricer, { options, environment, epochMs }: CompileSettings): PolicySnapshot {
  return Object.freeze({
    version: "none",
    source: "options",
    loadedAtMs: epochMs(),
    providers: createProviders({ options, environment }),
    routing: undefined,
    timeouts: options.timeouts,
    losses: options.losses,
    pricer,
    telemetry: {},
    document: undefined,
  });
}

/** Compiles a document that passed the schema. `pricer` is loaded, and for the overrides of both, the options' first. */
export function compileDocument(
  document: PolicyDocument,
  { version, source }: SnapshotName,
  pricer: Pricer,
  settings: CompileSettings,
): { snapshot: PolicySnapshot } | { issues: PolicyIssue[] } {
  const { options } = settings;
  const providers = mergeProviders(document, settings);
  if ("issues" in providers) return providers;
  const compiled = compileRouting(document, listFacts(providers, pricer, settings));
  if ("issues" in compiled) return { issues: [...compiled.issues] };
  return {
    snapshot: Object.freeze({
      version,
      source,
      loadedAtMs: settings.epochMs(),
      providers,
      routing: compiled.routing,
      timeouts: withGiven<PolicyTimeouts>(options.timeouts, document.timeouts),
      losses: withGiven(options.losses, document.losses),
      pricer,
      telemetry: withGiven<PolicySnapshot["telemetry"]>({}, document.telemetry),
      document,
    }),
  };
}

/** The options' word on a provider wins, key by key. */
function mergeProviders(
  document: PolicyDocument,
  { options, environment }: CompileSettings,
): Providers | { issues: PolicyIssue[] } {
  const merged: Options["providers"] = { ...document.providers };
  for (const [id, own] of Object.entries(options.providers)) merged[id] = { ...merged[id], ...own };
  try {
    return createProviders({ options: { providers: merged, credentials: options.credentials }, environment });
  } catch (error) {
    if (!(error instanceof OptionsError)) throw error;
    return {
      issues: error.issues.map((issue) => ({
        ...(issue.path === undefined ? {} : { path: issue.path }),
        // An address may carry what nobody should read: only what was expected is told.
        message: "expected" in issue ? `expected ${issue.expected}` : issue.message,
        ...("nearest" in issue && issue.nearest !== undefined ? { nearest: issue.nearest } : {}),
      })),
    };
  }
}

/** RoutingFacts.price is for so many tokens each way. */
const pricedTokens = 1000;

function listFacts(providers: Providers, pricer: Pricer, { epochMs }: CompileSettings): RoutingFacts {
  const usage = { inputTokens: pricedTokens, outputTokens: pricedTokens };
  return {
    isProvider: (id) => providers.get(id) !== undefined,
    nearestProvider: (id) => nearestName(id, providers.ids()),
    describeModel(id, model) {
      const provider = providers.get(id);
      const contextTokens = provider && pricer.contextTokens(provider, model, epochMs());
      return contextTokens === undefined ? undefined : { contextTokens };
    },
    price(id, model) {
      const provider = providers.get(id);
      if (provider === undefined) return undefined;
      return pricer.price({ provider, models: { request: model }, usage, epochMs: epochMs() }).nanoUsd;
    },
  };
}

/** `base` with what `given` says; a key that is undefined says nothing. */
function withGiven<Whole extends object>(base: Whole, given: Partial<Record<keyof Whole, unknown>>): Whole {
  const said = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.freeze({ ...base, ...Object.fromEntries(said) });
}
