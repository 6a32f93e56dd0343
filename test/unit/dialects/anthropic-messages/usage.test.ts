// Usage arithmetic: the cache is added to the input, nothing else is.
import { describe, expect, it } from "vitest";

import { decodeUsage } from "../../../../src/dialects/anthropic-messages/usage.ts";

const counts = (raw: Record<string, unknown>) => {
  const { raw: kept, ...usage } = decodeUsage(raw);
  expect(kept).toBe(raw);
  return usage;
};

describe("decoding usage", () => {
  it("adds cache writes to the input once (BerriAI/litellm#9812)", () => {
    expect(counts({ input_tokens: 6, cache_creation_input_tokens: 159_217 })).toEqual({
      inputTokens: 159_223,
      cacheWriteTokens: 159_217,
    });
  });

  it("reads every count and both lifetimes of cache writes", () => {
    expect(
      counts({
        input_tokens: 1,
        cache_creation_input_tokens: 30,
        cache_read_input_tokens: 400,
        cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 },
        output_tokens: 50,
        output_tokens_details: { thinking_tokens: 40 },
        server_tool_use: { web_search_requests: 2, web_fetch_requests: 1 },
      }),
    ).toEqual({
      inputTokens: 431,
      outputTokens: 50,
      cacheReadTokens: 400,
      cacheWriteTokens: 30,
      cacheWrite5mTokens: 10,
      cacheWrite1hTokens: 20,
      reasoningTokens: 40,
      webSearchRequests: 2,
    });
  });

  it("adds up the lifetimes where the sum is not stated", () => {
    expect(counts({ input_tokens: 1, cache_creation: { ephemeral_1h_input_tokens: 20 } })).toEqual({
      inputTokens: 21,
      cacheWriteTokens: 20,
      cacheWrite1hTokens: 20,
    });
  });

  it("reports the top level as stated, and compaction, which it leaves out, apart", () => {
    const iterations = [
      { type: "compaction", input_tokens: 180_000, output_tokens: 3_500 },
      { type: "message", input_tokens: 23_000, output_tokens: 1_000 },
    ];
    expect(counts({ input_tokens: 23_000, output_tokens: 1_000, iterations })).toEqual({
      inputTokens: 23_000,
      outputTokens: 1_000,
      compaction: { inputTokens: 180_000, outputTokens: 3_500 },
    });
    const again = [
      ...iterations,
      { type: "compaction", input_tokens: 5, cache_read_input_tokens: 7, output_tokens: 1 },
    ];
    expect(counts({ input_tokens: 23_000, output_tokens: 1_000, iterations: again })).toMatchObject({
      compaction: { inputTokens: 180_012, cacheReadTokens: 7, outputTokens: 3_501 },
    });
    expect(counts({ input_tokens: 1, output_tokens: 1, iterations: [iterations[1]] })).not.toHaveProperty("compaction");
  });

  it("tells 0 from absent, and takes nothing that is no count", () => {
    expect(counts({ input_tokens: 0, cache_read_input_tokens: null, output_tokens: 1.5 })).toEqual({ inputTokens: 0 });
    expect(counts({ input_tokens: -1, output_tokens: "3", cache_creation: [], server_tool_use: null })).toEqual({});
  });

  it("gives no input total from the cache alone", () => {
    expect(counts({ cache_read_input_tokens: 5, output_tokens: 1 })).toEqual({ cacheReadTokens: 5, outputTokens: 1 });
  });
});
