// Room cli: where telemetry goes, as the standard OTEL_* variables say; for the banner and for `doctor`.
// Source: OpenTelemetry specification, "OpenTelemetry Protocol Exporter" (read 2026-11-21).

import type { Environment } from "./option-environment.ts";

export const signals = ["traces", "metrics", "logs"] as const;

/** One OTLP endpoint. `url` may carry credentials: print `shown`. */
export interface CollectorEndpoint {
  signal: (typeof signals)[number];
  url: string;
  shown: string;
  headers: Record<string, string>;
  protocol: string;
}

/** The endpoints that are exported to; empty when all exporters are off. */
export function readCollectorEndpoints(environment: Environment): CollectorEndpoint[] {
  if (environment["OTEL_SDK_DISABLED"]?.toLowerCase() === "true") return [];
  return signals.flatMap((signal) => {
    const upper = signal.toUpperCase();
    const exporters = (environment[`OTEL_${upper}_EXPORTER`] || "otlp").split(",").map((name) => name.trim());
    if (!exporters.includes("otlp")) return [];
    const base = environment["OTEL_EXPORTER_OTLP_ENDPOINT"] || "http://localhost:4318";
    const url = environment[`OTEL_EXPORTER_OTLP_${upper}_ENDPOINT`] || `${base.replace(/\/+$/, "")}/v1/${signal}`;
    const headers = {
      ...parseHeaders(environment["OTEL_EXPORTER_OTLP_HEADERS"]),
      ...parseHeaders(environment[`OTEL_EXPORTER_OTLP_${upper}_HEADERS`]),
    };
    const protocol =
      environment[`OTEL_EXPORTER_OTLP_${upper}_PROTOCOL`] ||
      environment["OTEL_EXPORTER_OTLP_PROTOCOL"] ||
      "http/protobuf";
    return { signal, url, shown: withoutCredentials(url), headers, protocol };
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

function parseHeaders(text: string | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const member of (text ?? "").split(",")) {
    const cut = member.indexOf("=");
    if (cut <= 0) continue;
    headers[decode(member.slice(0, cut).trim())] = decode(member.slice(cut + 1).trim());
  }
  return headers;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^/]*@/, "//[redacted]@").replace(/\?.*$/, "?…");
}
