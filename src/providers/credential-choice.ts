// Room providers: which credential travels with a request, and in what header.
// Invariant: a client's credential goes to the provider it was addressed to and to no other; a value leaves its Secret only here, last.

import type { DialectId } from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import type { Secret } from "../secret.ts";
import { signaturePrefix } from "./auth/aws-region.ts";
import type { HeldCredential, Provider } from "./provider.ts";

/** What a client sends in place of a key when it wants Outrider's. */
export const placeholder = "outrider";

/** Headers that carry the key of some provider; Outrider's own credential takes their place. */
export const keyHeaders: ReadonlySet<string> = new Set([
  "authorization",
  "x-api-key",
  "api-key",
  "x-goog-api-key",
  "api-subscription-key",
  "x-key",
  "xi-api-key",
  "x-hume-api-key",
]);

/** What belongs to an AWS signature besides its `authorization`. */
const signatureHeaders: ReadonlySet<string> = new Set(["x-amz-date", "x-amz-security-token", "x-amz-content-sha256"]);

// Gateways and proxies put further keys beside the provider's (`cf-aig-authorization`, `x-portkey-api-key`, `helicone-auth`,
// `x-amz-security-token`, cookies). They stay where they were addressed to, and no other provider is to see them.
const secretName = /(?:^|[-_])(?:key|token|secret|auth|authorization|password|cookie|signature)$/;

/**
 * Which credential goes out with the request; on `own` a provider's 401 is Outrider's affair, not the client's. `machine`: one that is
 * yet to be made for the request, by AWS or Google credentials of the machine.
 */
export type CredentialUse = "client" | "own" | "none" | "machine";

/** A request's headers and query with the right credential in them. */
export interface Credentialed {
  /** Flat: name, value, name, value … The very list that came in where nothing changed. */
  headers: string[];
  query: string;
  use: CredentialUse;
  /** The client had signed its request; that signature covers Outrider's address and was taken out. */
  signatureDropped?: true;
}

/** `addressed`: this provider is the one that the client sent its request to. */
export interface CredentialChoice {
  addressed: boolean;
  held: HeldCredential | undefined;
  /** Absent for what is tunnelled. */
  dialect?: DialectId | undefined;
}

/**
 * Decides and applies: an `always` credential replaces the client's; another one is used where the client's may not go, is absent
 * or is the placeholder; else the client's own stays as it is where it was addressed, and is taken out elsewhere.
 * `headers` is flat and is not changed; `query` is empty or starts with `?`, and its `key` member is a credential too (Google).
 * @throws SidecarError upstream_auth when the held value cannot stand in a header
 */
export function applyCredential(
  headers: string[],
  query: string,
  provider: Provider,
  { addressed, held, dialect }: CredentialChoice,
): Credentialed {
  const client = readClientCredential(headers, query);
  const signatureDropped = client === "signature" && provider.auth.scheme === "sigv4";
  const isUsable = addressed && (client === "real" || (client === "signature" && !signatureDropped));
  const own = held !== undefined && (held.always || !isUsable);
  const machine = !own && !isUsable && provider.usesMachineCredentials;
  if (!own && !machine && !signatureDropped && addressed) {
    return { headers, query, use: client === "none" ? "none" : "client" };
  }
  const isDropped = addressed ? (signatureDropped ? isSignature : isKey) : isSecret;
  const kept: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? "";
    if (!isDropped.header(name.toLowerCase())) kept.push(name, headers[index + 1] ?? "");
  }
  if (own) kept.push(...toHeader(provider, held.secret, dialect));
  const use = own ? "own" : machine ? "machine" : "none";
  const credentialed: Credentialed = { headers: kept, query: withoutMembers(query, isDropped.query), use };
  if (signatureDropped) credentialed.signatureDropped = true;
  return credentialed;
}

const isKey = {
  header: (name: string): boolean => keyHeaders.has(name),
  query: (name: string): boolean => name === "key",
};

const isSignature = {
  header: (name: string): boolean => keyHeaders.has(name) || signatureHeaders.has(name),
  query: (name: string): boolean => name === "key" || name.startsWith("x-amz-"),
};

const isSecret = {
  // An idempotency key names the request and opens nothing.
  header: (name: string): boolean =>
    (secretName.test(name) && name !== "idempotency-key") || signatureHeaders.has(name),
  query: (name: string): boolean => secretName.test(name),
};

function toHeader(provider: Provider, secret: Secret, dialect: DialectId | undefined): [string, string] {
  const value = secret.reveal();
  if (breaksHeader(value)) {
    throw new SidecarError("upstream_auth", `the credential held for ${provider.id} cannot stand in a header`);
  }
  const { auth, bearerDialects } = provider;
  const isBearer = dialect !== undefined && bearerDialects.includes(dialect);
  if (auth.scheme === "header" && !isBearer) return [auth.name, `${auth.prefix ?? ""}${value}`];
  // Access tokens live an hour: what is held for Google Cloud is an API key.
  return auth.scheme === "gcp" ? ["x-goog-api-key", value] : ["authorization", `Bearer ${value}`];
}

function readClientCredential(
  headers: readonly string[],
  query: string,
): "real" | "signature" | "placeholder" | "none" {
  let found: "placeholder" | "none" = "none";
  for (let index = 0; index < headers.length; index += 2) {
    if (!keyHeaders.has((headers[index] ?? "").toLowerCase())) continue;
    const value = (headers[index + 1] ?? "").replace(/^(?:bearer|basic|token|key)(?: +|$)/i, "").trim();
    if (value === "") continue;
    if (value !== placeholder) return signaturePrefix.test(value) ? "signature" : "real";
    found = "placeholder";
  }
  for (const member of query === "" ? [] : query.slice(1).split("&")) {
    const value = member.slice(member.indexOf("=") + 1);
    const name = memberName(member);
    if (name === "x-amz-signature") return "signature";
    if (name !== "key" || value === "") continue;
    if (value !== placeholder) return "real";
    found = "placeholder";
  }
  return found;
}

function withoutMembers(query: string, isDropped: (name: string) => boolean): string {
  if (query === "") return query;
  const kept = query
    .slice(1)
    .split("&")
    .filter((member) => !isDropped(memberName(member)));
  return kept.length === 0 ? "" : `?${kept.join("&")}`;
}

/** In lower case and decoded, so that `%6bey=` is read as the provider would read it. */
function memberName(member: string): string {
  const name = member.split("=", 1)[0] ?? "";
  if (!name.includes("%")) return name.toLowerCase();
  try {
    return decodeURIComponent(name).toLowerCase();
  } catch {
    return name.toLowerCase();
  }
}

/** Whether a value cannot stand in a header: control characters end or split one on some parser (RFC 9110 §5.5), and what is beyond Latin-1 cannot be sent. */
export function breaksHeader(value: string): boolean {
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if (code < 0x20 || code === 0x7f || code > 0xff) return true;
  }
  return false;
}
