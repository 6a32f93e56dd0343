// Credentials that Outrider makes for a request: AWS signatures and Google tokens, as a provider sees them, through the built bundle.
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectedSignature } from "../support/aws-signature.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { type ScriptedUpstream, startScriptedUpstream, type UpstreamRequest } from "../support/scripted-upstream.ts";

const folder = mkdtempSync(join(tmpdir(), "outrider-auth-"));
const secretKey = "test-secret-key";
const clientSignature =
  "AWS4-HMAC-SHA256 Credential=test-client/20260101/us-west-2/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=00";

let upstream: ScriptedUpstream;
let tokens: Server;
let tokenRequests = 0;
const running: OutriderProcess[] = [];

beforeAll(async () => {
  upstream = await startScriptedUpstream();
  upstream.setScript({ headers: { "content-type": "application/json" }, contentLength: true, chunks: ["{}"] });
  tokens = createServer((request, response) => {
    tokenRequests++;
    request.resume().on("end", () => {
      response.end(JSON.stringify({ access_token: "test-google-token", expires_in: 3600 }));
    });
  });
  await new Promise<void>((resolve) => tokens.listen(0, "127.0.0.1", resolve));
});

afterAll(async () => {
  await Promise.all(running.map((outrider) => outrider.stop()));
  await upstream?.close();
  tokens?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(environment: Record<string, string>): Promise<OutriderProcess> {
  const baseUrl = upstream.url;
  const outrider = await startOutrider({
    options: {
      providers: { bedrock: { baseUrl }, vertex: { baseUrl }, azure: { baseUrl }, google: { baseUrl } },
    },
    // Neither metadata server is there; both are loopback ports of nobody.
    environment: { AWS_EC2_METADATA_DISABLED: "true", GCE_METADATA_HOST: "127.0.0.1:9", ...environment },
  });
  running.push(outrider);
  return outrider;
}

async function send(
  outrider: OutriderProcess,
  path: string,
  headers: Record<string, string> = {},
  body = '{"messages":[]}',
): Promise<{ status: number; text: string; error: string | null; seen: UpstreamRequest | undefined }> {
  const before = upstream.requests.length;
  const response = await fetch(outrider.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
  });
  const text = await response.text();
  return {
    status: response.status,
    text,
    error: response.headers.get("x-outrider-error"),
    seen: upstream.requests.slice(before).at(-1),
  };
}

describe("Bedrock, with AWS credentials in Outrider's environment", () => {
  let outrider: OutriderProcess;
  beforeAll(async () => {
    outrider = await start({
      AWS_ACCESS_KEY_ID: "test-key-id",
      AWS_SECRET_ACCESS_KEY: secretKey,
      AWS_SESSION_TOKEN: "test-session",
      AWS_REGION: "eu-west-1",
    });
  });

  it.each([
    ["a call", "/model/anthropic.claude-v2%3A1/converse"],
    ["a call of an ARN", "/model/arn%3Aaws%3Abedrock%3A%3A1%3Ainference-profile%2Fx/converse"],
    ["what is relayed unread", "/bedrock/model/m/count-tokens?a=b"],
  ])("signs %s anew over what is sent", async (_, path) => {
    const { status, seen } = await send(outrider, path, {
      authorization: clientSignature,
      "x-amz-date": "20260101T000000Z",
      "x-amz-security-token": "test-client-session",
      "x-amz-content-sha256": "00",
      "x-amzn-bedrock-trace": "ENABLED",
    });
    expect(status).toBe(200);
    const request = seen as UpstreamRequest;
    expect(request.path).toBe(path.replace("/bedrock", ""));
    expect(request.body.toString()).toBe('{"messages":[]}');
    expect(request.header("authorization")).toMatch(
      /^AWS4-HMAC-SHA256 Credential=test-key-id\/\d{8}\/eu-west-1\/bedrock\/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, /,
    );
    expect(request.header("x-amz-security-token")).toBe("test-session");
    expect(request.header("x-amzn-bedrock-trace")).toBe("ENABLED");
    expect(request.header("x-amz-content-sha256")).toBeUndefined();
    expect(request.rawHeaders.filter((item) => item.toLowerCase() === "authorization")).toHaveLength(1);
    expect(request.header("authorization")).toContain(
      `Signature=${expectedSignature(request, "eu-west-1", secretKey)}`,
    );
  });

  it("signs for a client that brought no credential, and leaves a bearer token as it is", async () => {
    expect((await send(outrider, "/model/m/converse")).seen?.header("authorization")).toMatch(/^AWS4-/);
    const { seen } = await send(outrider, "/model/m/converse", { authorization: "Bearer test-client-key" });
    expect(seen?.header("authorization")).toBe("Bearer test-client-key");
    expect(seen?.header("x-amz-date")).toBeUndefined();
  });

  it("tells no secret", () => {
    expect(outrider.output()).not.toContain(secretKey);
    expect(outrider.output()).not.toContain("test-session");
  });
});

describe("Bedrock, with credentials only AWS's own chain finds", () => {
  it("signs with a profile of the shared files, for the region that the client signed for", async () => {
    const file = join(folder, "credentials");
    writeFileSync(file, `[work]\naws_access_key_id = test-profile-id\naws_secret_access_key = ${secretKey}\n`);
    const outrider = await start({ AWS_PROFILE: "work", AWS_SHARED_CREDENTIALS_FILE: file });
    const { seen } = await send(outrider, "/model/m/converse", { authorization: clientSignature });
    const request = seen as UpstreamRequest;
    expect(request.header("authorization")).toContain("Credential=test-profile-id/");
    expect(request.header("authorization")).toContain(
      `Signature=${expectedSignature(request, "us-west-2", secretKey)}`,
    );
  });
});

describe("Bedrock, with no AWS credentials", () => {
  it("refuses to send a signature that cannot be right", async () => {
    const outrider = await start({});
    const { status, text, error, seen } = await send(outrider, "/model/m/converse", { authorization: clientSignature });
    expect([status, error]).toEqual([502, "upstream_auth;source=provider"]);
    expect(text).toContain("AWS signature was made for Outrider's address");
    expect(seen).toBeUndefined();
    // Without a signature there is nothing to refuse: the provider says what it wants.
    expect((await send(outrider, "/model/m/converse")).seen?.header("authorization")).toBeUndefined();
  });

  it("sends the bearer token that its variable holds", async () => {
    const outrider = await start({ AWS_BEARER_TOKEN_BEDROCK: "test-bearer" });
    const { seen } = await send(outrider, "/model/m/converse", { authorization: clientSignature });
    expect(seen?.header("authorization")).toBe("Bearer test-bearer");
  });
});

describe("Vertex AI", () => {
  const path = "/v1/projects/p/locations/us-central1/publishers/google/models/gemini-2.5-pro:generateContent";
  let outrider: OutriderProcess;
  beforeAll(async () => {
    const { privateKey } = generateKeyPairSync("rsa", {
      modulusLength: 2048,
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
      publicKeyEncoding: { type: "spki", format: "pem" },
    });
    const file = join(folder, "account.json");
    const token_uri = `http://127.0.0.1:${(tokens.address() as AddressInfo).port}/token`;
    writeFileSync(
      file,
      JSON.stringify({ type: "service_account", client_email: "a@b", private_key: privateKey, token_uri }),
    );
    outrider = await start({ GOOGLE_APPLICATION_CREDENTIALS: file, AZURE_OPENAI_API_KEY: "test-azure" });
  });

  it("gets one access token for all clients that bring none, and the client's own where there is one", async () => {
    const sent = await Promise.all(
      ["", "Bearer outrider", "Bearer "].map((authorization) =>
        send(outrider, path, authorization === "" ? {} : { authorization }),
      ),
    );
    expect(sent.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(upstream.requests.slice(-3).map((request) => request.header("authorization"))).toEqual(
      Array.from({ length: 3 }, () => "Bearer test-google-token"),
    );
    expect(tokenRequests).toBe(1);
    const { seen } = await send(outrider, path, { authorization: "Bearer test-client-token" });
    expect(seen?.header("authorization")).toBe("Bearer test-client-token");
    expect(seen?.path).toBe(path);
    expect(outrider.output()).not.toContain("test-google-token");
  });

  it.each([
    [
      "/azure/openai/deployments/gpt/chat/completions?api-version=1",
      "/openai/deployments/gpt/chat/completions?api-version=1",
    ],
    [
      "/openai/deployments/gpt/chat/completions?api-version=1",
      "/openai/deployments/gpt/chat/completions?api-version=1",
    ],
    ["/azure/openai/v1/chat/completions", "/openai/v1/chat/completions"],
  ])("Azure's %s gets its key, or keeps the client's Entra token", async (from, to) => {
    const { seen } = await send(outrider, from);
    expect([seen?.path, seen?.header("api-key"), seen?.header("authorization")]).toEqual([to, "test-azure", undefined]);
    const other = await send(outrider, from, { authorization: "Bearer test-entra" });
    expect([other.seen?.header("api-key"), other.seen?.header("authorization")]).toEqual([
      undefined,
      "Bearer test-entra",
    ]);
  });
});

it("an address that nobody completed is an error that says what to set", async () => {
  const outrider = await startOutrider();
  running.push(outrider);
  const { status, text, error } = await send(outrider, "/azure/openai/v1/chat/completions", { "api-key": "test-key" });
  expect([status, error]).toEqual([404, "operation_unsupported;source=client"]);
  expect(text).toContain("set providers.azure.resource or providers.azure.baseUrl");
});
