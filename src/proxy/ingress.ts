// Room proxy: where a request goes, told by its path alone (and, for a few bare paths, by a header only one SDK sends).
// Invariant: DESIGN §2.3. Nothing the client writes chooses a host; a path is matched literally, never normalised.

import { type Dialect, matchDialect, type Operation } from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import { type Provider, type Providers, stripBasePath } from "../providers/index.ts";
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

/** First segments (after an optional `/v1`) of what only OpenAI serves, besides the calls its dialects know. */
const openaiRoots = new Set([
  "models",
  "files",
  "uploads",
  "batches",
  "fine_tuning",
  "images",
  "audio",
  "moderations",
  "responses",
  "conversations",
  "vector_stores",
  "assistants",
  "threads",
  "containers",
  "evals",
  "videos",
  "realtime",
  "chat",
  "completions",
  "embeddings",
]);

/** The same for Anthropic; those it shares with OpenAI are told apart by the `anthropic-version` header, which its API requires. */
const anthropicRoots = new Set(["messages", "complete"]);
const anthropicShared = new Set(["models", "files", "organizations", "skills"]);

/** @throws SidecarError operation_unsupported; what the path may hold is checked where it is joined to the provider's base */
export function matchIngress(inbound: Inbound, providers: Providers): Destination {
  const { target } = inbound;
  const cut = target.indexOf("?");
  const fullPath = cut === -1 ? target : target.slice(0, cut);
  const query = cut === -1 ? "" : target.slice(cut);

  const bareCall = matchDialect(inbound.method, fullPath);
  if (bareCall !== undefined) {
    const provider = providers.defaultFor(bareCall.dialect.id, bareCall.operation.home);
    return { provider, path: fullPath, query, bare: true, call: bareCall };
  }

  const slash = fullPath.indexOf("/", 1);
  const prefix = slash === -1 ? fullPath.slice(1) : fullPath.slice(1, slash);
  const prefixed = providers.get(prefix);
  if (prefixed !== undefined && slash !== -1) {
    const path = fullPath.slice(slash);
    const call = matchPrefixed(inbound.method, path, prefixed);
    return call === undefined
      ? { provider: prefixed, path, query, bare: false }
      : { provider: prefixed, path, query, bare: false, call };
  }

  const bareTunnel = matchBareTunnel(inbound, fullPath, providers);
  if (bareTunnel !== undefined) return { provider: bareTunnel, path: fullPath, query, bare: true };

  throw new SidecarError(
    "operation_unsupported",
    `nothing is served at ${inbound.method} ${fullPath.slice(0, 128)}; ` +
      "served: /v1/chat/completions, /v1/completions, /v1/embeddings, /v1/messages, /v1/models and other paths of OpenAI and Anthropic, " +
      "and every provider under its id, e.g. /groq/v1/chat/completions",
  );
}

/**
 * A provider's own base path may stand before the call (`/groq/openai/v1/chat/completions`), and so may a route inside
 * the provider (`/huggingface/hyperbolic/v1/chat/completions`), which is kept for the provider.
 */
function matchPrefixed(method: string, path: string, provider: Provider): Destination["call"] {
  const plain = stripBasePath(provider, path);
  const candidates = [provider.callPaths[plain] ?? plain, plain.slice(Math.max(plain.lastIndexOf("/v1/"), 0))];
  if (plain.endsWith("/chat/completions")) candidates.push("/chat/completions");
  for (const candidate of candidates) {
    const call = matchDialect(method, candidate);
    if (call !== undefined && provider.dialects.includes(call.dialect.id)) return call;
  }
  return undefined;
}

function matchBareTunnel(inbound: Inbound, path: string, providers: Providers): Provider | undefined {
  const rest = path.startsWith("/v1/") ? path.slice(4) : path.slice(1);
  const root = rest.split("/", 1)[0] ?? "";
  const fromAnthropic = inbound.header("anthropic-version") !== undefined;
  if (anthropicRoots.has(root) || (fromAnthropic && anthropicShared.has(root))) return providers.get("anthropic");
  return openaiRoots.has(root) ? providers.get("openai") : undefined;
}
