// Room proxy: which headers cross, and how. Pure functions on flat lists `[name, value, …]`.
// Invariant: hop-by-hop and steering headers never cross, in either direction; nothing Outrider needs can be named away by `Connection`.

import { SidecarError } from "../errors.ts";

/** Hop-by-hop fields: RFC 9110 §7.6.1, plus the two of RFC 2616 that are still seen. */
const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Not forwarded to a provider: set anew by the sender, answered by Outrider itself, or private to this pod. */
const requestOnly = new Set(["host", "content-length", "expect", "baggage", "traceparent", "tracestate"]);

/** A `Connection` header may not name these away (RFC 9110 §7.6.1 lets it name any field; a smuggler would name the key). */
const neverNamedAway = new Set([
  "authorization",
  "x-api-key",
  "api-key",
  "x-goog-api-key",
  "content-type",
  "anthropic-version",
]);

// CR, LF and NUL end or split a header on some parser (RFC 9110 §5.5).
// oxlint wants no control characters in a regular expression, so the check is by code.
function hasForbiddenCharacter(value: string): boolean {
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if (code === 13 || code === 10 || code === 0) return true;
  }
  return false;
}

/** Throws request_malformed when the value would split or end a header. */
function assertHeaderValue(name: string, value: string): void {
  if (hasForbiddenCharacter(value)) {
    throw new SidecarError("request_malformed", `the value of header ${name} holds a CR, LF or NUL`);
  }
}

function namedByConnection(rawHeaders: readonly string[]): Set<string> | undefined {
  let named: Set<string> | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (name.length !== 10 || name.toLowerCase() !== "connection") continue;
    for (const token of (rawHeaders[index + 1] as string).split(",")) {
      const word = token.trim().toLowerCase();
      if (word === "" || word === "keep-alive" || word === "close" || neverNamedAway.has(word)) continue;
      named ??= new Set();
      named.add(word);
    }
  }
  return named;
}

/**
 * The client's headers as a provider may see them; `acceptEncoding`, when given, replaces the client's own.
 * @throws SidecarError request_malformed
 */
export function toUpstreamHeaders(rawHeaders: readonly string[], acceptEncoding?: string): string[] {
  const named = namedByConnection(rawHeaders);
  const headers: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    const lower = name.toLowerCase();
    if (hopByHop.has(lower) || requestOnly.has(lower) || lower.startsWith("x-outrider-")) continue;
    if (named?.has(lower) === true) continue;
    if (acceptEncoding !== undefined && lower === "accept-encoding") continue;
    const value = rawHeaders[index + 1] as string;
    assertHeaderValue(name, value);
    headers.push(name, value);
  }
  if (acceptEncoding !== undefined) headers.push("accept-encoding", acceptEncoding);
  return headers;
}

/** The provider's headers as the client may see them. `bodyEdited`: its length no longer holds. */
export function toDownstreamHeaders(rawHeaders: readonly string[], bodyEdited: boolean): string[] {
  const named = namedByConnection(rawHeaders);
  const headers: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    const lower = name.toLowerCase();
    if (hopByHop.has(lower) || lower.startsWith("x-outrider-") || lower === "traceresponse") continue;
    if (named?.has(lower) === true) continue;
    if (bodyEdited && lower === "content-length") continue;
    headers.push(name, rawHeaders[index + 1] as string);
  }
  return headers;
}

/** Of a client's headers what every provider understands; the body's are made anew. */
const commonRequestHeaders = new Set(["user-agent", "authorization"]);

/** The client's headers for a provider that speaks another dialect, with those that its dialect must have. */
export function toTranslatedHeaders(rawHeaders: readonly string[], added: readonly string[]): string[] {
  const headers: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (commonRequestHeaders.has(name.toLowerCase())) headers.push(name, rawHeaders[index + 1] as string);
  }
  return [...headers, "content-type", "application/json", ...added];
}

/** A copy of a flat list without one header; `name` in lower case. */
export function omitHeader(rawHeaders: readonly string[], name: string): string[] {
  const headers: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const candidate = rawHeaders[index] as string;
    if (candidate.toLowerCase() !== name) headers.push(candidate, rawHeaders[index + 1] as string);
  }
  return headers;
}

/** First value of a header in a flat list; `name` in lower case. */
export function findHeader(rawHeaders: readonly string[], name: string): string | undefined {
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const candidate = rawHeaders[index] as string;
    if (candidate.length === name.length && candidate.toLowerCase() === name) return rawHeaders[index + 1];
  }
  return undefined;
}
