// Room proxy: whether media may be fetched from an address that a client wrote, and which IP addresses may be dialled for it.
// Invariant: one parser reads the address, here; what it read is what is dialled, and no address that was not checked is.

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Options } from "../options.ts";
import { kindOfAddress } from "./address-kind.ts";

/** The options that say whether and how media is fetched. */
export type MediaFetchSettings = Options["media"]["fetch"];

/** An IP address of a host. */
export interface HostAddress {
  address: string;
  family: number;
}

/** Every IP address of a name. Rejects where there is none. */
export type ResolveHost = (name: string) => Promise<HostAddress[]>;

/** Resolves as the machine does, its hosts file included. */
export const resolveHost: ResolveHost = (name) => lookup(name, { all: true });

/** Why something is not fetched: half a sentence for people, without any part of the address. */
export interface MediaRefusal {
  type: "refused";
  reason: string;
}

/** May be fetched, by dialling one of `addresses`. */
export interface ApprovedAddress {
  type: "approved";
  url: URL;
  addresses: HostAddress[];
}

/** A refusal with this reason. */
export function refuseMedia(reason: string): MediaRefusal {
  return { type: "refused", reason };
}

/** Decides on an address of a client's by the options, then by the addresses that its host has now. Never rejects. */
export async function approveAddress(
  uri: string,
  { hosts, privateHosts }: Pick<MediaFetchSettings, "hosts" | "privateHosts">,
  resolve: ResolveHost,
): Promise<ApprovedAddress | MediaRefusal> {
  const url = URL.parse(uri);
  if (url === null || !/^https?:$/.test(url.protocol)) return refuseMedia("it is no web address");
  if (url.username !== "" || url.password !== "") return refuseMedia("it holds a user name or a password");
  const isPrivateHost = privateHosts.some((entry) => isListed(url, entry));
  if (!isPrivateHost && !hosts.some((entry) => isListed(url, entry))) {
    return refuseMedia("media.fetch.hosts does not list its host, scheme and port");
  }
  const addresses = await findAddresses(url.hostname, resolve);
  if (addresses.length === 0) return refuseMedia("its host's name could not be resolved");
  // One bad address among good ones is no accident.
  const isAllowed = addresses.every(({ address }) => {
    const kind = kindOfAddress(address);
    return kind === "public" || (isPrivateHost && kind === "private");
  });
  if (!isAllowed)
    return refuseMedia("its host is not on the public Internet, and media.fetch.privateHosts does not list it");
  return { type: "approved", url, addresses };
}

/** An entry as the options' schema lets it pass: `name`, `name:port`, `*.name`, `*`, or with `http://` before it. */
function isListed(url: URL, entry: string): boolean {
  const listed = new URL(entry.includes("://") ? entry : `https://${entry}`);
  if (url.protocol !== listed.protocol || url.port !== listed.port) return false;
  const { hostname } = listed;
  if (hostname === "*") return true;
  return hostname.startsWith("*.") ? url.hostname.endsWith(hostname.slice(1)) : url.hostname === hostname;
}

async function findAddresses(hostname: string, resolve: ResolveHost): Promise<HostAddress[]> {
  const address = hostname.replace(/^\[(.*)\]$/, "$1");
  const family = isIP(address);
  if (family !== 0) return [{ address, family }];
  try {
    return await resolve(hostname);
  } catch {
    return [];
  }
}
