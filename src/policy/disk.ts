// Room policy: the last good document on disk, for a start while the endpoint is down.
// Invariant: whenever the process dies, at least one whole copy is there, and a torn or altered one is not taken for whole.

import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { maxDocumentBytes } from "./source.ts";

/** A document as it was received, and when it was written down (wall clock). */
export interface DiskCopy {
  bytes: Buffer;
  writtenAtMs: number;
}

/** One source's copies in a folder: the last good document and the one before. */
export interface DiskCopies {
  /** Whole copies, the newest first; torn, altered, too large and unreadable ones are left out. Never rejects. */
  read(): Promise<DiskCopy[]>;
  /** Keeps what was the newest as the one before. Rejects with the file system's error; then the copies are as they were. */
  write(bytes: Buffer): Promise<void>;
}

const magic = "outrider-policy-copy/1";
const firstLine = /^outrider-policy-copy\/1 sha256=([0-9a-f]{64}) length=(\d{1,9})$/;
const maxFirstLine = 128;
/** What a killed writer left behind is swept once it is this old. */
const abandonedMs = 60_000;

/** `place` is the source's: another endpoint has copies, and so a history of versions, of its own. */
export function openDiskCopies(folder: string, place: string): DiskCopies {
  const name = `policy-${digestOf(Buffer.from(place)).slice(0, 12)}`;
  const current = join(folder, name);
  const previous = join(folder, `${name}.previous`);

  return {
    async read() {
      const copies = await Promise.all([readCopy(current), readCopy(previous)]);
      return copies.filter((copy) => copy !== undefined);
    },
    async write(bytes) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await sweep(folder, name);
      const next = join(folder, `${name}.next-${process.pid}`);
      const kept = join(folder, `${name}.kept-${process.pid}`);
      try {
        await writeSynced(next, frame(bytes));
        await keepPrevious(current, kept, previous);
        await rename(next, current);
        await syncFolder(folder);
      } finally {
        await Promise.all([rm(next, { force: true }), rm(kept, { force: true })]);
      }
    },
  };
}

function frame(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${magic} sha256=${digestOf(bytes)} length=${bytes.length}\n`), bytes]);
}

async function readCopy(path: string): Promise<DiskCopy | undefined> {
  try {
    const { size, mtimeMs } = await stat(path);
    if (size > maxDocumentBytes + maxFirstLine) return undefined;
    const file = await readFile(path);
    const end = file.indexOf("\n");
    if (end === -1 || end > maxFirstLine) return undefined;
    const [, digest, length] = firstLine.exec(file.toString("latin1", 0, end)) ?? [];
    const bytes = file.subarray(end + 1);
    const isWhole = bytes.length === Number(length) && digestOf(bytes) === digest;
    return isWhole ? { bytes, writtenAtMs: mtimeMs } : undefined;
  } catch {
    return undefined;
  }
}

/** A copy of the newest, not a move, so that no moment is without it; a torn one does not push out the one before. */
async function keepPrevious(current: string, kept: string, previous: string): Promise<void> {
  const newest = await readCopy(current);
  if (newest === undefined) return;
  await writeSynced(kept, frame(newest.bytes));
  await rename(kept, previous);
}

async function writeSynced(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function sweep(folder: string, name: string): Promise<void> {
  for (const entry of await readdir(folder)) {
    if (!entry.startsWith(`${name}.next-`) && !entry.startsWith(`${name}.kept-`)) continue;
    const path = join(folder, entry);
    const ageMs = await stat(path).then(
      ({ ctimeMs }) => Date.now() - ctimeMs,
      () => 0,
    );
    if (ageMs > abandonedMs) await rm(path, { force: true });
  }
}

function digestOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
