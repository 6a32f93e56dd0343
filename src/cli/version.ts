// Room cli: the version, from package.json, which the bundler writes into the bundle.
// Invariant: the only place that reads it.

import packageJson from "../../package.json" with { type: "json" };

/** Outrider's own version. */
export const version: string = packageJson.version;
