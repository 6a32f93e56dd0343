// Room providers: an address with credentials that speaks some dialects. Mostly one row of data in presets.json.

import type { DialectId, RerankShapeId } from "../dialects/index.ts";
import type { Secret } from "../secret.ts";

/** What fills the `{name}`s of an address; each is an option of the provider by the same name. */
export const settingNames = ["region", "resource", "project"] as const;
export type SettingName = (typeof settingNames)[number];

/**
 * How a provider takes its key. `none`: it needs no key; one that is held for it nevertheless is sent as a bearer token.
 * `sigv4`: a signature by AWS credentials, or a bearer token. `gcp`: a Google access token as bearer, or an API key.
 */
export type ProviderAuth =
  | { scheme: "bearer" }
  | { scheme: "header"; name: string; prefix?: string | undefined }
  | { scheme: "none" }
  | { scheme: "sigv4"; service: string }
  | { scheme: "gcp" };

/** A provider's address with gaps in it, each filled from the client's path or a setting. */
export interface AddressTemplate {
  /** `https://bedrock-runtime.{region}.amazonaws.com` */
  baseUrl: string;
  /** Relative to it, and with gaps of their own. */
  dialectBase: Partial<Record<DialectId, string>>;
}

/** One provider, ready to be sent to: preset, options and environment already merged. Frozen; one object per id for the process. */
export interface Provider {
  /** Short id as in paths and options: `openai`, `groq`. */
  id: string;
  /** `gen_ai.provider.name`. */
  telemetryName: string;
  /** Id in the price catalogue, or `id` where it has none. Absent: nobody bills by the token (self-hosted), only overrides apply. */
  priceId?: string;
  /** What its SDKs call the base URL; without query, fragment and trailing slash. With a `template`, only its stand-in: ask `joinUrl`. */
  baseUrl: URL;
  /** Present when the address has gaps to be filled (Bedrock's region, Vertex's location). */
  template?: AddressTemplate;
  /** Where a dialect lives at another base than `baseUrl`. */
  dialectBaseUrls: Partial<Record<DialectId, URL>>;
  /** Wire formats that are understood at this address; whether the provider serves each one is for it to answer. */
  dialects: DialectId[];
  /** How it words rerank calls, where it takes any. */
  rerankShape: RerankShapeId;
  /** Paths of its own that are a dialect's call by another name (Writer: `/v1/chat` is `/v1/chat/completions`). */
  callPaths: Readonly<Record<string, string>>;
  /** First segments (behind a version) of paths that say everything below the host (`projects` at Vertex). */
  wholePaths: readonly string[];
  auth: ProviderAuth;
  /** Dialects for which its key goes out as a bearer token, whatever `auth` says. */
  bearerDialects: readonly DialectId[];
  /** The machine's own AWS or Google credentials may be used: the address is the preset's, or the operator moved the preset itself. */
  usesMachineCredentials: boolean;
  /** Variables that fill each gap of the address, for the error that asks for one. */
  settingEnv: Readonly<Partial<Record<SettingName, readonly string[]>>>;
  /** What the operator set, by the name of the gap; a signature needs the region also where the address has no gap. */
  settings: Readonly<Partial<Record<SettingName, string>>>;
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
