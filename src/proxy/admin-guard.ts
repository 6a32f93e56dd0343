// Room proxy: who may read the admin port. Invariant: a web page of another origin, also one that rebinds its name to
// this machine, reads nothing (reliability.md §3 S5, S10); the three probe paths answer to any Host, since a kubelet calls them by IP.

import type { IncomingMessage } from "node:http";
import { SidecarError } from "../errors.ts";
import { hostName, loopbackHosts } from "./guard.ts";

/** Paths that any Host may name: they reveal only whether the process lives and is ready. */
const probePaths: ReadonlySet<string> = new Set(["/livez", "/readyz", "/startupz"]);

/** Builds the check. `hosts`: further Host names. It throws request_malformed, host_refused, origin_refused. */
export function createAdminGuard(hosts: readonly string[]): (request: IncomingMessage, path: string) => void {
  const allowed = new Set([...loopbackHosts, ...hosts].map((host) => host.toLowerCase()));
  return (request, path) => {
    const { origin } = request.headers;
    const host = onlyHost(request);
    if (request.url?.startsWith("/") !== true) {
      throw new SidecarError("host_refused", "the request target must be a path, not a URL");
    }
    if (!probePaths.has(path) && !allowed.has(hostName(host))) {
      throw new SidecarError("host_refused", "the Host header names another host; see the option `hosts`");
    }
    if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`) {
      throw new SidecarError("origin_refused", "requests from other web pages are refused");
    }
    const site = request.headers["sec-fetch-site"];
    if (site !== undefined && site !== "none" && site !== "same-origin") {
      throw new SidecarError("origin_refused", "requests from other web pages are refused; type the address instead");
    }
  };
}

function onlyHost(request: IncomingMessage): string {
  const values = request.rawHeaders.filter(
    (_, index) => request.rawHeaders[index - 1]?.toLowerCase() === "host" && index % 2 === 1,
  );
  const [host] = values;
  if (values.length > 1 || host === undefined) {
    throw new SidecarError("request_malformed", "expected exactly one Host header");
  }
  return host.trim();
}
