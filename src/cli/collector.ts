// Room cli: where telemetry goes, for the banner, the log and `doctor`.
// Invariant: what telemetry itself uses, not what the variables ask for.

import { readDestinations } from "../telemetry/index.ts";
import type { Environment } from "./option-environment.ts";

const signals = ["traces", "metrics", "logs"] as const;

/** One OTLP endpoint. `url` may carry credentials: print `shown`. */
export interface CollectorEndpoint {
  signal: (typeof signals)[number];
  url: string;
  shown: string;
  headers: Record<string, string>;
  protocol: string;
}

/** The endpoints that are really exported to, whatever was asked for; empty when all exporters are off. */
export function readCollectorEndpoints(environment: Environment): CollectorEndpoint[] {
  const destinations = readDestinations(environment);
  return signals.flatMap((signal) => {
    const { exporter, url, headers, protocol } = destinations[signal];
    return exporter === "otlp" ? [{ signal, url, shown: withoutCredentials(url), headers, protocol }] : [];
  });
}

/** One line for people: the common base where there is one. */
export function describeCollector(environment: Environment): string {
  const endpoints = readCollectorEndpoints(environment);
  const [first] = endpoints;
  if (first === undefined) return "not exported (see /metrics on the admin port)";
  const bases = new Set(endpoints.map(({ shown, signal }) => shown.replace(new RegExp(`/v1/${signal}$`), "")));
  const where = bases.size === 1 ? [...bases] : endpoints.map(({ signal, shown }) => `${signal} ${shown}`);
  const missing = signals.filter((signal) => !endpoints.some((endpoint) => endpoint.signal === signal));
  return `${where.join(", ")} (${first.protocol})${missing.length === 0 ? "" : `, without ${missing.join(" and ")}`}`;
}

function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^/]*@/, "//[redacted]@").replace(/\?.*$/, "?…");
}
