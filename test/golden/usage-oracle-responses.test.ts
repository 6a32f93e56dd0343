// Usage of the Responses API against an independent reading: pydantic/genai-prices' own extractors over real bodies.
import { describe, expect, it } from "vitest";
import type { Usage } from "../../src/canonical/index.ts";
import { openaiResponses } from "../../src/dialects/openai-responses/index.ts";
import { loadOracle } from "../support/usage-oracle.ts";

/** Our name of each count that the oracle knows. */
const countNames: Record<string, keyof Usage> = {
  input_tokens: "inputTokens",
  output_tokens: "outputTokens",
  cache_read_tokens: "cacheReadTokens",
  cache_write_tokens: "cacheWriteTokens",
  output_reasoning_tokens: "reasoningTokens",
  web_searches: "webSearchRequests",
};

const records = loadOracle();
const rows = records.flatMap(({ id, body, extracted }) =>
  extracted
    .filter((entry) => entry.extractors.some((extractor) => extractor.api_flavor === "responses"))
    .map(({ usage }) => ({ id, body, usage })),
);

const operation = openaiResponses.match("POST", "/v1/responses");
if (operation === undefined) throw new Error("no operation");

describe("the usage oracle's rows of the Responses API", () => {
  it("are many, and know no count that is not compared", () => {
    expect(rows.length).toBeGreaterThan(100);
    const known = new Set(rows.flatMap(({ usage }) => Object.keys(usage)));
    expect([...known].filter((name) => !(name in countNames))).toEqual([]);
  });

  it.each(rows)("agree on $id", ({ body, usage }) => {
    const decoded = openaiResponses.decodeResponse(body, operation).usage;
    for (const [name, count] of Object.entries(usage)) {
      const own = countNames[name];
      // The oracle says 0 where the wire says nothing.
      expect(own === undefined ? undefined : (decoded?.[own] ?? 0), name).toBe(count);
    }
  });
});
