// Golden: our counts of every row of the usage oracle that is Google's own usage, against the oracle's counts.
import { describe, expect, it } from "vitest";

import type { Usage } from "../../src/canonical/index.ts";
import { geminiGenerateContent } from "../../src/dialects/gemini-generate-content/index.ts";
import { loadOracle } from "../support/usage-oracle.ts";

/** The oracle leaves out what is 0. */
const fields = {
  input_tokens: "inputTokens",
  output_tokens: "outputTokens",
  output_reasoning_tokens: "reasoningTokens",
  cache_read_tokens: "cacheReadTokens",
  input_image_tokens: "inputImageTokens",
  input_audio_tokens: "inputAudioTokens",
  input_video_tokens: "inputVideoTokens",
  cache_audio_read_tokens: "cacheReadAudioTokens",
  cache_text_read_tokens: "cacheReadTextTokens",
  output_text_tokens: "outputTextTokens",
  input_text_tokens: "inputTextTokens",
  cache_image_read_tokens: "cacheReadImageTokens",
  output_image_tokens: "outputImageTokens",
} satisfies Record<string, keyof Usage>;

describe("the usage oracle", () => {
  it("gives the counts that we decode, row by row", () => {
    const records = loadOracle();
    const operation = geminiGenerateContent.match("POST", "/v1beta/models/m:generateContent");
    if (operation === undefined) throw new Error("no such call");

    let compared = 0;
    let withThoughts = 0;
    const different: string[] = [];
    for (const { id, body, extracted } of records) {
      for (const { usage, extractors } of extracted) {
        if (!extractors.some((e) => e.provider_id === "google" && e.api_flavor === "default")) continue;
        const ours = geminiGenerateContent.decodeResponse(body, operation).usage;
        // The oracle does not read the name that embeddings give the split of the prompt.
        const readsSplit = !JSON.stringify(body).includes('"promptTokenDetails"');
        for (const [name, field] of Object.entries(fields)) {
          if (name === "input_text_tokens" && !readsSplit) continue;
          if ((ours?.[field] ?? 0) !== (usage[name] ?? 0)) {
            different.push(`${id} ${name}: ${ours?.[field]} is not ${usage[name]}`);
          }
        }
        compared++;
        if ("output_reasoning_tokens" in usage) withThoughts++;
      }
    }
    console.log(`${compared} rows compared`);
    expect(different).toEqual([]);
    expect(compared).toBeGreaterThan(0);
    expect(withThoughts).toBeGreaterThan(0);
  });
});
