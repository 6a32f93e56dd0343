// Usage of the OpenAI shape against an independent reading: pydantic/genai-prices' own extractors over real bodies.
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Usage } from "../../src/canonical/index.ts";
import { decodeResponse as decodeEmbeddings } from "../../src/dialects/embeddings/response.ts";
import { decodeResponse as decodeChat } from "../../src/dialects/openai-chat/response.ts";
import { recordingsRoot } from "../support/recordings.ts";

interface OracleRecord {
  id: string;
  body: { model?: string; usage?: Record<string, unknown> };
  extracted: { extractors: { provider_id: string; api_flavor: string }[]; usage: Record<string, number> }[];
}

/** Our name of each count that the oracle knows. */
const countNames: Record<string, keyof Usage> = {
  input_tokens: "inputTokens",
  output_tokens: "outputTokens",
  cache_read_tokens: "cacheReadTokens",
  cache_write_tokens: "cacheWriteTokens",
  cache_write_5m_tokens: "cacheWrite5mTokens",
  output_reasoning_tokens: "reasoningTokens",
  input_text_tokens: "inputTextTokens",
  input_audio_tokens: "inputAudioTokens",
  input_image_tokens: "inputImageTokens",
  output_text_tokens: "outputTextTokens",
  output_audio_tokens: "outputAudioTokens",
  output_image_tokens: "outputImageTokens",
  cache_text_read_tokens: "cacheReadTextTokens",
  cache_audio_read_tokens: "cacheReadAudioTokens",
  cache_image_read_tokens: "cacheReadImageTokens",
  web_searches: "webSearchRequests",
};

const chatByDefault = new Set(["groq", "mistral", "perplexity", "x-ai"]);

const isCovered = ({ provider_id: provider, api_flavor: flavor }: { provider_id: string; api_flavor: string }) =>
  flavor === "chat" || flavor === "embeddings" || (flavor === "default" && chatByDefault.has(provider));

const path = `${recordingsRoot}/usage-oracle.json`;
if (!existsSync(path)) throw new Error(`no usage oracle at ${path}`);
const { records } = JSON.parse(readFileSync(path, "utf8")) as { records: OracleRecord[] };
const covered = records.filter((record) => record.extracted.some((entry) => entry.extractors.some(isCovered)));
/** Cohere's embeddings: the oracle's flavour is called `embeddings` too, but the body has `meta.billed_units`, no `usage`. */
const foreign = covered.filter((record) => record.body.usage === undefined);
const rows = covered.filter((record) => record.body.usage !== undefined);

function decode(body: OracleRecord["body"]): Usage {
  const isEmbeddings =
    body.usage !== undefined && !("completion_tokens" in body.usage) && !("output_tokens" in body.usage);
  return (isEmbeddings ? decodeEmbeddings(body) : decodeChat(body)).usage ?? {};
}

/** Counts that differ; absent and 0 are the same to the oracle. */
function differences(usage: Usage, expected: Record<string, number>): string[] {
  const stated = Object.entries(countNames).flatMap(([name, key]) => (usage[key] === undefined ? [] : [name]));
  const names = new Set([...Object.keys(expected), ...stated]);
  return [...names].filter((name) => {
    const key = countNames[name];
    return (expected[name] ?? 0) !== (key === undefined ? 0 : (usage[key] ?? 0));
  });
}

/** The oracle's reading to hold ours against: OpenAI's own where it takes the shape, else any that is covered. */
function expectedUsages(record: OracleRecord): Record<string, number>[] {
  const entries = record.extracted.filter((entry) => entry.extractors.some(isCovered));
  const openai = entries.filter((entry) =>
    entry.extractors.some(
      ({ provider_id: provider, api_flavor: flavor }) =>
        provider === "openai" && isCovered({ provider_id: provider, api_flavor: flavor }),
    ),
  );
  return (openai.length > 0 ? openai : entries).map((entry) => entry.usage);
}

/** Rows where we say more than the oracle, and why. */
function explain(record: OracleRecord, names: string[]): string | undefined {
  if (names.join() === "cache_read_tokens" && typeof record.body.usage?.["num_cached_tokens"] === "number") {
    return "the oracle does not read Mistral's num_cached_tokens";
  }
  return undefined;
}

describe("usage oracle, OpenAI shape", () => {
  it("agrees on every row that our dialects cover", () => {
    const explained = new Map<string, number>();
    const unexplained: string[] = [];
    let agreed = 0;
    for (const record of rows) {
      const usage = decode(record.body);
      const candidates = expectedUsages(record).map((expected) => differences(usage, expected));
      const [fewest = []] = candidates.toSorted((a, b) => a.length - b.length);
      const reason = explain(record, fewest);
      if (fewest.length === 0) agreed++;
      else if (reason === undefined) unexplained.push(`${record.id}: ${fewest.join(", ")}`);
      else explained.set(reason, (explained.get(reason) ?? 0) + 1);
    }
    console.log(
      `usage oracle: ${rows.length} rows, ${agreed} agree, explained ${JSON.stringify(Object.fromEntries(explained))}, ` +
        `${foreign.length} are Cohere's`,
    );
    expect(unexplained).toEqual([]);
    expect(agreed).toBeGreaterThan(rows.length * 0.9);
  });

  it("leaves out only bodies without a usage object", () => {
    for (const record of foreign) expect(record.body, record.id).toHaveProperty("meta");
  });
});
