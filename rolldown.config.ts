// Bundles the program into one ESM file, dist/outrider.mjs; beside it AWS's libraries, dist/outrider-aws.mjs, and the thread that
// parses large policies, dist/outrider-policy.mjs.
import http from "node:http";
import https from "node:https";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { runInNewContext } from "node:vm";
import { defineConfig, type Plugin } from "rolldown";

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

/**
 * An ES import of node:http reads every export, and one of them is a getter that loads the whole of Node's own undici, which Outrider
 * never uses: a tenth of the start-up time and 5 MB. So imports get the module by a call that reads nothing.
 */
const bareHttp: Plugin = {
  name: "bare-http",
  resolveId: (id, _importer, { kind }) =>
    kind === "import-statement" && /^(?:node:)?https?$/.test(id) ? `\0bare:${id.replace("node:", "")}` : undefined,
  load(id) {
    if (!id.startsWith("\0bare:")) return undefined;
    const name = id.slice("\0bare:".length);
    const exported = Object.entries(Object.getOwnPropertyDescriptors(name === "http" ? http : https))
      .filter(([, property]) => !("get" in property))
      .map(([key]) => `export const ${key} = builtin.${key};`);
    return `const builtin = process.getBuiltinModule("node:${name}");\nexport default builtin;\n${exported.join("\n")}`;
  },
};

/** One character above U+00FF makes V8 keep the whole source in two bytes a character; every one here stands in a text or a comment. */
const asciiOnly: Plugin = {
  name: "ascii-only",
  generateBundle(_options, bundle) {
    for (const file of Object.values(bundle)) {
      if (file.type !== "chunk") continue;
      file.code = file.code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
    }
  },
};

/**
 * The price catalogue is one array literal of 0.8 MB. As JSON text it says the same and costs 4 MB less memory at start, because V8
 * builds no syntax tree of it.
 */
const pricesAsJson: Plugin = {
  name: "prices-as-json",
  transform(code, id) {
    if (!id.includes("@pydantic/genai-prices/")) return undefined;
    const literal = findLiteral(this.parse(code), 100_000);
    if (literal === undefined) throw new Error("the price catalogue is not the literal that this plugin expects");
    const value: unknown = runInNewContext(`(${code.slice(literal.start, literal.end)})`);
    const json = JSON.stringify(value);
    // A date or a regular expression in a later version would not survive.
    if (!isDeepStrictEqual(JSON.parse(json), structuredClone(value))) throw new Error("the price catalogue is no JSON");
    return `${code.slice(0, literal.start)}JSON.parse(${JSON.stringify(json)})${code.slice(literal.end)}`;
  },
};

/** The first array or object literal of at least `minLength` characters. */
function findLiteral(node: unknown, minLength: number): { start: number; end: number } | undefined {
  if (typeof node !== "object" || node === null) return undefined;
  const { type, start, end } = node as { type?: string; start?: number; end?: number };
  if (start !== undefined && end !== undefined) {
    if (end - start < minLength) return undefined;
    if (type === "ArrayExpression" || type === "ObjectExpression") return { start, end };
  }
  for (const child of Object.values(node)) {
    const found = findLiteral(child, minLength);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** AWS's libraries are a file of their own beside the main one, because a fifth of the start-up memory would be theirs. */
const apart: Plugin = {
  name: "apart",
  resolveId: (id, _importer, { kind }) =>
    kind === "dynamic-import" && id.endsWith("/aws-library.ts")
      ? { id: "./outrider-aws.mjs", external: "relative" }
      : undefined,
};

const shared = {
  platform: "node",
  resolve: { alias: Object.fromEntries(neverUsed.map((name) => [name, absent])) },
} as const;

const output = {
  format: "esm",
  codeSplitting: false,
  minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } },
} as const;

export default defineConfig([
  {
    ...shared,
    input: "src/main.ts",
    plugins: [bareHttp, pricesAsJson, apart, asciiOnly],
    output: { ...output, file: "dist/outrider.mjs", banner: "#!/usr/bin/env node" },
  },
  {
    ...shared,
    input: "src/policy/parse-thread.ts",
    plugins: [asciiOnly],
    output: { ...output, file: "dist/outrider-policy.mjs" },
  },
  {
    ...shared,
    input: "src/providers/auth/aws-library.ts",
    plugins: [bareHttp, asciiOnly],
    output: { ...output, file: "dist/outrider-aws.mjs" },
  },
]);
