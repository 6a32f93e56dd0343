// Golden: our counts of every row of the usage oracle that is Bedrock's or Cohere's own usage, against the oracle's counts; and every row
// of the oracle belongs to one of these oracle tests.
import { describe, expect, it } from "vitest";
import type { Usage } from "../../src/canonical/index.ts";
import { matchDialect } from "../../src/dialects/index.ts";
import { loadOracle, type OracleExtractor } from "../support/usage-oracle.ts";

/** The oracle leaves out what is 0. */
const fields = {
  input_tokens: "inputTokens",
  output_tokens: "outputTokens",
  cache_read_tokens: "cacheReadTokens",
  cache_write_tokens: "cacheWriteTokens",
  output_reasoning_tokens: "reasoningTokens",
} satisfies Record<string, keyof Usage>;

const records = loadOracle();

/** DESIGN §3: Cohere is counted by `tokens`, not by what is billed. */
const shapes = [
  { name: "Bedrock", path: "/model/m/converse", provider: "aws", flavor: "default" },
  { name: "Cohere", path: "/v2/chat", provider: "cohere", flavor: "tokens" },
  { name: "Cohere's embeddings", path: "/v2/embed", provider: "cohere", flavor: "embeddings" },
];

describe("the usage oracle", () => {
  it.each(shapes)("gives the counts that we decode, row by row: $name", ({ name, path, provider, flavor }) => {
    const call = matchDialect("POST", path);
    if (call === undefined) throw new Error("no such call");
    const different: string[] = [];
    let compared = 0;
    for (const { id, body, extracted } of records) {
      for (const { usage, extractors } of extracted) {
        if (!extractors.some((each) => each.provider_id === provider && each.api_flavor === flavor)) continue;
        const ours = call.dialect.decodeResponse(body, call.operation).usage;
        for (const [theirs, field] of Object.entries(fields)) {
          if ((ours?.[field] ?? 0) !== (usage[theirs] ?? 0)) {
            different.push(
              `${id} ${theirs}: ${ours?.[field]} is not ${usage[theirs]} ${JSON.stringify(body["usage"])}`,
            );
          }
        }
        compared += 1;
      }
    }
    console.log(`${name}: ${compared} rows compared`);
    expect(different).toEqual([]);
    expect(compared).toBeGreaterThan(0);
  });

  it("has no row that none of our oracle tests covers", () => {
    const covered = ({ provider_id: provider, api_flavor: flavor }: OracleExtractor): boolean =>
      ["chat", "embeddings", "responses", "tokens"].includes(flavor) ||
      (flavor === "default" && ["anthropic", "google", "aws"].includes(provider));
    const missing = records.filter(({ extracted }) => !extracted.some(({ extractors }) => extractors.some(covered)));
    expect(missing.map(({ id }) => id)).toEqual([]);
  });
});
