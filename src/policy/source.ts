// Room policy: what the store asks of a place where documents come from. Two exist: source-http.ts and source-file.ts.
// Invariant: a source judges nothing; it gives whole documents or says why it has none, and never throws.

/** Largest document, decoded; a larger one is refused unread. */
export const maxDocumentBytes = 8 * 1024 * 1024;

/** Why a look at the source gave no document. Low-cardinality: labels of the metric `outrider.policy.reloads`. */
export const fetchFailures = [
  "unreachable",
  "timeout",
  "http_status",
  "http_invalid",
  "too_large",
  "unreadable",
] as const;
export type FetchFailure = (typeof fetchFailures)[number];

/** What one look at the source gave. `reason` is for people: no document content, no credential, no query of a URL. */
export type PolicyFetch =
  | { type: "document"; bytes: Buffer }
  | { type: "unchanged" }
  | { type: "failed"; outcome: FetchFailure; reason: string };

/** A place where the policy document is. */
export interface PolicySource {
  readonly kind: "network" | "file";
  /** For people and for naming its copy on disk: without query, user name and fragment. */
  readonly place: string;
  /** Looks once. A call while one is under way gives that one's outcome. Never rejects. */
  fetch(): Promise<PolicyFetch>;
  /**
   * Calls `look` when it is time to look again, never twice at once; `look` resolves to whether the source could be read.
   * Gives the function that ends it; after that `look` is not called again.
   */
  watch(look: () => Promise<boolean>): () => void;
}

/** Runs `fetch` one at a time: who asks meanwhile gets the same answer. */
export function oneAtATime(fetch: () => Promise<PolicyFetch>): () => Promise<PolicyFetch> {
  let underWay: Promise<PolicyFetch> | undefined;
  return () => {
    underWay ??= fetch().finally(() => (underWay = undefined));
    return underWay;
  };
}
