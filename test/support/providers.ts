// Providers for tests: the presets as they are, and a look-up that fails loudly.
import { createProviders, type Provider, type Providers } from "../../src/providers/index.ts";

/** The providers of a process with nothing set. */
export const presetProviders: Providers = createProviders({ options: { providers: {}, credentials: {} } });

/** The provider of that id, of the presets unless others are given. */
export function requireProvider(id: string, providers: Providers = presetProviders): Provider {
  const provider = providers.get(id);
  if (provider === undefined) throw new Error(`no provider ${id}`);
  return provider;
}
