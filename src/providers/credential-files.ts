// Room providers: the file system as credentials need it; tests put their own in its place.

import { readFileSync, statSync } from "node:fs";

/** Reads of credential files. Both throw what node:fs throws. */
export interface CredentialFiles {
  /** Changes when the file does. */
  stamp(path: string): string;
  read(path: string): string;
}

/** The machine's files. Synchronous: a credential is a few bytes, looked at once a second at most. */
export const machineFiles: CredentialFiles = {
  stamp(path) {
    const { mtimeMs, size, ino } = statSync(path);
    return `${mtimeMs}:${size}:${ino}`;
  },
  read: (path) => readFileSync(path, "utf8"),
};
