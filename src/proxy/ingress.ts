// Room proxy: where a request goes, told by its path alone (and, for a few bare paths, by a header only one SDK sends).
// Invariant: DESIGN §2.3. Nothing the client writes chooses a host; a path is matched literally, never normalised.

import { type Dialect, matchDialect, type Operation } from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import { type Provider, type Providers, stripBasePath } from "../providers/index.ts";
import { findBareHome } from "./bare-paths.ts";
import type { Inbound } from "./wire.ts";

export interface Destination {
  provider: Provider;
  /** Path under the provider, with a leading slash, without its prefix and query. */
  path: string;
  /** With its `?`, byte for byte; empty when there is none. */
  query: string;
  /** Bare paths take the model name apart; prefixed ones never do. */
  bare: boolean;
  /** Absent: relayed untouched, with HTTP telemetry only. */
  call?: { dialect: Dialect; operation: Operation };
}

/** Azure's SDKs put this on every call outside its `/openai/v1`, and OpenAI has no such member. */
const azureVersion = /[?&]api-version=/;

/** @throws SidecarError operation_unsupported; what the path may hold is checked where it is joined to the provider's base */
export function matchIngress(
  inbound: Pick<Inbound, "method" | "target" | "header">,
  providers: Providers,
): Destination {
  const { target } = inbound;
  const cut = target.indexOf("?");
  const fullPath = cut === -1 ? target : target.slice(0, cut);
  const query = cut === -1 ? "" : target.slice(cut);

  const bareCall = matchDialect(inbound.method, fullPath);
  if (bareCall !== undefined) {
    const provider = providers.defaultFor(bareCall.dialect.id, bareCall.operation.home);
    return { provider, path: fullPath, query, bare: true, call: bareCall };
  }

  const azure = providers.get("azure");
  if (azure !== undefined && fullPath.startsWith("/openai/") && azureVersion.test(query)) {
    const call = matchPrefixed(inbound.method, fullPath, azure);
    return { provider: azure, path: fullPath, query, bare: true, ...(call && { call }) };
  }

  const slash = fullPath.indexOf("/", 1);
  const prefix = slash === -1 ? fullPath.slice(1) : fullPath.slice(1, slash);
  const prefixed = providers.get(prefix);
  if (prefixed !== undefined && slash !== -1) {
    const path = fullPath.slice(slash);
    const call = matchPrefixed(inbound.method, path, prefixed);
    return { provider: prefixed, path, query, bare: false, ...(call && { call }) };
  }

  const home = findBareHome(inbound, fullPath);
  const tunnelled = home === undefined ? undefined : providers.get(home);
  if (tunnelled !== undefined) return { provider: tunnelled, path: fullPath, query, bare: true };

  throw new SidecarError(
    "operation_unsupported",
    `nothing is served at ${inbound.method} ${fullPath.slice(0, 128)}; ` +
      "served: /v1/chat/completions, /v1/responses, /v1/embeddings, /v1/messages, /v1/models and other paths of OpenAI, Anthropic, Google, " +
      "Vertex AI, Bedrock, Azure OpenAI, Cohere and Ollama, and every provider under its id, e.g. /groq/v1/chat/completions",
  );
}

/**
 * A provider's own base path may stand before the call (`/groq/openai/v1/chat/completions`), and so may a route inside
 * the provider (`/huggingface/hyperbolic/v1/chat/completions`), which is kept for the provider.
 */
function matchPrefixed(method: string, path: string, provider: Provider): Destination["call"] {
  const plain = stripBasePath(provider, path);
  const candidates = [path, provider.callPaths[plain] ?? plain, plain.slice(Math.max(plain.lastIndexOf("/v1/"), 0))];
  for (const call of ["/chat/completions", "/responses"]) if (plain.endsWith(call)) candidates.push(call);
  if (plain.includes("/models/")) candidates.push(plain.slice(plain.lastIndexOf("/models/")));
  for (const candidate of candidates) {
    const call = matchDialect(method, candidate);
    if (call !== undefined && provider.dialects.includes(call.dialect.id)) return call;
  }
  return undefined;
}
