// Room dialects, bedrock-invoke: counts wherever they stand: in a prompt family's body, in a stream's metrics, in headers.
// Invariant: counts are the provider's own; input includes the cache, which Amazon states apart.

import type { Usage } from "../../canonical/index.ts";
import { readCount, sumCounts } from "../bedrock-converse/usage.ts";
import type { HeaderLookup } from "../dialect.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { metricsKey } from "./schema.ts";

const inputHeader = "x-amzn-bedrock-input-token-count";
const outputHeader = "x-amzn-bedrock-output-token-count";
const cacheReadHeader = "x-amzn-bedrock-cache-read-input-token-count";
const cacheWriteHeader = "x-amzn-bedrock-cache-write-input-token-count";

/**
 * Reads `x-amzn-bedrock-{input,output,cache-read-input,cache-write-input}-token-count`. Input leaves the cache out
 * (recorded: 3 beside a read of 9511 and a write of 1956). `raw` holds the headers that were there.
 */
export function decodeUsageHeaders(header: HeaderLookup): Usage | undefined {
  const raw: JsonObject = {};
  const input = takeHeader(header, inputHeader, raw);
  const output = takeHeader(header, outputHeader, raw);
  const cacheRead = takeHeader(header, cacheReadHeader, raw);
  const cacheWrite = takeHeader(header, cacheWriteHeader, raw);
  const isStated = (input ?? output ?? cacheRead ?? cacheWrite) !== undefined;
  return isStated ? sumCounts({ input, output, cacheRead, cacheWrite }, raw) : undefined;
}

function takeHeader(header: HeaderLookup, name: string, raw: JsonObject): number | undefined {
  const value = header(name);
  if (value === undefined || !/^\d{1,15}$/.test(value)) return undefined;
  const count = Number(value);
  raw[name] = count;
  return count;
}

/** The usage of a stream: the family's own, or else the metrics; `raw` has the metrics beside the family's counts. */
export function addMetrics(usage: Usage | undefined, metrics: JsonObject | undefined): Usage | undefined {
  if (metrics === undefined) return usage;
  const raw = { ...usage?.raw, [metricsKey]: metrics };
  if (usage !== undefined) return { ...usage, raw };
  return sumCounts(
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
  let counts: JsonObject | undefined;
  for (const key of countKeys) if (readCount(body[key]) !== undefined) (counts ??= {})[key] = body[key];
  const { results, meta } = body;
  let total: number | undefined;
  for (const result of Array.isArray(results) ? (results as unknown[]) : []) {
    const count = isJsonObject(result) ? readCount(result["tokenCount"]) : undefined;
    if (count !== undefined) total = (total ?? 0) + count;
  }
  if (total !== undefined) (counts ??= {})["tokenCount"] = total;
  if (isJsonObject(meta)) {
    for (const key of ["tokens", "billed_units"]) if (isJsonObject(meta[key])) (counts ??= {})[key] = meta[key];
  }
  return counts;
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
  return sumCounts({ input: readCount(input), output: readCount(output) }, raw);
}
