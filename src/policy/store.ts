// Room policy: the policy in force. Takes documents from a source, admits them, swaps one reference, keeps a copy on disk, says so.
// Invariant: whatever the source does, the last good policy stays in force; a reader sees the old one or the new one, whole.

import type { Clock } from "../clock.ts";
import type { Options } from "../options.ts";
import { createPricer, type Pricer, type PriceOverride } from "../spend/index.ts";
import { type Admission, admitDocument, type AdmissionSettings, type Admitted, type Refusal } from "./admission.ts";
import { compileOptions, type CompileSettings } from "./compile.ts";
import { diffDocuments, type PolicyDiff } from "./diff.ts";
import type { DiskCopies } from "./disk.ts";
import { createRollout, isChosen, type Rollout, type RolloutState } from "./rollout.ts";
import { createDiskCopies, createSource, loadKeys } from "./settings.ts";
import type { PolicySnapshot, SnapshotSource } from "./snapshot.ts";
import type { FetchFailure, PolicySource } from "./source.ts";
import type { DocumentIdentity } from "./version.ts";

/** What one look at the source led to. Low-cardinality. */
export type ReloadOutcome = "applied" | "unchanged" | Refusal | FetchFailure;

/** What the operator is to hear of. No document content beyond names and paths, no credential. `version` is the one in force. */
export type PolicyEvent =
  | { type: "applied"; version: string; source: SnapshotSource; diff: PolicyDiff; warnings: readonly string[] }
  | { type: "rejected"; version: string; outcome: ReloadOutcome; refusedVersion?: string; reason: string }
  | { type: "stale"; version: string; ageSeconds: number; reason: string }
  | { type: "rolled_back"; version: string; refusedVersion: string; reason: string }
  | { type: "unsaved"; version: string; reason: string };

/** For `/status`. Times are wall clock, milliseconds. */
export interface PolicyStatus {
  version: string;
  source: SnapshotSource;
  loadedAtMs: number;
  /** Where documents come from; absent: the options name no source. */
  place?: string;
  /** Since the source last confirmed the policy in force; absent without one. */
  ageSeconds?: number;
  lastOutcome?: ReloadOutcome;
  /** Why the last look led to nothing; absent once one succeeded. */
  problem?: { outcome: ReloadOutcome; reason: string; version?: string; sinceMs: number };
  /** Why the policy in force has no copy on disk; absent where it has one or needs none. */
  unsaved?: string;
  /** Unknown keys that were passed over. */
  warnings?: readonly string[];
  candidate?: { version: string; percent: number; state: RolloutState; requests: number; errors: number };
}

/** The policy of this process. */
export interface PolicyStore {
  /** The policy in force; on a chosen instance its candidate may serve instead: see `pick`. */
  readonly current: PolicySnapshot;
  /**
   * Resolves once a policy is in force, at once where that is the copy on disk, or after a second without one; then goes on by itself.
   * Rejects with OptionsError for keys that cannot be used.
   */
  start(): Promise<void>;
  stop(): void;
  status(): PolicyStatus;
  /** Whether traffic may be taken: a source is named and required, and none of its documents was ever loaded. */
  readiness(): { ready: true } | { ready: false; reason: string };
  /** What an exchange obeys from its start to its end. Called once per exchange. */
  pick(): PolicySnapshot;
  /** The end of an exchange under `version`; may roll a candidate back. `ok`: not failed by a provider or by Outrider. */
  note(ok: boolean, version: string): void;
}

/** What the store needs of the rest of the house. */
export interface PolicyStoreSettings {
  options: Options;
  /** The process's own. */
  environment: Readonly<Record<string, string | undefined>>;
  clock: Pick<Clock, "epochMs">;
  random: () => number;
  /** Decides whether this instance runs a candidate; told to an endpoint whose URL asks for it. */
  instanceId: string;
  /** For the options' overrides; the store loads its catalogue when a document comes. */
  pricer: Pricer;
  /** Must not throw. */
  onEvent(event: PolicyEvent): void;
  /** Called once per look at the source; must not throw. */
  onReload?(outcome: ReloadOutcome): void;
}

const bootMs = 1000;
const staleMs = 3_600_000;
/** Failures of the way to the document: told by status and counter at once, and by an event only once the policy is stale. */
const wayFailures: ReadonlySet<ReloadOutcome> = new Set(["unreachable", "timeout", "http_status", "unreadable"]);

/**
 * Builds the store; nothing is asked before `start`.
 * @throws OptionsError for providers, a token or certificates that make no sense
 */
export function createPolicyStore(settings: PolicyStoreSettings): PolicyStore {
  const { options, environment, clock, random, instanceId, pricer } = settings;
  const compile: CompileSettings = {
    options,
    environment,
    epochMs: () => clock.epochMs(),
  };
  const initial = compileOptions(pricer, compile);
  const source = createSource(options.policy, { environment, instanceId, random });
  return source === undefined ? createFixedStore(initial) : new SourcedStore(settings, source, initial, compile);
}

/** No document, ever. */
function createFixedStore(current: PolicySnapshot): PolicyStore {
  return {
    current,
    start: () => Promise.resolve(),
    stop: () => undefined,
    status: () => describeSnapshot(current),
    readiness: () => ({ ready: true }),
    pick: () => current,
    note: () => undefined,
  };
}

/** A candidate and how it fares here. */
interface Trial {
  snapshot: PolicySnapshot;
  percent: number;
  minRequests: number;
  rollout: Rollout;
}

class SourcedStore implements PolicyStore {
  readonly #settings: PolicyStoreSettings;
  readonly #source: PolicySource;
  readonly #disk: DiskCopies | undefined;
  readonly #compile: CompileSettings;
  #current: PolicySnapshot;
  #identity: DocumentIdentity | undefined;
  /** The document in force as its author wrote it, to tell what the next one changes. */
  #raw: Readonly<Record<string, unknown>> | undefined;
  #picked: PolicySnapshot;
  #trial: Trial | undefined;
  #admission: AdmissionSettings | undefined;
  #warnings: readonly string[] = [];
  #confirmedAtMs: number;
  #isStale = false;
  #lastOutcome: ReloadOutcome | undefined;
  #problem: PolicyStatus["problem"];
  /** The document in force, until it is on disk. */
  #toSave: Buffer | undefined;
  #unsaved: string | undefined;
  #stopWatching: (() => void) | undefined;
  #stopped = false;
  #looking: Promise<boolean> | undefined;

  constructor(settings: PolicyStoreSettings, source: PolicySource, initial: PolicySnapshot, compile: CompileSettings) {
    this.#settings = settings;
    this.#source = source;
    this.#disk = createDiskCopies(settings.options.policy, source);
    this.#compile = compile;
    this.#current = initial;
    this.#picked = initial;
    this.#confirmedAtMs = settings.clock.epochMs();
  }

  get current(): PolicySnapshot {
    return this.#current;
  }

  pick(): PolicySnapshot {
    return this.#picked;
  }

  async start(): Promise<void> {
    const { options, pricer } = this.#settings;
    const own = options.prices.overrides.length;
    this.#admission = {
      keys: await loadKeys(options.policy),
      compile: this.#compile,
      createPricer: (overrides: readonly PriceOverride[]) =>
        overrides.length === own ? pricer : createPricer(overrides),
    };
    // Before the network, because the version on disk is the least that the network may give.
    await this.#loadFromDisk(this.#admission);
    const begun = this.#beginLooking();
    if (this.#current.source !== "disk") await begun;
  }

  /** Never rejects. */
  async #beginLooking(): Promise<void> {
    const deadline = Promise.withResolvers<void>();
    const timer = setTimeout(deadline.resolve, bootMs);
    await Promise.race([this.#look(), deadline.promise]);
    clearTimeout(timer);
    if (this.#stopped) return;
    if (this.#current.source === "disk") this.#tellStale("served from the copy on disk");
    this.#stopWatching = this.#source.watch(() => this.#look());
  }

  stop(): void {
    this.#stopped = true;
    this.#stopWatching?.();
  }

  readiness(): ReturnType<PolicyStore["readiness"]> {
    if (this.#current.source !== "options" || !this.#settings.options.policy.required) return { ready: true };
    const why = this.#problem === undefined ? "" : `: ${this.#problem.reason}`;
    return { ready: false, reason: `no policy yet${why}` };
  }

  status(): PolicyStatus {
    const trial = this.#trial;
    return {
      ...describeSnapshot(this.#current),
      place: this.#source.place,
      ...(this.#identity === undefined ? {} : { ageSeconds: this.#ageMs() / 1000 }),
      ...(this.#lastOutcome === undefined ? {} : { lastOutcome: this.#lastOutcome }),
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
      ...(this.#unsaved === undefined ? {} : { unsaved: this.#unsaved }),
      ...(this.#warnings.length === 0 ? {} : { warnings: this.#warnings }),
      ...(trial === undefined ? {} : { candidate: describeTrial(trial) }),
    };
  }

  note(ok: boolean, version: string): void {
    const trial = this.#trial;
    if (trial === undefined || version !== trial.snapshot.version || !trial.rollout.note(ok)) return;
    this.#picked = this.#current;
    const { errors } = trial.rollout;
    this.#settings.onEvent({
      type: "rolled_back",
      version: this.#current.version,
      refusedVersion: version,
      reason: `${errors} of its latest ${trial.minRequests} exchanges failed`,
    });
  }

  async #loadFromDisk(admission: AdmissionSettings): Promise<void> {
    for (const { bytes, writtenAtMs } of (await this.#disk?.read()) ?? []) {
      const admitted = await admitDocument(bytes, "disk", undefined, admission);
      if (admitted.type === "admitted") {
        this.#swap(admitted);
        this.#confirmedAtMs = writtenAtMs;
        return;
      }
      if (admitted.type === "refused") this.#reject(admitted, "the copy on disk: ");
    }
  }

  /** Looks at the source; one at a time. Resolves to whether the source could be read. Never rejects. */
  #look(): Promise<boolean> {
    this.#looking ??= this.#lookOnce().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #lookOnce(): Promise<boolean> {
    const found = await this.#source.fetch();
    if (this.#stopped || this.#admission === undefined) return true;
    if (found.type === "failed") {
      this.#reject(found, "");
      this.#watchAge(found.reason);
      return !wayFailures.has(found.outcome);
    }
    if (found.type === "unchanged") {
      // A document that was refused is still there, and still refused: a source forgets what it gave when it fails.
      if (this.#problem === undefined) await this.#confirm("unchanged");
      else this.#finish(this.#problem.outcome);
      return true;
    }
    const inForce = this.#identity === undefined ? undefined : { identity: this.#identity, snapshot: this.#current };
    let admission: Admission;
    try {
      admission = await admitDocument(found.bytes, this.#source.kind, inForce, this.#admission);
    } catch {
      // Nothing that a document holds may end the watch over its successors.
      admission = { type: "refused", outcome: "invalid", reason: "it could not be compiled" };
    }
    if (this.#stopped) return true;
    if (admission.type === "refused") {
      this.#reject(admission, "");
      this.#watchAge(admission.reason);
    } else {
      if (admission.type === "admitted") {
        this.#swap(admission);
        this.#toSave = found.bytes;
      } else this.#relabel();
      await this.#confirm(admission.type === "admitted" ? "applied" : "unchanged");
    }
    return true;
  }

  /** The moment a policy comes into force. */
  #swap({ identity, raw, snapshot, candidate, warnings }: Admitted): void {
    const before = this.#raw;
    const rollout = snapshot.document?.rollout;
    this.#trial = undefined;
    if (candidate !== undefined && rollout !== undefined) {
      const chosen = isChosen(this.#settings.instanceId, rollout.percent);
      const { percent, rollbackWhen } = rollout;
      const { minRequests } = rollbackWhen;
      this.#trial = { snapshot: candidate, percent, minRequests, rollout: createRollout(chosen, rollbackWhen) };
    }
    this.#identity = identity;
    this.#raw = raw;
    this.#warnings = warnings;
    this.#current = snapshot;
    this.#picked = this.#trial?.rollout.state === "running" ? this.#trial.snapshot : snapshot;
    const { version, source } = snapshot;
    this.#settings.onEvent({ type: "applied", version, source, diff: diffDocuments(before, raw), warnings });
  }

  /** The source has the document that was on disk: it is the source's from now on. */
  #relabel(): void {
    if (this.#current.source !== "disk") return;
    const source = this.#source.kind;
    const isPicked = this.#picked === this.#current;
    this.#current = Object.freeze({ ...this.#current, source });
    if (isPicked) this.#picked = this.#current;
  }

  async #confirm(outcome: "applied" | "unchanged"): Promise<void> {
    this.#confirmedAtMs = this.#settings.clock.epochMs();
    this.#isStale = false;
    this.#problem = undefined;
    this.#finish(outcome);
    await this.#save();
  }

  #finish(outcome: ReloadOutcome): void {
    this.#lastOutcome = outcome;
    this.#settings.onReload?.(outcome);
  }

  #reject(failure: { outcome: ReloadOutcome; reason: string; version?: string }, prefix: string): void {
    const { outcome, version } = failure;
    const reason = `${prefix}${failure.reason}`;
    this.#finish(outcome);
    const last = this.#problem;
    const isKnown = last?.outcome === outcome && last.reason === reason && last.version === version;
    if (isKnown) return;
    const sinceMs = this.#settings.clock.epochMs();
    this.#problem = { outcome, reason, ...(version === undefined ? {} : { version }), sinceMs };
    if (wayFailures.has(outcome)) return;
    const refused = version === undefined ? {} : { refusedVersion: version };
    this.#settings.onEvent({ type: "rejected", version: this.#current.version, outcome, ...refused, reason });
  }

  /** Says once that nothing has confirmed the policy for an hour. */
  #watchAge(reason: string): void {
    if (this.#identity !== undefined && this.#ageMs() > staleMs) this.#tellStale(reason);
  }

  #tellStale(reason: string): void {
    if (this.#isStale) return;
    this.#isStale = true;
    const { version } = this.#current;
    this.#settings.onEvent({ type: "stale", version, ageSeconds: Math.round(this.#ageMs() / 1000), reason });
  }

  /** Tried again at each look until it succeeds: a full disk may be emptied. */
  async #save(): Promise<void> {
    if (this.#disk === undefined || this.#toSave === undefined) return;
    try {
      await this.#disk.write(this.#toSave);
      this.#toSave = undefined;
      this.#unsaved = undefined;
    } catch (error) {
      const { code = "unknown error" } = error as NodeJS.ErrnoException;
      const reason = `the copy on disk could not be written: ${code}`;
      if (this.#unsaved === reason) return;
      this.#unsaved = reason;
      this.#settings.onEvent({ type: "unsaved", version: this.#current.version, reason });
    }
  }

  #ageMs(): number {
    return Math.max(0, this.#settings.clock.epochMs() - this.#confirmedAtMs);
  }
}

function describeSnapshot({ version, source, loadedAtMs }: PolicySnapshot): PolicyStatus {
  return { version, source, loadedAtMs };
}

function describeTrial({ snapshot, percent, rollout }: Trial): NonNullable<PolicyStatus["candidate"]> {
  const { state, requests, errors } = rollout;
  return { version: snapshot.version, percent, state, requests, errors };
}
