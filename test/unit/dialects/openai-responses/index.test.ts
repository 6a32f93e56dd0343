// Which calls the dialect takes for its own.
import { describe, expect, it } from "vitest";
import { openaiResponses } from "../../../../src/dialects/openai-responses/index.ts";

describe("matching calls of the Responses API", () => {
  it.each(["/v1/responses", "/responses"])("takes POST %s as a chat", (path) => {
    expect(openaiResponses.match("POST", path)).toEqual({
      kind: "chat",
      name: "chat",
      route: path,
      path: "responses",
    });
  });

  it("takes the compaction and the token counter without a name, so that they have HTTP telemetry only", () => {
    expect(openaiResponses.match("POST", "/v1/responses/compact")).toMatchObject({ kind: "compaction" });
    expect(openaiResponses.match("POST", "/v1/responses/compact")).not.toHaveProperty("name");
    const counter = openaiResponses.match("POST", "/responses/input_tokens");
    expect(counter).toMatchObject({ kind: "count_tokens", path: "responses/input_tokens" });
    expect(counter).not.toHaveProperty("name");
  });

  it.each([
    ["GET", "/v1/responses/resp_1", "/v1/responses/{response_id}"],
    ["GET", "/responses/resp_1", "/responses/{response_id}"],
    ["POST", "/v1/responses/resp_1/cancel", "/v1/responses/{response_id}/cancel"],
  ])("takes %s %s as a fetch without a body, its id out of the route", (method, path, route) => {
    expect(openaiResponses.match(method, path)).toEqual({
      kind: "fetch",
      name: "fetch_response",
      route,
      path: path.replace(/^\/(v1\/)?/, ""),
      requestFormat: "none",
    });
  });

  it.each([
    ["GET", "/v1/responses"],
    ["POST", "/v1/responses/"],
    ["POST", "/v1/responses/resp_1"],
    ["DELETE", "/v1/responses/resp_1"],
    ["GET", "/v1/responses/resp_1/input_items"],
    ["GET", "/v1/responses/resp_1/cancel"],
    ["GET", "/v1/responses/compact"],
    ["GET", "/v1/responses/input_tokens"],
    ["POST", "/v1/conversations"],
    ["POST", "/v1/chat/completions"],
  ])("leaves %s %s alone", (method, path) => {
    expect(openaiResponses.match(method, path)).toBeUndefined();
  });
});
