// Room proxy: whether a provider is told which trace it is part of.
// Invariant: with `auto`, ids leave only for addresses inside the operator's own network.

import { isIP } from "node:net";
import { kindOfAddress } from "./address-kind.ts";

const known = new Map<string, boolean>();

/** `host`: the provider's host name or address, without brackets. A name other than localhost is not looked up. */
export function mayPropagate(mode: "auto" | "always" | "never", host: string): boolean {
  if (mode !== "auto") return mode === "always";
  let answer = known.get(host);
  if (answer === undefined) {
    answer =
      isIP(host) === 0
        ? host === "localhost" || host.endsWith(".localhost")
        : ["private", "link_local"].includes(kindOfAddress(host));
    // Hosts come from the operator's documents alone, so there are few.
    known.set(host, answer);
  }
  return answer;
}
