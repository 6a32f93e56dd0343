// Room cli: `outrider check FILE`: validates a document without starting anything.
// Exit 0: valid; 1: invalid; 2: cannot be read by this version.

import { formatOptionsIssue, OptionsError } from "../options.ts";
import { buildPolicySchema, readCompactForm } from "../policy/index.ts";
import { checkOptionsDocument } from "./load-options.ts";
import { parseOptionsText, readFileBytes } from "./option-file.ts";
import { buildOptionsSchema } from "./option-keys.ts";
import { describePolicy, type PolicyCheckFlags } from "./policy-check.ts";
import { exitCodes, type Shell } from "./shell.ts";

/** Which kind the file is said to be; with neither, a document with a key that only a policy has is a policy. */
export interface CheckFlags extends PolicyCheckFlags {
  policy?: boolean;
  options?: boolean;
}

/** Resolves with the exit code. */
export async function checkFile(file: string, flags: CheckFlags, shell: Shell): Promise<number> {
  try {
    const bytes = readFileBytes(file);
    if (flags.policy === true || (flags.options !== true && readCompactForm(bytes) !== undefined)) {
      return await checkPolicy(file, bytes, flags, shell);
    }
    const document = parseOptionsText(file, bytes);
    if (flags.options !== true && isPolicy(document)) return await checkPolicy(file, bytes, flags, shell);
    checkOptionsDocument(document, file);
    shell.out(`${file}: valid options\n`);
    return exitCodes.ok;
  } catch (error) {
    if (!(error instanceof OptionsError)) throw error;
    for (const issue of error.issues) shell.error(`${formatOptionsIssue(issue)}\n`);
    return error.unreadable ? exitCodes.misused : exitCodes.failed;
  }
}

async function checkPolicy(file: string, bytes: Buffer, flags: PolicyCheckFlags, shell: Shell): Promise<number> {
  const policy = await describePolicy(bytes, flags, shell.environment);
  if ("issues" in policy) {
    for (const issue of policy.issues) shell.error(`${file}: ${issue}\n`);
    return exitCodes.failed;
  }
  for (const warning of policy.warnings) shell.error(`${file}: warning: ${warning}\n`);
  const { models, routes, rollout } = policy.document;
  const parts = [
    `version ${policy.version}`,
    count(Object.keys(models).length, "alias", "aliases"),
    count(routes.length, "route", "routes"),
    ...(rollout === undefined ? [] : [`a candidate on ${rollout.percent} % of instances`]),
  ];
  shell.out(`${file}: valid policy: ${parts.join(", ")}\n`);
  return exitCodes.ok;
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** Whether it has a key that options do not have. */
function isPolicy(document: Record<string, unknown>): boolean {
  const known = buildOptionsSchema().properties ?? {};
  const { properties = {} } = buildPolicySchema();
  const policyOnly = Object.keys(properties as object).filter((key) => !Object.hasOwn(known, key));
  return policyOnly.some((key) => Object.hasOwn(document, key));
}
