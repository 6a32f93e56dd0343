// Room policy: which of two documents is newer. Pure.
// Invariant: a version only grows; a version once in force names one content for ever.

import { createHash } from "node:crypto";

/** What tells documents apart: the version they state, and a digest of what they say (not of how it is written). */
export interface DocumentIdentity {
  readonly version: number | undefined;
  /** SHA-256 in hex. */
  readonly digest: string;
}

/** `unversioned`: it states no version and would replace one that does, so that nobody could tell an old copy from a new one. */
export type VersionOrder = "newer" | "same" | "older" | "conflict" | "unversioned";

/** How `next` stands to the document in force. */
export function compareIdentity(current: DocumentIdentity | undefined, next: DocumentIdentity): VersionOrder {
  if (current === undefined) return "newer";
  if (current.digest === next.digest && current.version === next.version) return "same";
  if (current.version === undefined) return "newer";
  if (next.version === undefined) return "unversioned";
  if (next.version === current.version) return "conflict";
  return next.version > current.version ? "newer" : "older";
}

/** The name of a document in headers, spans and metrics: `42`, or `sha256:` and 12 hex digits. */
export function nameVersion({ version, digest }: DocumentIdentity): string {
  return version === undefined ? `sha256:${digest.slice(0, 12)}` : String(version);
}

/** Of the parsed document as its author wrote it; the order of keys, white space and comments do not count. */
export function identify(document: Readonly<Record<string, unknown>>): DocumentIdentity {
  const { version } = document;
  return {
    version: typeof version === "number" ? version : undefined,
    digest: createHash("sha256").update(canonicalJson(document)).digest("hex"),
  };
}

/** JSON with sorted keys: equal texts mean equal values. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
