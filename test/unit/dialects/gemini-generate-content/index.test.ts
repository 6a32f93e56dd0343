import { describe, expect, it } from "vitest";
import { geminiGenerateContent } from "../../../../src/dialects/gemini-generate-content/index.ts";
import { matchDialect } from "../../../../src/dialects/index.ts";

const match = (path: string, method = "POST") => geminiGenerateContent.match(method, path);
const place = "/projects/my-project/locations/europe-west4";

describe("the calls of Google's APIs", () => {
  it.each([
    ["/v1beta/models/gemini-2.5-pro:generateContent", "/v1beta/models/{model}:generateContent"],
    ["/v1/models/gemini-2.5-pro:generateContent", "/v1/models/{model}:generateContent"],
    ["/v1alpha/models/gemini-2.5-pro:generateContent", "/v1alpha/models/{model}:generateContent"],
    ["/models/gemini-2.5-pro:generateContent", "/models/{model}:generateContent"],
  ])("at %s are the Gemini API's, with and without a version", (path, route) => {
    expect(match(path)).toEqual({
      kind: "generate_content",
      name: "generate_content",
      route,
      path: "models/gemini-2.5-pro:generateContent",
      model: "gemini-2.5-pro",
    });
  });

  it.each([
    `/v1${place}/publishers/google/models/gemini-3-pro@001:streamGenerateContent`,
    `/v1beta1${place}/publishers/google/models/gemini-3-pro@001:streamGenerateContent`,
    `${place}/publishers/google/models/gemini-3-pro@001:streamGenerateContent`,
    "/v1beta1/publishers/google/models/gemini-3-pro@001:streamGenerateContent",
  ])("at %s are Vertex's, whose project and place are no part of the route", (path) => {
    const operation = match(path);
    expect(operation).toMatchObject({
      name: "generate_content",
      model: "gemini-3-pro@001",
      stream: true,
      home: "vertex",
    });
    expect(operation?.path).toBe(path.replace(/^\/v1(beta1)?\//, "/").slice(1));
    expect(operation?.route).toBe(
      path
        .replace("my-project", "{project}")
        .replace("europe-west4", "{location}")
        .replace("gemini-3-pro@001", "{model}"),
    );
  });

  it("name the model without `models/`, percent-decoded; tuned models and endpoints keep their collection", () => {
    expect(match("/v1beta/models/my%20model:generateContent")?.model).toBe("my model");
    // How @google/genai 3.1.0 writes another provider's model.
    expect(match("/v1beta/models/openai/gpt-4.1:generateContent")).toMatchObject({
      model: "openai/gpt-4.1",
      route: "/v1beta/models/{model}:generateContent",
    });
    expect(match("/v1beta/tunedModels/mine-1:generateContent")).toMatchObject({
      model: "tunedModels/mine-1",
      route: "/v1beta/tunedModels/{model}:generateContent",
    });
    expect(match(`/v1${place}/endpoints/4711:generateContent`)).toMatchObject({
      model: "endpoints/4711",
      route: "/v1/projects/{project}/locations/{location}/endpoints/{endpoint}:generateContent",
      home: "vertex",
    });
  });

  it("are named after what they do; counting has no name", () => {
    const named = (verb: string, model = "gemini-embedding-001") => match(`/v1beta/models/${model}:${verb}`);
    expect(named("embedContent")).toMatchObject({ kind: "embed_one", name: "embeddings" });
    expect(named("batchEmbedContents")).toMatchObject({ kind: "embed_many", name: "embeddings" });
    expect(named("countTokens")?.kind).toBe("count_tokens");
    expect(named("countTokens")).not.toHaveProperty("name");
    expect(match(`/v1${place}/publishers/google/models/text-embedding-005:predict`)).toMatchObject({
      name: "embeddings",
      model: "text-embedding-005",
      home: "vertex",
    });
  });

  it.each([
    "/v1beta/models",
    "/v1beta/models/gemini-2.5-pro",
    "/v1beta/models/:generateContent",
    "/v1beta/models/a//b:generateContent",
    "/v1beta/tunedModels/a/b:generateContent",
    "/v1beta1/publishers/google/models/a/b:generateContent",
    "/v1beta/models/gemini-2.5-pro:batchGenerateContent",
    "/v1beta/models/gemini-2.5-pro:constructor",
    "/v1beta/models/%E0%A4%A:generateContent",
    "/v9/models/gemini-2.5-pro:generateContent",
    "/v1beta/interactions",
    `/v1${place}/publishers/google/models/imagen-4.0-generate-001:predict`,
    `/v1${place}/publishers/google/models/veo-3.1:predictLongRunning`,
    `/v1${place}/publishers/anthropic/models/claude-opus-5:generateContent`,
    `/v1${place}/publishers/google/models/gemini-2.5-pro:rawPredict`,
    `/v1/projects//locations/x/publishers/google/models/m:generateContent`,
    `/v1${place}/models/m:generateContent`,
  ])("are not at %s", (path) => {
    expect(match(path)).toBeUndefined();
  });

  it("are all sent by POST, and found in the registry", () => {
    expect(match("/v1beta/models/m:generateContent", "GET")).toBeUndefined();
    expect(matchDialect("POST", "/v1beta/models/m:generateContent")?.dialect).toBe(geminiGenerateContent);
  });
});
