// Room telemetry: what the bundle has in place of the exporters and propagators that NodeSDK imports and Outrider never uses
// (gRPC with protobufjs, Zipkin, Prometheus, B3): rolldown.config aliases their packages to this file, which saves 0.9 MB and half of
// the start-up time. Invariant: nothing here is ever constructed, because every exporter, reader and propagator is given explicitly.

function Absent(): never {
  throw new Error("this exporter is not part of Outrider");
}

/** Stands for the gRPC trace exporter. */
export const OTLPTraceExporter = Absent;
/** Stands for the gRPC metric exporter. */
export const OTLPMetricExporter = Absent;
/** Stands for the gRPC log exporter. */
export const OTLPLogExporter = Absent;
/** Stands for the Zipkin exporter. */
export const ZipkinExporter = Absent;
/** Stands for the Prometheus exporter; Outrider writes its own exposition. */
export const PrometheusExporter = Absent;
/** Stands for the B3 propagator. */
export const B3Propagator = Absent;
/** Stands for the B3 propagator's header forms. */
export const B3InjectEncoding = { SINGLE_HEADER: 0, MULTI_HEADER: 1 } as const;
