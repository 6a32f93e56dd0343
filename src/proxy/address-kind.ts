// Room proxy: whose network an IP address belongs to, by the registries of special addresses (RFC 6890 and IANA's, read 2026-11-21).
// Invariant: what no rule knows is `reserved`: an address is public only where that is certain.

import { BlockList, isIP } from "node:net";

/**
 * `private`: loopback and the operator's own networks. `link_local`: this very link, where cloud machines find their metadata.
 * `reserved`: everything else that is not on the public Internet (multicast, documentation, tunnels, other metadata services).
 */
export type AddressKind = "public" | "private" | "link_local" | "reserved";

const privateRanges = listRanges([
  "127.0.0.0/8",
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  // Shared by a carrier, or by a cluster (RFC 6598).
  "100.64.0.0/10",
  "::1/128",
  "fc00::/7",
]);

const linkLocalRanges = listRanges(["169.254.0.0/16", "fe80::/10"]);

const reservedRanges = listRanges([
  "0.0.0.0/8",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
  // Metadata and agents of Azure, Alibaba, AWS and Google, outside the link-local range.
  "168.63.129.16/32",
  "100.100.100.200/32",
  "fd00:ec2::254/128",
  "fd20:ce::254/128",
  // Teredo and other protocols' own, documentation, 6to4.
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "3fff::/20",
]);

/** All that IPv6 has handed out to networks (RFC 4291 §2.4). */
const globalRange = listRanges(["2000::/3"]);

function listRanges(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [network = "", bits] = range.split("/");
    list.addSubnet(network, Number(bits), network.includes(":") ? "ipv6" : "ipv4");
  }
  return list;
}

/** The kind of an address as `node:dns` or a parsed URL writes it, without brackets; `reserved` for what is no address. */
export function kindOfAddress(address: string): AddressKind {
  const family = isIP(address);
  if (family === 0) return "reserved";
  if (family === 4) return kindIn(address, "ipv4");
  const [bare = ""] = address.split("%");
  const inner = readInnerAddress(bare);
  if (inner !== undefined) return kindIn(inner, "ipv4");
  const kind = kindIn(bare, "ipv6");
  return kind === "public" && !globalRange.check(bare, "ipv6") ? "reserved" : kind;
}

function kindIn(address: string, family: "ipv4" | "ipv6"): AddressKind {
  if (reservedRanges.check(address, family)) return "reserved";
  if (linkLocalRanges.check(address, family)) return "link_local";
  return privateRanges.check(address, family) ? "private" : "public";
}

/** The IPv4 address that an IPv6 one leads to: IPv4-mapped, or through NAT64's well-known prefix (RFC 6052). */
function readInnerAddress(address: string): string | undefined {
  // The parser of URLs writes every spelling in one way.
  const { hostname } = new URL(`http://[${address}]/`);
  const match = /^\[(?:::ffff:|64:ff9b::)([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(hostname);
  if (match === null) return undefined;
  const numbers = match.slice(1).map((group) => Number.parseInt(group, 16));
  return numbers.flatMap((number) => [number >> 8, number & 255]).join(".");
}
