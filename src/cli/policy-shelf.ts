// Room cli: the versions of a policy that `outrider policy serve` has: the newest, and those before it.
// Invariant: only what every sidecar would take comes on the shelf; what is refused changes nothing, and is told once.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { readCompactForm } from "../policy/index.ts";
import type { ValidPolicy } from "./policy-check.ts";

/** One version, ready to be sent. */
export interface ShelvedPolicy {
  /** `42`, or `sha256:` and 12 hex digits. */
  version: string;
  /** As served: the file's bytes, or their signed form. */
  body: Buffer;
  contentType: string;
  /** With its quotes. */
  etag: string;
  /** Wall clock, milliseconds. */
  shelvedAtMs: number;
  isSigned: boolean;
}

/** What became of a file. `file` is its name. */
export type ShelfEvent =
  | { type: "shelved"; file: string; version: string; warnings: readonly string[] }
  | { type: "refused"; file: string; reasons: readonly string[] };

/** How documents are judged and signed. */
export interface ShelfSettings {
  /** A document, or a folder of them. */
  path: string;
  check(bytes: Buffer): Promise<ValidPolicy | { issues: string[] }>;
  /** Undefined: documents go out as they are. */
  sign: ((bytes: Buffer) => Promise<string>) | undefined;
  epochMs(): number;
  onEvent(event: ShelfEvent): void;
}

/** Versions that are remembered, and their size together; the oldest go first. */
const maxVersions = 100;
const maxShelfBytes = 128 * 1024 * 1024;
const maxFileBytes = 8 * 1024 * 1024;
const maxFiles = 1000;
const policyFile = /\.(?:ya?ml|json|jws)$/;

/** Reads a file or a folder again and again, and keeps what is good of it. */
export class PolicyShelf {
  readonly #settings: ShelfSettings;
  readonly #byVersion = new Map<string, ShelvedPolicy>();
  /** Of each file what was last looked at, so that a document is judged once. */
  readonly #stamps = new Map<string, { seen: string; judged: string | undefined }>();
  #current: { policy: ShelvedPolicy; valid: ValidPolicy } | undefined;

  constructor(settings: ShelfSettings) {
    this.#settings = settings;
  }

  /** The newest version; undefined: there was none yet. */
  get current(): ShelvedPolicy | undefined {
    return this.#current?.policy;
  }

  /** The newest first. */
  list(): ShelvedPolicy[] {
    return [...this.#byVersion.values()].toReversed();
  }

  find(version: string): ShelvedPolicy | undefined {
    return this.#byVersion.get(version);
  }

  /**
   * Looks at every file. One that changed since the last look is left for the next, for it may be half written; `atOnce` does not wait.
   * Rejects with the file system's error where the path itself cannot be read.
   */
  async look({ atOnce = false } = {}): Promise<void> {
    const changed: { file: string; bytes: Buffer }[] = [];
    for (const file of listFiles(this.#settings.path)) {
      const stamp = stampOf(file);
      const known = this.#stamps.get(file);
      if (stamp === undefined || known?.judged === stamp) continue;
      const isSettled = atOnce || known?.seen === stamp;
      this.#stamps.set(file, { seen: stamp, judged: isSettled ? stamp : known?.judged });
      if (!isSettled) continue;
      const bytes = readBounded(file);
      if (bytes === undefined) this.#refuse(file, [`cannot be read, or is larger than ${maxFileBytes} bytes`]);
      else changed.push({ file, bytes });
    }
    const valid: { file: string; bytes: Buffer; valid: ValidPolicy }[] = [];
    for (const { file, bytes } of changed) {
      const found = await this.#settings.check(bytes);
      if ("issues" in found) this.#refuse(file, found.issues);
      else valid.push({ file, bytes, valid: found });
    }
    // A folder is read in the order in which its documents came into force.
    valid.sort((a, b) => (a.valid.identity.version ?? -1) - (b.valid.identity.version ?? -1));
    for (const each of valid) await this.#shelve(each.file, each.bytes, each.valid);
  }

  async #shelve(file: string, bytes: Buffer, valid: ValidPolicy): Promise<void> {
    const before = this.#current?.valid;
    if (before !== undefined) {
      if (before.identity.digest === valid.identity.digest) return;
      const reason = findObstacle(before, valid);
      if (reason !== undefined) return this.#refuse(file, [reason]);
    }
    const isSigned = valid.isSigned || this.#settings.sign !== undefined;
    const signed = valid.isSigned ? readCompactForm(bytes) : await this.#settings.sign?.(bytes);
    const body = signed === undefined ? bytes : Buffer.from(signed);
    const policy: ShelvedPolicy = {
      version: valid.version,
      body,
      contentType: isSigned ? "application/jose" : file.endsWith(".json") ? "application/json" : "application/yaml",
      etag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 27)}"`,
      shelvedAtMs: this.#settings.epochMs(),
      isSigned,
    };
    this.#byVersion.delete(policy.version);
    this.#byVersion.set(policy.version, policy);
    this.#current = { policy, valid };
    this.#forgetOldest();
    this.#settings.onEvent({ type: "shelved", file, version: policy.version, warnings: valid.warnings });
  }

  #forgetOldest(): void {
    const size = (): number => [...this.#byVersion.values()].reduce((sum, { body }) => sum + body.length, 0);
    for (const version of this.#byVersion.keys()) {
      if (this.#byVersion.size <= maxVersions && size() <= maxShelfBytes) return;
      if (version !== this.#current?.policy.version) this.#byVersion.delete(version);
    }
  }

  #refuse(file: string, reasons: readonly string[]): void {
    this.#settings.onEvent({ type: "refused", file, reasons });
  }
}

/** Why sidecars that have `before` would refuse `after`; undefined: they would not. */
function findObstacle(before: ValidPolicy, after: ValidPolicy): string | undefined {
  const [was, is] = [before.identity.version, after.identity.version];
  if (was !== undefined) {
    if (is === undefined) return `it has no version, and ${was} is being served`;
    if (is === was) return `version ${is} is being served with other content; raise the version`;
    if (is < was) return `version ${is} is older than ${was}, which is being served; to go back, raise the version`;
  }
  if (after.document.allowRemovals) return undefined;
  const gone = [...(before.snapshot.routing?.aliases ?? [])].filter(
    (alias) => ![after.snapshot, after.candidate ?? after.snapshot].every(({ routing }) => routing?.aliases.has(alias)),
  );
  if (gone.length === 0) return undefined;
  return `it leaves out ${gone.slice(0, 5).join(", ")} and does not say allowRemovals`;
}

function listFiles(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  const names = readdirSync(path).filter((name) => policyFile.test(name) && !name.startsWith("."));
  return names
    .sort()
    .slice(0, maxFiles)
    .map((name) => join(path, name));
}

/** Undefined: it went meanwhile, or is no file. */
function stampOf(file: string): string | undefined {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats?.isFile() === true ? `${stats.ino} ${stats.size} ${stats.mtimeMs}` : undefined;
}

function readBounded(file: string): Buffer | undefined {
  try {
    return statSync(file).size > maxFileBytes ? undefined : readFileSync(file);
  } catch {
    return undefined;
  }
}
