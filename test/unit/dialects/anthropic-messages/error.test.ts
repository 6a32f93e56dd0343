// Errors read and written.
import { describe, expect, it } from "vitest";

import {
  decodeError,
  decodeStreamError,
  encodeError,
  encodeStreamError,
} from "../../../../src/dialects/anthropic-messages/error.ts";
import { errorTable, SidecarError, type ErrorCode } from "../../../../src/errors.ts";

const bag = (facts: Record<string, unknown>) => ({ "anthropic-messages": facts });

describe("reading errors", () => {
  it("takes the provider's word, message and request id", () => {
    expect(
      decodeError({ type: "error", error: { type: "overloaded_error", message: "Overloaded" }, request_id: "req_1" }),
    ).toEqual({ type: "overloaded_error", message: "Overloaded", extensions: bag({ request_id: "req_1" }) });
  });

  it("takes the newer error code as the code", () => {
    const error = { type: "invalid_request_error", message: "m", details: { error_code: "too_long", limit: 5 } };
    expect(decodeError({ type: "error", error })).toEqual({
      type: "invalid_request_error",
      code: "too_long",
      message: "m",
      extensions: bag({ error: { details: { limit: 5 } } }),
    });
  });

  it.each([[null], ["x"], [{}], [{ error: "x" }], [{ error: { type: "t" } }], [{ message: "m" }], [[]]])(
    "finds none of its shapes in %j",
    (body) => {
      expect(decodeError(body)).toBeUndefined();
    },
  );

  it("makes an error of an error event whose body says nothing", () => {
    expect(decodeStreamError(undefined).message).not.toBe("");
    expect(decodeStreamError({ type: "error", odd: 1 }).extensions).toEqual(bag({ type: "error", odd: 1 }));
  });
});

describe("writing errors", () => {
  it("has the provider's shape with our code, details and request id", () => {
    const error = new SidecarError("budget_exhausted", "the budget is spent", { details: { budget: "team-a" } });
    expect(encodeError(error, "req-1")).toEqual({
      type: "error",
      error: {
        type: "rate_limit_error",
        message: "the budget is spent",
        code: "budget_exhausted",
        details: { budget: "team-a" },
      },
      request_id: "req-1",
    });
  });

  it.each([
    [400, "invalid_request_error"],
    [401, "authentication_error"],
    [402, "billing_error"],
    [403, "permission_error"],
    [404, "not_found_error"],
    [405, "invalid_request_error"],
    [408, "timeout_error"],
    [413, "invalid_request_error"],
    [422, "invalid_request_error"],
    [429, "rate_limit_error"],
    [500, "api_error"],
    [502, "api_error"],
    [503, "overloaded_error"],
    [504, "timeout_error"],
    [529, "overloaded_error"],
    [0, "api_error"],
  ])("says for status %i %s", (httpStatus, word) => {
    const body = encodeError(new SidecarError("internal", "m", { httpStatus }), "r");
    expect(body["error"]).toMatchObject({ type: word });
  });

  it("is read back by its own decoder, for every code there is", () => {
    for (const code of Object.keys(errorTable) as ErrorCode[]) {
      const body = encodeError(new SidecarError(code, `said ${code}`), "r");
      expect(decodeError(body)).toMatchObject({ code, message: `said ${code}` });
    }
  });

  it("ends a stream with one error event and never with message_stop", () => {
    const text = encodeStreamError(new SidecarError("stream_truncated", "cut\noff\r\n"), "r");
    expect(text).toMatch(/^event: error\ndata: \{[^\r\n]*\}\n\n$/);
    expect(text).not.toContain("message_stop");
  });
});
