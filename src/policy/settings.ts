// Room policy: the option `policy` turned into a source, keys and copies on disk.
// Invariant: what cannot work is told at start; a token's value is in a Secret and in no message.

import { readFileSync } from "node:fs";
import { type CredentialReference, type Options, OptionsError } from "../options.ts";
import { Secret } from "../secret.ts";
import { type DiskCopies, openDiskCopies } from "./disk.ts";
import { importPolicyKeys, type PolicyKeys } from "./signature.ts";
import { createFileSource } from "./source-file.ts";
import { createHttpSource } from "./source-http.ts";
import type { PolicySource } from "./source.ts";

type PolicyOptions = Options["policy"];
type Environment = Readonly<Record<string, string | undefined>>;

/** The source that the options name; undefined: none. @throws OptionsError for a token or certificate that cannot be read */
export function createSource(
  { url, file, pollSeconds, token, mtls }: PolicyOptions,
  { environment, instanceId, random }: { environment: Environment; instanceId: string; random: () => number },
): PolicySource | undefined {
  const pollMs = pollSeconds * 1000;
  if (file !== undefined) return createFileSource({ path: file, pollMs });
  if (url === undefined) return undefined;
  const readToken = token === undefined ? undefined : (): Secret => readSecret(token, environment);
  // Once at start, so that a missing one is told; again before each look, so that a rotated one is taken.
  readToken?.();
  const tls: { cert?: string; key?: string; ca?: string } = {};
  for (const part of ["cert", "key", "ca"] as const) {
    const path = mtls?.[part];
    if (path !== undefined) tls[part] = readOptionFile(path, `policy.mtls.${part}`);
  }
  return createHttpSource({ url, instanceId, pollMs, readToken, tls, random });
}

/** Copies on disk; undefined: the options keep none. */
export function createDiskCopies({ cacheDir }: PolicyOptions, source: PolicySource): DiskCopies | undefined {
  return cacheDir === undefined ? undefined : openDiskCopies(cacheDir, source.place);
}

/** Undefined: the options ask for no signature. @throws OptionsError for a file that holds no Ed25519 public key */
export async function loadKeys({ publicKeys }: PolicyOptions): Promise<PolicyKeys | undefined> {
  if (publicKeys === undefined) return undefined;
  const texts = publicKeys.map((path, index) => readOptionFile(path, `policy.publicKeys[${index}]`));
  try {
    return await importPolicyKeys(texts);
  } catch (error) {
    const why = error instanceof Error ? error.message : "cannot be used";
    throw new OptionsError([{ path: "policy.publicKeys", message: `a file ${why}` }]);
  }
}

/** @throws OptionsError */
function readSecret(reference: CredentialReference, environment: Environment): Secret {
  const isVariable = "env" in reference;
  const text = isVariable ? (environment[reference.env] ?? "") : readOptionFile(reference.file, "policy.token.file");
  const value = text.trim();
  // What a header may hold (RFC 9110 §5.5), less what a bearer token never has (RFC 6750 §2.1).
  if (/^[\x21-\x7e]+$/.test(value)) return new Secret(value);
  const [path, name] = isVariable ? ["policy.token.env", reference.env] : ["policy.token.file", reference.file];
  throw new OptionsError([
    { path, expected: "a bearer token", found: `${name}: ${value === "" ? "empty" : "not one"}` },
  ]);
}

function readOptionFile(file: string, path: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code = "unreadable" } = error as NodeJS.ErrnoException;
    throw new OptionsError([{ path, expected: "a file that can be read", found: `${file}: ${code}` }]);
  }
}
