import { describe, expect, it } from "vitest";
import { decodeError, encodeError, encodeStreamError } from "../../../../src/dialects/gemini-generate-content/error.ts";
import { SidecarError } from "../../../../src/errors.ts";
import { classifyAnswer } from "../../../../src/proxy/classification.ts";
import { framesOf } from "../../../support/stream-decoding.ts";

const info = {
  "@type": "type.googleapis.com/google.rpc.ErrorInfo",
  reason: "API_KEY_INVALID",
  domain: "googleapis.com",
};
const retry = { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "37s" };
const wire = { error: { code: 400, message: "no", status: "INVALID_ARGUMENT", details: [retry, info] } };

describe("Google's errors", () => {
  it.each([
    ["bare", wire],
    ["wrapped in an array", [wire]],
  ])("are read %s, with their words, and keep number and details", (_how, body) => {
    expect(decodeError(body)).toEqual({
      type: "INVALID_ARGUMENT",
      code: "API_KEY_INVALID",
      message: "no",
      retryAfterMs: 37_000,
      extensions: { "gemini-generate-content": { error: { code: 400, details: [retry, info] } } },
    });
  });

  it.each([
    ["0.5s", 500],
    ["1.234567890s", 1235],
    ["-1s", undefined],
    ["soon", undefined],
    [22, undefined],
  ])("ask to wait: %j", (retryDelay, retryAfterMs) => {
    const error = { message: "no", details: [{ ...retry, retryDelay }] };
    expect(decodeError({ error })?.retryAfterMs).toBe(retryAfterMs);
  });

  it.each([null, 7, "no", [], {}, { error: "no" }, { error: { code: 400 } }, { candidates: [] }, [[wire]]])(
    "are not read into %j",
    (body) => {
      expect(decodeError(body)).toBeUndefined();
    },
  );

  it.each([
    { details: "no" },
    { details: [null, 1, { "@type": info["@type"] }, { "@type": info["@type"], reason: 3 }] },
    { status: 5 },
  ])("are read without a word that is not there: %j", (facts) => {
    expect(decodeError({ error: { message: "no", ...facts } })).toMatchObject({ message: "no" });
    expect(decodeError({ error: { message: "no", ...facts } })?.code).toBeUndefined();
  });

  it.each([
    [429, "RESOURCE_EXHAUSTED", "", "upstream_rate_limited"],
    [200, "RESOURCE_EXHAUSTED", "", "upstream_rate_limited"],
    [503, "UNAVAILABLE", "", "upstream_overloaded"],
    [200, "UNAVAILABLE", "", "upstream_overloaded"],
    [400, "INVALID_ARGUMENT", "", "upstream_rejected"],
    [
      400,
      "INVALID_ARGUMENT",
      "The input token count (132478) exceeds the maximum number of tokens allowed (131072).",
      "context_length",
    ],
    [500, "INTERNAL", "", "upstream_server_error"],
  ])("mean in a %i with %s what their word says", (status, word, message, code) => {
    expect(classifyAnswer(status, decodeError({ error: { status: word, message } }))).toBe(code);
  });
});

describe("Outrider's errors in Google's shape", () => {
  const error = new SidecarError("upstream_overloaded", "full", { details: { retry_after: 3, model: "m" } });

  it("say status, word and Outrider's own code", () => {
    expect(encodeError(error, "r-1")).toEqual({
      error: {
        code: 503,
        message: "full",
        status: "UNAVAILABLE",
        details: [
          {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            reason: "UPSTREAM_OVERLOADED",
            domain: "outrider",
            metadata: { request_id: "r-1", retry_after: "3", model: "m" },
          },
        ],
      },
    });
  });

  it.each([
    ["request_malformed", "INVALID_ARGUMENT"],
    ["key_invalid", "UNAUTHENTICATED"],
    ["model_denied", "PERMISSION_DENIED"],
    ["operation_unsupported", "NOT_FOUND"],
    ["budget_exhausted", "RESOURCE_EXHAUSTED"],
    ["deadline_exceeded", "DEADLINE_EXCEEDED"],
    ["upstream_unreachable", "INTERNAL"],
  ] as const)("word %s as %s", (code, status) => {
    expect(encodeError(new SidecarError(code, "no"), "r-1")).toMatchObject({ error: { status } });
  });

  it("are one event without a name in a stream, its lines ended as Google's", () => {
    const frame = encodeStreamError(error, "r-1");
    expect(frame).toMatch(/^data: \{[^\r\n]+\}\r\n\r\n$/);
    expect(decodeError(JSON.parse(framesOf(frame.slice("data: ".length).trim())[0]?.data ?? ""))).toMatchObject({
      type: "UNAVAILABLE",
      code: "UPSTREAM_OVERLOADED",
      message: "full",
    });
  });
});
