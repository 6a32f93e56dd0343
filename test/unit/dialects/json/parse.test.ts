import { describe, expect, it } from "vitest";
import { parseObject } from "../../../../src/dialects/json/parse.ts";
import { SidecarError } from "../../../../src/errors.ts";

const failure = (bytes: Buffer): SidecarError => {
  try {
    parseObject(bytes);
  } catch (error) {
    if (error instanceof SidecarError) return error;
    throw error;
  }
  throw new Error("not refused");
};

describe("parseObject", () => {
  it("gives the object", () => {
    expect(parseObject(Buffer.from(' {"a":"é"} '))).toEqual({ a: "é" });
  });

  it.each(['{"my secret": oops}', '{"my secret":"', "my secret", '["my secret"]', '"my secret"', "null", ""])(
    "refuses %s without a word of it, nor as a cause",
    (text) => {
      const error = failure(Buffer.from(text));
      expect(error.code).toBe("request_malformed");
      expect(error.message).not.toMatch(/secret|oops/);
      expect(error.cause).toBeUndefined();
    },
  );

  it("tells where", () => {
    expect(failure(Buffer.from('{"a": 1, "b" 2, "c": 3}')).message).toMatch(/character 13/);
  });

  it("refuses invalid UTF-8", () => {
    expect(failure(Buffer.from([0x7b, 0xff, 0x7d])).message).toContain("UTF-8");
  });

  it("blames the provider for its own answers", () => {
    expect(() => parseObject(Buffer.from("<html>"), "upstream_invalid")).toThrowError(
      expect.objectContaining({ code: "upstream_invalid" }),
    );
  });
});
