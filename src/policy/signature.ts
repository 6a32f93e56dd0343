// Room policy: who wrote a document. The signed form is a compact JWS (RFC 7515), EdDSA with Ed25519 (RFC 8037), `typ: outrider-policy`.
// Invariant: with keys, only a payload that one of them signed comes out; and no other bytes than the signer's are taken for it.

import { compactVerify, importJWK, type CryptoKey } from "jose";

/** `typ` of a signed policy's protected header. */
export const signatureType = "outrider-policy";

/** Public keys that policies are checked against, in memory. */
export interface PolicyKeys {
  readonly count: number;
  /** The payload of a document signed by one of the keys; undefined for any other bytes. */
  verify(compact: string): Promise<Buffer | undefined>;
}

const compactForm = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\n?$/;

/** Whether bytes have the signed form; says nothing of the signature. One line end after it is allowed, for files. */
export function readCompactForm(bytes: Buffer): string | undefined {
  // A document of YAML or JSON has a space, a colon or a brace soon.
  if (!/^[A-Za-z0-9_.-]+$/.test(bytes.toString("latin1", 0, Math.min(bytes.length - 1, 64)))) return undefined;
  const text = bytes.toString("latin1");
  return compactForm.test(text) ? text.trimEnd() : undefined;
}

/** The payload of the signed form without any check of who signed it. */
export function readPayloadUnchecked(compact: string): Buffer {
  return Buffer.from(compact.split(".")[1] ?? "", "base64url");
}

/**
 * Imports the Ed25519 keys of JWKS documents (RFC 7517 §5).
 * @throws Error that names no key material: no JWKS, no Ed25519 key in it, or a private key
 */
export async function importPolicyKeys(jwksTexts: readonly string[]): Promise<PolicyKeys> {
  const keys: CryptoKey[] = [];
  for (const text of jwksTexts) {
    for (const jwk of parseJwks(text)) {
      if ("d" in jwk) throw new Error("holds a private key, which has no place beside a sidecar");
      if (jwk["kty"] !== "OKP" || jwk["crv"] !== "Ed25519" || typeof jwk["x"] !== "string") continue;
      // Only what the key is: a `use` or `key_ops` of the file's must not widen what it may do.
      keys.push(await importJWK({ kty: "OKP", crv: "Ed25519", x: jwk["x"] }, "EdDSA"));
    }
  }
  if (keys.length === 0) throw new Error("holds no Ed25519 key");
  return {
    count: keys.length,
    async verify(compact) {
      if (!isCanonical(compact)) return undefined;
      for (const key of keys) {
        try {
          const { payload, protectedHeader } = await compactVerify(compact, key, { algorithms: ["EdDSA"] });
          if (protectedHeader.typ === signatureType) return Buffer.from(payload);
        } catch {
          // Another key may have signed it.
        }
      }
      return undefined;
    },
  };
}

/** Base64url has spare bits at the end of a part, which a decoder ignores: a copy with one flipped is not what was signed. */
function isCanonical(compact: string): boolean {
  return compact.split(".").every((part) => Buffer.from(part, "base64url").toString("base64url") === part);
}

function parseJwks(text: string): Record<string, unknown>[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Error("is no JSON");
  }
  const keys = isRecord(parsed) ? parsed["keys"] : undefined;
  if (!Array.isArray(keys)) throw new Error("is no JWKS");
  return keys.filter(isRecord);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
