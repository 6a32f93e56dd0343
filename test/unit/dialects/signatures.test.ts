// Opaque reasoning of one family survives a stay in another family's field, byte by byte.

import { expect, test } from "vitest";
import { isSignatureFormat, unwrapSignature, wrapSignature } from "../../../src/dialects/signatures.ts";

test("a wrapped value names its family and comes back byte by byte", () => {
  const value = "a:b/c+d==:";
  const wrapped = wrapSignature("google-gemini-v1", value);
  expect(wrapped).toBe("outrider:google-gemini-v1:a:b/c+d==:");
  expect(unwrapSignature(wrapped)).toEqual({ format: "google-gemini-v1", value });
});

test.each(["EqQBCgIYAhIM", "", "outrider:", "outrider:nobody-v1:x", "outrider:google-gemini-v1"])(
  "%j has no mark that is known: it is taken as it stands",
  (value) => {
    expect(unwrapSignature(value)).toEqual({ value });
  },
);

test("only the four families are formats", () => {
  expect(isSignatureFormat("anthropic-claude-v1")).toBe(true);
  expect(isSignatureFormat("unknown")).toBe(false);
  expect(isSignatureFormat(undefined)).toBe(false);
});
