// AWS signatures: the values that AWS publishes, and what of a request is covered.
import { createHash, createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";

import { readHostRegion, readSignedRegion } from "../../../../src/providers/auth/aws-region.ts";
import type { OutgoingRequest } from "../../../../src/providers/auth/authorizers.ts";
import { signRequest } from "../../../../src/providers/auth/sigv4.ts";

// The example credentials of AWS's documentation and test suite, in pieces, because scanners take them for real.
const credentials = {
  accessKeyId: ["AKID", "EXAMPLE"].join(""),
  secretAccessKey: ["wJalrXUtnFEMI", "K7MDENG+bPxRfiCYEXAMPLEKEY"].join("/"),
};
const epochMs = Date.UTC(2015, 7, 30, 12, 36, 0);

function createRequest(url: string, more: Partial<OutgoingRequest> = {}): OutgoingRequest {
  const { origin, hostname, port } = new URL(url);
  const address = { origin, hostname, port: port === "" ? 443 : Number(port), path: url.slice(origin.length) };
  return { method: "GET", address, headers: [], body: undefined, ...more };
}

const sign = async (request: OutgoingRequest, service: string, region = "us-east-1", keys: object = {}) => {
  const flat = await signRequest(request, { ...credentials, ...keys }, { service, region, epochMs });
  const entries = Array.from({ length: flat.length / 2 }, (_, index) => [flat[index * 2], flat[index * 2 + 1]]);
  return Object.fromEntries(entries) as Record<string, string>;
};

/** By the steps of AWS's documentation; `path` is the canonical one. */
function signByHand(canonicalRequest: string, service: string, region: string): string {
  const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();
  const hash = createHash("sha256").update(canonicalRequest).digest("hex");
  const text = `AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/${region}/${service}/aws4_request\n${hash}`;
  const dateKey = hmac(`AWS4${credentials.secretAccessKey}`, "20150830");
  const key = hmac(hmac(hmac(dateKey, region), service), "aws4_request");
  return hmac(key, text).toString("hex");
}

describe("a signature", () => {
  it("is the one of AWS's documentation for its ListUsers example", async () => {
    const request = createRequest("https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", {
      headers: ["Content-Type", "application/x-www-form-urlencoded; charset=utf-8"],
    });
    expect(await sign(request, "iam")).toEqual({
      "x-amz-date": "20150830T123600Z",
      authorization:
        `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/20150830/us-east-1/iam/aws4_request, ` +
        "SignedHeaders=content-type;host;x-amz-date, " +
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    });
  });

  it("is the one of AWS's test suite for get-vanilla", async () => {
    const { authorization } = await sign(createRequest("https://example.amazonaws.com/"), "service");
    expect(authorization).toMatch(/Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31$/);
  });

  it.each([
    ["anthropic.claude-v2%3A1", "anthropic.claude-v2%253A1"],
    [
      "arn%3Aaws%3Abedrock%3A%3A1%3Ainference-profile%2Fx",
      "arn%253Aaws%253Abedrock%253A%253A1%253Ainference-profile%252Fx",
    ],
    ["plain:0", "plain%3A0"],
  ])("covers the model id %s encoded once more", async (wire, canonical) => {
    const body = Buffer.from('{"messages":[]}');
    const request = createRequest(`https://bedrock-runtime.eu-west-1.amazonaws.com/model/${wire}/converse`, {
      method: "POST",
      headers: ["content-type", "application/json", "accept", "x", "X-Amz-Target", "t"],
      body,
    });
    const { authorization } = await sign(request, "bedrock", "eu-west-1");
    const expected = signByHand(
      [
        "POST",
        `/model/${canonical}/converse`,
        "",
        "content-type:application/json",
        "host:bedrock-runtime.eu-west-1.amazonaws.com",
        "x-amz-date:20150830T123600Z",
        "x-amz-target:t",
        "",
        "content-type;host;x-amz-date;x-amz-target",
        createHash("sha256").update(body).digest("hex"),
      ].join("\n"),
      "bedrock",
      "eu-west-1",
    );
    expect(authorization).toContain(`Signature=${expected}`);
  });

  it("covers a port that is not the scheme's own, and a session's token", async () => {
    const signed = await sign(createRequest("http://127.0.0.1:9000/model/m/invoke"), "bedrock", "us-east-1", {
      sessionToken: "test-token",
    });
    const expected = signByHand(
      [
        "GET",
        "/model/m/invoke",
        "",
        "host:127.0.0.1:9000",
        "x-amz-date:20150830T123600Z",
        "x-amz-security-token:test-token",
        "",
        "host;x-amz-date;x-amz-security-token",
        createHash("sha256").update("").digest("hex"),
      ].join("\n"),
      "bedrock",
      "us-east-1",
    );
    expect(signed["x-amz-security-token"]).toBe("test-token");
    expect(signed["authorization"]).toContain(`Signature=${expected}`);
  });
});

describe("a region", () => {
  it.each([
    ["bedrock-runtime.us-east-1.amazonaws.com", "us-east-1"],
    ["bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"],
    ["vpce-0a-1b.bedrock-runtime.ap-southeast-2.vpce.amazonaws.com", "ap-southeast-2"],
    ["bedrock-mantle.eu-central-1.api.aws", "eu-central-1"],
    ["127.0.0.1", undefined],
    ["us-east-1.amazonaws.com.evil.example", undefined],
  ])("of the host %s is %s", (hostname, region) => {
    expect(readHostRegion(hostname)).toBe(region);
  });

  const signature = (region: string): string[] => [
    "Authorization",
    `AWS4-HMAC-SHA256 Credential=AKIDX/20150830/${region}/bedrock/aws4_request, SignedHeaders=host, Signature=ab`,
  ];

  it("is read off a client's signature", () => {
    expect(readSignedRegion(["host", "x", ...signature("us-west-2")])).toBe("us-west-2");
  });

  it.each(["evil.example", "us-west-2.evil", "x-y-1", "us-west-22", "US-WEST-2"])(
    "is none when the signature says %s",
    (region) => {
      expect(readSignedRegion(signature(region))).toBeUndefined();
    },
  );
});
