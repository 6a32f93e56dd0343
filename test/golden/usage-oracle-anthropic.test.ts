// Golden: our counts of every row of the usage oracle that genai-prices reads as Anthropic's, against the oracle's counts.
// Its rows include usage of other APIs that happen to have the same field names; the counts agree on them too.
import { describe, expect, it } from "vitest";

import type { Usage } from "../../src/canonical/index.ts";
import { anthropicMessages } from "../../src/dialects/anthropic-messages/index.ts";
import { loadOracle } from "../support/usage-oracle.ts";

/** The oracle leaves out what is 0. */
const fields = {
  input_tokens: "inputTokens",
  output_tokens: "outputTokens",
  cache_read_tokens: "cacheReadTokens",
  cache_write_tokens: "cacheWriteTokens",
  cache_write_5m_tokens: "cacheWrite5mTokens",
  cache_write_1h_tokens: "cacheWrite1hTokens",
  web_searches: "webSearchRequests",
} satisfies Record<string, keyof Usage>;

describe("the usage oracle", () => {
  it("gives the counts that we decode, row by row", () => {
    const records = loadOracle();
    const operation = anthropicMessages.match("POST", "/v1/messages");
    if (operation === undefined) throw new Error("no such call");

    let compared = 0;
    let withCache = 0;
    const different: string[] = [];
    for (const { id, body, extracted } of records) {
      for (const { usage, extractors } of extracted) {
        if (!extractors.some((e) => e.provider_id === "anthropic" && e.api_flavor === "default")) continue;
        const ours = anthropicMessages.decodeResponse(body, operation).usage;
        const counts = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, ours?.[field] ?? 0]));
        const theirs = Object.fromEntries(Object.keys(fields).map((name) => [name, usage[name] ?? 0]));
        if (JSON.stringify(counts) !== JSON.stringify(theirs)) different.push(id);
        compared++;
        if ("cache_read_tokens" in usage || "cache_write_tokens" in usage) withCache++;
      }
    }
    expect(different).toEqual([]);
    expect(compared).toBeGreaterThan(0);
    expect(withCache).toBeGreaterThan(0);
  });
});
