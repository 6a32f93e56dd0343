// Room policy: the way of a document from bytes to a snapshot: signature, schema, version, compile. The same for network, file and disk.
// Invariant: a document is admitted whole or refused whole, and why it was refused holds no value of it.

import type { Pricer, PriceOverride } from "../spend/index.ts";
import { compileDocument, type CompileSettings } from "./compile.ts";
import { ofCandidate, readDocumentApart, type WholeDocument } from "./document.ts";
import { formatPolicyIssue, type PolicyIssue } from "./issue.ts";
import type { PolicyKeys } from "./signature.ts";
import { readCompactForm, readPayloadUnchecked } from "./signature.ts";
import type { PolicySnapshot, SnapshotSource } from "./snapshot.ts";
import { compareIdentity, type DocumentIdentity, identify, nameVersion } from "./version.ts";
import { nextTurn } from "./next-turn.ts";

/** Why a document was refused. Low-cardinality. */
export const refusals = [
  "unsigned",
  "bad_signature",
  "invalid",
  "stale_version",
  "version_conflict",
  "removal_refused",
] as const;
export type Refusal = (typeof refusals)[number];

/** A document that may come into force. */
export interface Admitted {
  type: "admitted";
  identity: DocumentIdentity;
  /** As its author wrote it. */
  raw: WholeDocument["raw"];
  snapshot: PolicySnapshot;
  candidate: PolicySnapshot | undefined;
  warnings: readonly string[];
}

/** What became of a document. `version` is the refused document's, where it could be read. */
export type Admission =
  | Admitted
  | { type: "unchanged" }
  | { type: "refused"; outcome: Refusal; version?: string; reason: string };

/** What a document is held against. */
export interface AdmissionSettings {
  /** Undefined: nobody asks for a signature. */
  keys: PolicyKeys | undefined;
  compile: CompileSettings;
  /** A pricer for these overrides. */
  createPricer: (overrides: readonly PriceOverride[]) => Pricer;
}

/** The document in force; undefined: none. */
export interface InForce {
  identity: DocumentIdentity;
  snapshot: PolicySnapshot;
}

const maxReasonIssues = 5;

/** Takes the bytes as they came from the source. Never rejects for what they hold. */
export async function admitDocument(
  bytes: Buffer,
  source: SnapshotSource,
  inForce: InForce | undefined,
  settings: AdmissionSettings,
): Promise<Admission> {
  const opened = await openSigned(bytes, settings.keys);
  if (opened.type === "refused") return opened;
  const read = await readDocumentApart(opened.payload, "pulled");
  if (read.type === "invalid") return refuseIssues(undefined, read.issues);
  await nextTurn();
  const identity = identify(read.raw);
  const version = nameVersion(identity);
  switch (compareIdentity(inForce?.identity, identity)) {
    case "same":
      return { type: "unchanged" };
    case "older":
      return { type: "refused", outcome: "stale_version", version, reason: "older than the policy in force" };
    case "unversioned":
      return {
        type: "refused",
        outcome: "stale_version",
        version,
        reason: "no version, and the policy in force has one",
      };
    case "conflict":
      return { type: "refused", outcome: "version_conflict", version, reason: "the same version with other content" };
    case "newer":
      return compileWhole(read, identity, source, inForce, opened.warnings, settings);
  }
}

async function compileWhole(
  { raw, document, candidate, warnings }: WholeDocument,
  identity: DocumentIdentity,
  source: SnapshotSource,
  inForce: InForce | undefined,
  earlier: readonly string[],
  settings: AdmissionSettings,
): Promise<Admission> {
  const version = nameVersion(identity);
  const compile = async (part: typeof document, name: string): ReturnType<typeof compileLoaded> =>
    compileLoaded(part, { version: name, source }, settings);
  const compiled = await compile(document, version);
  if ("issues" in compiled) return refuseIssues(version, compiled.issues);
  const beside = candidate === undefined ? undefined : await compile(candidate, `${version}+candidate`);
  if (beside !== undefined && "issues" in beside) return refuseIssues(version, beside.issues.map(ofCandidate));
  const { snapshot } = compiled;
  await nextTurn();
  const gone = document.allowRemovals ? [] : listRemoved(inForce?.snapshot, [snapshot, beside?.snapshot]);
  if (gone.length > 0) {
    const reason = `it leaves out ${gone.slice(0, maxReasonIssues).join(", ")}, in use now, and does not say allowRemovals`;
    return { type: "refused", outcome: "removal_refused", version, reason };
  }
  await nextTurn();
  return {
    type: "admitted",
    identity,
    raw,
    snapshot,
    candidate: beside?.snapshot,
    warnings: [...earlier, ...warnings.map(formatPolicyIssue)],
  };
}

/** The catalogue is in memory before routing asks for prices. */
async function compileLoaded(
  document: WholeDocument["document"],
  name: { version: string; source: SnapshotSource },
  { compile, createPricer }: AdmissionSettings,
): Promise<ReturnType<typeof compileDocument>> {
  const pricer = createPricer([...compile.options.prices.overrides, ...document.prices.overrides]);
  await pricer.load();
  await nextTurn();
  return compileDocument(document, name, pricer, compile);
}

/** Aliases that calls may be asking for and that one of the new snapshots does not serve. */
function listRemoved(before: PolicySnapshot | undefined, after: readonly (PolicySnapshot | undefined)[]): string[] {
  return [...(before?.routing?.aliases ?? [])].filter((alias) =>
    after.some((snapshot) => snapshot !== undefined && snapshot.routing?.aliases.has(alias) !== true),
  );
}

type Opened =
  | { type: "opened"; payload: Buffer; warnings: readonly string[] }
  | Extract<Admission, { type: "refused" }>;

async function openSigned(bytes: Buffer, keys: PolicyKeys | undefined): Promise<Opened> {
  const compact = readCompactForm(bytes);
  if (keys === undefined) {
    if (compact === undefined) return { type: "opened", payload: bytes, warnings: [] };
    const warnings = ["signed, but nobody checks it: policy.publicKeys is not set"];
    return { type: "opened", payload: readPayloadUnchecked(compact), warnings };
  }
  if (compact === undefined) {
    return { type: "refused", outcome: "unsigned", reason: "not signed, and policy.publicKeys asks for it" };
  }
  const payload = await keys.verify(compact);
  if (payload !== undefined) return { type: "opened", payload, warnings: [] };
  return { type: "refused", outcome: "bad_signature", reason: "not signed by any of policy.publicKeys" };
}

function refuseIssues(version: string | undefined, issues: readonly PolicyIssue[]): Admission {
  const told = issues.slice(0, maxReasonIssues).map(formatPolicyIssue);
  const more = issues.length > told.length ? [`and ${issues.length - told.length} more`] : [];
  const reason = [...told, ...more].join("; ");
  return { type: "refused", outcome: "invalid", ...(version === undefined ? {} : { version }), reason };
}
