import { describe, expect, it } from "vitest";
import { dialects, findDialect, matchDialect } from "../../../src/dialects/index.ts";

describe("dialect registry", () => {
  it.each([
    { path: "/v1/chat/completions", id: "openai-chat", kind: "chat", call: "chat/completions" },
    { path: "/chat/completions", id: "openai-chat", kind: "chat", call: "chat/completions" },
    { path: "/v1/completions", id: "openai-chat", kind: "text_completion", call: "completions" },
    { path: "/completions", id: "openai-chat", kind: "text_completion", call: "completions" },
    { path: "/v1/embeddings", id: "embeddings", kind: "embeddings", call: "embeddings" },
    { path: "/embeddings", id: "embeddings", kind: "embeddings", call: "embeddings" },
    { path: "/v1/responses", id: "openai-responses", kind: "chat", call: "responses" },
    { path: "/v1/messages", id: "anthropic-messages", kind: "chat", call: "v1/messages" },
    { path: "/v2/chat", id: "cohere-chat", kind: "chat", call: "v2/chat" },
    { path: "/v1/chat", id: "cohere-chat", kind: "chat_v1", call: "v1/chat" },
    { path: "/v1/rerank", id: "rerank", kind: "rerank", call: "rerank" },
    { path: "/api/chat", id: "ollama-chat", kind: "chat", call: "api/chat" },
  ])("knows POST $path as $id $kind", ({ path, id, kind, call }) => {
    const match = matchDialect("POST", path);
    expect(match?.dialect.id).toBe(id);
    expect(match?.operation).toMatchObject({ kind, path: call });
    expect(match?.operation.route.startsWith("/")).toBe(true);
  });

  it.each([
    ["GET", "/v1/chat/completions"],
    ["POST", "/v1/chat/completions/"],
    ["POST", "/v1/chat/completions/abc"],
    ["DELETE", "/v1/responses/resp_1"],
    ["GET", "/v1/responses/resp_1/input_items"],
    ["POST", "/__proto__"],
  ])("knows no %s %s", (method, path) => {
    expect(matchDialect(method, path)).toBeUndefined();
  });

  it("finds every dialect by its id", () => {
    for (const dialect of dialects) expect(findDialect(dialect.id)).toBe(dialect);
    expect(new Set(dialects.map((dialect) => dialect.id)).size).toBe(dialects.length);
  });
});
