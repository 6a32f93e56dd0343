import { describe, expect, it } from "vitest";
import { anthropicMessages } from "../../../../src/dialects/anthropic-messages/index.ts";

const project = "/projects/my-project/locations/us-east5";
const match = (path: string, method = "POST") => anthropicMessages.match(method, path);

describe("Claude at Vertex AI", () => {
  it.each([
    `/v1${project}/publishers/anthropic/models/claude-opus-5@20260401:rawPredict`,
    `${project}/publishers/anthropic/models/claude-opus-5@20260401:rawPredict`,
    "/v1/publishers/anthropic/models/claude-opus-5@20260401:rawPredict",
  ])("is asked at %s, whose project, place and model are no part of the route", (path) => {
    expect(match(path)).toEqual({
      kind: "chat",
      name: "chat",
      model: "claude-opus-5@20260401",
      home: "vertex",
      path: path.replace(/^\/(v1\/)?/, ""),
      route: path
        .replace("my-project", "{project}")
        .replace("us-east5", "{location}")
        .replace("claude-opus-5@20260401", "{model}"),
    });
  });

  it("streams where the path says so, with a model that the body does not name", () => {
    const operation = match(`/v1${project}/publishers/anthropic/models/claude-opus-5:streamRawPredict`);
    expect(operation).toMatchObject({ kind: "chat", stream: true });
    const body = { anthropic_version: "vertex-2023-10-16", max_tokens: 1, messages: [] };
    const decode = (more: Record<string, unknown>, at = operation) =>
      at === undefined ? undefined : anthropicMessages.decodeRequest({ ...body, ...more }, at);
    expect(decode({})).toEqual({
      model: "claude-opus-5",
      stream: true,
      messages: [],
      maxOutputTokens: 1,
      extensions: { "anthropic-messages": { anthropic_version: "vertex-2023-10-16" } },
    });
    const raw = match(`/v1${project}/publishers/anthropic/models/claude-opus-5:rawPredict`);
    expect(decode({}, raw)?.stream).toBe(false);
    expect(decode({ stream: true }, raw)?.stream).toBe(true);
  });

  it("counts tokens for the model in the body", () => {
    const operation = match(`/v1${project}/publishers/anthropic/models/count-tokens:rawPredict`);
    expect(operation).toMatchObject({
      kind: "count_tokens",
      route: "/v1/projects/{project}/locations/{location}/publishers/anthropic/models/count-tokens:rawPredict",
      home: "vertex",
    });
    expect(operation).not.toHaveProperty("model");
    if (operation === undefined) return;
    expect(anthropicMessages.decodeRequest({ model: "claude-opus-5", messages: [] }, operation).model).toBe(
      "claude-opus-5",
    );
    expect(anthropicMessages.decodeResponse({ input_tokens: 7 }, operation)).not.toHaveProperty("usage");
  });

  it.each([
    ["GET", `/v1${project}/publishers/anthropic/models/m:rawPredict`],
    ["POST", `/v1${project}/publishers/anthropic/models/m:predict`],
    ["POST", `/v1${project}/publishers/anthropic/models/count-tokens:streamRawPredict`],
    ["POST", `/v1${project}/publishers/google/models/m:rawPredict`],
    ["POST", `/v1${project}/endpoints/m:rawPredict`],
    ["POST", `/v1/models/m:rawPredict`],
  ])("is not asked by %s %s", (method, path) => {
    expect(match(path, method)).toBeUndefined();
  });
});
