// Room providers: what the operator set for the gaps of a provider's address: options first, then conventional variables.
// Invariant: what is read here was written by the operator; a value that cannot stand in an address counts as absent.

import type { Options } from "../options.ts";
import type { Preset } from "./preset.ts";
import { type Provider, type SettingName, settingNames } from "./provider.ts";

/** The process's environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

const addressPart = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;

/** Values by gap; a gap that nobody filled is absent. */
export function readSettings(
  row: Pick<Preset, "settings" | "defaults">,
  options: Options["providers"][string] | undefined,
  environment: Environment,
): Provider["settings"] {
  const settings: Partial<Record<SettingName, string>> = {};
  for (const name of settingNames) {
    const variables = row.settings?.[name];
    if (variables === undefined) continue;
    const value = options?.[name] ?? readFirst(variables, environment) ?? row.defaults?.[name];
    if (value !== undefined) settings[name] = value;
  }
  return settings;
}

/** DATABRICKS_HOST and its like are written with and without their scheme. */
function readFirst(variables: readonly string[], environment: Environment): string | undefined {
  for (const variable of variables) {
    const value = (environment[variable] ?? "").trim().replace(/^https?:\/\/|\/+$/g, "");
    if (addressPart.test(value)) return value;
  }
  return undefined;
}

/**
 * The base URL that a conventional variable names (AZURE_OPENAI_ENDPOINT). One on loopback is not taken: that is how an application
 * is pointed at Outrider, and Outrider would send its requests to itself.
 */
export function readEndpoint(row: Pick<Preset, "endpointEnv">, environment: Environment): string | undefined {
  for (const variable of row.endpointEnv ?? []) {
    const value = (environment[variable] ?? "").trim();
    if (!URL.canParse(value)) continue;
    const { protocol, hostname } = new URL(value);
    const isLoopback = /^(?:localhost|.*\.localhost|127\..*|\[::1\]|0\.0\.0\.0)$/.test(hostname);
    if ((protocol === "https:" || protocol === "http:") && !isLoopback) return value;
  }
  return undefined;
}
