// Room providers: an address with credentials that speaks some dialects. Mostly one row of data in presets.json.

import type { DialectId } from "../dialects/index.ts";
import type { Secret } from "../secret.ts";

/** How a provider takes its key. `none`: it needs no key; one that is held for it nevertheless is sent as a bearer token. */
export type ProviderAuth = { scheme: "bearer" } | { scheme: "header"; name: string } | { scheme: "none" };

/** One provider, ready to be sent to: preset, options and environment already merged. Frozen; one object per id for the process. */
export interface Provider {
  /** Short id as in paths and options: `openai`, `groq`. */
  id: string;
  /** `gen_ai.provider.name`. */
  telemetryName: string;
  /** Id in the price catalogue, or `id` where it has none. Absent: nobody bills by the token (self-hosted), only overrides apply. */
  priceId?: string;
  /** What its SDKs call the base URL; without query, fragment and trailing slash. */
  baseUrl: URL;
  /** Where a dialect lives at another base than `baseUrl`. */
  dialectBaseUrls: Partial<Record<DialectId, URL>>;
  /** Wire formats that are understood at this address; whether the provider serves each one is for it to answer. */
  dialects: DialectId[];
  /** Paths of its own that are a dialect's call by another name (Writer: `/v1/chat` is `/v1/chat/completions`). */
  callPaths: Readonly<Record<string, string>>;
  auth: ProviderAuth;
  /** A streamed chat states usage only on `stream_options.include_usage`, and the provider accepts that member. */
  usageOnRequest: boolean;
  /** Environment variables that conventionally hold its key, in order. */
  keyEnv: string[];
}

/** A credential of Outrider's own for one provider. `always`: from options, replaces the client's; else used only when the client brought none. */
export interface HeldCredential {
  secret: Secret;
  always: boolean;
}

/** First path segments that are paths of their own, never a provider's id. */
const reservedIds: ReadonlySet<string> = new Set([
  "v1",
  "v1beta",
  "v1alpha",
  "v2",
  "api",
  "model",
  "models",
  "projects",
]);

/** Whether a text can be a provider's id: lower-case letters, digits and `-`, as it stands in paths, and no path of its own. */
export function isProviderId(text: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,62}$/.test(text) && !reservedIds.has(text);
}
