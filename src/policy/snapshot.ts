// Room policy: the whole of what a policy decides, as one frozen thing that is swapped by one reference.
// Invariant: everything derived from a document hangs on its snapshot; an exchange that took one sees no other.

import type { CaptureMode, Options, propagateModes } from "../options.ts";
import type { Providers } from "../providers/index.ts";
import type { Routing } from "../routing/index.ts";
import type { Pricer } from "../spend/index.ts";
import type { PolicyDocument } from "./schema.ts";

/** Milliseconds each. */
export interface PolicyTimeouts {
  readonly connectMs: number;
  readonly firstByteMs: number;
  /** Absent: nobody set one. */
  readonly firstTokenMs?: number;
  readonly idleMs: number;
  readonly totalMs: number;
}

/** By severity of the loss. */
export type LossRules = Options["losses"];

/** Where a snapshot's document came from; `options`: there is no document. */
export type SnapshotSource = "options" | "network" | "disk" | "file";

/** Frozen. */
export interface PolicySnapshot {
  /** `42`, or `sha256:` and 12 hex digits; `42+candidate` for a candidate; `none` without a document. */
  readonly version: string;
  readonly source: SnapshotSource;
  /** Wall clock, when it was compiled. */
  readonly loadedAtMs: number;
  readonly providers: Providers;
  /** Undefined: no document, so calls go where their paths say and are not tried again. */
  readonly routing: Routing | undefined;
  readonly timeouts: PolicyTimeouts;
  readonly losses: LossRules;
  /** With the document's overrides; its catalogue is loaded. */
  readonly pricer: Pricer;
  /** What the document says of telemetry; what it leaves out is the options'. */
  readonly telemetry: { readonly capture?: CaptureMode; readonly propagate?: (typeof propagateModes)[number] };
  /** The document with defaults filled in; it holds no secret. Undefined: `source` is `options`. */
  readonly document: PolicyDocument | undefined;
}
