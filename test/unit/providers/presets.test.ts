// presets.json: each row has the schema's shape, and the names it uses exist.
import { findProvider } from "@pydantic/genai-prices";
import { describe, expect, it } from "vitest";

import { keyHeaders } from "../../../src/providers/credential-choice.ts";
import { presetSchema } from "../../../src/providers/preset.ts";
import { presets } from "../../../src/providers/presets.ts";
import { referenceRows } from "./reference-rows.ts";

/** `gen_ai.provider.name` of the GenAI conventions, by our id where it is not the id itself. */
const registryNames: Record<string, string> = {
  openai: "openai",
  anthropic: "anthropic",
  "anthropic-foundry": "anthropic",
  "anthropic-google-cloud": "anthropic",
  "anthropic-on-aws": "anthropic",
  azure: "azure.ai.openai",
  "azure-ai-inference": "azure.ai.inference",
  bedrock: "aws.bedrock",
  "bedrock-mantle-anthropic": "aws.bedrock",
  "bedrock-mantle-openai": "aws.bedrock",
  google: "gcp.gemini",
  vertex: "gcp.vertex_ai",
  watsonx: "ibm.watsonx.ai",
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

/** Rows of the reference list that go by another name here, some of them together. */
const renamed: Record<string, string> = {
  "azure-openai": "azure",
  "azure-openai-v1": "azure",
  "bedrock-converse": "bedrock",
  "bedrock-invoke-anthropic": "bedrock",
  gemini: "google",
  "vertex-gemini": "vertex",
  "vertex-anthropic": "vertex",
  "vertex-openai": "vertex",
  "vertex-openapi": "vertex",
};

/** Rows of the reference list without a preset, and why. */
const without: Record<string, string> = {
  "huggingface-tgi": "names no base URL",
  "sap-ai-core": "names no base URL",
  "litellm-proxy": "names no base URL",
  infinity: "names no base URL",
  triton: "names no base URL",
  ragflow: "names no base URL",
  "oci-genai": "its request signature covers the host that the client addressed, and Outrider cannot make one",
};

/** Our dialects by the list's words; `custom` is relayed untouched, and rows of data name no further ones. */
const dialectOf: Record<string, string> = {
  chat: "openai-chat",
  responses: "openai-responses",
  "embeddings-openai": "embeddings",
  anthropic: "anthropic-messages",
  gemini: "gemini-generate-content",
  converse: "bedrock-converse",
  invoke: "bedrock-invoke",
  cohere2: "cohere-chat",
  "rerank-cohere": "rerank",
  ollama: "ollama-chat",
};

describe("the reference list", () => {
  const byId = new Map(presets.map((preset) => [preset.id, preset]));

  it.each(referenceRows)("%s has a preset at its host, or a reason why not", (id, base, formats) => {
    const preset = byId.get(renamed[id] ?? id);
    if (preset === undefined) {
      expect([id, without[id]]).toEqual([id, expect.any(String)]);
      expect(without[id] === "names no base URL").toBe(base.startsWith("{"));
      return;
    }
    expect(without[id]).toBeUndefined();
    // Our gaps have three names, the list's have many.
    const hostOf = (url: string): string | undefined =>
      /^https?:\/\/([^/]+)/.exec(url.replaceAll(/\{\w+\}/g, "_"))?.[1];
    const host = id === "modal" ? "_--_.modal.run" : hostOf(base);
    expect(hostOf(preset.baseUrl)?.replace("_.modal.run", "_--_.modal.run")).toBe(host);
    const spoken = formats.split(" ").flatMap((format) => dialectOf[format] ?? []);
    expect(spoken.filter((dialect) => !(preset.dialects as string[]).includes(dialect))).toEqual([]);
  });

  it("has a preset for all but seven of its rows", () => {
    const found = referenceRows.filter(([id]) => byId.has(renamed[id] ?? id));
    expect([referenceRows.length, found.length]).toEqual([137, 130]);
  });
});

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
      "azure",
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
