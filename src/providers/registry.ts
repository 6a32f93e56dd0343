// Room providers: every provider that this process can send to, from presets and options.
// Invariant: built once at start from what the operator wrote; nothing a client sends adds or changes a provider.

import type { DialectId } from "../dialects/index.ts";
import { nearestName, type Options, OptionsError, type OptionsIssue } from "../options.ts";
import type { Preset } from "./preset.ts";
import { presets } from "./presets.ts";
import { isProviderId, type Provider, type SettingName, settingNames } from "./provider.ts";
import { type Environment, readEndpoint, readSettings } from "./settings.ts";

/** The providers of this process. */
export interface Providers {
  get(id: string): Provider | undefined;
  /** Sorted. */
  ids(): string[];
  /** Where a bare path of this dialect goes; `home` is the provider that the path's shape names itself. */
  defaultFor(dialect: DialectId, home?: string): Provider;
}

const presetById: ReadonlyMap<string, Preset> = new Map(presets.map((preset) => [preset.id, preset]));

/** A part of an address that each customer fills. */
const gap = /\{(\w+)\}/;
const gaps = new RegExp(gap, "g");

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
export function createProviders({
  options,
  environment = {},
}: {
  options: Pick<Options, "providers" | "credentials">;
  /** The process's own; read once. */
  environment?: Environment;
}): Providers {
  const issues: OptionsIssue[] = [];
  const rows = new Map<string, Preset>(presetById);

  for (const [id, { baseUrl, preset: presetId, ...settings }] of Object.entries(options.providers)) {
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
      for (const name of settingNames) {
        if (settings[name] === undefined || known?.settings?.[name] !== undefined) continue;
        issues.push(issue(`${path}.${name}`, `no ${name}: the address of ${id} has none`, settings[name]));
      }
      rows.set(id, mergeRow(id, known, baseUrl));
    }
  }

  const byId = new Map<string, Provider>();
  for (const preset of rows.values()) {
    const row = withEndpoint(preset, options, environment);
    const provider = toProvider(row, readSettings(row, options.providers[row.id], environment));
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
      dialects: ["openai-chat", "openai-responses", "embeddings"],
      auth: { scheme: "bearer" },
      keyEnv: [],
      baseUrlEnv: [],
      usageOnRequest: true,
      evidence: ["K"],
    };
  }
  return { ...preset, id, baseUrl: baseUrl ?? preset.baseUrl, keyEnv: preset.id === id ? preset.keyEnv : [] };
}

/** A customer's own address out of the conventional variable, unless the options have one. */
function withEndpoint(row: Preset, options: Pick<Options, "providers">, environment: Environment): Preset {
  const endpoint = options.providers[row.id]?.baseUrl === undefined ? readEndpoint(row, environment) : undefined;
  return endpoint === undefined ? row : { ...row, baseUrl: endpoint };
}

function toProvider(row: Preset, settings: Provider["settings"]): Provider | undefined {
  const fill = (text: string): string => text.replaceAll(gaps, (_, name: SettingName) => settings[name] ?? "unset");
  const baseUrl = parseBaseUrl(fill(row.baseUrl));
  if (baseUrl === undefined) return undefined;
  const dialectBaseUrls: Provider["dialectBaseUrls"] = {};
  for (const dialect of row.dialects) {
    const relative = row.dialectBase?.[dialect];
    // A person may write the base with the dialect's own path already on it (`http://gpu:11434/v1` for ollama).
    if (relative === undefined || baseUrl.pathname.endsWith(`/${relative}`)) continue;
    dialectBaseUrls[dialect] = new URL(fill(relative), `${baseUrl.href.replace(/\/$/, "")}/`);
  }
  const { scheme } = row.auth;
  const provider: Provider = {
    id: row.id,
    telemetryName: row.telemetryName,
    baseUrl,
    dialectBaseUrls,
    dialects: row.dialects,
    rerankShape: row.rerankShape ?? "plain",
    callPaths: row.callPaths ?? {},
    wholePaths: row.wholePaths ?? [],
    auth: row.auth,
    bearerDialects: row.bearerDialects ?? [],
    usesMachineCredentials:
      (scheme === "sigv4" || scheme === "gcp") && (presetById.has(row.id) || gap.test(row.baseUrl)),
    settings,
    settingEnv: row.settings ?? {},
    usageOnRequest: row.usageOnRequest,
    keyEnv: row.keyEnv,
  };
  if (row.priceId !== undefined) provider.priceId = row.priceId;
  if (gap.test(row.baseUrl) || Object.values(row.dialectBase ?? {}).some((relative) => gap.test(relative))) {
    provider.template = {
      baseUrl: gap.test(row.baseUrl) ? row.baseUrl : baseUrl.href.replace(/\/$/, ""),
      dialectBase: row.dialectBase ?? {},
    };
  }
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
