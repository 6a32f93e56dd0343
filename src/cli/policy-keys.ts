// Room cli: `outrider policy keygen` and `outrider policy sign`: an Ed25519 key pair, and a document signed with it (DESIGN §2.5).
// Invariant: the private key is written once, for its owner alone, and stands in no message; nothing that is no valid policy is signed.

import { chmodSync, closeSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { calculateJwkThumbprint, CompactSign, type CryptoKey, exportJWK, generateKeyPair, importJWK } from "jose";
import { OptionsError, quote } from "../options.ts";
import { readCompactForm, signatureType } from "../policy/index.ts";
import { readFileBytes } from "./option-file.ts";
import { describePolicy, type PolicyCheckFlags } from "./policy-check.ts";
import { exitCodes, type Shell } from "./shell.ts";

/** Files of a pair of keys. */
export interface KeygenFlags {
  /** Of the private key, a JWK. */
  key: string;
  /** Of the public one, a JWKS, for `policy.publicKeys`. */
  jwks: string;
}

/** A key that policies are signed with. */
export interface SigningKey {
  /** RFC 7638 thumbprint; public. */
  kid: string;
  /** The document's bytes as a compact JWS, without line end. The same bytes give the same signature (RFC 8032). */
  sign: (document: Uint8Array) => Promise<string>;
}

/** Resolves with the exit code. Never replaces a file. */
export async function generateKeys({ key, jwks }: KeygenFlags, shell: Shell): Promise<number> {
  const { publicKey, privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const open = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(open);
  const common = { kid, alg: "EdDSA", use: "sig" };
  const made: string[] = [];
  try {
    writeNew(key, { ...(await exportJWK(privateKey)), ...common }, 0o600);
    made.push(key);
    writeNew(jwks, { keys: [{ ...open, ...common }] }, 0o644);
  } catch (error) {
    for (const file of made) rmSync(file, { force: true });
    const { code = "unknown error", path = "" } = error as NodeJS.ErrnoException;
    const why = code === "EEXIST" ? "is there already, and a key is never replaced" : `cannot be written: ${code}`;
    shell.error(`outrider: ${path} ${why}\n`);
    return exitCodes.misused;
  }
  shell.out(
    `private key ${key} (keep it where policies are signed)\npublic key  ${jwks} (name it in the option policy.publicKeys)\nkey id      ${kid}\n`,
  );
  return exitCodes.ok;
}

/** Prints the signed form of a valid policy. Resolves with the exit code. */
export async function signPolicy(
  file: string,
  { key, ...flags }: PolicyCheckFlags & { key: string },
  shell: Shell,
): Promise<number> {
  try {
    const bytes = readFileBytes(file);
    if (readCompactForm(bytes) !== undefined) {
      shell.error(`${file}: signed already\n`);
      return exitCodes.failed;
    }
    const signingKey = await readSigningKey(key, shell);
    const policy = await describePolicy(bytes, flags, shell.environment);
    if ("issues" in policy) {
      for (const issue of policy.issues) shell.error(`${file}: ${issue}\n`);
      return exitCodes.failed;
    }
    for (const warning of policy.warnings) shell.error(`${file}: warning: ${warning}\n`);
    shell.out(`${await signingKey.sign(bytes)}\n`);
    return exitCodes.ok;
  } catch (error) {
    if (!(error instanceof OptionsError)) throw error;
    for (const issue of error.issues) shell.error(`${[issue.source, messageOf(issue)].filter(Boolean).join(": ")}\n`);
    return exitCodes.misused;
  }
}

function messageOf(issue: OptionsError["issues"][number]): string {
  return "message" in issue ? issue.message : `expected ${issue.expected}, found ${quote(issue.found)}`;
}

/**
 * Reads a private JWK; warns when others may read the file.
 * @throws OptionsError that names no key material
 */
export async function readSigningKey(file: string, shell: Pick<Shell, "error">): Promise<SigningKey> {
  const bytes = readFileBytes(file);
  if ((statSync(file).mode & 0o077) !== 0) shell.error(`${file}: warning: others may read this private key\n`);
  const wrong = (message: string): OptionsError => new OptionsError([{ source: file, message }]);
  let jwk: Record<string, unknown>;
  try {
    jwk = JSON.parse(bytes.toString("utf8")) as Record<string, unknown>;
  } catch {
    throw wrong("no JWK: not JSON");
  }
  const { kty, crv, x, d } = jwk ?? {};
  if (kty !== "OKP" || crv !== "Ed25519" || typeof x !== "string") throw wrong("no Ed25519 JWK");
  if (typeof d !== "string") throw wrong("a public key: signing takes the private one");
  let privateKey: CryptoKey;
  try {
    privateKey = await importJWK({ kty, crv, x, d }, "EdDSA");
  } catch {
    throw wrong("no Ed25519 JWK that can be used");
  }
  const kid = await calculateJwkThumbprint({ kty, crv, x });
  return {
    kid,
    sign: (document) =>
      new CompactSign(document).setProtectedHeader({ alg: "EdDSA", typ: signatureType, kid }).sign(privateKey),
  };
}

/** @throws the file system's error, EEXIST for a file that is there */
function writeNew(file: string, content: object, mode: number): void {
  const handle = openSync(file, "wx", mode);
  try {
    writeSync(handle, `${JSON.stringify(content, undefined, 2)}\n`);
  } finally {
    closeSync(handle);
  }
  // The umask may have taken from 0644, never from 0600's secrecy.
  chmodSync(file, mode);
}
