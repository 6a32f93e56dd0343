// Which credential travels: the table of DESIGN §2.4, and that a client's key never reaches another provider.
import { describe, expect, it } from "vitest";

import { SidecarError } from "../../../src/errors.ts";
import { applyCredential, createProviders, type HeldCredential, type Provider } from "../../../src/providers/index.ts";
import { Secret } from "../../../src/secret.ts";
import { requireProvider } from "../../support/providers.ts";

const openai = requireProvider("openai");
const anthropic = requireProvider("anthropic");
const sarvam = requireProvider("sarvam");
const vllm = requireProvider("vllm");

const held = (always: boolean, value = "test-own"): HeldCredential => ({ secret: new Secret(value), always });
const plain = ["Content-Type", "application/json", "X-Thing", "1"];
const bearer = ["Authorization", "Bearer test-client"];
const own = ["authorization", "Bearer test-own"];

describe("the credential that travels", () => {
  it.each<[string, string[], boolean, HeldCredential | undefined, string[], string]>([
    ["the client's own, addressed", bearer, true, undefined, bearer, "client"],
    ["the client's own before a conventional variable", bearer, true, held(false), bearer, "client"],
    ["Outrider's from the options, always", bearer, true, held(true), own, "own"],
    ["Outrider's when the client sent none", [], true, held(false), own, "own"],
    ["Outrider's for the placeholder", ["authorization", "Bearer outrider"], true, held(false), own, "own"],
    ["Outrider's for the placeholder in another header", ["x-api-key", "outrider"], true, held(false), own, "own"],
    ["Outrider's for an empty header", ["authorization", "Bearer "], true, held(false), own, "own"],
    ["Outrider's when the provider was not addressed", bearer, false, held(false), own, "own"],
    ["none when the provider was not addressed and none is held", bearer, false, undefined, [], "none"],
    ["none when there is none", [], true, undefined, [], "none"],
    [
      "the placeholder as it is when none is held",
      ["x-api-key", "outrider"],
      true,
      undefined,
      ["x-api-key", "outrider"],
      "client",
    ],
  ])("is %s", (_, client, addressed, credential, expected, use) => {
    const applied = applyCredential([...plain, ...client], "", openai, { addressed, held: credential });
    expect(applied).toEqual({ headers: [...plain, ...expected], query: "", use });
  });

  it("goes into the header that the provider takes", () => {
    const last = (provider: Provider) =>
      applyCredential(bearer, "", provider, { addressed: true, held: held(true) }).headers;
    expect(last(anthropic)).toEqual(["x-api-key", "test-own"]);
    expect(last(sarvam)).toEqual(["api-subscription-key", "test-own"]);
    expect(last(vllm)).toEqual(own);
  });

  it("passes untouched, the list and all, to an addressed provider that needs none", () => {
    const headers = ["Authorization", "Bearer outrider", "cookie", "a=1"];
    expect(applyCredential(headers, "?key=outrider", vllm, { addressed: true, held: undefined })).toMatchObject({
      headers,
      query: "?key=outrider",
    });
  });

  it("replaces every key the client sent, and leaves a gateway's own key beside it", () => {
    const headers = [
      "x-api-key",
      "test-a",
      "Authorization",
      "Bearer test-b",
      "API-Key",
      "test-c",
      "X-Goog-Api-Key",
      "test-d",
      "cf-aig-authorization",
      "test-gateway",
    ];
    const applied = applyCredential(headers, "?alt=sse&key=test-e&x=1", anthropic, {
      addressed: true,
      held: held(true),
    });
    expect(applied).toEqual({
      headers: ["cf-aig-authorization", "test-gateway", "x-api-key", "test-own"],
      query: "?alt=sse&x=1",
      use: "own",
    });
  });

  it("does not change the list it was given", () => {
    const headers = [...plain, ...bearer];
    applyCredential(headers, "", openai, { addressed: false, held: held(false) });
    expect(headers).toEqual([...plain, ...bearer]);
  });
});

describe("a provider that was not addressed", () => {
  const secrets = [
    ["Authorization", "Bearer test-client"],
    ["X-API-Key", "test-client"],
    ["api-key", "test-client"],
    ["x-goog-api-key", "test-client"],
    ["api-subscription-key", "test-client"],
    ["Cookie", "session=test-client"],
    ["cf-aig-authorization", "test-client"],
    ["helicone-auth", "test-client"],
    ["x-portkey-api-key", "test-client"],
    ["x-amz-security-token", "test-client"],
    ["modal-secret", "test-client"],
    ["ocp-apim-subscription-key", "test-client"],
    ["proxy-authorization", "test-client"],
  ] as const;

  it.each(secrets)("never sees %s", (name, value) => {
    for (const credential of [undefined, held(false), held(true)]) {
      const { headers } = applyCredential([...plain, name, value], "", openai, { addressed: false, held: credential });
      expect(headers.join("\n")).not.toContain("test-client");
      expect(headers.slice(0, 4)).toEqual(plain);
    }
  });

  it.each([
    "?key=test-client",
    "?a=1&KEY=test-client",
    "?%6bey=test-client",
    "?api_key=test-client&b=2",
    "?access_token=test-client",
  ])("never sees the query %s", (query) => {
    expect(applyCredential([], query, openai, { addressed: false, held: undefined }).query).not.toContain(
      "test-client",
    );
  });

  it("still sees what is no secret", () => {
    const headers = [
      "idempotency-key",
      "1",
      "anthropic-version",
      "2023-06-01",
      "x-stainless-lang",
      "js",
      "max-tokens",
      "2",
    ];
    const applied = applyCredential(headers, "?beta=true&monkey=1", openai, { addressed: false, held: undefined });
    expect(applied).toEqual({ headers, query: "?beta=true&monkey=1", use: "none" });
  });
});

describe("a held value that cannot stand in a header", () => {
  it.each(["a\r\nb", "a\nb", "a\u0000b", "a\u007f", "a\u20acb"])("%j is refused and not told", (value) => {
    const attempt = () => applyCredential([], "", openai, { addressed: true, held: held(true, value) });
    expect(attempt).toThrow(SidecarError);
    expect(attempt).toThrow(expect.objectContaining({ code: "upstream_auth" }));
    expect(attempt).not.toThrow(value);
  });
});

describe("a provider of AWS", () => {
  const bedrock = requireProvider("bedrock");
  const signature = [
    "Authorization",
    "AWS4-HMAC-SHA256 Credential=AKIDX/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=ab",
    "X-Amz-Date",
    "20260101T000000Z",
    "X-Amz-Security-Token",
    "test-session",
    "x-amz-content-sha256",
    "00",
  ];
  const bound = ["X-Amzn-Bedrock-Trace", "ENABLED", "amz-sdk-request", "attempt=1"];

  it("never gets the client's signature, which covers another host", () => {
    const choose = (credential: HeldCredential | undefined) =>
      applyCredential([...plain, ...signature, ...bound], "?a=1", bedrock, { addressed: true, held: credential });
    const rest = [...plain, ...bound];
    expect(choose(undefined)).toEqual({ headers: rest, query: "?a=1", use: "machine", signatureDropped: true });
    expect(choose(held(false))).toEqual({
      headers: [...rest, ...own],
      query: "?a=1",
      use: "own",
      signatureDropped: true,
    });
  });

  it("never gets one in the query", () => {
    const query = "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=ab&x=1";
    expect(applyCredential([], query, bedrock, { addressed: true, held: undefined })).toEqual({
      headers: [],
      query: "?x=1",
      use: "machine",
      signatureDropped: true,
    });
  });

  it("gets the client's own bearer token, and a signature where it brought nothing", () => {
    const choose = (client: string[]) => applyCredential(client, "", bedrock, { addressed: true, held: undefined });
    expect(choose(bearer)).toEqual({ headers: bearer, query: "", use: "client" });
    expect(choose([])).toEqual({ headers: [], query: "", use: "machine" });
    expect(choose(["authorization", "Bearer outrider"])).toEqual({ headers: [], query: "", use: "machine" });
  });

  it("at a host of a new id gets nothing of the machine's", () => {
    const mine = requireProvider(
      "mine",
      createProviders({
        options: { providers: { mine: { preset: "bedrock", baseUrl: "https://x.example" } }, credentials: {} },
      }),
    );
    expect(applyCredential(signature, "", mine, { addressed: true, held: undefined })).toEqual({
      headers: [],
      query: "",
      use: "none",
      signatureDropped: true,
    });
  });

  it("is the only one whose client may not sign: elsewhere the signature stays where it was addressed to", () => {
    const applied = applyCredential(signature, "", openai, { addressed: true, held: undefined });
    expect(applied).toEqual({ headers: signature, query: "", use: "client" });
    expect(applyCredential(signature, "", openai, { addressed: false, held: undefined }).headers).toEqual([]);
  });
});

describe("a provider of Google", () => {
  const vertex = requireProvider("vertex");
  const google = requireProvider("google");

  it("gets the client's own token or key, else a token of the machine's", () => {
    const choose = (client: string[]) => applyCredential(client, "", vertex, { addressed: true, held: undefined }).use;
    expect([choose(bearer), choose(["x-goog-api-key", "test-key"]), choose([])]).toEqual([
      "client",
      "client",
      "machine",
    ]);
    expect(choose(["authorization", "Bearer outrider"])).toBe("machine");
  });

  it("takes a key that is held as an API key, and as a bearer token on OpenAI's paths", () => {
    const last = (provider: Provider, dialect?: "openai-chat") =>
      applyCredential([], "", provider, { addressed: true, held: held(false), dialect }).headers;
    expect(last(vertex)).toEqual(["x-goog-api-key", "test-own"]);
    expect(last(google)).toEqual(["x-goog-api-key", "test-own"]);
    expect(last(google, "openai-chat")).toEqual(own);
  });
});

it("a key goes behind the word that its provider wants before it", () => {
  const last = (id: string) =>
    applyCredential(["authorization", "Token outrider"], "", requireProvider(id), {
      addressed: true,
      held: held(false),
    }).headers;
  expect(last("deepgram")).toEqual(["authorization", "Token test-own"]);
  expect(last("fal")).toEqual(["authorization", "Key test-own"]);
  expect(last("assemblyai")).toEqual(["authorization", "test-own"]);
});
