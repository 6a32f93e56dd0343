// The registry: presets and options merged, and one line for each thing that makes no sense.
import { describe, expect, it } from "vitest";

import { type Options, OptionsError } from "../../../src/options.ts";
import { createProviders, joinUrl } from "../../../src/providers/index.ts";
import { requireProvider } from "../../support/providers.ts";

const create = (providers: Options["providers"], credentials: Options["credentials"] = {}) =>
  createProviders({ options: { providers, credentials } });

function issuesOf(providers: Options["providers"], credentials: Options["credentials"] = {}): unknown {
  try {
    create(providers, credentials);
  } catch (error) {
    if (error instanceof OptionsError) return error.issues;
    throw error;
  }
  return [];
}

describe("the registry", () => {
  it("knows every preset with nothing set", () => {
    const providers = create({});
    expect(providers.ids().length).toBeGreaterThanOrEqual(60);
    expect(providers.get("groq")).toMatchObject({ telemetryName: "groq", auth: { scheme: "bearer" } });
    expect(providers.get("nobody")).toBeUndefined();
    expect(providers.get("__proto__")).toBeUndefined();
  });

  it("sends a bare path to the provider whose format it is", () => {
    const providers = create({});
    expect(providers.defaultFor("openai-chat").id).toBe("openai");
    expect(providers.defaultFor("embeddings").id).toBe("openai");
    expect(providers.defaultFor("anthropic-messages").id).toBe("anthropic");
  });

  it("moves a preset to another base URL and leaves the rest as it was", () => {
    const provider = create({ mistral: { baseUrl: "http://gateway:8080/mistral/v1/" } }).get("mistral");
    expect(provider?.baseUrl.href).toBe("http://gateway:8080/mistral/v1");
    expect(provider).toMatchObject({ telemetryName: "mistral_ai", priceId: "mistral", keyEnv: ["MISTRAL_API_KEY"] });
  });

  it("moves a dialect's own base along with it", () => {
    const providers = create({
      minimax: { baseUrl: "http://gateway/m/v1" },
      deepseek: { baseUrl: "http://gateway/d" },
      ollama: { baseUrl: "http://gpu:11434/v1" },
    });
    const at = (id: string, dialect: "openai-chat" | "anthropic-messages", path: string) => {
      const address = joinUrl(requireProvider(id, providers), dialect, path, "");
      return `${address.origin}${address.path}`;
    };
    expect(at("minimax", "anthropic-messages", "/v1/messages")).toBe("http://gateway/m/anthropic/v1/messages");
    expect(at("deepseek", "anthropic-messages", "/v1/messages")).toBe("http://gateway/d/anthropic/v1/messages");
    expect(at("ollama", "openai-chat", "/v1/chat/completions")).toBe("http://gpu:11434/v1/chat/completions");
    expect(at("ollama", "anthropic-messages", "/v1/messages")).toBe("http://gpu:11434/v1/messages");
  });

  it("takes a new id that behaves like a preset but inherits no credential of it", () => {
    const provider = create({ "team-a": { preset: "anthropic", baseUrl: "https://gateway.example/anthropic" } }).get(
      "team-a",
    );
    expect(provider).toMatchObject({
      telemetryName: "anthropic",
      priceId: "anthropic",
      auth: { scheme: "header", name: "x-api-key" },
      dialects: ["anthropic-messages"],
      keyEnv: [],
    });
  });

  it("takes a new id with nothing but a base URL as OpenAI-compatible", () => {
    const provider = create({ "my-gpu": { baseUrl: "http://10.0.0.7:8000/v1" } }).get("my-gpu");
    expect(provider).toMatchObject({
      telemetryName: "my_gpu",
      dialects: ["openai-chat", "openai-responses", "embeddings"],
      keyEnv: [],
    });
  });

  it("cannot be changed afterwards", () => {
    const provider = requireProvider("openai", create({}));
    expect(() => {
      provider.telemetryName = "other";
    }).toThrow(TypeError);
  });
});

describe("options that make no sense", () => {
  it("name the nearest provider for an unknown id without a base URL", () => {
    expect(issuesOf({ opnai: {} })).toEqual([
      { path: "providers.opnai", expected: "a built-in provider, or a baseUrl", found: "opnai", nearest: "openai" },
    ]);
  });

  it("name the nearest preset", () => {
    expect(issuesOf({ mine: { preset: "antropic", baseUrl: "http://x" } })).toEqual([
      {
        path: "providers.mine.preset",
        expected: "the id of a built-in provider",
        found: "antropic",
        nearest: "anthropic",
      },
    ]);
  });

  it("name the nearest provider for a credential of nobody", () => {
    expect(issuesOf({}, { grok: { env: "X" } })).toMatchObject([{ path: "credentials.grok", nearest: "groq" }]);
  });

  it.each(["v1", "Models", "models", "a/b", "__proto__x", "ÄÖ"])("refuse the id %j", (id) => {
    expect(issuesOf({ [id]: { baseUrl: "http://x" } })).toMatchObject([{ path: `providers.${id}`, found: id }]);
  });

  it.each(["ftp://x", "http://x?key=1", "http://x/#a", "nonsense"])("refuse the base URL %s", (baseUrl) => {
    expect(issuesOf({ mine: { baseUrl } })).toMatchObject([{ path: "providers.mine.baseUrl" }]);
  });

  it("never repeat a password of a base URL", () => {
    const issues = JSON.stringify(issuesOf({ mine: { baseUrl: "http://me:test-password@x/v1?key=test-key" } }));
    expect(issues).toContain("[redacted]");
    expect(issues).not.toContain("test-");
  });

  it("are told all at once", () => {
    expect(issuesOf({ opnai: {}, v1: { baseUrl: "http://x" } }, { nobody: { env: "X" } })).toHaveLength(3);
  });
});
