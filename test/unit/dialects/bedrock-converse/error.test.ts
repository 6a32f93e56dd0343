import { describe, expect, it } from "vitest";
import { bedrockConverse } from "../../../../src/dialects/bedrock-converse/index.ts";
import { createAwsEventStreamDecoder } from "../../../../src/dialects/framing/aws-eventstream.ts";
import { SidecarError, type ErrorCode } from "../../../../src/errors.ts";
import { classifyAnswer } from "../../../../src/proxy/classification.ts";

const header = (type: string) => (name: string) => (name === "x-amzn-errortype" ? type : undefined);

describe("bedrock-converse errors", () => {
  it.each([
    { body: { message: "m" }, type: "ValidationException:http://internal/", expected: "ValidationException" },
    { body: { Message: "m" }, type: "ThrottlingException", expected: "ThrottlingException" },
    {
      body: { message: "m", __type: "com.amazon.x#AccessDeniedException" },
      type: "Other",
      expected: "AccessDeniedException",
    },
  ])("reads the word of $type", ({ body, type, expected }) => {
    expect(bedrockConverse.decodeError(body, header(type))).toEqual({ type: expected, message: "m" });
  });

  it.each([null, [], "x", {}, { message: 1 }, { error: { message: "m" } }])("finds no error in %j", (body) => {
    expect(bedrockConverse.decodeError(body, header("X"))).toBeUndefined();
  });

  it.each<[ErrorCode, string, string]>([
    ["request_malformed", "ValidationException", "validationException"],
    ["model_denied", "AccessDeniedException", "validationException"],
    ["operation_unsupported", "ResourceNotFoundException", "validationException"],
    ["rate_limited_local", "ThrottlingException", "throttlingException"],
    ["draining", "ServiceUnavailableException", "serviceUnavailableException"],
    ["stream_idle", "ModelTimeoutException", "modelStreamErrorException"],
    ["stream_truncated", "InternalServerException", "modelStreamErrorException"],
    ["internal", "InternalServerException", "internalServerException"],
  ])("writes %s as %s, and in a stream as %s", (code, inBody, inStream) => {
    const error = new SidecarError(code, "said so", { details: { limit: 3 } });
    const facts = { message: "said so", code, request_id: "r1", details: { limit: 3 } };
    expect(bedrockConverse.encodeError(error, "r1")).toEqual({ ...facts, __type: inBody });
    const frames = createAwsEventStreamDecoder().push(bedrockConverse.encodeStreamError(error, "r1") as Buffer);
    expect(frames).toHaveLength(1);
    expect(frames[0]).toMatchObject({ event: inStream, exception: true });
    expect(JSON.parse(frames[0]?.data ?? "")).toEqual(facts);
  });

  it.each([
    { status: 400, type: "ServiceQuotaExceededException", code: "upstream_quota_exhausted" },
    { status: 429, type: "ThrottlingException", code: "upstream_rate_limited" },
    { status: 200, type: "ThrottlingException", code: "upstream_rate_limited" },
    { status: 429, type: "ModelNotReadyException", code: "upstream_overloaded" },
    { status: 503, type: "ServiceUnavailableException", code: "upstream_overloaded" },
    { status: 424, type: "ModelErrorException", code: "upstream_server_error" },
    { status: 424, type: "ModelStreamErrorException", code: "upstream_server_error" },
    { status: 408, type: "ModelTimeoutException", code: "upstream_server_error" },
    { status: 200, type: "ValidationException", code: "upstream_rejected" },
    { status: 403, type: "AccessDeniedException", code: "upstream_rejected" },
    { status: 403, type: "ExpiredTokenException", code: "upstream_rejected" },
  ])("classifies $type with $status as $code", ({ status, type, code }) => {
    expect(classifyAnswer(status, { type, message: "m" })).toBe(code);
  });

  it.each([
    "Input is too long for requested model.",
    "The model returned the following errors: Input is too long for requested model.",
    "The model returned the following errors: Input Tokens Exceeded: Number of input tokens exceeds maximum length.",
    "The model returned the following errors: prompt is too long: 200001 tokens > 200000 maximum",
  ])("knows that %s is about the context", (message) => {
    expect(classifyAnswer(400, { type: "ValidationException", message })).toBe("context_length");
  });
});
