// Room providers: the credentials that Outrider holds itself, from options or conventional variables.
// Invariant: a value goes from its source into a Secret and nowhere else; no error names it.

import type { Clock } from "../clock.ts";
import { type Options, OptionsError, type OptionsIssue } from "../options.ts";
import { Secret } from "../secret.ts";
import { breaksHeader, placeholder } from "./credential-choice.ts";
import { type CredentialFiles, machineFiles } from "./credential-files.ts";
import type { HeldCredential, Provider } from "./provider.ts";

/** Outrider's own credentials. */
export interface Credentials {
  /** The credential for a provider, or undefined. A file is looked at again at most once a second; an unreadable one keeps its last value. */
  for(provider: Provider): HeldCredential | undefined;
}

/** What credentials are read from. `environment` is the process's own and is read once. */
export interface CredentialsInput {
  options: Pick<Options, "credentials">;
  environment: Readonly<Record<string, string | undefined>>;
  clock: Pick<Clock, "nowMs">;
  files?: CredentialFiles;
}

const recheckMs = 1000;

/**
 * Reads every credential of the options once, so that a missing one is told at start.
 * @throws OptionsError with every issue found; never with a value
 */
export function createCredentials({
  options,
  environment,
  clock,
  files = machineFiles,
}: CredentialsInput): Credentials {
  const issues: OptionsIssue[] = [];
  const configured = new Map<string, () => HeldCredential>();
  for (const [id, reference] of Object.entries(options.credentials)) {
    try {
      if ("env" in reference) {
        const held = toHeld(environment[reference.env] ?? "", true);
        configured.set(id, () => held);
      } else {
        configured.set(id, watchFile(reference.file, files, clock));
      }
    } catch (error) {
      const [key, name] = "env" in reference ? ["env", reference.env] : ["file", reference.file];
      const expected = key === "env" ? "a variable that holds a key" : "a file that holds a key";
      issues.push({ path: `credentials.${id}.${key}`, expected, found: `${name}: ${reason(error)}` });
    }
  }
  if (issues.length > 0) throw new OptionsError(issues);

  const conventional = new Map<string, HeldCredential | undefined>();
  return {
    for(provider) {
      const own = configured.get(provider.id);
      if (own !== undefined) return own();
      if (!conventional.has(provider.id)) conventional.set(provider.id, fromConvention(provider, environment));
      return conventional.get(provider.id);
    },
  };
}

function fromConvention(provider: Provider, environment: CredentialsInput["environment"]): HeldCredential | undefined {
  for (const name of provider.keyEnv) {
    const value = environment[name]?.trim() ?? "";
    if (value !== "" && value !== placeholder && !breaksHeader(value)) return toHeld(value, false);
  }
  return undefined;
}

function watchFile(path: string, files: CredentialFiles, clock: Pick<Clock, "nowMs">): () => HeldCredential {
  let stamp = files.stamp(path);
  let held = toHeld(files.read(path), true);
  let checkedAtMs = clock.nowMs();
  return () => {
    if (clock.nowMs() - checkedAtMs < recheckMs) return held;
    checkedAtMs = clock.nowMs();
    try {
      const now = files.stamp(path);
      if (now !== stamp) {
        held = toHeld(files.read(path), true);
        stamp = now;
      }
    } catch {
      // Rotation may find the file gone, empty or half written for a moment: the last good value stays, the next second looks again.
    }
    return held;
  };
}

function toHeld(text: string, always: boolean): HeldCredential {
  const value = text.trim();
  if (value === "") throw new Error("empty");
  if (breaksHeader(value)) throw new Error("holds a line break or a control character");
  return { secret: new Secret(value), always };
}

/** Of a system error only its code: its message is no secret, but nothing here needs more. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return "unreadable";
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
