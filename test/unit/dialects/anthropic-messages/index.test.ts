// Which calls the dialect takes for its own.
import { describe, expect, it } from "vitest";

import { anthropicMessages } from "../../../../src/dialects/anthropic-messages/index.ts";

describe("matching calls of the Messages API", () => {
  it.each(["/v1/messages", "/messages"])("takes POST %s as a chat with the version in its path", (path) => {
    expect(anthropicMessages.match("POST", path)).toEqual({
      kind: "chat",
      name: "chat",
      route: "/v1/messages",
      path: "v1/messages",
    });
  });

  it.each(["/v1/messages/count_tokens", "/messages/count_tokens"])(
    "takes POST %s without an operation name",
    (path) => {
      expect(anthropicMessages.match("POST", path)).toEqual({
        kind: "count_tokens",
        route: "/v1/messages/count_tokens",
        path: "v1/messages/count_tokens",
      });
    },
  );

  it.each([
    ["GET", "/v1/messages"],
    ["POST", "/v1/messages/"],
    ["POST", "/v1/messages/batches"],
    ["GET", "/v1/messages/batches/msgbatch_1/results"],
    ["POST", "/v1/complete"],
    ["GET", "/v1/models"],
    ["POST", "/v1/files"],
    ["POST", "/v1/chat/completions"],
  ])("leaves %s %s alone", (method, path) => {
    expect(anthropicMessages.match(method, path)).toBeUndefined();
  });
});
