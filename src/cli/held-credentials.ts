// Room cli: which providers Outrider holds a credential for, and where from; for the banner and for `doctor`.
// Invariant: names of variables and files only, never a value.

import type { Options } from "../options.ts";
import { createProviders } from "../providers/index.ts";
import type { Environment } from "./option-environment.ts";

/** `from`: a variable's name, or `file PATH`. */
export interface HeldName {
  provider: string;
  from: string;
}

/**
 * Sorted by provider.
 * @throws OptionsError for providers that make no sense
 */
export function listHeldCredentials(options: Options, environment: Environment): HeldName[] {
  const providers = createProviders({ options });
  return providers.ids().flatMap((id): HeldName[] => {
    const reference = options.credentials[id];
    if (reference !== undefined)
      return [{ provider: id, from: "env" in reference ? reference.env : `file ${reference.file}` }];
    const variable = providers.get(id)?.keyEnv.find((name) => (environment[name]?.trim() ?? "") !== "");
    return variable === undefined ? [] : [{ provider: id, from: variable }];
  });
}
