// Room cli: whether a document is a policy that this version can obey: everything wrong with it at once, unknown keys included.
// Invariant: strict, unlike a sidecar, which tolerates keys of a newer version; no issue holds a value of the document.

import { systemClock } from "../clock.ts";
import { type Options, OptionsError } from "../options.ts";
import {
  compileDocument,
  type CompileSettings,
  formatPolicyIssue,
  identify,
  importPolicyKeys,
  nameVersion,
  type PolicyDocument,
  type PolicyIssue,
  type PolicySnapshot,
  readCompactForm,
  readDocument,
} from "../policy/index.ts";
import { createPricer } from "../spend/index.ts";
import { loadOptions } from "./load-options.ts";
import type { Environment } from "./option-environment.ts";
import { readFileBytes } from "./option-file.ts";

/** What a policy is held against. */
export interface PolicyCheckFlags {
  /** Options file of the sidecars that are to obey it: their providers count too. */
  config?: string;
  /** JWKS file: the document must be signed by one of its keys. */
  keys?: string;
}

/** A policy that may come into force. */
export interface ValidPolicy {
  /** `42`, or `sha256:` and 12 hex digits. */
  version: string;
  identity: ReturnType<typeof identify>;
  document: PolicyDocument;
  snapshot: PolicySnapshot;
  candidate: PolicySnapshot | undefined;
  isSigned: boolean;
  warnings: readonly string[];
}

/**
 * Reads, checks and compiles. Issues are lines for people.
 * @throws OptionsError for options or a JWKS that cannot be used
 */
export async function describePolicy(
  bytes: Buffer,
  { config, keys }: PolicyCheckFlags,
  environment: Environment,
): Promise<ValidPolicy | { issues: string[] }> {
  const compact = readCompactForm(bytes);
  const payload = compact === undefined ? bytes : await openSigned(compact, keys);
  if (payload === undefined) return { issues: [`not signed by any key of ${keys}`] };
  if (compact === undefined && keys !== undefined) return { issues: ["not signed"] };
  const read = readDocument(payload, "check");
  if (read.type === "invalid") return { issues: read.issues.map(formatPolicyIssue) };

  const options = loadOptions({ file: config, environment: config === undefined ? {} : environment });
  const settings = readCompileSettings(options, environment);
  const identity = identify(read.raw);
  const version = nameVersion(identity);
  const compile = async (document: PolicyDocument, name: string): Promise<ReturnType<typeof compileDocument>> => {
    const pricer = createPricer([...options.prices.overrides, ...document.prices.overrides]);
    await pricer.load();
    return compileDocument(document, { version: name, source: "file" }, pricer, settings);
  };
  const compiled = await compile(read.document, version);
  const beside = read.candidate === undefined ? undefined : await compile(read.candidate, `${version}+candidate`);
  const issues = [
    ...("issues" in compiled ? compiled.issues : []),
    ...(beside !== undefined && "issues" in beside ? beside.issues.map(inCandidate) : []),
  ];
  if ("issues" in compiled || (beside !== undefined && "issues" in beside)) {
    return { issues: [...new Set(issues.map(formatPolicyIssue))] };
  }
  return {
    version,
    identity,
    document: read.document,
    snapshot: compiled.snapshot,
    candidate: beside?.snapshot,
    isSigned: compact !== undefined,
    warnings: [...read.warnings.map(formatPolicyIssue), ...listWarnings(read.document, compact !== undefined, keys)],
  };
}

/** What documents are compiled against outside a sidecar. */
export function readCompileSettings(options: Options, environment: Environment): CompileSettings {
  return { options, environment, epochMs: () => systemClock.epochMs() };
}

function inCandidate(issue: PolicyIssue): PolicyIssue {
  return { ...issue, path: issue.path === undefined ? "rollout.candidate" : `rollout.candidate.${issue.path}` };
}

/** Undefined: none of the keys signed it. */
async function openSigned(compact: string, keys: string | undefined): Promise<Buffer | undefined> {
  if (keys === undefined) return Buffer.from(compact.split(".")[1] ?? "", "base64url");
  const text = readFileBytes(keys).toString("utf8");
  try {
    return await (await importPolicyKeys([text])).verify(compact);
  } catch (error) {
    const why = error instanceof Error ? error.message : "cannot be used";
    throw new OptionsError([{ source: keys, message: `it ${why}` }], { unreadable: true });
  }
}

function listWarnings(document: PolicyDocument, isSigned: boolean, keys: string | undefined): string[] {
  return [
    document.version === undefined ? ["no version: sidecars cannot tell an older copy of it from a newer one"] : [],
    isSigned && keys === undefined ? ["signed, but not checked by whom: name the public keys with --keys"] : [],
    document.allowRemovals ? ["allowRemovals: aliases that are in use may go"] : [],
  ].flat();
}
