// Google access tokens: the three sources, when a token is asked for again, and that no error tells a secret.
import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createGoogleTokens } from "../../../../src/providers/auth/google-token.ts";

interface Asked {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  form: URLSearchParams;
}

const { privateKey, publicKey } = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
  publicKeyEncoding: { type: "spki", format: "pem" },
});

let server: Server;
let origin: string;
let asked: Asked[];
let answer: { status: number; headers: Record<string, string>; body: string };

beforeEach(async () => {
  asked = [];
  answer = { status: 200, headers: {}, body: JSON.stringify({ access_token: "test-token-1", expires_in: 3600 }) };
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      asked.push({ method, url, headers, form: new URLSearchParams(body) });
      response.writeHead(answer.status, answer.headers).end(answer.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => new Promise((resolve) => server.close(resolve)));

function createFixture(environment: Record<string, string>, contents: Record<string, unknown> = {}) {
  const clock = { ms: 0, nowMs: () => clock.ms, epochMs: () => Date.UTC(2026, 10, 21) + clock.ms };
  const reads: string[] = [];
  const files = {
    stamp: () => "1",
    read(path: string): string {
      reads.push(path);
      const content = contents[path];
      if (content === undefined) throw Object.assign(new Error("gone"), { code: "ENOENT" });
      return typeof content === "string" ? content : JSON.stringify(content);
    },
  };
  return { clock, reads, ask: createGoogleTokens({ environment, clock, files }) };
}

const serviceAccount = () => ({
  type: "service_account",
  client_email: "robot@acme.example",
  private_key: privateKey,
  private_key_id: "kid-1",
  token_uri: `${origin}/token`,
});

const withAccount = () =>
  createFixture({ GOOGLE_APPLICATION_CREDENTIALS: "/key.json" }, { "/key.json": serviceAccount() });

describe("a service account", () => {
  it("signs a JWT for the token server and gets a token for it", async () => {
    const token = await withAccount().ask();
    expect(token?.secret.reveal()).toBe("test-token-1");
    expect(inspect(token)).not.toContain("test-token-1");
    expect(asked).toHaveLength(1);
    const { method, url, form } = asked[0] as Asked;
    expect([method, url, form.get("grant_type")]).toEqual([
      "POST",
      "/token",
      "urn:ietf:params:oauth:grant-type:jwt-bearer",
    ]);
    const [header = "", claims = "", signature = ""] = (form.get("assertion") ?? "").split(".");
    const decode = (part: string): unknown => JSON.parse(Buffer.from(part, "base64url").toString());
    expect(decode(header)).toEqual({ alg: "RS256", typ: "JWT", kid: "kid-1" });
    const issuedAt = Date.UTC(2026, 10, 21) / 1000;
    expect(decode(claims)).toEqual({
      iss: "robot@acme.example",
      scope: "https://www.googleapis.com/auth/cloud-platform",
      aud: `${origin}/token`,
      iat: issuedAt,
      exp: issuedAt + 3600,
    });
    const key = createPublicKey(publicKey);
    const signed = Buffer.from(`${header}.${claims}`);
    expect(verify("RSA-SHA256", signed, key, Buffer.from(signature, "base64url"))).toBe(true);
  });

  it("asks once for all who wait, and again only shortly before the end", async () => {
    const { ask, clock } = withAccount();
    await Promise.all([ask(), ask(), ask()]);
    // 3600 s less the margin of 225 s.
    clock.ms = 3_374_999;
    await ask();
    expect(asked).toHaveLength(1);
    clock.ms = 3_375_001;
    answer.body = JSON.stringify({ access_token: "test-token-2", expires_in: 3600 });
    expect((await ask())?.secret.reveal()).toBe("test-token-2");
    expect(asked).toHaveLength(2);
  });

  it("asks again after a refusal", async () => {
    const { ask } = withAccount();
    answer.status = 400;
    await expect(ask()).rejects.toMatchObject({ code: "upstream_auth" });
    answer.status = 200;
    expect((await ask())?.secret.reveal()).toBe("test-token-1");
  });
});

it("refreshes an authorised user's token, and names the project that it counts against", async () => {
  const user = {
    type: "authorized_user",
    client_id: "client-1",
    client_secret: "test-client-secret",
    refresh_token: "test-refresh",
    quota_project_id: "acme",
    token_uri: `${origin}/token`,
  };
  const path = "/home/me/.config/gcloud/application_default_credentials.json";
  const token = await createFixture({ HOME: "/home/me" }, { [path]: user }).ask();
  expect(token?.quotaProject).toBe("acme");
  expect(Object.fromEntries((asked[0] as Asked).form)).toEqual({
    grant_type: "refresh_token",
    client_id: "client-1",
    client_secret: "test-client-secret",
    refresh_token: "test-refresh",
  });
});

describe("the metadata server", () => {
  const create = () => createFixture({ GCE_METADATA_HOST: new URL(origin).host });

  it("is asked when there is no file", async () => {
    answer.headers = { "metadata-flavor": "Google" };
    expect((await create().ask())?.secret.reveal()).toBe("test-token-1");
    const { url, headers } = asked[0] as Asked;
    expect(url).toBe("/computeMetadata/v1/instance/service-accounts/default/token");
    expect(headers["metadata-flavor"]).toBe("Google");
  });

  it("is not believed when it is none of Google's, for half a minute", async () => {
    const { ask, clock } = create();
    expect(await ask()).toBeUndefined();
    clock.ms = 29_999;
    expect(await ask()).toBeUndefined();
    expect(asked).toHaveLength(1);
    clock.ms = 30_001;
    expect(await ask()).toBeUndefined();
    expect(asked).toHaveLength(2);
  });
});

describe("a credential file that gives no token is told without a word of it", () => {
  const cases: [string, unknown, string][] = [
    ["absent", undefined, "cannot be read"],
    ["not JSON", "{test-secret", "not JSON"],
    ["of another type", { type: "external_account", secret: "test-secret" }, "neither of type"],
    ["without a key", { type: "service_account", client_email: "test-secret" }, "no private_key"],
    [
      "with a key that is none",
      { type: "service_account", client_email: "a", private_key: "test-secret" },
      "cannot sign",
    ],
  ];
  it.each(cases)("%s", async (_, content, told) => {
    const { ask } = createFixture({ GOOGLE_APPLICATION_CREDENTIALS: "/key.json" }, { "/key.json": content });
    const error: unknown = await ask().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: "upstream_auth", message: expect.stringContaining(told) });
    expect(inspect(error)).not.toContain("test-secret");
  });
});
