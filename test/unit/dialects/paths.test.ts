import { describe, expect, it } from "vitest";
import { matchDialect } from "../../../src/dialects/index.ts";
import { createPathMatcher } from "../../../src/dialects/paths.ts";

const match = createPathMatcher([
  { kind: "chat", name: "chat", path: "chat/completions", deployable: true },
  { kind: "other", path: "other", home: "elsewhere" },
]);

describe("paths of the OpenAI wire", () => {
  it.each(["/v1/chat/completions", "/chat/completions"])("knows %s", (path) => {
    expect(match("POST", path)).toEqual({ kind: "chat", name: "chat", path: "chat/completions", route: path });
  });

  it("keeps the home of a call that is another provider's", () => {
    expect(match("POST", "/v1/other")).toEqual({ kind: "other", path: "other", home: "elsewhere", route: "/v1/other" });
  });

  it.each([
    ["/openai/deployments/gpt-4o/chat/completions", "gpt-4o", "/openai/deployments/{deployment}/chat/completions"],
    ["/deployments/gpt-4o/chat/completions", "gpt-4o", "/deployments/{deployment}/chat/completions"],
    [
      "/openai/deployments/my%20own%2Fone/chat/completions",
      "my own/one",
      "/openai/deployments/{deployment}/chat/completions",
    ],
    [
      "/openai/deployments/{deployment}/chat/completions",
      "{deployment}",
      "/openai/deployments/{deployment}/chat/completions",
    ],
  ])("knows %s, and the deployment is the model, not part of the route", (path, model, route) => {
    expect(match("POST", path)).toEqual({
      kind: "chat",
      name: "chat",
      model,
      route,
      path: path.slice(1),
      home: "azure",
    });
  });

  it.each([
    ["GET", "/v1/chat/completions"],
    ["GET", "/openai/deployments/gpt-4o/chat/completions"],
    ["POST", "/v2/chat/completions"],
    ["POST", "/v1/openai/deployments/gpt-4o/chat/completions"],
    ["POST", "/openai/deployments/gpt-4o/other"],
    ["POST", "/openai/deployments//chat/completions"],
    ["POST", "/openai/deployments/a/b/chat/completions"],
    ["POST", "/openai/deployments/%E0%A4%A/chat/completions"],
    ["POST", "/openai/deployments/gpt-4o/chat/completions/"],
    ["POST", "/openai/deployments/gpt-4o/constructor"],
    ["POST", "/openai/deployments/gpt-4o"],
  ])("knows no %s %s", (method, path) => {
    expect(match(method, path)).toBeUndefined();
  });

  it.each([
    ["chat/completions", "openai-chat", "chat"],
    ["completions", "openai-chat", "text_completion"],
    ["embeddings", "embeddings", "embeddings"],
    ["images/generations", "images", "image_generation"],
    ["images/edits", "images", "image_generation"],
    ["audio/speech", "audio", "speech"],
    ["audio/transcriptions", "audio", "transcription"],
    ["audio/translations", "audio", "transcription"],
  ])("serves %s below a deployment as %s", (call, id, name) => {
    const matched = matchDialect("POST", `/openai/deployments/dep/${call}`);
    expect(matched?.dialect.id).toBe(id);
    expect(matched?.operation).toMatchObject({ name, model: "dep", home: "azure" });
    const { dialect, operation } = matched ?? {};
    if (dialect === undefined || operation === undefined) throw new Error("no call");
    expect(dialect.decodeRequest({}, operation).model).toBe("dep");
    expect(dialect.decodeRequest({ model: "own" }, operation).model).toBe("own");
  });

  it.each([
    ["/v1/fim/completions", "text_completion"],
    ["/v1/agents/completions", "chat"],
  ])("takes %s for Mistral's %s", (path, name) => {
    expect(matchDialect("POST", path)).toMatchObject({
      dialect: { id: "openai-chat" },
      operation: { name, home: "mistral" },
    });
  });
});
