// Room providers: where at a provider a client's path ends up. Strings only, no URL parsing on the way of a request.
// Invariant: origin and base path come from the provider alone; a path that some server would read as another one is refused.

import type { DialectId } from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import { type Base, findBase, listBasePaths, type NamedSettings, version } from "./address.ts";
import type { Provider } from "./provider.ts";

/** What to dispatch to: scheme, host and port, and the request target below them, query included. */
export interface UpstreamAddress {
  origin: string;
  /** Of the origin, without brackets. */
  hostname: string;
  port: number;
  path: string;
}

/** Dialects whose paths carry a version of their own, and the one that is meant where a client wrote none. */
const ownVersions: Partial<Record<DialectId, string>> = {
  "anthropic-messages": "v1",
  "gemini-generate-content": "v1beta",
  "cohere-chat": "v2",
};

/** Dialects whose paths have no version at all. */
const unversionedDialects: ReadonlySet<DialectId> = new Set(["bedrock-converse", "bedrock-invoke", "ollama-chat"]);

/**
 * Joins a client's path to a provider's base without repeating what both have (DESIGN §2.3): `/chat/completions`,
 * `/v1/chat/completions` and `/openai/v1/chat/completions` reach the same place at Groq.
 *
 * `dialect` is absent for what is tunnelled. `clientPath` starts with a slash and has neither provider prefix nor query;
 * `query` is empty or starts with `?` and is kept byte for byte. `named` is what the request itself names for gaps of the address
 * that nobody set.
 * @throws SidecarError request_malformed; operation_unsupported when the address has a gap that nobody filled
 */
export function joinUrl(
  provider: Provider,
  dialect: DialectId | undefined,
  clientPath: string,
  query: string,
  named?: NamedSettings,
): UpstreamAddress {
  assertPlain(provider, clientPath, query);
  const client = clientPath === "/" ? [] : clientPath.slice(1).split("/");
  if (isWholePath(provider, client)) {
    // Google Cloud's paths carry a version, also where the client left it out.
    if (provider.auth.scheme === "gcp" && !version.test(client[0] ?? "")) client.unshift("v1");
    return joinWhole(findBase(provider, undefined, clientPath, named), client, query);
  }

  const base = findBase(provider, dialect, clientPath, named);
  const rest = client.slice(overlap(base, client));
  const ownVersion = ownVersionOf(dialect, base);
  if (ownVersion !== undefined) {
    if (!version.test(rest[0] ?? "") && !version.test(base.segments.at(-1) ?? "")) rest.unshift(ownVersion);
  } else if (rest[0] === "v1" && rest.length > 1 && dropsVersion(provider, dialect, base)) {
    rest.shift();
  }
  return toAddress(base, [...base.segments, ...rest], query);
}

/** Cohere's rerank has a version of its own, and a base without one; Voyage's and Jina's base has it. */
function ownVersionOf(dialect: DialectId | undefined, base: Base): string | undefined {
  if (dialect === undefined) return undefined;
  return dialect === "rerank" && base.segments.length === 0 ? "v2" : ownVersions[dialect];
}

/** For OpenAI-shaped dialects and providers the version belongs to the base, wherever in it (`/v1/openai`, `/api/paas/v4`). */
function dropsVersion({ dialects }: Provider, dialect: DialectId | undefined, base: Base): boolean {
  if (dialect !== undefined) return !unversionedDialects.has(dialect);
  return dialects.includes("openai-chat") && base.segments.some((segment) => version.test(segment));
}

function isWholePath({ wholePaths }: Provider, client: readonly string[]): boolean {
  const root = version.test(client[0] ?? "") ? client[1] : client[0];
  return root !== undefined && wholePaths.includes(root);
}

/** A path that says everything below the host. A base that a person wrote with the beginning of it is not repeated. */
function joinWhole(base: Base, client: readonly string[], query: string): UpstreamAddress {
  const cut = base.segments.indexOf(client[0] ?? "");
  return toAddress(base, [...(cut === -1 ? base.segments : base.segments.slice(0, cut)), ...client], query);
}

function toAddress({ origin, hostname, port }: Base, segments: readonly string[], query: string): UpstreamAddress {
  return { origin, hostname, port, path: `/${segments.join("/")}${query}` };
}

/**
 * A client's path below a provider without the part that its base path already says, for matching against dialects:
 * `/openai/v1/chat/completions` at Groq is `/chat/completions`.
 */
export function stripBasePath(provider: Provider, clientPath: string): string {
  const client = clientPath.slice(1).split("/");
  let longest = 0;
  for (const base of listBasePaths(provider)) longest = Math.max(longest, overlap(base, client));
  return longest === 0 ? clientPath : `/${client.slice(longest).join("/")}`;
}

/** How many leading segments of the client's path repeat the end of the base path. */
function overlap(base: Pick<Base, "segments" | "unversioned">, client: readonly string[]): number {
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

// Visible ASCII without what could end the path, name a host or stand for another separator: " # < > ? @ \ ^ ` { | }
const plainPath = /^(?:\/[!$-;=A-Z[\]_a-z~]*)+$/;
const plainQuery = /^(?:\?[!$-~]*)?$/;
const disguised = /%(?:2e|2f|5c|00|0a|0d)/i;

function assertPlain(provider: Provider, clientPath: string, query: string): void {
  const path = readPermitted(provider, clientPath);
  const dotted = path.includes("/.") && /\/\.\.?(?:\/|$)/.test(path);
  if (!plainPath.test(path) || path.includes("//") || dotted || disguised.test(path)) {
    throw new SidecarError("request_malformed", "the request path is not in its plain form");
  }
  if (!plainQuery.test(query)) throw new SidecarError("request_malformed", "the query string is not in its plain form");
}

/**
 * What some providers' model ids need, in a form that the checks take: `%2F` in Bedrock's ARNs reads as the slash that it may turn into,
 * Vertex's `model@date` as a letter.
 */
function readPermitted({ auth, dialects }: Provider, path: string): string {
  if (auth.scheme === "gcp") return path.replaceAll("@", "a");
  return dialects.includes("bedrock-converse") ? path.replace(/%2f/gi, "/") : path;
}
