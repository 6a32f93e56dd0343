import { describe, expect, it } from "vitest";
import { openaiChat } from "../../../../src/dialects/openai-chat/index.ts";
import { SidecarError, type ErrorCode } from "../../../../src/errors.ts";
import { framesOf } from "../../../support/stream-decoding.ts";

describe("provider errors", () => {
  it.each([
    {
      body: { error: { message: "m", type: "t", param: null, code: "c" } },
      expected: { message: "m", type: "t", code: "c" },
    },
    {
      body: { error: { message: "m", code: 429, metadata: { raw: "x" } } },
      expected: { message: "m", code: "429", extensions: { "openai-chat": { metadata: { raw: "x" } } } },
    },
    { body: [{ error: { message: "m" } }], expected: { message: "m" } },
    { body: { error: "text" }, expected: { message: "text" } },
    { body: { detail: "text" }, expected: { message: "text" } },
    {
      body: { detail: [{ loc: ["body", "model"], msg: "field required", type: "missing" }] },
      expected: {
        message: "body.model: field required",
        extensions: { "openai-chat": { detail: [{ loc: ["body", "model"], msg: "field required", type: "missing" }] } },
      },
    },
    { body: { detail: { message: "m", code: "c" } }, expected: { message: "m", code: "c" } },
    { body: { message: "m", type: "t", code: 3 }, expected: { message: "m", type: "t", code: "3" } },
    { body: { base_resp: { status_code: 1004, status_msg: "m" } }, expected: { message: "m", code: "1004" } },
  ])("reads $body", ({ body, expected }) => {
    expect(openaiChat.decodeError(body)).toEqual(expected);
  });

  it.each([
    null,
    "text",
    {},
    [],
    { choices: [], error: null },
    { choices: [], message: "x" },
    { data: [], detail: "x" },
    { base_resp: { status_code: 0, status_msg: "" }, choices: [] },
  ])("sees no error in %j", (body) => {
    expect(openaiChat.decodeError(body)).toBeUndefined();
  });
});

describe("Outrider's errors", () => {
  it.each([
    ["request_malformed", "invalid_request_error"],
    ["key_invalid", "authentication_error"],
    ["upstream_rate_limited", "rate_limit_error"],
    ["upstream_unreachable", "server_error"],
    ["internal", "server_error"],
  ] satisfies [ErrorCode, string][])("writes %s as %s with the request id", (code, type) => {
    expect(openaiChat.encodeError(new SidecarError(code, "m", { details: { byte: 3 } }), "req-1")).toEqual({
      error: { message: "m", type, param: null, code, request_id: "req-1", details: { byte: 3 } },
    });
  });

  it("is read back from a stream as an error and no clean end", () => {
    const text = openaiChat.encodeStreamError(new SidecarError("stream_truncated", "m"), "req-1").toString();
    expect(text.startsWith("data: {")).toBe(true);
    expect(text.endsWith("\n\n")).toBe(true);
    const chat = openaiChat.match("POST", "/v1/chat/completions");
    if (chat === undefined) throw new Error("no operation");
    const decoder = openaiChat.eventDecoder(chat);
    const events = framesOf(text.slice("data: ".length).trimEnd()).flatMap((frame) => decoder.push(frame));
    events.push(...decoder.end());
    expect(events).toMatchObject([{ type: "error", error: { message: "m", code: "stream_truncated" } }]);
  });
});
