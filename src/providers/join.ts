// Room providers: where at a provider a client's path ends up. Strings only, no URL parsing on the way of a request.
// Invariant: origin and base path come from the provider alone; a path that some server would read as another one is refused.

import type { DialectId } from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import type { Provider } from "./provider.ts";

/** What to dispatch to: scheme, host and port, and the request target below them, query included. */
export interface UpstreamAddress {
  origin: string;
  path: string;
}

interface Base {
  origin: string;
  segments: readonly string[];
  /** `segments` without a version at the end. */
  unversioned: readonly string[];
}

const version = /^v\d+(?:(?:alpha|beta)\d*)?$/;
const bases = new WeakMap<URL, Base>();

/**
 * Joins a client's path to a provider's base without repeating what both have (DESIGN §2.3): `/chat/completions`,
 * `/v1/chat/completions` and `/openai/v1/chat/completions` reach the same place at Groq.
 *
 * `dialect` is absent for what is tunnelled. `clientPath` starts with a slash and has neither provider prefix nor query;
 * `query` is empty or starts with `?` and is kept byte for byte.
 * @throws SidecarError request_malformed
 */
export function joinUrl(
  provider: Provider,
  dialect: DialectId | undefined,
  clientPath: string,
  query: string,
): UpstreamAddress {
  assertPlain(clientPath, query);
  const ownBaseUrl = dialect === undefined ? undefined : provider.dialectBaseUrls[dialect];
  const base = baseOf(ownBaseUrl ?? provider.baseUrl);
  const client = clientPath === "/" ? [] : clientPath.slice(1).split("/");
  const rest = client.slice(overlap(base, client));
  if (dialect === "anthropic-messages") {
    // Anthropic's paths carry their own version, and its base has none.
    const last = base.segments.at(-1) ?? "";
    if (!version.test(rest[0] ?? "") && !version.test(last)) rest.unshift("v1");
  } else if (rest[0] === "v1" && rest.length > 1 && (dialect !== undefined || versionIsInBase(provider, base))) {
    rest.shift();
  }
  return { origin: base.origin, path: `/${[...base.segments, ...rest].join("/")}${query}` };
}

/**
 * A client's path below a provider without the part that its base path already says, for matching against dialects:
 * `/openai/v1/chat/completions` at Groq is `/chat/completions`.
 */
export function stripBasePath(provider: Provider, clientPath: string): string {
  const client = clientPath.slice(1).split("/");
  let longest = overlap(baseOf(provider.baseUrl), client);
  for (const url of Object.values(provider.dialectBaseUrls)) longest = Math.max(longest, overlap(baseOf(url), client));
  return longest === 0 ? clientPath : `/${client.slice(longest).join("/")}`;
}

/** For OpenAI-shaped providers the version belongs to the base, wherever in it (`/v1/openai`, `/api/paas/v4`). */
function versionIsInBase(provider: Provider, base: Base): boolean {
  return provider.dialects.includes("openai-chat") && base.segments.some((segment) => version.test(segment));
}

/** How many leading segments of the client's path repeat the end of the base path. */
function overlap(base: Base, client: readonly string[]): number {
  return Math.max(tailOverlap(base.segments, client), tailOverlap(base.unversioned, client));
}

function tailOverlap(base: readonly string[], client: readonly string[]): number {
  for (let count = Math.min(base.length, client.length); count > 0; count--) {
    const start = base.length - count;
    let index = 0;
    while (index < count && base[start + index] === client[index]) index++;
    if (index === count) return count;
  }
  return 0;
}

function baseOf(url: URL): Base {
  let base = bases.get(url);
  if (base === undefined) {
    const segments = url.pathname.split("/").filter((segment) => segment !== "");
    const unversioned = version.test(segments.at(-1) ?? "") ? segments.slice(0, -1) : [];
    base = { origin: url.origin, segments, unversioned };
    bases.set(url, base);
  }
  return base;
}

// Visible ASCII without what could end the path, name a host or stand for another separator: " # < > ? @ \ ^ ` { | }
const plainPath = /^(?:\/[!$-;=A-Z[\]_a-z~]*)+$/;
const plainQuery = /^(?:\?[!$-~]*)?$/;
const disguised = /%(?:2e|2f|5c|00|0a|0d)/i;

function assertPlain(path: string, query: string): void {
  const dotted = path.includes("/.") && /\/\.\.?(?:\/|$)/.test(path);
  if (!plainPath.test(path) || path.includes("//") || dotted || disguised.test(path)) {
    throw new SidecarError("request_malformed", "the request path is not in its plain form");
  }
  if (!plainQuery.test(query)) throw new SidecarError("request_malformed", "the query string is not in its plain form");
}
