// Room dialects: where the calls of the OpenAI wire are served: with and without /v1, and below an Azure deployment.
// Invariant: a path is matched literally; the only part that varies is the deployment, and it never becomes part of the route.

import type { Operation } from "./dialect.ts";

/** A call without what only its path tells. `path` is below the version: `chat/completions`. */
export type OpenaiCall = Omit<Operation, "route" | "model" | "stream"> & {
  /** Served below `/openai/deployments/{deployment}/` too (Azure; the list of openai-node 7.55.0, read 2026-11-21). */
  deployable?: true;
};

const bases = ["/v1/", "/"];
// With `/openai`, or without it where the provider's base already ends in it.
const deploymentPath = /^((?:\/openai)?\/deployments\/)([^/]+)\/(.+)$/;

/**
 * Makes a dialect's `match` from its calls. A deployment is the model, and its path belongs to Azure; there
 * `Operation.path` is the client's whole path, because no base holds the deployment.
 */
export function createPathMatcher(
  calls: readonly OpenaiCall[],
): (method: string, path: string) => Operation | undefined {
  const plain = new Map<string, Operation>();
  const deployable = new Map<string, Operation>();
  for (const { deployable: isDeployable, ...call } of calls) {
    for (const base of bases) plain.set(`${base}${call.path}`, { ...call, route: `${base}${call.path}` });
    if (isDeployable === true) deployable.set(call.path, { ...call, route: call.path });
  }

  function matchDeployment(path: string): Operation | undefined {
    const [, prefix, deployment, rest] = deploymentPath.exec(path) ?? [];
    const call = rest === undefined ? undefined : deployable.get(rest);
    const model = deployment === undefined ? undefined : decodeSegment(deployment);
    if (call === undefined || model === undefined) return undefined;
    return { ...call, route: `${prefix}{deployment}/${rest}`, path: path.slice(1), model, home: "azure" };
  }

  return (method, path) => (method === "POST" ? (plain.get(path) ?? matchDeployment(path)) : undefined);
}

/** One path segment, percent-decoded; undefined when it is no valid encoding. */
function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
