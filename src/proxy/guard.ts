// Room proxy: what is refused before anything of the request is looked at: foreign hosts, browsers' cross-origin calls, framing tricks.
// Invariant: reliability.md §3, S1 and S5. A web page must not be able to spend this machine's credentials.

import { SidecarError } from "../errors.ts";
import type { Inbound } from "./wire.ts";

const maxHeaderCount = 200;
/** Host names that mean this machine, as they stand in a Host header. */
export const loopbackHosts = ["localhost", "127.0.0.1", "[::1]"];

export type Guard = (inbound: Inbound) => void;

/** Builds the check. `hosts`: further names the data port answers to. It throws origin_refused, host_refused, request_malformed, headers_too_large, method_not_allowed. */
export function createGuard(hosts: readonly string[]): Guard {
  const allowed = new Set([...loopbackHosts, ...hosts].map((host) => host.toLowerCase()));
  return (inbound) => {
    const { rawHeaders, method } = inbound;
    if (rawHeaders.length > maxHeaderCount * 2) {
      throw new SidecarError("headers_too_large", `more than ${maxHeaderCount} headers`);
    }
    if (method === "TRACE" || method === "TRACK") {
      throw new SidecarError("method_not_allowed", `${method} is not served`);
    }
    let hostCount = 0;
    for (let index = 0; index < rawHeaders.length; index += 2) {
      const name = (rawHeaders[index] as string).toLowerCase();
      const value = rawHeaders[index + 1] as string;
      if (name === "host") {
        hostCount += 1;
        if (!allowed.has(hostName(value))) {
          throw new SidecarError("host_refused", "the Host header names another host; see the option `hosts`");
        }
      } else if (name === "origin") {
        throw new SidecarError("origin_refused", "requests from web pages are refused");
      } else if (name === "sec-fetch-site" && value !== "none") {
        throw new SidecarError("origin_refused", "requests from web pages are refused");
      } else if (name === "transfer-encoding") {
        if (value.trim().toLowerCase() !== "chunked" || inbound.protocolVersion === "1.0") {
          throw new SidecarError("request_malformed", "transfer-encoding: expected chunked, on HTTP/1.1");
        }
      }
    }
    // On HTTP/1.1 the parser asks for one.
    if (hostCount === 0 && inbound.protocolVersion === "2") {
      throw new SidecarError("request_malformed", "neither :authority nor a Host header");
    }
    if (hostCount > 1) throw new SidecarError("request_malformed", "more than one Host header");
    if (!inbound.target.startsWith("/")) {
      throw new SidecarError("host_refused", "the request target must be a path, not a URL");
    }
  };
}

/** A Host header's name without its port, in lower case; IPv6 keeps its brackets. */
export function hostName(value: string): string {
  return value
    .trim()
    .toLowerCase()
    .replace(/:\d{0,5}$/, "");
}
