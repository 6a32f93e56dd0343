// Where a path goes: the dialect, the provider and the path below it (DESIGN §2.3).
import { describe, expect, it } from "vitest";

import { matchIngress } from "../../../src/proxy/ingress.ts";
import type { Inbound } from "../../../src/proxy/wire.ts";
import { presetProviders } from "../../support/providers.ts";

function match(method: string, target: string, headers: Record<string, string> = {}): unknown[] {
  const inbound: Pick<Inbound, "method" | "target" | "header"> = { method, target, header: (name) => headers[name] };
  const { provider, path, query, bare, call } = matchIngress(inbound as Inbound, presetProviders);
  return [provider.id, bare ? "bare" : "prefixed", call?.dialect.id, `${path}${query}`];
}

const vertexModel = "/v1/projects/p/locations/us-central1/publishers/google/models/gemini-2.5-pro";
const claude = "/v1/projects/p/locations/us-east5/publishers/anthropic/models/claude-sonnet-4-5@20250929";

describe("a bare path that one wire format has", () => {
  it.each([
    ["/v1/chat/completions", "openai", "openai-chat"],
    ["/v1/responses", "openai", "openai-responses"],
    ["/v1/images/generations", "openai", "images"],
    ["/v1/audio/speech", "openai", "audio"],
    ["/v1/moderations", "openai", "moderations"],
    ["/v1/messages", "anthropic", "anthropic-messages"],
    ["/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse", "google", "gemini-generate-content"],
    [`${vertexModel}:generateContent`, "vertex", "gemini-generate-content"],
    [`${claude}:rawPredict`, "vertex", "anthropic-messages"],
    ["/model/anthropic.claude-v2%3A1/converse", "bedrock", "bedrock-converse"],
    ["/model/amazon.titan-text-express-v1/invoke", "bedrock", "bedrock-invoke"],
    ["/openai/deployments/gpt/chat/completions?api-version=2024-10-21", "azure", "openai-chat"],
    ["/openai/deployments/e/embeddings?api-version=2024-10-21", "azure", "embeddings"],
    ["/v2/chat", "cohere", "cohere-chat"],
    ["/v2/rerank", "cohere", "rerank"],
    ["/api/chat", "ollama", "ollama-chat"],
  ])("%s goes to %s as %s", (target, provider, dialect) => {
    expect(match("POST", target)).toEqual([provider, "bare", dialect, target]);
  });
});

describe("a bare path that no dialect understands", () => {
  it.each<[string, string, Record<string, string>?]>([
    ["/v1/files", "openai"],
    ["/v1/models", "openai"],
    ["/v1/models", "anthropic", { "anthropic-version": "2023-06-01" }],
    ["/v1/models", "google", { "x-goog-api-client": "google-genai-sdk/3.1.0" }],
    ["/v1beta/models", "google"],
    ["/upload/v1beta/files", "google"],
    ["/v1beta/cachedContents", "google"],
    ["/v1/projects/p/locations/global/cachedContents", "vertex"],
    ["/v1beta1/projects/p/locations/global/cachedContents", "vertex"],
    ["/model/m/count-tokens", "bedrock"],
    ["/guardrail/g/version/1/apply", "bedrock"],
    ["/api/tags", "ollama"],
    ["/v2/embed/jobs", "cohere"],
    ["/v1/tokenize", "cohere"],
    ["/openai/files?api-version=2024-10-21", "azure"],
  ])("%s is relayed to %s", (target, provider, headers) => {
    expect(match("GET", target, headers)).toEqual([provider, "bare", undefined, target]);
  });

  it("is Azure's when it asks for an API version, also where the call is understood", () => {
    const target = "/openai/responses?api-version=2025-03-01-preview";
    expect(match("POST", target)).toEqual(["azure", "bare", "openai-responses", target]);
    expect(match("POST", "/openai/responses")).toEqual(["openai", "prefixed", "openai-responses", "/responses"]);
  });

  it("is refused when it is nobody's", () => {
    expect(() => match("GET", "/nothing")).toThrow(expect.objectContaining({ code: "operation_unsupported" }));
    expect(() => match("GET", "/api/secret")).toThrow("nothing is served at GET /api/secret");
  });
});

describe("a path under a provider's id", () => {
  it.each([
    ["/azure/openai/deployments/gpt/chat/completions?api-version=1", "azure", "openai-chat"],
    ["/azure/openai/v1/responses", "azure", "openai-responses"],
    ["/azure/v1/embeddings", "azure", "embeddings"],
    ["/google/v1beta/models/g:generateContent", "google", "gemini-generate-content"],
    ["/google/v1beta/openai/chat/completions", "google", "openai-chat"],
    [`/vertex${vertexModel}:countTokens`, "vertex", "gemini-generate-content"],
    ["/vertex/v1/projects/p/locations/us-central1/endpoints/openapi/chat/completions", "vertex", "openai-chat"],
    ["/bedrock/model/m/converse-stream", "bedrock", "bedrock-converse"],
    ["/bedrock-mantle-openai/openai/v1/responses", "bedrock-mantle-openai", "openai-responses"],
    ["/anthropic-foundry/anthropic/v1/messages", "anthropic-foundry", "anthropic-messages"],
    ["/voyage/v1/rerank", "voyage", "rerank"],
    ["/ollama/v1/responses", "ollama", "openai-responses"],
    ["/elevenlabs/v1/text-to-speech/voice", "elevenlabs", undefined],
  ])("%s goes to %s as %s", (target, provider, dialect) => {
    const below = target.slice(provider.length + 1);
    expect(match("POST", target)).toEqual([provider, "prefixed", dialect, below]);
  });
});
