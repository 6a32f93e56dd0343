// A lock file between processes: it holds the owner's pid, is touched while held, and is taken over when its owner is gone.
import { randomUUID } from "node:crypto";
import * as fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const heartbeatMs = 15_000;
const staleMs = 120_000;

/**
 * Runs `act` while no other process (or other call in this one) holds the lock.
 * @template T
 * @param {string} lock path of the lock file
 * @param {(pid: string) => void} onWait called once if somebody else holds it
 * @param {() => Promise<T> | T} act
 * @returns {Promise<T>}
 */
export async function withLock(lock, onWait, act) {
  let told = false;
  while (!takeLock(lock)) {
    const holder = readIfThere(lock);
    if (holder && !told) onWait(holder);
    told ||= holder !== "";
    await sleep(500);
  }
  const heartbeat = setInterval(() => fs.utimes(lock, new Date(), new Date(), () => {}), heartbeatMs);
  try {
    return await act();
  } finally {
    clearInterval(heartbeat);
    fs.rmSync(lock, { force: true });
  }
}

function takeLock(lock) {
  const own = `${lock}.${randomUUID()}`;
  fs.writeFileSync(own, String(process.pid));
  try {
    fs.linkSync(own, lock); // fails if the lock is there; it appears with its content, never empty
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    // Removed now, taken in the next round: another process that found it stale too has removed it by then.
    if (isStale(lock)) fs.rmSync(lock, { force: true });
    return false;
  } finally {
    fs.rmSync(own);
  }
}

function isStale(lock) {
  const touchedMs = fs.statSync(lock, { throwIfNoEntry: false })?.mtimeMs;
  if (touchedMs === undefined) return false; // released this very moment
  const pid = Number(readIfThere(lock));
  // The age covers a pid that another process got since.
  return Date.now() - touchedMs > staleMs || (pid > 0 && !isAlive(pid));
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function readIfThere(path) {
  try {
    return fs.readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
