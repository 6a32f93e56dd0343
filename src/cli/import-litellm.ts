// Room cli: `outrider import litellm FILE`: a LiteLLM configuration as a policy on stdout, what it could not carry over on stderr.
// Exit 0: a valid policy came out; 1: none; 2: the file cannot be read.

import { writeFileSync } from "node:fs";
import { stringify } from "yaml";
import { formatOptionsIssue, OptionsError } from "../options.ts";
import { convertConfiguration } from "./litellm/convert.ts";
import { readConfiguration } from "./litellm/document.ts";
import { Notes } from "./litellm/notes.ts";
import { describePolicy } from "./policy-check.ts";
import { exitCodes, type Shell } from "./shell.ts";

/** Flags of `import litellm`. */
export interface ImportFlags {
  /** Where the options go: the credentials to be held, by reference. Never replaces a file. */
  options?: string;
}

/** Resolves with the exit code. */
export async function importLitellm(file: string, { options }: ImportFlags, shell: Shell): Promise<number> {
  try {
    const notes = new Notes();
    const { policy, credentials } = convertConfiguration(readConfiguration(file, notes), shell.environment, notes);
    const text = stringify(policy, { lineWidth: 0, aliasDuplicateObjects: false });
    const checked = await describePolicy(Buffer.from(text), {}, {});
    if ("issues" in checked) {
      for (const line of notes.lines()) shell.error(`${line}\n`);
      for (const issue of checked.issues) shell.error(`${file}: no valid policy comes of it: ${issue}\n`);
      return exitCodes.failed;
    }
    if (options === undefined) {
      for (const [id, { env }] of Object.entries(credentials)) {
        notes.add(
          { key: "api_key" },
          `a policy holds no credential: set credentials.${id}.env to ${env} in the options (--options FILE writes them)`,
        );
      }
    } else {
      writeFileSync(options, stringify({ credentials }, { lineWidth: 0 }), { flag: "wx" });
    }
    for (const line of notes.lines()) shell.error(`${line}\n`);
    shell.out(text);
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof OptionsError) {
      for (const issue of error.issues) shell.error(`${formatOptionsIssue(issue)}\n`);
      return exitCodes.misused;
    }
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (syscall === undefined) throw error;
    shell.error(`${options}: ${code === "EEXIST" ? "is there already" : `cannot be written: ${code}`}\n`);
    return exitCodes.misused;
  }
}
