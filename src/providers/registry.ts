// Room providers: every provider that this process can send to, from presets and options.
// Invariant: built once at start from what the operator wrote; nothing a client sends adds or changes a provider.

import type { DialectId } from "../dialects/index.ts";
import { nearestName, type Options, OptionsError, type OptionsIssue } from "../options.ts";
import type { Preset } from "./preset.ts";
import { presets } from "./presets.ts";
import { isProviderId, type Provider } from "./provider.ts";

/** The providers of this process. */
export interface Providers {
  get(id: string): Provider | undefined;
  /** Sorted. */
  ids(): string[];
  /** Where a bare path of this dialect goes; `home` is the provider that the path's shape names itself. */
  defaultFor(dialect: DialectId, home?: string): Provider;
}

const defaultIds = {
  "openai-chat": "openai",
  "openai-responses": "openai",
  "anthropic-messages": "anthropic",
  "gemini-generate-content": "google",
  "bedrock-converse": "bedrock",
  "bedrock-invoke": "bedrock",
  "cohere-chat": "cohere",
  "ollama-chat": "ollama",
  embeddings: "openai",
  rerank: "cohere",
  images: "openai",
  audio: "openai",
  moderations: "openai",
} as const satisfies Record<DialectId, string>;

/**
 * Merges the options over the presets. Variables such as `OUTRIDER_PROVIDER_GROQ_BASE_URL` are options by the time they get here.
 * @throws OptionsError with every issue found
 */
export function createProviders({ options }: { options: Pick<Options, "providers" | "credentials"> }): Providers {
  const issues: OptionsIssue[] = [];
  const presetById = new Map(presets.map((preset) => [preset.id, preset]));
  const rows = new Map<string, Preset>(presetById);

  for (const [id, { baseUrl, preset: presetId }] of Object.entries(options.providers)) {
    const path = `providers.${id}`;
    const known = presetById.get(presetId ?? id);
    if (presetId !== undefined && known === undefined) {
      const nearest = nearestName(presetId, presetById.keys());
      issues.push(issue(`${path}.preset`, "the id of a built-in provider", presetId, nearest));
    } else if (known === undefined && baseUrl === undefined) {
      issues.push(issue(path, "a built-in provider, or a baseUrl", id, nearestName(id, presetById.keys())));
    } else if (!isProviderId(id)) {
      issues.push(issue(path, "a provider id: lower-case letters, digits and -, and no path such as v1", id));
    } else {
      rows.set(id, mergeRow(id, known, baseUrl));
    }
  }

  const byId = new Map<string, Provider>();
  for (const row of rows.values()) {
    const provider = toProvider(row);
    if (provider !== undefined) byId.set(row.id, provider);
    else {
      const expected = "an http or https URL without query, fragment and user name";
      issues.push(issue(`providers.${row.id}.baseUrl`, expected, redact(row.baseUrl)));
    }
  }
  for (const id of Object.keys(options.credentials)) {
    if (!rows.has(id)) issues.push(issue(`credentials.${id}`, "a provider's id", id, nearestName(id, rows.keys())));
  }
  if (issues.length > 0) throw new OptionsError(issues);

  return {
    get: (id) => byId.get(id),
    ids: () => [...byId.keys()].sort(),
    defaultFor(dialect, home = defaultIds[dialect]) {
      const provider = byId.get(home);
      if (provider === undefined) throw new Error(`no preset ${home}`);
      return provider;
    },
  };
}

/** A new id behaves like its preset, or like any OpenAI-compatible server; it inherits no credential, for it is another host. */
function mergeRow(id: string, preset: Preset | undefined, baseUrl: string | undefined): Preset {
  if (preset === undefined) {
    return {
      id,
      telemetryName: id.replaceAll("-", "_"),
      priceId: id,
      baseUrl: baseUrl ?? "",
      dialects: ["openai-chat", "embeddings"],
      auth: { scheme: "bearer" },
      keyEnv: [],
      baseUrlEnv: [],
      usageOnRequest: true,
      evidence: ["K"],
    };
  }
  return { ...preset, id, baseUrl: baseUrl ?? preset.baseUrl, keyEnv: preset.id === id ? preset.keyEnv : [] };
}

function toProvider(row: Preset): Provider | undefined {
  const baseUrl = parseBaseUrl(row.baseUrl);
  if (baseUrl === undefined) return undefined;
  const dialectBaseUrls: Provider["dialectBaseUrls"] = {};
  for (const dialect of row.dialects) {
    const relative = row.dialectBase?.[dialect];
    // A person may write the base with the dialect's own path already on it (`http://gpu:11434/v1` for ollama).
    if (relative === undefined || baseUrl.pathname.endsWith(`/${relative}`)) continue;
    dialectBaseUrls[dialect] = new URL(relative, `${baseUrl.href.replace(/\/$/, "")}/`);
  }
  const provider: Provider = {
    id: row.id,
    telemetryName: row.telemetryName,
    baseUrl,
    dialectBaseUrls,
    dialects: row.dialects,
    callPaths: row.callPaths ?? {},
    auth: row.auth,
    usageOnRequest: row.usageOnRequest,
    keyEnv: row.keyEnv,
  };
  if (row.priceId !== undefined) provider.priceId = row.priceId;
  return Object.freeze(provider);
}

function parseBaseUrl(text: string): URL | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const plain = url.search === "" && url.hash === "" && url.username === "" && url.password === "";
  if (!plain || (url.protocol !== "http:" && url.protocol !== "https:")) return undefined;
  url.pathname = url.pathname.replace(/\/+$/, "");
  return url;
}

function issue(path: string, expected: string, found: string, nearest?: string): OptionsIssue {
  return nearest === undefined ? { path, expected, found } : { path, expected, found, nearest };
}

/** A URL with a user name in it is wrong here, and may hold a password. */
function redact(url: string): string {
  return url.replace(/\/\/[^/]*@/, "//[redacted]@").replace(/\?.*$/, "?[redacted]");
}
