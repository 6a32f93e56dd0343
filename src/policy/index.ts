// Room policy: its only door.
export {
  createPolicyStore,
  type PolicyEvent,
  type PolicyStatus,
  type PolicyStore,
  type PolicyStoreSettings,
  type ReloadOutcome,
} from "./store.ts";
export type { LossRules, PolicySnapshot, PolicyTimeouts, SnapshotSource } from "./snapshot.ts";
export { compileDocument, type CompileSettings } from "./compile.ts";
export { type ReadDocument, readDocument } from "./document.ts";
export { formatPolicyIssue, type PolicyIssue } from "./issue.ts";
export { buildPolicySchema, type PolicyDocument } from "./schema.ts";
export { importPolicyKeys, type PolicyKeys, readCompactForm, signatureType } from "./signature.ts";
export { identify, nameVersion } from "./version.ts";
export type { PolicyDiff } from "./diff.ts";
