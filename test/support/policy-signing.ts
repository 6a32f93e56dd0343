// Ed25519 keys and signed policies for tests; made anew in each run.
import { CompactSign, exportJWK, generateKeyPair } from "jose";

export interface PolicySigner {
  /** A JWKS with the public key alone. */
  jwks: string;
  /** With the private key in it. */
  privateJwks: string;
  sign(document: string, header?: { typ?: string }): Promise<string>;
}

export async function createPolicySigner(): Promise<PolicySigner> {
  const { publicKey, privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  return {
    jwks: JSON.stringify({ keys: [await exportJWK(publicKey)] }),
    privateJwks: JSON.stringify({ keys: [await exportJWK(privateKey)] }),
    sign: (document, header = { typ: "outrider-policy" }) =>
      new CompactSign(Buffer.from(document)).setProtectedHeader({ alg: "EdDSA", ...header }).sign(privateKey),
  };
}
