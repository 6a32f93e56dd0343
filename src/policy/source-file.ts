// Room policy: the document from a file. Safe for an atomic rename, for a ConfigMap's swap of symbolic links, and for an editor that
// writes in place: a file that is still changing is not read. Invariant: what is given is the file's whole content at one moment.

import { type FSWatcher, watch as watchFolder } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { maxDocumentBytes, oneAtATime, type PolicyFetch, type PolicySource } from "./source.ts";

/** Where and how often. */
export interface FileSourceSettings {
  path: string;
  /** Longest time until a change is seen where the file system tells of none. */
  pollMs: number;
}

/** A file written to within this time may be half written. */
const settledMs = 100;
const maxReads = 20;
/** Events of one rename or swap come in a burst. */
const burstMs = 50;
const longestPollMs = 2000;

/** A source that reads `settings.path`. */
export function createFileSource({ path, pollMs }: FileSourceSettings): PolicySource {
  let lastStamp: string | undefined;

  async function read(): Promise<PolicyFetch> {
    try {
      for (let count = 0; count < maxReads; count++) {
        const before = await lookAt(path);
        if (before.stamp === lastStamp) return { type: "unchanged" };
        if (before.size > maxDocumentBytes) {
          return { type: "failed", outcome: "too_large", reason: `larger than ${maxDocumentBytes} bytes` };
        }
        if (before.ageMs < settledMs) await new Promise((resolve) => setTimeout(resolve, settledMs));
        const bytes = await readFile(path);
        if ((await lookAt(path)).stamp !== before.stamp) continue;
        lastStamp = before.stamp;
        return { type: "document", bytes };
      }
      return { type: "failed", outcome: "unreadable", reason: "it changes all the time" };
    } catch (error) {
      lastStamp = undefined;
      const { code = "unknown error" } = error as NodeJS.ErrnoException;
      return { type: "failed", outcome: "unreadable", reason: `the file cannot be read: ${code}` };
    }
  }

  return {
    kind: "file",
    place: path,
    fetch: oneAtATime(read),
    watch(look) {
      let stopped = false;
      let looking = false;
      let timer: NodeJS.Timeout;
      const schedule = (delayMs: number): void => {
        clearTimeout(timer);
        timer = setTimeout(() => void turn(), delayMs);
        timer.unref();
      };
      const turn = async (): Promise<void> => {
        looking = true;
        await look();
        looking = false;
        if (!stopped) schedule(Math.min(pollMs, longestPollMs));
      };
      const watcher = openWatcher(dirname(path), () => {
        if (!stopped && !looking) schedule(burstMs);
      });
      schedule(Math.min(pollMs, longestPollMs));
      return () => {
        stopped = true;
        clearTimeout(timer);
        watcher?.close();
      };
    },
  };
}

async function lookAt(path: string): Promise<{ stamp: string; size: number; ageMs: number }> {
  const { mtimeMs, ctimeMs, size, ino } = await stat(path);
  return { stamp: `${mtimeMs}:${ctimeMs}:${size}:${ino}`, size, ageMs: Date.now() - mtimeMs };
}

/** The folder, because a rename or a swapped link gives the name another file. Where it cannot be watched, polling does it alone. */
function openWatcher(folder: string, onChange: () => void): FSWatcher | undefined {
  try {
    const watcher = watchFolder(folder, { persistent: false }, onChange);
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
