// Room proxy: opens connections to providers: undici's connector (TLS, address families, time limit), with the time limit in force.
// Invariant: one connector at a time; a new one only when the time limit has changed.

import { buildConnector } from "undici";

export type Connect = ReturnType<typeof buildConnector>;

/** `timeoutMs` is asked for each connection. */
export function createConnect(timeoutMs: () => number): Connect {
  let known: { timeout: number; connect: Connect } | undefined;
  return (options, callback) => {
    const timeout = timeoutMs();
    if (known?.timeout !== timeout) known = { timeout, connect: buildConnector({ timeout, allowH2: false }) };
    return known.connect(options, callback);
  };
}
