// Jaeger all-in-one: where traces end up, and the API that tests read them from.
import { ensureComponents } from "../../../scripts/components.mjs";
import { findFreePorts } from "../ports.ts";
import { answersOk, startChild } from "./child.ts";
import type { RunningComponent } from "./child.ts";

export interface Jaeger extends RunningComponent {
  otlpGrpcPort: number;
  otlpHttpUrl: string;
  /** Base URL of the query API: `/api/traces/{traceId}`, `/api/services`. */
  queryUrl: string;
}

/** Listeners that nobody uses, but that would be on fixed ports of every interface. */
const jaegerUnusedFlags = [
  "query.grpc-server.host-port",
  "collector.http-server.host-port",
  "collector.grpc-server.host-port",
  "http-server.host-port",
  "processor.jaeger-binary.server-host-port",
  "processor.jaeger-compact.server-host-port",
  "processor.zipkin-compact.server-host-port",
];

/** Starts Jaeger with its store in memory; every port it opens is on loopback, the agent's UDP ones included. */
export async function startJaeger(): Promise<Jaeger> {
  const { jaeger } = (await ensureComponents(["jaeger"])).jaeger;
  const flags = [
    "collector.otlp.grpc.host-port",
    "collector.otlp.http.host-port",
    "query.http-server.host-port",
    "admin.http.host-port",
    ...jaegerUnusedFlags,
  ];
  const ports = await findFreePorts(flags.length);
  const [otlpGrpc, otlpHttp, query, admin] = ports as [number, number, number, number];
  const child = await startChild({
    name: "jaeger",
    command: jaeger,
    args: flags.map((flag, index) => `--${flag}=127.0.0.1:${ports[index]}`),
    env: {
      COLLECTOR_OTLP_ENABLED: "true",
      OTEL_TRACES_SAMPLER: "always_off", // or it sends traces of itself to port 4317, and waits for that when it ends
    },
    isReady: () => answersOk(`http://127.0.0.1:${admin}/`),
  });
  return {
    ...child,
    otlpGrpcPort: otlpGrpc,
    otlpHttpUrl: `http://127.0.0.1:${otlpHttp}`,
    queryUrl: `http://127.0.0.1:${query}`,
  };
}
