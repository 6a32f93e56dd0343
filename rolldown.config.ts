// Bundles the program into one ESM file, dist/outrider.mjs.
import { fileURLToPath } from "node:url";
import { defineConfig } from "rolldown";

/** What sdk-node imports and Outrider never uses: gRPC alone would be a third of the bundle and of the start-up memory. */
const neverUsed = [
  "@opentelemetry/exporter-trace-otlp-grpc",
  "@opentelemetry/exporter-metrics-otlp-grpc",
  "@opentelemetry/exporter-logs-otlp-grpc",
  "@opentelemetry/exporter-zipkin",
  "@opentelemetry/exporter-prometheus",
  "@opentelemetry/propagator-b3",
];
const absent = fileURLToPath(new URL("src/telemetry/absent-exporters.ts", import.meta.url));

export default defineConfig({
  input: "src/main.ts",
  platform: "node",
  resolve: { alias: Object.fromEntries(neverUsed.map((name) => [name, absent])) },
  output: {
    file: "dist/outrider.mjs",
    format: "esm",
    codeSplitting: false,
    minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } },
    banner: "#!/usr/bin/env node",
  },
});
