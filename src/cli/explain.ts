// Room cli: `outrider explain`: what policy would do with a call, from a file or from a running sidecar.
// Exit 0: explained; 1: nothing serves such a call; 2: the policy, the options or the question cannot be read.

import { request } from "undici";
import { systemClock } from "../clock.ts";
import { SidecarError } from "../errors.ts";
import { createCredentials } from "../providers/index.ts";
import { explainCall, type Explanation, type Question, readQuestion, writeQuestion } from "../proxy/index.ts";
import { createHealth } from "../routing/index.ts";
import { renderExplanation } from "./explanation.ts";
import { loadOptions } from "./load-options.ts";
import { readFileBytes } from "./option-file.ts";
import { describePolicy } from "./policy-check.ts";
import { exitCodes, type Shell } from "./shell.ts";

/** Flags of `explain`, as commander gives them. */
export interface ExplainFlags {
  model: string;
  policy?: string;
  admin?: string;
  config?: string;
  path?: string;
  dialect?: string;
  operation?: string;
  app?: string;
  team?: string;
  tag?: string[];
  needs?: string;
  tokens?: string;
  session?: string;
  /** `--no-fallback` */
  fallback: boolean;
  /** Show the document's candidate in place of the document. */
  candidate?: boolean;
  json?: boolean;
}

const timeoutMs = 5000;

/**
 * Resolves with the exit code.
 * @throws OptionsError
 */
export async function explain(flags: ExplainFlags, shell: Shell): Promise<number> {
  if ((flags.policy === undefined) === (flags.admin === undefined)) {
    shell.error("outrider: expected either --policy FILE or --admin HOST:PORT\n");
    return exitCodes.misused;
  }
  try {
    const question = readFlags(flags);
    const explanation =
      flags.admin === undefined ? await explainFile(question, flags, shell) : await askSidecar(question, flags.admin);
    if (explanation === undefined) return exitCodes.misused;
    shell.out(flags.json === true ? `${JSON.stringify(explanation, undefined, 2)}\n` : renderExplanation(explanation));
    return exitCodes.ok;
  } catch (error) {
    if (!(error instanceof SidecarError)) throw error;
    shell.error(`outrider: ${error.message}\n`);
    return error.code === "operation_unsupported" ? exitCodes.failed : exitCodes.misused;
  }
}

function readFlags(flags: ExplainFlags): Question {
  const query = new URLSearchParams({ model: flags.model });
  for (const name of ["path", "dialect", "operation", "app", "team", "needs", "tokens", "session"] as const) {
    const value = flags[name];
    if (value !== undefined) query.set(name, value);
  }
  for (const tag of flags.tag ?? []) query.append("tag", tag);
  if (!flags.fallback) query.set("fallback", "off");
  return readQuestion(query);
}

/** Undefined: the document is none to obey, which was told. */
async function explainFile(
  question: Question,
  { policy: file = "", config, candidate }: ExplainFlags,
  shell: Shell,
): Promise<Explanation | undefined> {
  const { environment } = shell;
  const policy = await describePolicy(readFileBytes(file), config === undefined ? {} : { config }, environment);
  if ("issues" in policy) {
    for (const issue of policy.issues) shell.error(`${file}: ${issue}\n`);
    return undefined;
  }
  if (candidate === true && policy.candidate === undefined) {
    shell.error(`${file}: it has no candidate\n`);
    return undefined;
  }
  const { rollout } = policy.document;
  if (rollout !== undefined && candidate !== true) {
    shell.error(`${file}: ${rollout.percent} % of instances run its candidate instead; see --candidate\n`);
  }
  const options = loadOptions({ file: config, environment });
  return explainCall(question, {
    snapshot: candidate === true ? (policy.candidate ?? policy.snapshot) : policy.snapshot,
    health: createHealth(systemClock, Math.random),
    credentials: createCredentials({ options, environment, clock: systemClock }),
    epochMs: () => systemClock.epochMs(),
  });
}

/** @throws SidecarError with what the sidecar said */
async function askSidecar(question: Question, admin: string): Promise<Explanation> {
  const url = `http://${admin}/explain?${writeQuestion(question).toString()}`;
  let status: number;
  let answer: unknown;
  try {
    const { statusCode, body } = await request(url, { headersTimeout: timeoutMs, bodyTimeout: timeoutMs });
    status = statusCode;
    answer = await body.json();
  } catch (error) {
    const why =
      error instanceof Error && "code" in error && error.code === "ECONNREFUSED"
        ? "nothing listens there"
        : "no Outrider answers there";
    throw new SidecarError("request_malformed", `${admin}: ${why}`);
  }
  if (status === 200) return answer as Explanation;
  const { error } = answer as { error?: { message?: string } };
  const code = status === 404 ? "operation_unsupported" : "request_malformed";
  throw new SidecarError(code, `${admin}: ${error?.message ?? `answered ${status}`}`);
}
