// Room cli: a LiteLLM configuration as a policy, and the options that it needs beside it.
// Invariant: nothing is dropped in silence, and no text of the configuration that may be a secret comes out anywhere.

import type { Environment } from "../option-environment.ts";
import { isMapping } from "../option-file.ts";
import { readDeployments } from "./deployments.ts";
import { addFallbacks, shareFallbacks } from "./fallbacks.ts";
import { type Alias, buildModels, readStrategy } from "./models.ts";
import type { Notes } from "./notes.ts";
import { ProviderBook } from "./provider-book.ts";
import { readSettings, Settings } from "./settings.ts";

/** What came of a configuration. */
export interface Converted {
  policy: Record<string, unknown>;
  /** Providers' keys by reference, for `credentials` of the options. */
  credentials: Record<string, { env: string }>;
}

/** Converts; what could not be carried over is in `notes`. */
export function convertConfiguration(
  configuration: Readonly<Record<string, unknown>>,
  environment: Environment,
  notes: Notes,
): Converted {
  const book = new ProviderBook(environment);
  const settings = new Settings(configuration, notes);
  const { router } = settings;
  const deployments = readDeployments(configuration["model_list"], book, environment, notes);
  const strategy = readStrategy(router.text("routing_strategy"), (reason) => router.note("routing_strategy", reason));
  const { aliases, routes } = buildModels(deployments, strategy, notes);
  const groupByName = addGroupAliases(router.take("model_group_alias"), aliases, (reason) =>
    router.note("model_group_alias", reason),
  );
  const raw = (key: string): unknown => settings.first(key, (section, name) => section.take(name))?.value;
  addFallbacks(
    {
      fallbacks: raw("fallbacks"),
      context_window_fallbacks: raw("context_window_fallbacks"),
      content_policy_fallbacks: raw("content_policy_fallbacks"),
      default_fallbacks: raw("default_fallbacks"),
    },
    aliases,
    (list, reason) => notes.add({ key: list }, reason),
  );
  shareFallbacks(groupByName, aliases);
  if (aliases.size === 0) notes.add({ key: "model_list" }, "no alias comes of it");
  const own = readSettings(settings);
  settings.close(configuration, new Set(["model_list", "router_settings", "litellm_settings"]));

  const overrides = deployments.flatMap(({ provider, model, price }) =>
    price === undefined ? [] : [{ provider, model, ...price }],
  );
  const prices = new Map(overrides.map((override) => [`${override.provider}/${override.model}`, override]));
  const providers = book.entries();
  return {
    policy: {
      apiVersion: "outrider/v1",
      ...(Object.keys(providers).length === 0 ? {} : { providers }),
      models: Object.fromEntries([...aliases].map(([name, alias]) => [name, writeAlias(alias)])),
      ...(routes.length === 0 ? {} : { routes }),
      ...own,
      ...(prices.size === 0 ? {} : { prices: { overrides: [...prices.values()] } }),
    },
    credentials: book.credentials(),
  };
}

function writeAlias({ strategy, targets, fallbacks }: Alias): Record<string, unknown> {
  return {
    ...(strategy === undefined ? {} : { strategy }),
    targets,
    ...(fallbacks.length === 0 ? {} : { fallbacks }),
  };
}

/** Other names for groups. Gives the group of each. */
function addGroupAliases(
  given: unknown,
  aliases: Map<string, Alias>,
  tell: (reason: string) => void,
): Map<string, string> {
  const groupByName = new Map<string, string>();
  if (given === undefined) return groupByName;
  if (!isMapping(given)) {
    tell("not understood: expected a mapping of names to names");
    return groupByName;
  }
  for (const [name, value] of Object.entries(given)) {
    const group = isMapping(value) ? value["model"] : value;
    const source = typeof group === "string" ? aliases.get(group) : undefined;
    if (typeof group !== "string" || source === undefined) {
      tell(`${JSON.stringify(name)} stands for no name in the policy and is left out`);
    } else if (aliases.has(name)) {
      tell(`${JSON.stringify(name)} is a model of its own as well; that one is kept`);
    } else {
      aliases.set(name, { ...source, fallbacks: [...source.fallbacks] });
      groupByName.set(name, group);
      if (isMapping(value) && value["hidden"] === true)
        tell(`${JSON.stringify(name)} is not hidden: Outrider lists no models`);
    }
  }
  return groupByName;
}
