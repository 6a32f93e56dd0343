// Who may write a policy: only the holder of a key given locally, and not one bit of what was signed may differ.
import { beforeAll, describe, expect, it } from "vitest";
import { CompactSign, exportJWK, generateKeyPair } from "jose";
import { importPolicyKeys, type PolicyKeys, readCompactForm } from "../../../src/policy/index.ts";
import { createPolicySigner, type PolicySigner } from "../../support/policy-signing.ts";

const document = "apiVersion: outrider/v1\nversion: 7\n";
let signer: PolicySigner;
let other: PolicySigner;
let keys: PolicyKeys;
let signed: string;

beforeAll(async () => {
  [signer, other] = [await createPolicySigner(), await createPolicySigner()];
  keys = await importPolicyKeys([signer.jwks]);
  signed = await signer.sign(document);
});

describe("a signed policy", () => {
  it("gives its payload to the key that signed it, also among others", async () => {
    expect((await keys.verify(signed))?.toString()).toBe(document);
    const both = await importPolicyKeys([other.jwks, signer.jwks]);
    expect(both.count).toBe(2);
    expect((await both.verify(signed))?.toString()).toBe(document);
  });

  it("is nothing to another key", async () => {
    expect(await keys.verify(await other.sign(document))).toBeUndefined();
  });

  it("needs its own typ, so that no other token of the same key passes for a policy", async () => {
    expect(await keys.verify(await signer.sign(document, { typ: "JWT" }))).toBeUndefined();
    expect(await keys.verify(await signer.sign(document, {}))).toBeUndefined();
  });

  it("is never accepted with a bit flipped, at every bit of every byte", async () => {
    const bytes = Buffer.from(signed);
    const accepted: number[] = [];
    for (let at = 0; at < bytes.length * 8; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at >> 3] = (flipped[at >> 3] ?? 0) ^ (1 << (at & 7));
      const compact = readCompactForm(flipped);
      if (compact !== undefined && (await keys.verify(compact)) !== undefined) accepted.push(at);
    }
    expect(bytes.length).toBeGreaterThan(150);
    expect(accepted).toEqual([]);
  });

  it("is not accepted unsigned, with another algorithm, or cut", async () => {
    const [header = "", payload = "", signature = ""] = signed.split(".");
    const none = Buffer.from('{"alg":"none","typ":"outrider-policy"}').toString("base64url");
    const hmac = await new CompactSign(Buffer.from(document))
      .setProtectedHeader({ alg: "HS256", typ: "outrider-policy" })
      .sign(Buffer.from(signer.jwks.padEnd(64)));
    const { privateKey } = await generateKeyPair("ES256");
    const elliptic = await new CompactSign(Buffer.from(document))
      .setProtectedHeader({ alg: "ES256", typ: "outrider-policy" })
      .sign(privateKey);
    for (const forged of [
      `${none}.${payload}.`,
      `${none}.${payload}.${signature}`,
      `${header}.${payload}`,
      hmac,
      elliptic,
    ]) {
      expect(await keys.verify(forged), forged.slice(0, 40)).toBeUndefined();
    }
    for (let length = 0; length < signed.length; length += 7) {
      expect(await keys.verify(signed.slice(0, length))).toBeUndefined();
    }
  });

  it("is told from a document, with a line end after it or without", () => {
    expect(readCompactForm(Buffer.from(signed))).toBe(signed);
    expect(readCompactForm(Buffer.from(`${signed}\n`))).toBe(signed);
    for (const text of [document, '{"version":7}', "", "a", "a.b", `${signed}\n\n`, ` ${signed}`, `${signed}.x`]) {
      expect(readCompactForm(Buffer.from(text)), text.slice(0, 30)).toBeUndefined();
    }
  });
});

describe("a JWKS", () => {
  it("is refused with a private key in it, without Ed25519, or as anything else", async () => {
    const { publicKey } = await generateKeyPair("ES256", { extractable: true });
    const wrong: [string, RegExp][] = [
      [signer.privateJwks, /private key/],
      [JSON.stringify({ keys: [await exportJWK(publicKey)] }), /no Ed25519/],
      ['{"keys":[]}', /no Ed25519/],
      ["{}", /no JWKS/],
      ["keys: []", /no JSON/],
    ];
    for (const [text, message] of wrong) await expect(importPolicyKeys([text])).rejects.toThrow(message);
  });

  it("never has its keys in an error", async () => {
    const secret = (JSON.parse(signer.privateJwks) as { keys: { d: string }[] }).keys[0]?.d ?? "missing";
    const error: unknown = await importPolicyKeys([signer.privateJwks]).catch((thrown: unknown) => thrown);
    expect(String(error)).not.toContain(secret);
  });
});
