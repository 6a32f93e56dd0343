// presets.json: each row has the schema's shape, and the names it uses exist.
import { findProvider } from "@pydantic/genai-prices";
import { describe, expect, it } from "vitest";

import { keyHeaders } from "../../../src/providers/credential-choice.ts";
import { presetSchema } from "../../../src/providers/preset.ts";
import { presets } from "../../../src/providers/presets.ts";

/** `gen_ai.provider.name` of the GenAI conventions, by our id where it is not the id itself. */
const registryNames: Record<string, string> = {
  openai: "openai",
  anthropic: "anthropic",
  "anthropic-openai-compat": "anthropic",
  "gemini-openai-compat": "gcp.gemini",
  "cohere-openai-compat": "cohere",
  mistral: "mistral_ai",
  codestral: "mistral_ai",
  groq: "groq",
  deepseek: "deepseek",
  xai: "x_ai",
  perplexity: "perplexity",
  moonshot: "moonshot_ai",
};

describe("the presets", () => {
  it.each(presets.map((preset) => [preset.id, preset] as const))("%s has the shape of a row", (_, preset) => {
    expect(presetSchema.safeParse(preset).error?.issues).toBeUndefined();
  });

  it("are sorted, unique and many", () => {
    const ids = presets.map((preset) => preset.id);
    expect(ids).toEqual([...new Set(ids)].sort());
    expect(ids.length).toBeGreaterThanOrEqual(88);
    expect(ids).toEqual(expect.arrayContaining(["openai", "anthropic", "groq", "openrouter", "ollama", "vllm"]));
  });

  it("use the conventions' provider names where there is one, else the id", () => {
    for (const { id, telemetryName } of presets) {
      expect([id, telemetryName]).toEqual([id, registryNames[id] ?? id.replaceAll("-", "_")]);
    }
  });

  it("name a provider of the price catalogue wherever the price id is not the id", () => {
    const borrowed = presets.flatMap(({ id, priceId }) => (priceId === undefined || priceId === id ? [] : [priceId]));
    expect(borrowed.map((priceId) => findProvider({ providerId: priceId })?.id)).toEqual(borrowed);
    expect(borrowed).toContain("x-ai");
  });

  it("have a price id unless people host them themselves", () => {
    for (const { id, priceId, auth, baseUrl } of presets) {
      const isLocal = /\/\/(?:localhost|127\.0\.0\.1)[:/]/.test(baseUrl);
      expect([id, priceId === undefined, auth.scheme === "none"]).toEqual([id, isLocal, isLocal]);
    }
  });

  it("send keys only in headers that are taken out again for other providers", () => {
    const names = presets.flatMap(({ auth }) => (auth.scheme === "header" ? [auth.name] : []));
    expect(names).toContain("x-api-key");
    expect(names.filter((name) => !keyHeaders.has(name))).toEqual([]);
  });

  it("ask for usage only where chat is spoken and the provider does not send it anyway or refuse", () => {
    const asked = presets.filter(({ usageOnRequest }) => usageOnRequest);
    expect(asked.filter(({ dialects }) => !dialects.includes("openai-chat"))).toEqual([]);
    const silent = presets.filter(
      ({ dialects, usageOnRequest }) => dialects.includes("openai-chat") && !usageOnRequest,
    );
    expect(silent.map(({ id }) => id)).toEqual([
      "codestral",
      "cohere-openai-compat",
      "groq",
      "mistral",
      "ollama",
      "perplexity",
      "writer",
    ]);
  });
});
