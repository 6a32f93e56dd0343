// The real components of test/real. Each start function installs its component if need be (scripts/components.mjs), takes free
// loopback ports and resolves once it answers. Start Jaeger and Prometheus before the collector that sends to them.
export type { RunningComponent } from "./components/child.ts";
export { startCollector } from "./components/collector.ts";
export type { Collector, CollectorOptions } from "./components/collector.ts";
export { startJaeger } from "./components/jaeger.ts";
export type { Jaeger } from "./components/jaeger.ts";
export { startModel } from "./components/model.ts";
export type { Model } from "./components/model.ts";
export { startPrometheus } from "./components/prometheus.ts";
export type { Prometheus } from "./components/prometheus.ts";
export { startRedis } from "./components/redis.ts";
export type { Redis } from "./components/redis.ts";
