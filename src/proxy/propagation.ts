// Room proxy: whether a provider is told which trace it is part of.
// Invariant: with `auto`, ids leave only for addresses inside the operator's own network.

import { BlockList, isIP } from "node:net";

const privateRanges = new BlockList();
privateRanges.addSubnet("127.0.0.0", 8);
privateRanges.addSubnet("10.0.0.0", 8);
privateRanges.addSubnet("172.16.0.0", 12);
privateRanges.addSubnet("192.168.0.0", 16);
privateRanges.addSubnet("169.254.0.0", 16);
privateRanges.addAddress("::1", "ipv6");
privateRanges.addSubnet("fc00::", 7, "ipv6");
privateRanges.addSubnet("fe80::", 10, "ipv6");

const known = new Map<string, boolean>();

/** `host`: the provider's host name or address, without brackets. A name other than localhost is not looked up. */
export function mayPropagate(mode: "auto" | "always" | "never", host: string): boolean {
  if (mode !== "auto") return mode === "always";
  let answer = known.get(host);
  if (answer === undefined) {
    const family = isIP(host);
    answer =
      family === 0
        ? host === "localhost" || host.endsWith(".localhost")
        : privateRanges.check(host, family === 6 ? "ipv6" : "ipv4");
    // Hosts come from the operator's documents alone, so there are few.
    known.set(host, answer);
  }
  return answer;
}
