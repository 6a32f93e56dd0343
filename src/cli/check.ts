// Room cli: `outrider check FILE`: validates a document without starting anything.
// Exit 0: valid; 1: invalid; 2: cannot be read by this version.

import { formatOptionsIssue, OptionsError } from "../options.ts";
import { checkOptionsDocument } from "./load-options.ts";
import { readOptionsFile } from "./option-file.ts";
import { exitCodes, type Shell } from "./shell.ts";

/** Which kind the file is said to be; with neither, a document with `apiVersion` is a policy. */
export interface CheckFlags {
  policy?: boolean;
  options?: boolean;
}

/** Resolves with the exit code. */
export function checkFile(file: string, flags: CheckFlags, shell: Shell): number {
  try {
    const document = readOptionsFile(file);
    if (flags.policy === true || (flags.options !== true && "apiVersion" in document)) {
      shell.error(`${file}: policy documents are not supported by this version\n`);
      return exitCodes.misused;
    }
    checkOptionsDocument(document, file);
    shell.out(`${file}: valid options\n`);
    return exitCodes.ok;
  } catch (error) {
    if (!(error instanceof OptionsError)) throw error;
    for (const issue of error.issues) shell.error(`${formatOptionsIssue(issue)}\n`);
    return error.unreadable ? exitCodes.misused : exitCodes.failed;
  }
}
