// Room dialects, bedrock-invoke: counts wherever they stand: in a prompt family's body, in a stream's metrics, in headers.
// Invariant: counts are the provider's own; input includes the cache, which Amazon states apart.

import type { Usage } from "../../canonical/index.ts";
import { readCount } from "../bedrock-converse/usage.ts";
import type { HeaderLookup } from "../dialect.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { metricsKey, optional } from "./schema.ts";

const headerPrefix = "x-amzn-bedrock-";
const headerNames = ["input", "output", "cache-read-input", "cache-write-input"] as const;

/**
 * Reads `x-amzn-bedrock-{input,output,cache-read-input,cache-write-input}-token-count`. Input leaves the cache out
 * (recorded: 3 beside a read of 9511 and a write of 1956). `raw` holds the headers that were there.
 */
export function decodeUsageHeaders(header: HeaderLookup): Usage | undefined {
  const raw: JsonObject = {};
  const [input, output, cacheRead, cacheWrite] = headerNames.map((name) => {
    const full = `${headerPrefix}${name}-token-count`;
    const value = header(full);
    if (value === undefined || !/^\d{1,15}$/.test(value)) return undefined;
    const count = Number(value);
    raw[full] = count;
    return count;
  });
  return Object.keys(raw).length === 0 ? undefined : sum({ input, output, cacheRead, cacheWrite }, raw);
}

/** The usage of a stream: the family's own, or else the metrics; `raw` has the metrics beside the family's counts. */
export function addMetrics(usage: Usage | undefined, metrics: JsonObject | undefined): Usage | undefined {
  if (metrics === undefined) return usage;
  const raw = { ...usage?.raw, [metricsKey]: metrics };
  if (usage !== undefined) return { ...usage, raw };
  return sum(
    {
      input: readCount(metrics["inputTokenCount"]),
      output: readCount(metrics["outputTokenCount"]),
      cacheRead: readCount(metrics["cacheReadInputTokenCount"]),
      cacheWrite: readCount(metrics["cacheWriteInputTokenCount"]),
    },
    raw,
  );
}

const countKeys = [
  "inputTextTokenCount",
  "totalOutputTextTokenCount",
  "prompt_token_count",
  "generation_token_count",
] as const;

/**
 * The counts that a prompt family writes among its other members; undefined where it writes none. Titan: of the input and,
 * per result (`tokenCount`) or for the whole stream, of the output. Llama: both, the output's growing. Command R: in `meta`.
 */
export function collectCounts(body: JsonObject): JsonObject | undefined {
  const counts: JsonObject = {};
  for (const key of countKeys) if (readCount(body[key]) !== undefined) counts[key] = body[key];
  const { results, meta } = body;
  const perResult = Array.isArray(results)
    ? (results as unknown[]).map((result) => (isJsonObject(result) ? readCount(result["tokenCount"]) : undefined))
    : [];
  const stated = perResult.filter((count) => count !== undefined);
  if (stated.length > 0) counts["tokenCount"] = stated.reduce((total, count) => total + count, 0);
  for (const key of ["tokens", "billed_units"]) {
    if (isJsonObject(meta) && isJsonObject(meta[key])) counts[key] = meta[key];
  }
  return Object.keys(counts).length === 0 ? undefined : counts;
}

/**
 * Counts that `collectCounts` gave, those of a stream merged. Of Command R's two pairs the billed one is Amazon's own count
 * (recorded: 5 billed and 5 in the metrics, beside 71 tokens).
 */
export function decodeCounts(raw: JsonObject): Usage {
  const cohere = isJsonObject(raw["billed_units"]) ? raw["billed_units"] : {};
  const input = raw["inputTextTokenCount"] ?? raw["prompt_token_count"] ?? cohere["input_tokens"];
  const output =
    raw["totalOutputTextTokenCount"] ?? raw["tokenCount"] ?? raw["generation_token_count"] ?? cohere["output_tokens"];
  return sum({ input: readCount(input), output: readCount(output) }, raw);
}

interface Counts {
  input: number | undefined;
  output: number | undefined;
  cacheRead?: number | undefined;
  cacheWrite?: number | undefined;
}

function sum({ input, output, cacheRead, cacheWrite }: Counts, raw: JsonObject): Usage {
  return {
    ...optional("inputTokens", input === undefined ? undefined : input + (cacheRead ?? 0) + (cacheWrite ?? 0)),
    ...optional("outputTokens", output),
    ...optional("cacheReadTokens", cacheRead),
    ...optional("cacheWriteTokens", cacheWrite),
    raw,
  };
}
