// Room cli: deployments of one name as an alias; LiteLLM's strategies, orders and wildcards in Outrider's words.
// Invariant: an alias's targets are all different, and what no word of ours means exactly is told.

import type { Strategy } from "../../routing/index.ts";
import type { Deployment } from "./deployments.ts";
import type { Notes } from "./notes.ts";

/** A target of a policy. */
export interface Target {
  provider: string;
  model: string;
  dialect?: string;
  weight?: number;
}

/** An alias of a policy. */
export interface Alias {
  strategy?: Strategy;
  targets: Target[];
  fallbacks: { to: string; when: string[] }[];
}

/** What LiteLLM leaves a deployment or a group of them for, as far as another could do better. */
export const anyFailure: readonly string[] = [
  "rate_limited",
  "overloaded",
  "timeout",
  "unreachable",
  "server_error",
  "quota_exhausted",
];

/** A route of a policy. */
export interface Route {
  match: { model: string };
  use: string;
}

const strategyByName: Readonly<Record<string, { strategy: Strategy; note?: string }>> = {
  "simple-shuffle": { strategy: "weighted" },
  "least-busy": { strategy: "least-busy" },
  "latency-based-routing": { strategy: "lowest-latency" },
  "cost-based-routing": { strategy: "lowest-cost" },
  "usage-based-routing": {
    strategy: "least-busy",
    note: "least-busy is nearest: it counts calls under way, not tokens of the last minute",
  },
  "usage-based-routing-v2": {
    strategy: "least-busy",
    note: "least-busy is nearest: it counts calls under way, not tokens of the last minute",
  },
};

/** `routing_strategy`; without one, and for one that is not known, LiteLLM's default. */
export function readStrategy(name: string | undefined, tell: (reason: string) => void): Strategy {
  const found = name !== undefined && Object.hasOwn(strategyByName, name) ? strategyByName[name] : undefined;
  if (found?.note !== undefined) tell(found.note);
  if (name !== undefined && found === undefined)
    tell("no such strategy in Outrider; the policy has weighted, LiteLLM's default");
  return found?.strategy ?? "weighted";
}

/** Aliases by name, and the routes that wildcards become. */
export function buildModels(
  deployments: readonly Deployment[],
  strategy: Strategy,
  notes: Notes,
): { aliases: Map<string, Alias>; routes: Route[] } {
  const groups = new Map<string, Deployment[]>();
  const routes: Route[] = [];
  for (const deployment of deployments) {
    if (deployment.model.includes("*")) {
      noteWildcard(deployment, notes);
      continue;
    }
    const group = groups.get(deployment.alias) ?? [];
    group.push(deployment);
    groups.set(deployment.alias, group);
  }
  const aliases = new Map(
    [...groups].map(([name, group]): [string, Alias] => [name, buildAlias(group, strategy, notes)]),
  );
  const patterns = [...aliases.keys()].filter((name) => name.includes("*"));
  // Routes come before aliases, while LiteLLM prefers a name to a pattern: so names that a pattern fits get routes of their own first.
  for (const name of aliases.keys()) {
    if (!name.includes("*") && patterns.some((pattern) => fits(pattern, name)))
      routes.push({ match: { model: name }, use: name });
  }
  for (const pattern of patterns.sort((a, b) => b.length - a.length)) {
    routes.push({ match: { model: pattern }, use: pattern });
  }
  return { aliases, routes };
}

/** A wildcard that keeps what it stands for: Outrider has that for `provider/model` alone, by itself. */
function noteWildcard({ alias, provider, model, place }: Deployment, notes: Notes): void {
  const isOwn = alias === `${provider}/*` && model === "*";
  const isDefault = alias === "*" && provider === "openai";
  notes.add(
    { list: place, key: "model_name" },
    isDefault
      ? "needs no alias: on OpenAI's paths a model that no alias has goes to openai by itself"
      : isOwn
        ? `needs no alias: a model written ${provider}/NAME goes to ${provider} by itself`
        : `not carried over: a wildcard that keeps the rest of the name; clients write ${provider}/${model.replaceAll("*", "NAME")}`,
  );
}

function fits(pattern: string, name: string): boolean {
  const escaped = pattern.split("*").map((piece) => piece.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${escaped.join(".*")}$`).test(name);
}

function buildAlias(group: readonly Deployment[], strategy: Strategy, notes: Notes): Alias {
  const distinct = new Map<string, Deployment>();
  for (const deployment of group) {
    const key = `${deployment.provider}/${deployment.model}`;
    if (distinct.has(key))
      notes.add({ list: deployment.place, key: "" }, "the same deployment as an earlier one of this name; left out");
    else distinct.set(key, deployment);
  }
  const orders = [...new Set([...distinct.values()].map(({ order }) => order ?? Number.POSITIVE_INFINITY))].sort(
    (a, b) => a - b,
  );
  const byOrder = orders.map((order) =>
    [...distinct.values()].filter((deployment) => (deployment.order ?? Number.POSITIVE_INFINITY) === order),
  );
  const isStrict = orders.length > 1 && byOrder.every((each) => each.length === 1);
  const [first = [], ...later] = isStrict ? [byOrder.flat()] : byOrder;
  const shared: Strategy = isStrict || first.length === 1 ? "ordered" : strategy;
  const weigh = shared === "weighted" || shared === "least-busy" ? findWeights(first, shared, notes) : undefined;
  if (weigh === undefined) noteLimits(first, notes);
  for (const each of later) noteLimits(each, notes);
  return {
    ...(shared === "ordered" ? {} : { strategy: shared }),
    targets: first.map((deployment, index) => toTarget(deployment, weigh?.[index])),
    fallbacks: later.flat().map(({ provider, model }) => ({ to: `${provider}/${model}`, when: [...anyFailure] })),
  };
}

function toTarget({ provider, model, dialect }: Deployment, weight: number | undefined): Target {
  return {
    provider,
    model,
    ...(dialect === undefined ? {} : { dialect }),
    ...(weight === undefined || weight === 1 ? {} : { weight }),
  };
}

const mostWeight = 1_000_000;

/** As LiteLLM's simple-shuffle: by the first of weight, rpm and tpm that the first deployment has; who has none gets nothing. */
function findWeights(group: readonly Deployment[], strategy: Strategy, notes: Notes): number[] | undefined {
  const name = (["weight", "rpm", "tpm"] as const).find((each) => group[0]?.weights[each] !== undefined);
  if (name === undefined) return undefined;
  const isKnownOfAll = group.every(({ weights }) => weights[name] !== undefined);
  // Among the least busy LiteLLM looks at no weights: one that is not there means no limit, not no calls.
  if (strategy === "least-busy" && !isKnownOfAll) return undefined;
  const weights = group.map((deployment) => deployment.weights[name] ?? 0);
  const most = Math.max(...weights);
  if (most === 0) return undefined;
  for (const { weights: own, place } of group) {
    for (const each of ["rpm", "tpm", "weight"] as const) {
      if (own[each] === undefined || (each === name && each === "weight")) continue;
      const reason =
        each === name
          ? "carried over as a share of the calls, not as a limit: limits are not in this version"
          : `left out: the shares follow ${name}, as for LiteLLM, and limits are not in this version`;
      notes.add({ list: place, key: `litellm_params.${each}` }, reason);
    }
  }
  if (weights.every((weight) => weight === most)) return weights.map(() => 1);
  return most > mostWeight ? weights.map((weight) => Math.round((weight / most) * mostWeight)) : weights;
}

function noteLimits(group: readonly Deployment[], notes: Notes): void {
  for (const { weights, place } of group) {
    for (const name of ["rpm", "tpm", "weight"] as const) {
      if (weights[name] === undefined) continue;
      const reason =
        name === "weight"
          ? "no other deployment shares these calls by weight"
          : "limits are not in this version, and no other deployment shares these calls by weight";
      notes.add({ list: place, key: `litellm_params.${name}` }, reason);
    }
  }
}
